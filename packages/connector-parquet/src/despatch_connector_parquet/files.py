"""Files: what goes into one, and its way into the store under a name that its records give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import msgspec
import pyarrow as pa

from despatch.interfaces import Unencodable
from despatch.records import Record
from despatch.serializers.json import JsonSerializer, JsonSettings
from despatch_connector_parquet.datasets import DataSet
from despatch_connector_parquet.formats import (
    Compression,
    Format,
    Identity,
    encode_lines,
    encode_table,
    extension_of,
    identities,
)
from despatch_connector_parquet.places import Place, file_name
from despatch_connector_parquet.stores import Store
from despatch_connector_parquet.tables import tabulate

__all__ = ["File", "Lines", "Tables", "write_file"]

_NAMES: Final = 16
_IDENTITY: Final = attrgetter("run_id", "seq", "sink_seq")
_PACKED: Final = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class File:
    """One file, before it has a name.

    Attributes:
        place: Where it will lie.
        format: What it is.
        compression: What it is compressed by.
        identities: Which records are in it.
        content: All of it.
    """

    place: Place
    format: Format
    compression: Compression
    identities: list[Identity]
    content: pa.Buffer

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(memoryview(self.content))


class Lines:
    """Makes files of JSON lines, as the serializer `json` writes them.

    Args:
        compression: What they are compressed by.
    """

    def __init__(self, compression: Compression) -> None:
        self._compression = compression
        self._serializer = JsonSerializer(JsonSettings())

    def file(self, place: Place, records: Sequence[Record]) -> tuple[File | None, dict[int, str]]:
        """A file of the records that have JSON, and why the others have none."""
        encoded = self._serializer.encode(records)
        rejected = {i: each.reason for i, each in enumerate(encoded) if type(each) is Unencodable}
        lines = [line for line in encoded if isinstance(line, bytes)]
        if not lines:
            return None, rejected
        kept = [record for i, record in enumerate(records) if i not in rejected]
        content = encode_lines(lines, self._compression)
        return File(place, "jsonl", self._compression, _identities(kept), content), rejected


class Tables:
    """Makes Parquet or Arrow files.

    Args:
        file_format: Which of the two.
        compression: What they are compressed by.
    """

    def __init__(self, file_format: Format, compression: Compression) -> None:
        self._format = file_format
        self._compression = compression

    def file(
        self, place: Place, records: Sequence[Record], data_set: DataSet, *, first: int, end: int
    ) -> tuple[File | None, dict[int, str]]:
        """A file of the records that fit the data set, and why the others do not.

        Args:
            place: Where it will lie.
            records: All of one run.
            data_set: Whose schema it has.
            first: The first position of the batch, for the file's metadata.
            end: The position after the last.
        """
        tabulated = tabulate(records, data_set)
        if not tabulated.kept:
            return None, tabulated.rejected
        kept = [records[index] for index in tabulated.kept] if tabulated.rejected else records
        metadata = {
            "despatch.run_id": kept[0].run_id,
            "despatch.first": str(first),
            "despatch.end": str(end),
            "despatch.stream_type": place.stream_type,
            "despatch.data_set": place.data_set,
        }
        table = tabulated.table.replace_schema_metadata(metadata)
        content = encode_table(table, self._format, self._compression)
        file = File(place, self._format, self._compression, _identities(kept), content)
        return file, tabulated.rejected


def write_file(store: Store, file: File) -> int:
    """Put a file into a store, under the first of its names that no other records have.

    Where one of its names has the same records already, that file is left as it is.

    Returns:
        How many bytes the file has.

    Raises:
        OSError: It could not be written, or all of its names are taken.
    """
    identity = _PACKED.encode(file.identities)
    extension = extension_of(file.format, file.compression)
    folder = f"{file.place.folder}/" if file.place.folder else ""
    for salt in range(_NAMES):
        path = f"{folder}{file_name(file.place, identity, salt, extension)}"
        if store.create(path, file.content):
            return file.size
        found = store.read(path)
        if found is None:
            raise OSError(f"{store.location}/{path}: was there, and is gone again")
        if _is_same(pa.py_buffer(found), file):
            return file.size
    raise OSError(f"{store.location}/{path}: taken by another file, and so are all other names")


def _is_same(found: pa.Buffer, file: File) -> bool:
    if found.equals(file.content):
        return True
    # Another version of pyarrow or another compression: other bytes for the same records.
    return identities(found, file.format, file.compression) == file.identities


def _identities(records: Sequence[Record]) -> list[Identity]:
    return list(map(_IDENTITY, records))
