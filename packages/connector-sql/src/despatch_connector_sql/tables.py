"""Tables: the columns of a record, and how rows get there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    TIMESTAMP,
    BigInteger,
    Column,
    Connection,
    Double,
    Insert,
    MetaData,
    Table,
    Text,
    false,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError

from despatch.records import Event, Record

__all__ = ["LONGEST_NAME", "fault_of_name", "insert", "part_of_name", "probe", "row_of", "table"]

LONGEST_NAME = 63
"""How long PostgreSQL lets a name be, in bytes."""

_UNFIT = re.compile("[^a-z0-9_]")
_KEY = ("run_id", "seq")


def part_of_name(value: str) -> str:
    """A value as a part of a table's name.

    >>> part_of_name("Line-A.7")
    'line_a_7'
    """
    return _UNFIT.sub("_", value.lower())


def fault_of_name(name: str) -> str | None:
    """Why there can be no table of this name; None where there can."""
    if 0 < len(name) <= LONGEST_NAME:
        return None
    return f"a table's name of {len(name)} characters: expected 1 to {LONGEST_NAME}"


def table(name: str) -> Table:
    """The table of this name, as it is created."""
    text = Text()
    return Table(
        name,
        MetaData(),
        Column("run_id", text, primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("sink_seq", BigInteger, nullable=False),
        Column("stream_type", text, nullable=False),
        Column("sim", text, nullable=False),
        Column("key", text, nullable=False),
        Column("type", text),
        Column("sim_ts", Double, nullable=False),
        Column("timestamp", TIMESTAMP(timezone=True).with_variant(text, "sqlite"), nullable=False),
        # SQLite would make a number of a text in a column that is called JSON.
        Column("value", JSON().with_variant(text, "sqlite"), nullable=False),
    )


def row_of(record: Record) -> dict[str, Any]:
    """A record as a row. The columns have the names of its fields; a path is a `key`, too.

    Raises:
        ValueError: The value has no JSON.
    """
    return {
        "run_id": record.run_id,
        "seq": record.seq,
        "sink_seq": record.sink_seq,
        "stream_type": record.stream_type,
        "sim": record.sim,
        "key": record.key if isinstance(record, Event) else record.path_id,
        "type": record.type,
        "sim_ts": record.sim_ts,
        "timestamp": record.timestamp,
        "value": _json(record.value),
    }


def insert(
    connection: Connection, into: Table, rows: Mapping[int, Mapping[str, Any]]
) -> dict[int, str]:
    """Insert rows, but for those that are there already.

    Args:
        connection: In a transaction.
        into: The table.
        rows: A row by its index in the batch.

    Returns:
        The index of each row that the database refuses for good, and why.

    Raises:
        DBAPIError: Something else is wrong than a row.
    """
    return _insert(connection, _statement(connection, into), list(rows.items()))


def probe(connection: Connection, into: Table) -> None:
    """Find out whether rows could be inserted, by inserting none.

    Raises:
        DBAPIError: A column, the primary key or a permission is missing.
    """
    nothing = select(*(literal(None).label(each.name) for each in into.columns)).where(false())
    names = [each.name for each in into.columns]
    connection.execute(_statement(connection, into).from_select(names, nothing))


def _statement(connection: Connection, into: Table) -> Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(into).on_conflict_do_nothing(index_elements=_KEY)
    return postgresql.insert(into).on_conflict_do_nothing(index_elements=_KEY)


def _insert(
    connection: Connection, statement: Insert, rows: Sequence[tuple[int, Mapping[str, Any]]]
) -> dict[int, str]:
    """Insert rows; where the database refuses one, halve them until it is found."""
    try:
        with connection.begin_nested():
            connection.execute(statement, [row for _, row in rows])
    except (DataError, IntegrityError) as error:
        if len(rows) == 1:
            return {rows[0][0]: f"refused by the database: {error.orig}".rstrip()}
        half = len(rows) // 2
        first = _insert(connection, statement, rows[:half])
        return first | _insert(connection, statement, rows[half:])
    return {}


def _json(value: Any) -> str:
    try:
        plain = msgspec.to_builtins(value, str_keys=True)
        return json.dumps(plain, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"the value has no JSON: {error}") from error
