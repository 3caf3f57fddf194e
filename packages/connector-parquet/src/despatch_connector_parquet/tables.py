"""Tables: records as the columns of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa

from despatch.records import Event, Record
from despatch_connector_parquet.datasets import VALUE, DataSet
from despatch_connector_parquet.scalars import Built, json_text

__all__ = ["Tabulated", "tabulate"]

_ADVICE: Final = "send records of this shape to another path, or convert the value in the model"


@dataclass(frozen=True, slots=True)
class Tabulated:
    """Records in a table.

    Attributes:
        table: The records that fit, in their order, without metadata.
        kept: The indexes of those.
        rejected: The index of every other to the reason.
    """

    table: pa.Table
    kept: Sequence[int]
    rejected: dict[int, str]


def tabulate(records: Sequence[Record], data_set: DataSet) -> Tabulated:
    """Put records into the columns of a data set, exactly; what does not fit is rejected."""
    kept: Sequence[int] = range(len(records))
    values = [record.value for record in records]
    built, more = _build(values, data_set)
    rejected = {
        index: f"{VALUE}{fault}; data set {data_set.name}: {_ADVICE}"
        for index, fault in sorted(built.faults.items())
    }
    if rejected:
        kept = [index for index in kept if index not in rejected]
        records = [records[index] for index in kept]
        built, more = _build([values[index] for index in kept], data_set)
    arrays = [*_envelope(records), built.array, more]
    return Tabulated(pa.Table.from_arrays(arrays, schema=data_set.schema), kept, rejected)


def _build(values: Sequence[Any], data_set: DataSet) -> tuple[Built, pa.Array]:
    built = data_set.builder.build(values)
    if not built.more:
        return built, pa.nulls(len(values), pa.string())
    texts: list[str | None] = [None] * len(values)
    for index, rest in built.more.items():
        try:
            texts[index] = json_text(rest)
        except ValueError as error:
            fault = f": no column, and for `more` expected what JSON can say, got {error}"
            built.faults.setdefault(index, fault)
    return built, pa.array(texts, pa.string())


def _envelope(records: Sequence[Record]) -> list[pa.Array]:
    name = "key" if records and type(records[0]) is Event else "path_id"
    return [
        _texts(records, "sim"),
        _texts(records, name),
        _texts(records, "type"),
        pa.array([record.sim_ts for record in records], pa.float64()),
        _texts(records, "timestamp").cast(pa.timestamp("us", "UTC")),
        _texts(records, "run_id"),
        pa.array([record.seq for record in records], pa.int64()),
        pa.array([record.sink_seq for record in records], pa.int64()),
    ]


def _texts(records: Sequence[Record], name: str) -> pa.Array:
    texts = list(map(attrgetter(name), records))
    if texts and texts[0] is not None and texts.count(texts[0]) == len(texts):
        return pa.repeat(pa.scalar(texts[0], pa.string()), len(texts))
    return pa.array(texts, pa.string())
