"""The state of a system that somebody has written as tables: a Parquet file for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel

from despatch.interfaces import Health, StateSource
from despatch.snapshot_tables import check_columns, snapshot_of, zone_named
from despatch.snapshots import Snapshot
from despatch_connector_parquet.rows import read_rows
from despatch_connector_parquet.settings import ParquetStateSettings, open_store
from despatch_connector_parquet.stores import Store

__all__ = ["ParquetState"]

_SNAPSHOT: Final = "snapshot.parquet"
_MOMENT: Final = {"taken_at", "calendar_offset"}
_TABLES: Final = (
    "parameters",
    "resources",
    "in_service",
    "queue",
    "containers",
    "stores",
    "arrivals",
)

_Result = TypeVar("_Result")


class ParquetState(StateSource):
    """Reads parameters and work from a folder of Parquet files, on a local path or in a store.

    ``snapshot.parquet`` says when the system was in this state. Whoever writes tables over those
    that are there removes it first and writes it last; that it is the same before and after shows
    that all of the state is of one instant.
    """

    Settings: ClassVar[type[BaseModel]] = ParquetStateSettings

    settings: ParquetStateSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._store: Store | None = None
        self._worker: ThreadPoolExecutor | None = None

    @property
    def place(self) -> str:
        """The root."""
        return self.settings.uri

    async def open(self) -> None:
        """Get ready to reach the root.

        Raises:
            OSError: It cannot be reached.
        """
        await self.close()
        # A thread of its own: a store that hangs keeps none of those that all others share.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="despatch-parquet")
        self._store = await self._in_thread(partial(open_store, self.settings))

    async def read(self) -> Snapshot:
        """Read the tables.

        Raises:
            OSError: They cannot be reached, there is no ``snapshot.parquet``, or it was written
                while they were read.
            ValueError: A file is no Parquet, or what is in it is no state; with the file, or with
                the table, the row and the column.
        """
        if self._store is None:
            raise OSError(f"{self.place}: not open")
        return await self._in_thread(partial(_read, self._store, self.settings))

    async def close(self) -> None:
        """Let go of the root. A reading that was cancelled goes on in its thread."""
        worker, self._worker, self._store = self._worker, None, None
        if worker is not None:
            worker.shutdown(wait=False, cancel_futures=True)

    async def check(self) -> Health:
        """Read the tables, and say what is in them."""
        try:
            await self.open()
            snapshot = await self.read()
        finally:
            await self.close()
        taken_at = snapshot.taken_at.isoformat()
        return Health([f"{self.place}: {snapshot.contents}, as of {taken_at}"])

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


def _read(store: Store, settings: ParquetStateSettings) -> Snapshot:
    folder, content = _found(store, settings)
    tables = {}
    for table in _TABLES:
        path = f"{folder}{table}.parquet"
        found = store.read(path)
        if found is not None:
            tables[table] = _rows(store, path, found, partial(check_columns, table))
    if store.read(f"{folder}{_SNAPSHOT}") != content:
        raise OSError(f"{store.location}/{folder}: was written while it was read")
    moments = _rows(store, f"{folder}{_SNAPSHOT}", content, _check_moment)
    try:
        if len(moments) != 1:
            raise ValueError(f"{_SNAPSHOT}: expected one row, got {len(moments)}")
        (moment,) = moments
        return snapshot_of(
            tables,
            taken_at=moment["taken_at"],
            calendar_offset=moment.get("calendar_offset"),
            zone=None if settings.time_zone is None else zone_named(settings.time_zone),
            json_values=settings.json_values,
        )
    except ValueError as error:
        raise ValueError(f"{store.location}/{folder}: {error}") from error


def _found(store: Store, settings: ParquetStateSettings) -> tuple[str, bytes]:
    """The folder with the tables, and what its ``snapshot.parquet`` has in it."""
    folders = [""]
    if settings.newest:
        folders = [f"{name}/" for name in reversed(store.folders())]
    for folder in folders:
        content = store.read(f"{folder}{_SNAPSHOT}")
        if content is not None:
            return folder, content
    where = "in none of its folders" if settings.newest else "not there"
    raise FileNotFoundError(f"{store.location}: no state: {_SNAPSHOT} is {where}")


def _rows(
    store: Store, path: str, content: bytes, check: Callable[[list[str]], None]
) -> list[dict[str, Any]]:
    try:
        return read_rows(content, check)
    except ValueError as error:
        raise ValueError(f"{store.location}/{path}: {error}") from error


def _check_moment(columns: list[str]) -> None:
    if "taken_at" not in columns or not set(columns) <= _MOMENT:
        raise ValueError(
            f"expected the columns taken_at and perhaps calendar_offset, got {', '.join(columns)}"
        )
