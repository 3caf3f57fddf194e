"""The ledger: each sink's cursor, account and dead letters, in one transaction.

SQLite, in the run's folder, written by the courier alone, so that its checkpoints hold up no
clock. `kill -9` of the courier loses nothing that was committed.

For each sink, at its cursor: ``given = delivered + dead_lettered + dropped`` and
``given + not_selected + damaged = position``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Attempt", "Cursor", "DeadLetter", "Ledger"]

_PAGE = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sinks (
    name TEXT PRIMARY KEY,
    guarantee TEXT NOT NULL DEFAULT '',
    position INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    dead_lettered INTEGER NOT NULL DEFAULT 0,
    not_selected INTEGER NOT NULL DEFAULT 0,
    damaged INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0,
    repeats INTEGER NOT NULL DEFAULT 0,
    attempt_end INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS dead_letters (
    sink TEXT NOT NULL,
    seq INTEGER NOT NULL,
    sink_seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    wall_time TEXT NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (sink, seq)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sink has come, and what became of the records up to there.

    Attributes:
        position: The first position of the journal that the sink has not accounted for.
        delivered: Records that the sink confirmed.
        dead_lettered: Records that the sink will never take.
        not_selected: Records that the sink's `select` left out.
        damaged: Positions whose records the journal could not give back.
        dropped: Records that were given up to make room in the journal (`when_full`).
        bytes: What the sink was sent.
        retries: Attempts that failed.
        repeats: Records that were in an attempt that failed or was cut off: the sink may have
            some of them twice.
    """

    position: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    not_selected: int = 0
    damaged: int = 0
    dropped: int = 0
    bytes: int = 0
    retries: int = 0
    repeats: int = 0

    @property
    def given(self) -> int:
        """Records that the sink was given and that are accounted for."""
        return self.delivered + self.dead_lettered + self.dropped


