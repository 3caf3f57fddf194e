"""The state source: queries become parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, ResourceClosedError

from despatch.interfaces import Health, StateSource
from despatch.snapshots import Snapshot
from despatch_connector_sql.database import Database, DatabaseError
from despatch_connector_sql.settings import SqlStateSettings

__all__ = ["SqlState"]


class SqlState(StateSource):
    """Reads parameters by queries, in SQLite or PostgreSQL.

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
            ValueError: What a query gave is no state; with the name of the query.
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
            findings=(
                f"{self.place}: {len(snapshot.parameters)} parameters, "
                f"as of {snapshot.taken_at.isoformat()}",
            )
        )

    def _read(self, connection: Connection) -> Snapshot:
        settings = self.settings
        taken_at: Any = datetime.now(UTC)
        if settings.taken_at is not None:
            taken_at = self._scalar(connection, "taken_at", settings.taken_at)
        if isinstance(settings.parameters, str):
            parameters = self._pairs(connection, settings.parameters)
        else:
            parameters = {
                path: self._value(path, self._scalar(connection, f"parameters.{path}", query))
                for path, query in settings.parameters.items()
            }
        try:
            return Snapshot(taken_at=taken_at, parameters=parameters)
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
            )
            raise ValueError(f"{self.place}: {told}") from error

    def _pairs(self, connection: Connection, query: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for row in self._rows(connection, "parameters", query, columns=2):
            path, value = row
            if not isinstance(path, str):
                raise self._fault("parameters", "text in the first column, the path", repr(path))
            if path in found:
                raise self._fault("parameters", "one value for each path", f"two for {path}")
            found[path] = self._value(path, value)
        if not found:
            raise self._fault("parameters", "at least one row", "none")
        return found

    def _scalar(self, connection: Connection, name: str, query: str) -> Any:
        rows = list(self._rows(connection, name, query, columns=1))
        if len(rows) != 1:
            raise self._fault(name, "one row", str(len(rows) or "none"))
        return rows[0][0]

    def _rows(
        self, connection: Connection, name: str, query: str, *, columns: int
    ) -> Iterator[Sequence[Any]]:
        try:
            # Without parameters a percent sign is one.
            options = {"no_parameters": True}
            result = connection.exec_driver_sql(query, execution_options=options)
            got = len(result.keys())
        except ResourceClosedError:
            raise self._fault(name, "a query", "a statement that gives no rows") from None
        except DBAPIError as error:
            raise DatabaseError(f"{self.place}: {name}: {error.orig}".rstrip()) from error
        if got != columns:
            expected = "two columns, path and value" if columns == 2 else "one column"
            raise self._fault(name, expected, str(got))
        yield from result

    def _value(self, path: str, value: Any) -> Any:
        if self.settings.json_values and isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise self._fault(f"parameters.{path}", "JSON", str(error)) from error
        return _plain(value)

    def _fault(self, name: str, expected: str, got: str) -> ValueError:
        return ValueError(f"{self.place}: {name}: expected {expected}, got {got}")


def _plain(value: Any) -> Any:
    """A value as a snapshot takes it; of a Decimal a whole number where it has no fraction."""
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
