"""The canonical schemas of data sets, kept at the root: whoever is first decides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from despatch.records import Record
from despatch.value_types import ValueType
from despatch_connector_parquet.columns import Column
from despatch_connector_parquet.datasets import DataSet, first_column
from despatch_connector_parquet.inference import Integers
from despatch_connector_parquet.places import Place, schema_name
from despatch_connector_parquet.stores import Store

__all__ = ["Schemas"]

_log = logging.getLogger("despatch.connector.parquet")

# Readers pass over names with `_` in front.
_FOLDER: Final = "_schemas"
_MOST_TOLD: Final = 10


class Schemas:
    """The data sets of one root.

    Args:
        store: The root.
        integers: What a column becomes that has whole numbers only.
    """

    def __init__(self, store: Store, integers: Integers) -> None:
        self._store = store
        self._integers = integers
        self._known: dict[str, DataSet] = {}

    def of(
        self,
        place: Place,
        records: Callable[[], Sequence[Record]],
        types: Mapping[str, ValueType],
    ) -> DataSet:
        """The data set of a place: as it is kept, or else made from records and kept.

        Args:
            place: A folder of the data set.
            records: Gives all records of the batch that belong to the data set.
            types: The value types of the records.

        Raises:
            OSError: The root cannot be read or written.
            ValueError: What is kept cannot be read.
        """
        name = schema_name(place)
        data_set = self._known.get(name)
        if data_set is None:
            data_set = self._known[name] = self._agree(place, name, records, types)
        return data_set

    def _agree(
        self,
        place: Place,
        name: str,
        records: Callable[[], Sequence[Record]],
        types: Mapping[str, ValueType],
    ) -> DataSet:
        path = f"{_FOLDER}/{name}"
        kept = self._store.read(path)
        if kept is None:
            column = first_column(records(), types, self._integers)
            new = DataSet(place.data_set, place.stream_type, column)
            if self._store.create(path, new.to_json()):
                _tell(new)
                return new
            kept = self._store.read(path)
            if kept is None:
                raise OSError(f"{self._store.location}/{path}: was there, and is gone again")
        return DataSet.from_json(kept, f"{self._store.location}/{path}")


def _tell(data_set: DataSet) -> None:
    """Say which columns are text that stands for something else: readers must convert it."""
    texts = list(_texts(data_set.value.name, data_set.value))
    if texts:
        more = f" and {len(texts) - _MOST_TOLD} more" if len(texts) > _MOST_TOLD else ""
        _log.info("data set %s: %s%s", data_set.name, ", ".join(texts[:_MOST_TOLD]), more)


def _texts(where: str, column: Column) -> Iterator[str]:
    if column.is_text:
        yield f"{where} is {column.kind} as text"
    for part in column.parts:
        yield from _texts(f"{where}.{part.name}" if part.name else f"{where}[]", part)
