"""A small disk of its own for a test, to be filled.

It is a tmpfs of a few megabytes: mounted, where the tests may mount (as root, in a container with
CAP_SYS_ADMIN); else in a user namespace of its own, where the kernel lets anyone have one; else
what ``DESPATCH_TEST_SMALL_DISK`` names, an empty folder on a file system of 4 to 64 MB.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services import unavailable

SIZE_BYTES = 4 * 1024 * 1024

_IN_NAMESPACE = f"mount -t tmpfs -o size={SIZE_BYTES} tmpfs /mnt && echo ready && exec cat"


class SmallDisk:
    """A file system that a test can fill.

    Attributes:
        path: Its root.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    @property
    def free_bytes(self) -> int:
        """How much a file can still grow."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    @contextmanager
    def full(self, *, but: int = 0) -> Iterator[None]:
        """Fill it with something else's file, but for so many bytes."""
        with self._ballast.open("wb", buffering=0) as ballast:
            try:
                while (rest := self.free_bytes - but) > 0:
                    ballast.write(bytes(min(rest, 65536)))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        try:
            yield
        finally:
            self.make_room()

    def make_room(self) -> None:
        """Remove what fills it."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(mount_point: Path) -> Iterator[SmallDisk]:
    """A small, empty file system; skips the test, or fails it, where none is to be had."""
    with contextlib.ExitStack() as stack:
        for find in (_given, _mounted, _in_namespace):
            path = stack.enter_context(find(mount_point))
            if path is not None:
                yield SmallDisk(path)
                return
        unavailable(
            "no small disk to fill: run the tests as root with CAP_SYS_ADMIN (in Docker: --cap-add "
            "SYS_ADMIN --security-opt apparmor=unconfined), allow user namespaces (sysctl "
            "kernel.unprivileged_userns_clone=1), or set DESPATCH_TEST_SMALL_DISK to an empty "
            "folder on a file system of 4 to 64 MB"
        )


@contextmanager
def _given(_: Path) -> Iterator[Path | None]:
    given = os.environ.get("DESPATCH_TEST_SMALL_DISK")
    if not given:
        yield None
        return
    path = Path(given).absolute()
    yield path
    for left in path.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextmanager
def _mounted(mount_point: Path) -> Iterator[Path | None]:
    mount_point.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs"]
    mounted = subprocess.run(["mount", *options, mount_point], capture_output=True)
    if mounted.returncode != 0:
        yield None
        return
    try:
        yield mount_point
    finally:
        # A courier that is on its way out may still have a file open.
        subprocess.run(["umount", "--lazy", mount_point], check=True)


@contextmanager
def _in_namespace(_: Path) -> Iterator[Path | None]:
    if shutil.which("unshare") is None:
        yield None
        return
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _IN_NAMESPACE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with holder:
        assert holder.stdout is not None
        is_ready = holder.stdout.readline() == b"ready\n"
        # Its view of the file system, from outside; it ends with its standard input.
        yield Path(f"/proc/{holder.pid}/root/mnt") if is_ready else None
