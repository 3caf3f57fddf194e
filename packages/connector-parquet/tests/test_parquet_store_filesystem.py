from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, S3FileSystem

from despatch_connector_parquet.stores import UNFINISHED, FileSystemStore

CONTENT = b"content"


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[FileSystem, str]:
    if request.param == "local":
        return LocalFileSystem(), str(tmp_path / "lake")
    url = request.getfixturevalue("s3_url")
    bucket = request.getfixturevalue("s3_bucket")
    filesystem = S3FileSystem(
        endpoint_override=url,
        region=os.environ["AWS_DEFAULT_REGION"],
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    return filesystem, f"{bucket}/lake"


@pytest.fixture
def store(place: tuple[FileSystem, str]) -> FileSystemStore:
    return FileSystemStore(*place, "somewhere://lake")


def files(place: tuple[FileSystem, str]) -> list[str]:
    filesystem, root = place
    found: list[Any] = filesystem.get_file_info(
        FileSelector(root, allow_not_found=True, recursive=True)
    )
    return sorted(
        each.path.removeprefix(f"{root}/") for each in found if each.type == FileType.File
    )


def test_a_file_is_made_with_its_folders(
    store: FileSystemStore, place: tuple[FileSystem, str]
) -> None:
    assert store.create("a/b/x.parquet", CONTENT)
    assert store.create("y", CONTENT)
    assert files(place) == ["a/b/x.parquet", "y"]
    assert store.read("a/b/x.parquet") == store.read("y") == CONTENT


def test_a_file_that_is_there_is_left_as_it_is(
    store: FileSystemStore, place: tuple[FileSystem, str]
) -> None:
    assert store.create("x", CONTENT)
    assert not store.create("x", b"other")
    assert store.read("x") == CONTENT
    assert files(place) == ["x"]


def test_a_name_that_ends_like_a_compression_changes_nothing(store: FileSystemStore) -> None:
    store.create("x.jsonl.gz", CONTENT)
    assert store.read("x.jsonl.gz") == CONTENT


def test_a_file_that_is_not_there_has_no_content(store: FileSystemStore) -> None:
    assert store.read("x") is None


def test_a_probe_leaves_nothing(store: FileSystemStore, place: tuple[FileSystem, str]) -> None:
    store.clear()
    assert store.examine() == []
    assert files(place) == []


def test_leftovers_are_removed_once_no_attempt_can_still_be_at_them(tmp_path: Path) -> None:
    unfinished = tmp_path / UNFINISHED
    unfinished.mkdir()
    for name, age_s in (("old.tmp", 7200), ("new.tmp", 60)):
        (unfinished / name).write_bytes(CONTENT)
        os.utime(unfinished / name, (time.time() - age_s,) * 2)
    FileSystemStore(LocalFileSystem(), str(tmp_path), "here").clear()
    assert [path.name for path in unfinished.iterdir()] == ["new.tmp"]


def test_what_cannot_be_written_leaves_nothing_that_readers_see(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError, match="a"):
        FileSystemStore(LocalFileSystem(), str(tmp_path), "here").create("a/x", CONTENT)
    seen = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert seen == [tmp_path / "a"]


def test_folders_are_listed_by_name(store: FileSystemStore) -> None:
    for path in ("b/x", "a/deep/y", "file"):
        store.create(path, CONTENT)
    assert [name for name in store.folders() if name != UNFINISHED] == ["a", "b"]
