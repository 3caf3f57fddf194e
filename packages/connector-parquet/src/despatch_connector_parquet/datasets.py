"""Data sets: what all files of a kind have in common, so that they can be read as one.

A data set is what a path template leaves when `{key}`, `{path}` and `{run_id}` are taken for
partitions of it. Its canonical schema is made from the first batch and kept beside the data:
whoever writes it first has decided, and all that write later, in this run or another, keep to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec
import pyarrow as pa

from despatch.records import Record
from despatch.value_types import ValueType
from despatch_connector_parquet.arrays import builder_for
from despatch_connector_parquet.columns import MARKER, Column, merge
from despatch_connector_parquet.declared import declared_column, settle
from despatch_connector_parquet.inference import Integers, inferred_column

__all__ = ["VALUE", "DataSet", "StreamType", "first_column"]

VALUE: Final = "value"
_VERSION: Final = 1

StreamType: TypeAlias = Literal["event", "telemetry"]


class _Written(msgspec.Struct):
    """What is kept of a data set."""

    despatch_schema: int
    data_set: str
    stream_type: StreamType
    value: Column


class DataSet:
    """The canonical schema of a data set.

    Attributes:
        name: The template with what is the same for all of it.
        stream_type: What its records are.
        value: The column for their values.
        schema: The schema of all of its files.
        builder: Makes the array of `value`.
    """

    def __init__(self, name: str, stream_type: StreamType, value: Column) -> None:
        self.name = name
        self.stream_type = stream_type
        self.value = value
        self.builder = builder_for(value)
        self.schema = pa.schema(
            [
                pa.field("sim", pa.string()),
                pa.field("key" if stream_type == "event" else "path_id", pa.string()),
                pa.field("type", pa.string()),
                pa.field("sim_ts", pa.float64()),
                pa.field("timestamp", pa.timestamp("us", "UTC")),
                pa.field("run_id", pa.string()),
                pa.field("seq", pa.int64()),
                pa.field("sink_seq", pa.int64()),
                value.field,
                pa.field("more", pa.string(), metadata={MARKER: "json"}),
            ]
        )

    def to_json(self) -> bytes:
        """The data set as it is kept."""
        written = _Written(_VERSION, self.name, self.stream_type, self.value)
        return msgspec.json.format(msgspec.json.encode(written), indent=2)

    @classmethod
    def from_json(cls, text: bytes, where: str) -> DataSet:
        """The data set that `to_json` wrote.

        Args:
            text: What was written.
            where: Where it stands, for the error.

        Raises:
            ValueError: This is none, or one of a later version.
        """
        try:
            written = msgspec.json.decode(text, type=_Written)
        except msgspec.MsgspecError as error:
            raise ValueError(
                f"{where}: expected the schema of a data set, found something else ({error}); "
                "restore it, or give the sink another path"
            ) from error
        if written.despatch_schema != _VERSION:
            raise ValueError(
                f"{where}: expected a schema of version {_VERSION}, found version "
                f"{written.despatch_schema}; upgrade despatch-connector-parquet"
            )
        return cls(written.data_set, written.stream_type, written.value)


def first_column(
    records: Sequence[Record], types: Mapping[str, ValueType], integers: Integers
) -> Column:
    """The column for the values of a data set's first records.

    A declared type says what its column is. The rest is found out from the values, all of them.
    """
    values: dict[str | None, list[Any]] = {}
    for record in records:
        name = record.type if record.type in types else None
        values.setdefault(name, []).append(record.value)
    merged: Column | None = None
    for name, those in values.items():
        if name is None:
            column = inferred_column(VALUE, those, integers)
        else:
            column = settle(declared_column(VALUE, types[name]), those)
        merged = merge(VALUE, merged, column)
    return merged or Column(VALUE, "json")
