"""How SimPy's source distribution is fetched, with a pip of the test's own on the path."""

from __future__ import annotations

import sys
import tarfile

import pytest

from compatibility import source
from compatibility.source import SourceMissing, WrongVersion, fetched, unpacked


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Puts a program in the place of Python with pip; called with what it is to do."""
    program = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(program))

    def write(script):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return write


def test_what_was_fetched_is_the_archive_of_the_version(simpy_source):
    assert source.digest(fetched()) == source.SHA256
    assert f"\nVersion: {source.VERSION}\n" in (simpy_source / "PKG-INFO").read_text()


def test_the_folder_of_simpys_tests_keeps_its_name(simpy_source):
    assert (simpy_source / "tests" / "conftest.py").is_file()


@pytest.mark.usefixtures("simpy_source")
def test_the_archive_is_fetched_once(pip):
    pip("exit 1")
    assert fetched() == fetched()


@pytest.mark.usefixtures("cache")
def test_a_pip_that_fails_is_quoted(pip):
    pip("echo 'no network' >&2; exit 1")
    with pytest.raises(SourceMissing, match=r"(?s)no source distribution of SimPy.*no network"):
        fetched()


@pytest.mark.usefixtures("cache")
def test_an_archive_with_another_digest_is_refused_and_fetched_again(pip):
    pip('while [ "$1" != --dest ]; do shift; done; echo rubbish > "$2/simpy-4.1.2.tar.gz"')
    with pytest.raises(SourceMissing, match=r"has the digest \w{64} instead of 76ef36b7"):
        fetched()

    pip("echo 'asked again' >&2; exit 1")
    with pytest.raises(SourceMissing, match="asked again"):
        fetched()


@pytest.mark.usefixtures("pip")
def test_another_version_than_the_installed_one_is_refused(monkeypatch):
    monkeypatch.setattr(source, "VERSION", "4.1.1")
    with pytest.raises(WrongVersion, match=r"SimPy 4\.1\.\d is installed.*the tests of 4\.1\.1"):
        fetched()


def test_an_archive_cannot_write_outside_of_its_folder(tmp_path):
    (tmp_path / "text").write_text("text")
    with tarfile.open(tmp_path / "simpy-1.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "text", "../outside")
    with pytest.raises(tarfile.OutsideDestinationError):
        unpacked(tmp_path / "simpy-1.tar.gz", tmp_path / "folder")
    assert not (tmp_path / "outside").exists()
