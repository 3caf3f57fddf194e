"""Dead letters: the part of the ledger that keeps records which a sink will never take."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from despatch.courier.cursors import DeadLetter

__all__ = ["DEAD_LETTERS", "DeadLetters"]

_PAGE: Final = 500

DEAD_LETTERS: Final = """
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


class DeadLetters:
    """Reads and writes the dead letters of one run.

    Args:
        db: The ledger's file, open.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

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
                "UPDATE sinks SET delivered = delivered + :gone,"
                " dead_lettered = dead_lettered - :gone, bytes = bytes + :sent,"
                " retries = retries - (:begun > 0), repeats = repeats - :begun"
                " WHERE name = :name",
                {"gone": max(0, gone), "sent": sent, "begun": begun, "name": name},
            )

    def _add_dead_letters(self, name: str, letters: Iterable[DeadLetter]) -> None:
        """Add some, in the transaction that the caller has begun."""
        self._db.executemany(
            "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (name, d.seq, d.sink_seq, d.reason, d.attempt, d.wall_time, d.record)
                for d in letters
            ),
        )
