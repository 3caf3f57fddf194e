"""What `make dist` builds: complete, in order, and the same each time."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import PurePosixPath

import pytest
from packaging.metadata import Metadata

from clean_environments import build_wheel
from following import interface_range
from pages import ROOT
from workspace import CORE, EXTRAS, PACKAGES

PACKAGE = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)


def wheel_of(package, dist):
    return dist / f"{package.stem}-py3-none-any.whl"


def sdist_of(package, dist):
    return dist / f"{package.stem}.tar.gz"


def files_of(package, *folders):
    """The package's files in the checkout, but for those that git is told to ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=package.folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listed.stdout.splitlines() if (package.folder / name).exists()}


def test_each_package_has_a_wheel_and_an_sdist_and_older_ones_are_gone(dist):
    made = {wheel_of(each, dist) for each in PACKAGES} | {sdist_of(each, dist) for each in PACKAGES}
    assert len(made) == 2 * len(PACKAGES)
    assert set(dist.iterdir()) - made == {dist / "stranger-1.0-py3-none-any.whl"}


@PACKAGE
def test_a_wheel_has_the_package_its_type_marker_and_its_licence_and_nothing_else(package, dist):
    with zipfile.ZipFile(wheel_of(package, dist)) as wheel:
        names = set(wheel.namelist())
        licence = wheel.read(f"{package.stem}.dist-info/licenses/LICENSE")
    modules = {name.removeprefix("src/") for name in files_of(package, "src")}
    info = {name for name in names if name.startswith(f"{package.stem}.dist-info/")}
    assert names - info == modules
    assert f"{package.import_name}/py.typed" in names
    assert licence == (ROOT / "LICENSE").read_bytes()


@PACKAGE
def test_an_sdist_has_the_sources_the_tests_and_what_there_is_to_read(package, dist):
    with tarfile.open(sdist_of(package, dist)) as sdist:
        files = {PurePosixPath(each.name) for each in sdist.getmembers() if each.isfile()}
    names = {str(each.relative_to(package.stem)) for each in files}
    readable = {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"}
    # hatchling adds .gitignore, so that what is built of an sdist is what is built of a checkout.
    assert names - {"PKG-INFO", ".gitignore"} == readable | files_of(package, "src", "tests")
    assert any(name.startswith("tests/test_") for name in names)


@PACKAGE
def test_the_metadata_is_in_order(package, dist):
    with zipfile.ZipFile(wheel_of(package, dist)) as wheel:
        text = wheel.read(f"{package.stem}.dist-info/METADATA")
    # Raises for what an index would refuse.
    metadata = Metadata.from_email(text, validate=True)
    assert (metadata.name, str(metadata.version)) == (package.name, package.version)
    assert str(metadata.requires_python) == ">=3.11"
    assert (metadata.license_expression, metadata.license_files) == ("MIT", ["LICENSE"])
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (package.folder / "README.md").read_text(encoding="utf-8")
    assert metadata.summary
    assert "Typing :: Typed" in metadata.classifiers


@pytest.mark.parametrize("package", EXTRAS.values(), ids=list(EXTRAS))
def test_a_plugin_takes_the_core_from_a_minor_up_to_the_next(package):
    required = [each for each in package.project["dependencies"] if each.startswith("despatch")]
    assert required == [interface_range(CORE.version)]


@PACKAGE
def test_a_wheel_built_of_the_sdist_is_the_same_to_the_byte(package, dist, tmp_path):
    again = build_wheel(sdist_of(package, dist), tmp_path / "again")
    assert again.read_bytes() == wheel_of(package, dist).read_bytes()
