"""Rows: what is in a Parquet file, as Python's own values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["read_rows"]


def read_rows(content: bytes, check: Callable[[list[str]], None]) -> list[dict[str, Any]]:
    """Read a file.

    Times and durations are taken to the microsecond, which is as much as Python's own hold. What
    is null in a struct is left out of its mapping, as a column has to be there for all rows.

    Args:
        content: All of it.
        check: Raises a ValueError where the columns are others than expected.

    Raises:
        ValueError: It is no Parquet, or has two columns of one name.
    """
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"expected a Parquet file: {error}") from error
    names = table.column_names
    if len(set(names)) < len(names):
        raise ValueError(f"expected columns with names of their own, got {', '.join(names)}")
    check(names)
    columns = [_values(column) for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if isinstance(kind, pa.JsonType):
        texts = column.cast(pa.string()).to_pylist()
        return [None if text is None else json.loads(text) for text in texts]
    if pa.types.is_timestamp(kind):
        column = pc.cast(column, pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_duration(kind):
        column = pc.cast(column, pa.duration("us"), safe=False)
    values = column.to_pylist(maps_as_pydicts="strict")
    return [_without_nulls(value) for value in values] if pa.types.is_struct(kind) else values


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return value
