"""Formats: a table or lines as the bytes of one file, and which records a file holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

__all__ = ["COMPRESSIONS", "Compression", "Format", "Identity", "encode_lines", "encode_table"]
__all__ += ["extension_of", "identities"]

Format: TypeAlias = Literal["parquet", "jsonl", "arrow"]
Compression: TypeAlias = Literal["none", "snappy", "zstd", "gzip", "lz4", "brotli"]

COMPRESSIONS: Final[dict[Format, tuple[Compression, ...]]] = {
    "parquet": ("zstd", "snappy", "gzip", "lz4", "brotli", "none"),
    "jsonl": ("none", "gzip", "zstd"),
    "arrow": ("none", "zstd", "lz4"),
}
"""What each format can be compressed by, the default first."""

_SUFFIXES: Final[dict[Compression, str]] = {"gzip": ".gz", "zstd": ".zst"}


Identity: TypeAlias = tuple[str, int, int]
"""Which record it is, and which of the sink's: run_id, seq and sink_seq."""

_IDENTITY: Final = ["run_id", "seq", "sink_seq"]


class _Line(msgspec.Struct):
    run_id: str
    seq: int
    sink_seq: int


def extension_of(file_format: Format, compression: Compression) -> str:
    """How a file's name ends, such as ``.parquet`` or ``.jsonl.gz``."""
    suffix = _SUFFIXES.get(compression, "") if file_format == "jsonl" else ""
    return f".{file_format}{suffix}"


def encode_table(table: pa.Table, file_format: Format, compression: Compression) -> pa.Buffer:
    """A table as a Parquet file, or as a file of Arrow's IPC format.

    Equal tables give equal bytes, as long as pyarrow is the same.
    """
    sink = pa.BufferOutputStream()
    if file_format == "arrow":
        codec = None if compression == "none" else compression
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.ipc.new_file(sink, table.schema, options=options) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, sink, compression=compression)
    return sink.getvalue()


def encode_lines(lines: Sequence[bytes], compression: Compression) -> pa.Buffer:
    """Lines as a file, each with its line break."""
    text = b"\n".join([*lines, b""])
    if compression == "none":
        return pa.py_buffer(text)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, compression) as stream:
        stream.write(text)
    return sink.getvalue()


def identities(
    data: pa.Buffer, file_format: Format, compression: Compression
) -> list[Identity] | None:
    """Which records a file holds; None where it is no file of records."""
    try:
        if file_format == "jsonl":
            return _of_lines(data, compression)
        return _of_table(_read_table(data, file_format))
    except (pa.ArrowException, KeyError, OSError, ValueError, msgspec.MsgspecError):
        return None


def _read_table(data: pa.Buffer, file_format: Format) -> pa.Table:
    if file_format == "parquet":
        return pq.read_table(pa.BufferReader(data), columns=_IDENTITY)
    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        return reader.read_all().select(_IDENTITY)


def _of_table(table: pa.Table) -> list[Identity]:
    columns: Any = (table.column(name).to_pylist() for name in _IDENTITY)
    return list(zip(*columns, strict=True))


def _of_lines(data: pa.Buffer, compression: Compression) -> list[Identity]:
    source: Any = pa.BufferReader(data)
    if compression != "none":
        source = pa.CompressedInputStream(source, compression)
    lines = source.read().splitlines()
    found = (msgspec.json.decode(line, type=_Line) for line in lines)
    return [(each.run_id, each.seq, each.sink_seq) for each in found]
