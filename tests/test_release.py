"""A release, as `make release` does it, in a checkout of its own."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile

import pytest

from checkouts import DAY, Checkout
from pages import ROOT
from workspace import CORE, PACKAGES

HATCH = ROOT / ".venv" / "bin" / "hatch"
REDIS = "packages/connector-redis"
PLUGINS = [package.folder.name for package in PACKAGES if package is not CORE]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    return Checkout(tmp_path, monkeypatch)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_hatch_reads_the_version_from_where_it_stands(package):
    ran = subprocess.run(
        [HATCH, "version"], cwd=package.folder, check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == package.version


def test_a_plugin_is_released_with_its_changelog_its_tag_and_its_files(checkout):
    checkout.tell("connector-redis", "Streams may be\ntrimmed.")
    said = checkout.released("connector-redis", "release")
    tag = "despatch-connector-redis-v0.1.0"
    assert checkout.git("tag") == tag
    assert checkout.git("cat-file", "-t", tag) == "tag"
    assert checkout.git("rev-parse", f"{tag}^{{commit}}") == checkout.git("rev-parse", "HEAD")
    assert checkout.git("log", "-1", "--format=%s") == "Release despatch-connector-redis 0.1.0"
    assert checkout.git("status", "--porcelain") == ""
    assert checkout.git("diff", "--name-only", "HEAD~1").splitlines() == [
        f"{REDIS}/CHANGELOG.md",
        f"{REDIS}/changes/+something.added.md",
    ]
    section = f"## 0.1.0 ({DAY})\n\n### Added\n\n- Streams may be\n  trimmed.\n"
    assert section in checkout.read(f"{REDIS}/CHANGELOG.md")
    assert f"git push origin HEAD {tag}" in said
    stem = checkout.folder / "dist" / "despatch_connector_redis-0.1.0"
    with zipfile.ZipFile(f"{stem}-py3-none-any.whl") as wheel:
        assert "despatch_connector_redis/egress.py" in wheel.namelist()
    with tarfile.open(f"{stem}.tar.gz") as sdist:
        changelog = sdist.extractfile("despatch_connector_redis-0.1.0/CHANGELOG.md").read()
    assert section in changelog.decode()


def test_what_was_released_is_not_released_again(checkout):
    checkout.tell("connector-redis")
    checkout.released("connector-redis", "release")
    checkout.tell("connector-redis")
    assert "0.1.0 was released before" in checkout.refused("connector-redis", "release")
    checkout.released("connector-redis", "patch")
    assert checkout.version("connector-redis") == "0.1.1"


def test_a_release_is_refused_while_something_is_not_committed(checkout):
    checkout.tell("connector-redis")
    (checkout.folder / "packages" / "note.txt").touch()
    assert "?? packages/note.txt" in checkout.refused("connector-redis", "minor")


def test_a_release_is_refused_that_has_nothing_to_tell(checkout):
    assert "packages/core/changes/+what.added.md" in checkout.refused("core", "minor")


@pytest.mark.parametrize("part", ["huge", "0.0.9"])
def test_a_release_is_refused_for_a_version_that_is_none_or_is_not_higher(checkout, part):
    checkout.tell("connector-redis")
    assert f"despatch-connector-redis 0.1.0, {part}:" in checkout.refused("connector-redis", part)


def test_a_release_is_refused_whose_surface_is_not_recorded(checkout):
    checkout.change(f"{REDIS}/src/despatch_connector_redis/egress.py", "def target(", "def aim(")
    checkout.tell("connector-redis")
    assert "RedisEgress.aim(" in checkout.refused("connector-redis", "minor")


def test_a_release_is_refused_where_no_trial_can_be_made(checkout, monkeypatch):
    checkout.tell("core")
    monkeypatch.setenv("HATCH_UV", "/bin/false")
    # By then the plugins have followed, which is taken back.
    assert "not released: uv python list" in checkout.refused("core", "minor")
    assert not list(checkout.folder.glob("packages/*/changes/+despatch.changed.md"))


def test_what_breaks_takes_a_minor(checkout):
    checkout.tell("connector-redis")
    checkout.released("connector-redis", "release")
    checkout.change(f"{REDIS}/src/despatch_connector_redis/egress.py", "def target(", "def aim(")
    record = [sys.executable, "releasing/surface.py"]
    subprocess.run(record, cwd=checkout.folder, check=True, capture_output=True)
    checkout.tell("connector-redis")
    said = checkout.refused("connector-redis", "patch")
    assert "despatch-connector-redis 0.1.1 breaks what 0.1.0 had: expected PART=minor" in said
    assert "RedisEgress.target" in said
    checkout.released("connector-redis", "minor")


def test_the_plugins_follow_a_new_minor_of_the_core_and_its_extras_follow_them(checkout):
    for package in ("core", "connector-redis"):
        checkout.tell(package)
        checkout.released(package, "release")
    checkout.tell("core", "A new kind of plugin.")
    said = checkout.released("core", "minor")
    assert "despatch-connector-redis follows" in said
    assert checkout.version("core") == "0.2.0"
    assert checkout.git("status", "--porcelain") == ""
    for plugin in PLUGINS:
        assert "despatch>=0.2,<0.3" in checkout.project(plugin)["dependencies"]
        assert checkout.version(plugin) == "0.2.0.dev0"
        fragment = f"packages/{plugin}/changes/+despatch.changed.md"
        assert checkout.read(fragment) == "Requires despatch 0.2.\n"

    # Who has not been released since only takes the next range, and a patch moves none.
    checkout.tell("core", "Another kind of plugin.")
    checkout.released("core", "minor")
    checkout.tell("core", "Mended.")
    assert "follows" not in checkout.released("core", "patch")
    assert checkout.version("connector-redis") == "0.2.0.dev0"
    assert "despatch>=0.3,<0.4" in checkout.project("connector-redis")["dependencies"]

    checkout.released("connector-redis", "release")
    assert checkout.version("connector-redis") == "0.2.0"
    extras = checkout.project("core")["optional-dependencies"]
    assert extras["redis"] == ["despatch-connector-redis>=0.2.0"]
    assert extras["kafka"] == ["despatch-connector-kafka>=0.1"]
    told = checkout.read("packages/core/changes/+redis-0.2.0.changed.md")
    assert told == "The extra `redis` takes despatch-connector-redis 0.2.0 or later.\n"
    assert checkout.git("tag").splitlines() == [
        "despatch-connector-redis-v0.1.0",
        "despatch-connector-redis-v0.2.0",
        "despatch-v0.1.0",
        "despatch-v0.2.0",
        "despatch-v0.3.0",
        "despatch-v0.3.1",
    ]