@dataclass(frozen=True, slots=True)
class Attempt:
    """A batch that was begun and not confirmed: its range ends at `end`."""

    end: int
    attempts: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a sink will never take.

    Attributes:
        seq: The record's position in the journal.
        sink_seq: The number it had for this sink; readers of the sink see a hole there.
        reason: Why.
        attempt: At which attempt that was known.
        wall_time: When, ISO 8601, UTC.
        record: The record, as msgpack (`despatch.values.unpack`); without `value` where it could
            not be encoded, so that there is none.
    """

    seq: int
    sink_seq: int
    reason: str
    attempt: int
    wall_time: str
    record: bytes


class Ledger:
    """Reads and writes the ledger of one run."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        # WAL with NORMAL survives the death of the process without an fsync a transaction.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def open_sink(self, name: str, guarantee: str = "") -> Cursor:
        """The sink's cursor; a sink that is new starts at the journal's beginning.

        Args:
            name: The sink's name.
            guarantee: What its connector declares, for the account.
        """
        with self._db:
            self._db.execute("INSERT OR IGNORE INTO sinks (name) VALUES (?)", (name,))
            if guarantee:
                self._db.execute("UPDATE sinks SET guarantee = ? WHERE name = ?", (guarantee, name))
        return self.cursor(name)

    def guarantee(self, name: str) -> str:
        """What the sink's connector declares; empty where no courier has opened the sink."""
        row = self._db.execute("SELECT guarantee FROM sinks WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def cursor(self, name: str) -> Cursor:
        """The sink's cursor; that of an unknown sink is at the beginning."""
        row = self._db.execute(
            "SELECT position, delivered, dead_lettered, not_selected, damaged, dropped, bytes,"
            " retries, repeats FROM sinks WHERE name = ?",
            (name,),
        ).fetchone()
        return Cursor() if row is None else Cursor(*row)

    def attempt(self, name: str) -> Attempt | None:
        """The batch that was begun and not confirmed, if there is one."""
        row = self._db.execute(
            "SELECT attempt_end, attempts FROM sinks WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None or row[0] is None else Attempt(*row)

    def begin(self, name: str, end: int, records: int) -> None:
        """Note that a batch up to `end` is attempted, so that the next attempt has its range.

        Args:
            name: The sink's name.
            end: Where the batch's range ends.
            records: How many records the batch has; they count as repeated from the second
                attempt on.
        """
        with self._db:
            self._db.execute(
                "UPDATE sinks SET repeats = repeats + iif(attempt_end IS NULL, 0, ?),"
                " retries = retries + iif(attempt_end IS NULL, 0, 1),"
                " attempts = attempts + 1, attempt_end = ? WHERE name = ?",
                (records, end, name),
            )

    def advance(self, name: str, cursor: Cursor, dead_letters: Iterable[DeadLetter] = ()) -> None:
        """Move the sink's cursor, with its account and its dead letters, in one transaction.

        `retries` and `repeats` are the ledger's own: those of `cursor` are not written.
        """
        with self._db:
            self._db.executemany(
                "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (name, d.seq, d.sink_seq, d.reason, d.attempt, d.wall_time, d.record)
                    for d in dead_letters
                ),
            )
            self._db.execute(
                "UPDATE sinks SET position = ?, delivered = ?, dead_lettered = ?,"
                " not_selected = ?, damaged = ?, dropped = ?, bytes = ?,"
                " attempt_end = NULL, attempts = 0 WHERE name = ?",
                (
                    cursor.position,
                    cursor.delivered,
                    cursor.dead_lettered,
                    cursor.not_selected,
                    cursor.damaged,
                    cursor.dropped,
                    cursor.bytes,
                    name,
                ),
            )

    def dead_letters(self, name: str) -> Iterator[DeadLetter]:
        """The sink's dead letters, in the order of the journal; they may change meanwhile."""
        after = -1
        while page := self._db.execute(
            "SELECT seq, sink_seq, reason, attempt, wall_time, record FROM dead_letters"
            " WHERE sink = ? AND seq > ? ORDER BY seq LIMIT ?",
            (name, after, _PAGE),
        ).fetchall():
            for row in page:
                yield DeadLetter(*row)
            after = page[-1][0]

    def sinks_with_dead_letters(self) -> list[str]:
        """The names of the sinks that have dead letters, sorted."""
        rows = self._db.execute("SELECT DISTINCT sink FROM dead_letters ORDER BY sink")
        return [name for (name,) in rows]

    def begin_again(self, name: str, records: int) -> None:
        """Note that so many dead letters are sent again.

        They count as repeated until it is known what became of them: of an attempt that is cut
        off, the sink may have some.
        """
        with self._db:
            self._db.execute(
                "UPDATE sinks SET retries = retries + 1, repeats = repeats + ? WHERE name = ?",
                (records, name),
            )

    def settle_dead_letters(
        self,
        name: str,
        delivered: Iterable[int],
        rejected: Iterable[DeadLetter],
        *,
        begun: int = 0,
        sent: int = 0,
    ) -> None:
        """Account for dead letters that were sent again, in one transaction.

        Args:
            name: The sink's name.
            delivered: The positions of those that it confirmed: they are dead letters no more.
            rejected: Those that stay, as they are now.
            begun: How many records the attempt had that succeeded, as `begin_again` noted it.
            sent: How many bytes the sink was sent.
        """
        with self._db:
            gone = self._db.executemany(
                "DELETE FROM dead_letters WHERE sink = ? AND seq = ?",
                ((name, seq) for seq in delivered),
            ).rowcount
            self._db.executemany(
                "UPDATE dead_letters SET reason = ?, attempt = ?, wall_time = ?"
                " WHERE sink = ? AND seq = ?",
                ((d.reason, d.attempt, d.wall_time, name, d.seq) for d in rejected),
            )
            self._db.execute(
                "UPDATE sinks SET delivered = delivered + ?1, dead_lettered = dead_lettered - ?1,"
                " bytes = bytes + ?2, retries = retries - (?3 > 0), repeats = repeats - ?3"
                " WHERE name = ?4",
                (max(0, gone), sent, begun, name),
            )

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._db.close()
