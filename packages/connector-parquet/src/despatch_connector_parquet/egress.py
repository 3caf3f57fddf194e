"""Records into files: one file a batch for each folder, written whole or not at all.

    group by folder → canonical schema of the data set → table → bytes → create if absent

A file is named after the records in it, so a batch that comes again finds its own files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar, Final, TypeVar

from pydantic import BaseModel

from despatch.interfaces import Batch, EgressConnector, Guarantee, Health, Receipt
from despatch.records import Record
from despatch_connector_parquet.files import File, Lines, Tables, write_file
from despatch_connector_parquet.places import Place, Places
from despatch_connector_parquet.schemas import Schemas
from despatch_connector_parquet.settings import ParquetSettings, open_store
from despatch_connector_parquet.stores import Store

__all__ = ["ParquetEgress"]

_AT_ONCE: Final = 8

_Result = TypeVar("_Result")
_Groups = Mapping[Place, Sequence[int]]


class ParquetEgress(EgressConnector):
    """Writes each batch as a file, or as one for each folder that its records go to.

    A batch that comes again makes the same files, and those that are there already count as
    confirmed. All Parquet or Arrow files of a data set have the same schema; a record that does
    not fit it exactly is rejected, alone.
    """

    Settings: ClassVar[type[BaseModel]] = ParquetSettings
    guarantee: ClassVar[Guarantee] = Guarantee.EFFECTIVELY_ONCE
    uses_serializer: ClassVar[bool] = False

    settings: ParquetSettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._places = Places(self.settings.path)
        self._sink: _Sink | None = None
        self._worker: ThreadPoolExecutor | None = None

    def target(self, record: Record) -> str:
        """The folder of the record's file, below the root."""
        return self._places.of(record).folder

    async def open(self) -> None:
        """Reach the root, and clear away what a crash left unfinished.

        Raises:
            OSError: It cannot be reached.
        """
        await self.close()
        # A thread of its own: a store that hangs keeps none of those that all sinks share.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="despatch-parquet")
        store = await self._in_thread(partial(open_store, self.settings))
        await self._in_thread(store.clear)
        self._sink = _Sink(store, self.settings)

    async def deliver(self, batch: Batch) -> Receipt:
        """Write the batch, and return when all of its files are there to stay.

        Raises:
            OSError: A file could not be written.
            ValueError: The schema that is kept for a data set cannot be read.
        """
        if self._sink is None:
            raise OSError("not open")
        return await self._in_thread(partial(self._sink.deliver, batch))

    async def close(self) -> None:
        """Let go of the root. A delivery that was cancelled goes on in its thread."""
        worker, self._worker, self._sink = self._worker, None, None
        if worker is not None:
            worker.shutdown(wait=False, cancel_futures=True)

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """Write and remove a probe that readers pass over.

        Raises:
            OSError: The root cannot be reached or written.
        """
        return await asyncio.to_thread(_examine, self.settings)

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


class _Sink:
    """What is written while the connector is open; its methods block."""

    def __init__(self, store: Store, settings: ParquetSettings) -> None:
        self._store = store
        # The event loop asks the connector's own for targets.
        self._places = Places(settings.path)
        self._is_lines = settings.format == "jsonl"
        self._lines = Lines(settings.codec)
        self._tables = Tables(settings.format, settings.codec)
        self._schemas = Schemas(store, settings.integers)

    def deliver(self, batch: Batch) -> Receipt:
        groups = self._places.group(batch.records)
        rejected: dict[int, str] = {}
        files: list[File] = []
        for place, indexes in groups.items():
            is_all = len(indexes) == len(batch.records)
            records = batch.records if is_all else [batch.records[index] for index in indexes]
            file, unfit = self._file(batch, place, records, groups)
            rejected.update((indexes[position], reason) for position, reason in unfit.items())
            if file is not None:
                files.append(file)
        return Receipt(dict(sorted(rejected.items())), bytes=sum(self._write(files)))

    def _file(
        self, batch: Batch, place: Place, records: Sequence[Record], groups: _Groups
    ) -> tuple[File | None, dict[int, str]]:
        if self._is_lines:
            return self._lines.file(place, records)
        of_all = partial(_of_data_set, batch, place, groups)
        data_set = self._schemas.of(place, of_all, batch.types)
        return self._tables.file(place, records, data_set, first=batch.first, end=batch.end)

    def _write(self, files: Sequence[File]) -> Iterable[int]:
        write = partial(write_file, self._store)
        if len(files) < 2:
            return map(write, files)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="despatch-parquet") as pool:
            return list(pool.map(write, files))


def _of_data_set(batch: Batch, place: Place, groups: _Groups) -> list[Record]:
    """The records of the batch that belong to one data set, whatever their partitions."""
    same = sorted(
        index
        for each, indexes in groups.items()
        if (each.data_set, each.stream_type) == (place.data_set, place.stream_type)
        for index in indexes
    )
    return [batch.records[index] for index in same]


def _examine(settings: ParquetSettings) -> Health:
    store = open_store(settings)
    warnings = store.examine()
    return Health([f"{store.location} may be written"], warnings)
