"""SimPy's source distribution, fetched once and checked."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

from services import cache_folder

__all__ = ["SHA256", "VERSION", "SourceMissing", "WrongVersion", "fetched", "unpacked"]

VERSION = "4.1.2"
SHA256 = "76ef36b71e0436ba94e55febc001c78879e493a323f045bbcfbb0b216e9b1fbc"
"""Of the archive, as the package index states it."""


class SourceMissing(Exception):
    """The source distribution cannot be had here. The text says why."""


class WrongVersion(Exception):
    """Another version of SimPy is installed than the one whose tests are known."""


def fetched() -> Path:
    """The archive in the user's cache, downloaded the first time, its digest checked.

    Raises:
        WrongVersion: The SimPy that is installed is another.
        SourceMissing: pip could not download it, or brought something else.
    """
    installed = metadata.version("simpy")
    if installed != VERSION:
        raise WrongVersion(
            f"SimPy {installed} is installed, and these are the tests of {VERSION}: state the new "
            f"version, its digest and the number of its tests in {Path(__file__).parent}"
        )
    with cache_folder("simpy", f"{VERSION} {SHA256}".encode()) as folder:
        archive = folder / f"simpy-{VERSION}.tar.gz"
        if not archive.exists() or digest(archive) != SHA256:
            archive.unlink(missing_ok=True)
            download(folder)
            if digest(archive) != SHA256:
                raise SourceMissing(
                    f"no source distribution of SimPy {VERSION}, for what came has the digest "
                    f"{digest(archive)} instead of {SHA256}"
                )
        return archive


def download(folder: Path) -> None:
    """Let pip put the archive into `folder`."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    # pip builds the distribution's metadata. SimPy alone is to come as source for that, not
    # what it is built with.
    options += ["--no-binary", "simpy", "--dest", str(folder)]
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, f"simpy=={VERSION}"],
        capture_output=True,
        text=True,
    )
    if pip.returncode != 0:
        raise SourceMissing(
            f"no source distribution of SimPy {VERSION}, for pip could not download it; it "
            f"said:\n{pip.stderr[-2000:]}"
        )


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack the archive below `folder`; the distribution's own folder."""
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def digest(path: Path) -> str:
    """The file's SHA-256, in hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
