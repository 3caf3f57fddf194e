from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from despatch_connector_parquet.stores import UNFINISHED, LocalStore

CONTENT = b"content"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_file_is_made_with_its_folders(store: LocalStore, root: Path) -> None:
    assert store.create("a/b/x.parquet", CONTENT)
    assert store.create("y", pa.py_buffer(CONTENT))
    assert files(root) == ["a/b/x.parquet", "y"]
    assert store.read("a/b/x.parquet") == store.read("y") == CONTENT


def test_a_file_that_is_there_is_left_as_it_is(store: LocalStore, root: Path) -> None:
    assert store.create("x", CONTENT)
    assert not store.create("x", b"other")
    assert store.read("x") == CONTENT
    assert files(root) == ["x"]


def test_a_file_that_is_not_there_has_no_content(store: LocalStore, root: Path) -> None:
    assert store.read("x") is None
    root.mkdir()
    assert store.read("a/x") is None


def test_a_file_has_the_rights_that_the_umask_leaves(store: LocalStore, root: Path) -> None:
    before = os.umask(0o027)
    try:
        store.create("x", CONTENT)
    finally:
        os.umask(before)
    assert (root / "x").stat().st_mode & 0o777 == 0o640


def test_of_many_writers_of_one_name_one_succeeds(store: LocalStore, root: Path) -> None:
    start = threading.Barrier(8)

    def write(number: int) -> bool:
        start.wait()
        return store.create("a/x", str(number).encode() * 100_000)

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(write, range(8)))
    assert created.count(True) == 1
    assert store.read("a/x") == str(created.index(True)).encode() * 100_000
    assert files(root) == ["a/x"]


def test_what_cannot_be_written_leaves_nothing(store: LocalStore, root: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            store.create("a/x", b"x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert files(root) == []
    assert store.create("a/x", b"x" * 200_000)


WRITES = """
import sys
from pathlib import Path
from despatch_connector_parquet.stores import LocalStore

store = LocalStore(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(10_000):
    store.create(f"a/{number}.parquet", b"x" * 3_000_000)
"""


def test_a_writer_that_is_killed_leaves_whole_files_and_what_readers_pass_over(
    store: LocalStore, root: Path
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(root)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        unfinished = root / UNFINISHED
        deadline = time.monotonic() + 60
        # Killed while a file is being written.
        while not (files(root / "a") and unfinished.is_dir() and list(unfinished.iterdir())):
            assert time.monotonic() < deadline
    finally:
        writer.kill()
        writer.communicate()
    seen = files(root)
    assert seen
    for name in seen:
        if name.endswith(".parquet"):
            assert (root / name).stat().st_size == 3_000_000
        else:
            assert name.startswith(f"{UNFINISHED}/")
            assert name.endswith(".tmp")


def test_leftovers_are_removed_once_no_attempt_can_still_be_at_them(
    store: LocalStore, root: Path
) -> None:
    unfinished = root / UNFINISHED
    unfinished.mkdir(parents=True)
    for name, age in (("old.tmp", timedelta(hours=2)), ("new.tmp", timedelta(minutes=5))):
        (unfinished / name).write_bytes(CONTENT)
        then = time.time() - age.total_seconds()
        os.utime(unfinished / name, (then, then))
    store.clear()
    assert files(root) == [f"{UNFINISHED}/new.tmp"]


def test_a_file_that_is_finished_while_leftovers_are_looked_for_is_none(
    store: LocalStore, root: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            LocalStore(root).create(f"a/{number}", CONTENT)
            number += 1

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        try:
            for _ in range(300):
                store.clear()
        finally:
            stop.set()
        for writer in writers:
            writer.result()
    assert list((root / UNFINISHED).iterdir()) == []


def test_a_file_system_without_links_gets_files_by_renaming(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert store.create("x", CONTENT)
    assert not store.create("x", b"other")
    assert store.read("x") == CONTENT
    assert files(root) == ["x"]


def test_other_errors_of_linking_are_raised(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(source: object, target: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", fails)
    with pytest.raises(OSError, match="Input/output error"):
        store.create("x", CONTENT)
    assert files(root) == []


def test_a_file_and_its_folders_are_synced_before_they_count(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def recording(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to tell what a descriptor is")
    monkeypatch.setattr(os, "fsync", recording)
    store.create("a/b/x", CONTENT)
    (content,) = [index for index, path in enumerate(synced) if path.endswith(".tmp")]
    assert {str(root), str(root / "a")} <= set(synced[:content])
    assert synced[-1] == str(root / "a" / "b")
    # One that is there may have been linked by a writer that died before it could sync.
    synced.clear()
    store.create("a/b/x", CONTENT)
    assert synced[-1] == str(root / "a" / "b")


def test_a_probe_leaves_nothing_and_makes_no_folder(store: LocalStore, root: Path) -> None:
    assert store.examine() == []
    assert not root.exists()
    root.mkdir()
    assert store.examine() == []
    assert list(root.iterdir()) == []


def test_a_root_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        LocalStore(tmp_path / "file" / "lake").examine()


def test_a_root_that_takes_no_files_is_found_out() -> None:
    with pytest.raises(OSError, match=r"_despatch_probe_"):
        LocalStore(Path("/proc/lake")).examine()


def test_folders_are_listed_by_name(store: LocalStore, root: Path) -> None:
    for path in ("b/x", "a/deep/y", "file"):
        store.create(path, CONTENT)
    assert store.folders() == [UNFINISHED, "a", "b"]
    with pytest.raises(FileNotFoundError):
        LocalStore(root / "nowhere").folders()
