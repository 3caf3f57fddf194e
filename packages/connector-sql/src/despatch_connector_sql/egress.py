"""The egress: records become rows."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel
from sqlalchemy import Connection, inspect

from despatch.interfaces import Batch, EgressConnector, Guarantee, Health, Receipt
from despatch.records import Record
from despatch_connector_sql.database import Database, DatabaseError
from despatch_connector_sql.settings import SqlEgressSettings
from despatch_connector_sql.tables import (
    fault_of_name,
    insert,
    part_of_name,
    probe,
    row_of,
    table,
)

__all__ = ["SqlEgress"]


class SqlEgress(EgressConnector):
    """Writes each record as a row of a table, in SQLite or PostgreSQL.

    A batch is one transaction, and is confirmed when that is committed. The primary key is
    `run_id` and `seq`: a row that is there already stays as it is.
    """

    Settings: ClassVar[type[BaseModel]] = SqlEgressSettings
    settings: SqlEgressSettings
    guarantee = Guarantee.EFFECTIVELY_ONCE
    uses_serializer = False

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._database: Database | None = None
        self._created: frozenset[str] = frozenset()

    async def open(self) -> None:
        """Connect to the database."""
        await self.close()
        self._database = Database(self.settings, "create" if self.settings.create else "write")
        await self._database.open()

    async def deliver(self, batch: Batch) -> Receipt:
        """Insert a batch, and wait for the commit."""
        if self._database is None:
            raise DatabaseError(f"{self.settings.place}: not connected")
        created = self._created
        receipt, tables = await self._database.run(partial(self._write, batch, created))
        self._created |= tables
        return receipt

    async def close(self) -> None:
        """Disconnect from the database."""
        database, self._database = self._database, None
        self._created = frozenset()
        if database is not None:
            await database.close()

    def target(self, record: Record) -> str:
        """The table of a record."""
        return self.settings.table.render(record, part_of_name)

    def targets_of(self, records: Sequence[Record]) -> Sequence[str]:
        """The tables of records."""
        return self.settings.table.render_all(records, part_of_name)

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """Find out whether the tables may be written, in a transaction that is rolled back."""
        for name in targets:
            if fault := fault_of_name(name):
                raise ValueError(fault)
        settings = self.settings
        if settings.create and settings.sqlalchemy_url.get_backend_name() == "sqlite":
            path = Path(settings.place)
            if not await asyncio.to_thread(path.exists):
                await asyncio.to_thread(_see_that_writable, path.absolute().parent)
                return Health(findings=(f"{path}: not there, will be created",))
        database = Database(settings, "write")
        try:
            await database.open()
            return await database.run(partial(self._look, targets))
        finally:
            await database.close()

    def _write(
        self, batch: Batch, created: frozenset[str], connection: Connection
    ) -> tuple[Receipt, set[str]]:
        """Write a batch; with the tables that are there now."""
        rejected: dict[int, str] = {}
        rows: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        names = self.targets_of(batch.records)
        for index, (record, name) in enumerate(zip(batch.records, names, strict=True)):
            if fault := fault_of_name(name):
                rejected[index] = fault
                continue
            try:
                rows[name][index] = row_of(record)
            except ValueError as error:
                rejected[index] = str(error)
        sent = 0
        for name, numbered in rows.items():
            into = table(name)
            if self.settings.create and name not in created:
                into.create(connection, checkfirst=True)
            rejected |= insert(connection, into, numbered)
            sent += sum(len(row["value"]) for row in numbered.values())
        return Receipt(rejected=rejected, bytes=sent), set(rows)

    def _look(self, targets: Sequence[str], connection: Connection) -> Health:
        dialect = connection.dialect
        version = ".".join(map(str, dialect.server_version_info or ()))
        findings = [f"{self.settings.place}: {dialect.name} {version}"]
        with connection.begin_nested() as savepoint:
            for name in dict.fromkeys(targets):
                into = table(name)
                is_there = inspect(connection).has_table(name)
                if not is_there and not self.settings.create:
                    raise DatabaseError(
                        f"{self.settings.place}: no table {name}: create it, or set create to true"
                    )
                into.create(connection, checkfirst=True)
                probe(connection, into)
                findings.append(f"table {name} {'may be written' if is_there else 'will be made'}")
            savepoint.rollback()
        return Health(findings=findings)


def _see_that_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder}: no folder in which a file may be made")
