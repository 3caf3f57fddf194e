"""Files on whatever else pyarrow opens: Google Cloud Storage, Azure, HDFS."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Final

from pyarrow.fs import FileSelector, FileSystem, FileType

from despatch_connector_parquet.stores.store import LEFTOVER_AGE, UNFINISHED, Content, Store

__all__ = ["FileSystemStore"]

# These have no folders to make: a name with `/` in it is all there is.
_OBJECT_STORES: Final = frozenset({"s3", "gcs", "abfs"})


class FileSystemStore(Store):
    """Files on a file system of pyarrow's.

    A file is written under another name and then moved, which makes it appear whole: object
    stores copy on their own side and delete, HDFS renames. pyarrow has no "only if it is not
    there", so that two writers of one name at the same moment both succeed, and the last one
    stays.

    Args:
        filesystem: Where.
        root: The path of the root in it.
        location: What it is called.
    """

    def __init__(self, filesystem: FileSystem, root: str, location: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._location = location

    @property
    def location(self) -> str:
        """Where the root is."""
        return self._location

    def clear(self) -> None:
        """Remove what has lain unfinished for longer than any attempt takes."""
        unfinished = FileSelector(self._path(UNFINISHED), allow_not_found=True)
        oldest = datetime.now(UTC) - LEFTOVER_AGE
        for found in self._filesystem.get_file_info(unfinished):
            if found.type == FileType.File and found.mtime is not None and found.mtime < oldest:
                self._filesystem.delete_file(found.path)

    def create(self, path: str, content: Content) -> bool:
        """Write under another name, and move."""
        final = self._path(path)
        if self._filesystem.get_file_info(final).type != FileType.NotFound:
            return False
        beside = self._path(f"{UNFINISHED}/{uuid.uuid4().hex}.tmp")
        self._make_folder(beside)
        self._make_folder(final)
        with self._filesystem.open_output_stream(beside, compression=None) as stream:
            stream.write(content)
        self._filesystem.move(beside, final)
        return True

    def read(self, path: str) -> bytes | None:
        """Read a file."""
        try:
            with self._filesystem.open_input_stream(self._path(path), compression=None) as stream:
                content: bytes = stream.read()
        except FileNotFoundError:
            return None
        return content

    def folders(self) -> list[str]:
        """List the root."""
        found = self._filesystem.get_file_info(FileSelector(self._root))
        return sorted(each.base_name for each in found if each.type == FileType.Directory)

    def examine(self) -> list[str]:
        """Write and remove a probe."""
        probe = f"_probe_{uuid.uuid4().hex}"
        self.create(probe, b"probe")
        self._filesystem.delete_file(self._path(probe))
        return []

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}" if self._root else path

    def _make_folder(self, path: str) -> None:
        folder, _, _ = path.rpartition("/")
        if folder and self._filesystem.type_name not in _OBJECT_STORES:
            self._filesystem.create_dir(folder, recursive=True)
