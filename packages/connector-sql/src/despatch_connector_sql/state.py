"""The state source: queries become a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel
from sqlalchemy import Connection, Row
from sqlalchemy.exc import DBAPIError, ResourceClosedError

from despatch.interfaces import Health, StateSource
from despatch.snapshot_tables import check_columns, snapshot_of, zone_named
from despatch.snapshots import Snapshot
from despatch_connector_sql.database import Database, DatabaseError
from despatch_connector_sql.settings import SqlStateSettings

__all__ = ["SqlState"]


class SqlState(StateSource):
    """Reads parameters and work by queries, in SQLite or PostgreSQL.

    All queries see the database as it was at one instant: they are one transaction, which may only
    read.
    """

    Settings: ClassVar[type[BaseModel]] = SqlStateSettings
    settings: SqlStateSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._database: Database | None = None

    @property
    def place(self) -> str:
        """The database: a path, or host and database."""
        return self.settings.place

    async def open(self) -> None:
        """Connect to the database."""
        await self.close()
        self._database = Database(self.settings, "read")
        await self._database.open()

    async def read(self) -> Snapshot:
        """Run the queries.

        Raises:
            DatabaseError: The database is out of reach, or refuses a query.
            ValueError: What a query gave is no state; with its name, the row and the column.
        """
        if self._database is None:
            raise DatabaseError(f"{self.place}: not connected")
        return await self._database.run(self._read)

    async def close(self) -> None:
        """Disconnect from the database."""
        database, self._database = self._database, None
        if database is not None:
            await database.close()

    async def check(self) -> Health:
        """Run the queries, and say what they gave."""
        try:
            await self.open()
            snapshot = await self.read()
        finally:
            await self.close()
        return Health(
            findings=(f"{self.place}: {snapshot.contents}, as of {snapshot.taken_at.isoformat()}",)
        )

    def _read(self, connection: Connection) -> Snapshot:
        settings = self.settings
        # First of all: it is the first query that decides which instant the others see.
        taken_at = self._taken_at(connection)
        calendar_offset = None
        if settings.calendar_offset is not None:
            query = settings.calendar_offset
            calendar_offset = self._scalar(connection, "calendar_offset", query)
        tables = {
            name: self._table(connection, name, query) for name, query in settings.queries.items()
        }
        if tables.get("parameters") == []:
            raise self._fault("parameters", "at least one row", "none")
        if isinstance(settings.parameters, dict):
            tables["parameters"] = [
                {"path": path, "value": self._scalar(connection, f"parameters.{path}", query)}
                for path, query in settings.parameters.items()
            ]
        try:
            return snapshot_of(
                tables,
                taken_at=taken_at,
                calendar_offset=calendar_offset,
                zone=None if settings.time_zone is None else zone_named(settings.time_zone),
                json_values=settings.json_values,
            )
        except ValueError as error:
            raise ValueError(f"{self.place}: {error}") from error

    def _taken_at(self, connection: Connection) -> Any:
        """The time of the state: by the clock of the server, which those who write go by."""
        if self.settings.taken_at is not None:
            return self._scalar(connection, "taken_at", self.settings.taken_at)
        if connection.dialect.name == "postgresql":
            return self._scalar(connection, "taken_at", "SELECT clock_timestamp()")
        # Looking into the file begins what a transaction of SQLite sees.
        self._scalar(connection, "taken_at", "SELECT count(*) FROM sqlite_schema")
        return datetime.now(UTC)

    def _scalar(self, connection: Connection, name: str, query: str) -> Any:
        columns, rows = self._ask(connection, name, query)
        if len(columns) != 1:
            raise self._fault(name, "one column", str(len(columns)))
        if len(rows) != 1:
            raise self._fault(name, "one row", str(len(rows) or "none"))
        return rows[0][0]

    def _table(self, connection: Connection, name: str, query: str) -> list[dict[str, Any]]:
        columns, rows = self._ask(connection, name, query)
        if len(set(columns)) < len(columns):
            raise self._fault(name, "columns with names of their own", ", ".join(columns))
        try:
            check_columns(name, columns)
        except ValueError as error:
            raise ValueError(f"{self.place}: {name}: {error}") from None
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _ask(
        self, connection: Connection, name: str, query: str
    ) -> tuple[list[str], Sequence[Row[Any]]]:
        """The names of the columns that a query gives, and the rows."""
        try:
            # Without parameters a percent sign is one.
            options = {"no_parameters": True}
            result = connection.exec_driver_sql(query, execution_options=options)
            return list(result.keys()), result.all()
        except ResourceClosedError:
            raise self._fault(name, "a query", "a statement that gives no rows") from None
        except DBAPIError as error:
            raise DatabaseError(f"{self.place}: {name}: {error.orig}".rstrip()) from error

    def _fault(self, name: str, expected: str, got: str) -> ValueError:
        return ValueError(f"{self.place}: {name}: expected {expected}, got {got}")
