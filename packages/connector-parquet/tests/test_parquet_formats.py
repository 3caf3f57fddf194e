from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from despatch_connector_parquet.formats import (
    COMPRESSIONS,
    Compression,
    Format,
    encode_lines,
    encode_table,
    extension_of,
    identities,
)

TABLE = pa.table(
    {"run_id": ["r1", "r1"], "seq": [3, 5], "sink_seq": [0, 1], "value": [0.5, None]}
).replace_schema_metadata({"despatch.run_id": "r1"})
LINES = [
    b'{"run_id":"r1","seq":3,"sink_seq":0,"value":0.5}',
    b'{"run_id":"r1","seq":5,"sink_seq":1,"value":null}',
]
IDENTITIES = [("r1", 3, 0), ("r1", 5, 1)]
ALL = [(each, codec) for each, codecs in COMPRESSIONS.items() for codec in codecs]
TABLES: list[Any] = [pair for pair in ALL if pair[0] != "jsonl"]


def encoded(file_format: Format, codec: Compression) -> pa.Buffer:
    if file_format == "jsonl":
        return encode_lines(LINES, codec)
    return encode_table(TABLE, file_format, codec)


@pytest.mark.parametrize(("file_format", "codec"), ALL)
def test_a_file_tells_which_records_it_holds(file_format: Format, codec: Compression) -> None:
    assert identities(encoded(file_format, codec), file_format, codec) == IDENTITIES


@pytest.mark.parametrize(("file_format", "codec"), ALL)
def test_equal_content_gives_equal_bytes(file_format: Format, codec: Compression) -> None:
    assert encoded(file_format, codec).equals(encoded(file_format, codec))


@pytest.mark.parametrize(("file_format", "codec"), ALL)
@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 100, b'{"a":1}\n', b"\xff\n"])
def test_what_is_no_file_of_records_holds_none(
    file_format: Format, codec: Compression, content: bytes
) -> None:
    found = identities(pa.py_buffer(content), file_format, codec)
    assert found in (None, [])
    half = encoded(file_format, codec).slice(0, encoded(file_format, codec).size // 2)
    assert identities(half, file_format, codec) != IDENTITIES


@pytest.mark.parametrize(("file_format", "codec"), TABLES)
def test_a_table_is_read_as_it_was_written(file_format: Format, codec: Compression) -> None:
    source = pa.BufferReader(encode_table(TABLE, file_format, codec))
    if file_format == "parquet":
        read = pq.read_table(source)
        used = pq.ParquetFile(source).metadata.row_group(0).column(0).compression
        names = {"none": "UNCOMPRESSED"}
        assert used == names.get(codec, codec.upper())
    else:
        read = pa.ipc.open_file(source).read_all()
    assert read.equals(TABLE)
    assert read.schema.metadata[b"despatch.run_id"] == b"r1"


@pytest.mark.parametrize("codec", COMPRESSIONS["jsonl"])
def test_duckdb_reads_lines_by_their_extension(codec: Compression, tmp_path: Any) -> None:
    path = tmp_path / f"events{extension_of('jsonl', codec)}"
    path.write_bytes(encode_lines(LINES, codec).to_pybytes())
    with duckdb.connect() as connection:
        rows = connection.sql(f"SELECT seq, value FROM '{path}' ORDER BY seq").fetchall()
    assert rows == [(3, 0.5), (5, None)]


def test_lines_end_in_a_line_break() -> None:
    assert encode_lines(LINES, "none").to_pybytes() == LINES[0] + b"\n" + LINES[1] + b"\n"


def test_an_extension_names_the_format_and_how_lines_are_compressed() -> None:
    assert extension_of("parquet", "zstd") == ".parquet"
    assert extension_of("arrow", "lz4") == ".arrow"
    assert extension_of("jsonl", "none") == ".jsonl"
    assert extension_of("jsonl", "gzip") == ".jsonl.gz"
    assert extension_of("jsonl", "zstd") == ".jsonl.zst"
