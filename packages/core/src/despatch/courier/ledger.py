"""The ledger: each sink's cursor, account and dead letters, in one transaction.

SQLite, in the run's folder, written by the courier alone, so that its checkpoints hold up no
clock. `kill -9` of the courier loses nothing that was committed. A machine that dies may lose the
last transactions, and no others: what they confirmed is delivered again.

Every write may raise `sqlite3.OperationalError`, on a full disk for instance, and has then changed
nothing; `persistence.persist` tries it again.

For each sink, at its cursor: ``given = delivered + dead_lettered + dropped`` and
``given + not_selected + damaged + removed = position``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from despatch.courier.cursors import Attempt, Cursor, DeadLetter, Gap
from despatch.courier.dead_letters import DEAD_LETTERS, DeadLetters
from despatch.courier.suspicion import Stage, Suspicion
from despatch.courier.suspicions import Suspicions
from despatch.journal.reserve import reserve_bytes

__all__ = ["Attempt", "Cursor", "DeadLetter", "Ledger"]

BUSY_S: Final = 0.05
"""How long the loop stands still for a ledger that another process writes, in wall seconds."""

_PAGE_BYTES: Final = 4096
_GAPS: Final = msgspec.json.Decoder(tuple[Gap, ...])

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
    removed INTEGER NOT NULL DEFAULT 0,
    gaps TEXT NOT NULL DEFAULT '[]',
    attempt_end INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


class Ledger(DeadLetters):
    """Reads and writes the ledger of one run.

    Args:
        path: The file, made where it is not there yet.

    Attributes:
        suspicions: Who may have killed a courier.

    Raises:
        sqlite3.OperationalError: The file cannot be opened or made, on a full disk for instance.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(sqlite3.connect(path, timeout=BUSY_S))
        try:
            # In WAL mode what was committed is in the system's cache, and survives the death of
            # the process. NORMAL syncs at checkpoints only, and keeps the file whole if the
            # machine dies. Source: https://www.sqlite.org/pragma.html#pragma_synchronous
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            # The file beside it stays well below what the journal leaves of the disk.
            pages = reserve_bytes(path.parent) // 4 // _PAGE_BYTES
            self._db.execute(f"PRAGMA wal_autocheckpoint={max(16, min(1000, pages))}")
            self._db.executescript(_SCHEMA + DEAD_LETTERS)
            self.suspicions = Suspicions(self._db)
        except BaseException:
            self._db.close()
            raise

    def open_sink(self, name: str, guarantee: str = "", *, kept_from: int = 0) -> Cursor:
        """The sink's cursor; a sink that is new starts at the beginning of what is kept.

        Args:
            name: The sink's name.
            guarantee: What its connector declares, for the account.
            kept_from: The first position of the journal that is still kept.
        """
        begins = self._begins(kept_from)
        with self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO sinks (name, position, removed) VALUES (?, ?, ?)",
                (name, begins, begins),
            )
            if guarantee:
                self._db.execute("UPDATE sinks SET guarantee = ? WHERE name = ?", (guarantee, name))
        return self.cursor(name)

    def guarantee(self, name: str) -> str:
        """What the sink's connector declares; empty where no courier has opened the sink."""
        row = self._db.execute("SELECT guarantee FROM sinks WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def cursor(self, name: str, *, kept_from: int = 0) -> Cursor:
        """The sink's cursor; that of a sink that is new is at the beginning of what is kept.

        Args:
            name: The sink's name.
            kept_from: The first position of the journal that is still kept.
        """
        row = self._db.execute(
            "SELECT position, delivered, dead_lettered, not_selected, damaged, dropped, bytes,"
            " retries, repeats, removed, gaps FROM sinks WHERE name = ?",
            (name,),
        ).fetchone()
        if row is None:
            begins = self._begins(kept_from)
            return Cursor(position=begins, removed=begins)
        return replace(Cursor(*row[:-1]), gaps=_GAPS.decode(row[-1]))

    def _begins(self, kept_from: int) -> int:
        """Where a sink begins that is new: what was removed before was for those there were."""
        row = self._db.execute("SELECT min(position) FROM sinks").fetchone()
        # What is missing though a sink has yet to take it was not removed: it is lost.
        return kept_from if row[0] is not None and kept_from <= row[0] else 0

    def attempt(self, name: str) -> Attempt | None:
        """The batch that was begun and not confirmed, if there is one."""
        row = self._db.execute(
            "SELECT attempt_end, attempts FROM sinks WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None or row[0] is None else Attempt(*row)

    def reckon(self, died_ns: int, *, on_parole: bool = False) -> dict[str, Suspicion]:
        """Find out what was at work when the last courier died. Called once, at a start.

        Args:
            died_ns: When it died at the latest, wall time in nanoseconds since 1970, UTC.
            on_parole: Whether connectors that were condemned get one more chance.

        Returns:
            What is held now against those whose plugins were at work, by who they are.
        """
        with self._db:
            if on_parole:
                self.suspicions.change_all(Suspicion.paroled)
            return self.suspicions.reckon(died_ns)

    def take_up(self, who: str, stage: Stage) -> None:
        """Note what is about to be done with the plugin of a sink or a source."""
        with self._db:
            self.suspicions.begin(who, stage)

    def put(self, who: str, suspicion: Suspicion) -> None:
        """Note what is held against a sink or a source."""
        with self._db:
            self.suspicions.put(who, suspicion)

    def begin(self, name: str, end: int, records: int) -> int:
        """Note that a batch up to `end` is attempted, so that the next attempt has its range.

        Args:
            name: The sink's name.
            end: Where the batch's range ends.
            records: How many records the batch has; they count as repeated from the second
                attempt on.

        Returns:
            Which attempt this is, from 1.
        """
        with self._db:
            self.suspicions.begin(f"sink {name}", Stage.DELIVERING, records)
            row = self._db.execute(
                "UPDATE sinks SET repeats = repeats + iif(attempts = 0, 0, ?),"
                " retries = retries + iif(attempts = 0, 0, 1),"
                " attempts = attempts + 1, attempt_end = ? WHERE name = ? RETURNING attempts",
                (records, end, name),
            ).fetchone()
        return int(row[0])

    def failed(self, name: str, *, was_sent: bool, is_innocent: bool = True) -> None:
        """Note that the attempt that was begun has come to an end, and not to a good one.

        Args:
            name: The sink's name.
            was_sent: Whether the sink may have got any of it; else it was no attempt.
            is_innocent: Whether it came to an end by itself; else it was cut off.
        """
        suspicion = self.suspicions.of(f"sink {name}")
        after = suspicion.cleared() if is_innocent else replace(suspicion, stage=Stage.IDLE)
        with self._db:
            self._db.execute(
                "UPDATE sinks SET attempts = attempts - ? WHERE name = ?", (not was_sent, name)
            )
            self.suspicions.put(f"sink {name}", after)

    def advance(
        self,
        name: str,
        cursor: Cursor,
        dead_letters: Iterable[DeadLetter] = (),
        *,
        is_convicted: bool = False,
    ) -> None:
        """Move the sink's cursor, with its account and its dead letters, in one transaction.

        `retries` and `repeats` are the ledger's own: those of `cursor` are not written.

        Args:
            name: The sink's name.
            cursor: Where it is now, and its account.
            dead_letters: What has become of records on the way.
            is_convicted: Whether the one record on the way was found to kill couriers.
        """
        who = f"sink {name}"
        with self._db:
            self._add_dead_letters(name, dead_letters)
            is_delivered = cursor.delivered > self.cursor(name).delivered
            self.suspicions.settle(
                who, cursor.position, is_delivered=is_delivered, is_convicted=is_convicted
            )
            self._db.execute(
                "UPDATE sinks SET position = ?, delivered = ?, dead_lettered = ?,"
                " not_selected = ?, damaged = ?, dropped = ?, bytes = ?, gaps = ?,"
                " attempt_end = NULL,"
                # What is left of a suspect range was attempted before, as part of the whole.
                " attempts = iif((SELECT suspect_end FROM suspicions WHERE who = ?) IS NULL,"
                " 0, attempts) WHERE name = ?",
                (
                    cursor.position,
                    cursor.delivered,
                    cursor.dead_lettered,
                    cursor.not_selected,
                    cursor.damaged,
                    cursor.dropped,
                    cursor.bytes,
                    msgspec.json.encode(cursor.gaps).decode(),
                    who,
                    name,
                ),
            )

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._db.close()
