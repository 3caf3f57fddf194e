"""Suspicions: what is held against whom, in the ledger, from one courier to the next."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import astuple, fields
from typing import Final

from despatch.courier.suspicion import Stage, Suspicion

__all__ = ["Suspicions"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS suspicions (
    who TEXT PRIMARY KEY,
    stage TEXT NOT NULL DEFAULT 'idle',
    begun_ns INTEGER NOT NULL DEFAULT 0,
    records INTEGER NOT NULL DEFAULT 0,
    opening_deaths INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    suspect_end INTEGER,
    killer_end INTEGER,
    lull_s REAL NOT NULL DEFAULT 0.0,
    convictions INTEGER NOT NULL DEFAULT 0
) STRICT;
"""
_COLUMNS: Final = ", ".join(field.name for field in fields(Suspicion))
_MARKS: Final = ", ".join("?" for _ in fields(Suspicion))


class Suspicions:
    """Keeps the suspicions of a run in its ledger, by who: ``sink jsonl``, ``ingress redis``.

    Writes within the transaction that the caller has begun.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._db.executescript(_SCHEMA)

    def of(self, who: str) -> Suspicion:
        """What is held against a sink or a source."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM suspicions WHERE who = ?", (who,)
        ).fetchone()
        return Suspicion() if row is None else Suspicion(Stage(row[0]), *row[1:])

    def put(self, who: str, suspicion: Suspicion) -> None:
        """Note what is held against a sink or a source."""
        self._db.execute(
            f"INSERT OR REPLACE INTO suspicions (who, {_COLUMNS}) VALUES (?, {_MARKS})",
            (who, *astuple(suspicion)),
        )

    def at_work(self) -> dict[str, Suspicion]:
        """Whose plugin was at work, or was about to be tried."""
        rows = self._db.execute("SELECT who FROM suspicions WHERE stage != 'idle'").fetchall()
        return {who: self.of(who) for (who,) in rows}

    def begin(self, who: str, stage: Stage, records: int = 0) -> None:
        """Note what is about to be done."""
        self._db.execute(
            "INSERT INTO suspicions (who, stage, begun_ns, records) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (who) DO UPDATE SET stage = excluded.stage,"
            " begun_ns = excluded.begun_ns, records = excluded.records",
            (who, stage, time.time_ns(), records),
        )

    def change_all(self, change: Callable[[Suspicion], Suspicion]) -> None:
        """Change what is held against each."""
        for (who,) in self._db.execute("SELECT who FROM suspicions").fetchall():
            self.put(who, change(self.of(who)))

    def settle(self, who: str, position: int, *, is_delivered: bool, is_convicted: bool) -> None:
        """Note that the range before a position is accounted for."""
        self._db.execute(
            "UPDATE suspicions SET stage = 'idle', records = 0, deaths = 0, lull_s = 0,"
            " suspect_end = iif(suspect_end > :position, suspect_end, NULL),"
            " killer_end = iif(killer_end > :position, killer_end, NULL),"
            " convictions = CASE WHEN :is_convicted THEN convictions + 1"
            " WHEN :is_delivered THEN 0 ELSE convictions END WHERE who = :who",
            {
                "position": position,
                "is_convicted": is_convicted,
                "is_delivered": is_delivered,
                "who": who,
            },
        )

    def reckon(self, died_ns: int) -> dict[str, Suspicion]:
        """Find out what was at work when the last courier died, and what follows from it.

        Args:
            died_ns: When it died at the latest, wall time in nanoseconds since 1970, UTC.

        Returns:
            What is held now against those whose plugins were at work, by who they are.
        """
        at_work = self.at_work()
        if any(each.stage is Stage.LULL for each in at_work.values()):
            # Nobody was at work: it is somebody else who kills couriers. What was halved is whole.
            self._db.execute(
                "UPDATE sinks SET attempt_end = suspect_end FROM suspicions"
                " WHERE who = 'sink ' || name AND suspect_end IS NOT NULL"
            )
            self.change_all(Suspicion.cleared)
            return {who: self.of(who) for who in at_work}
        for who, suspicion in at_work.items():
            kind, _, name = who.partition(" ")
            row = self._db.execute(
                "SELECT position, attempt_end FROM sinks WHERE name = ? AND ? = 'sink'",
                (name, kind),
            ).fetchone()
            position, end = row or (0, None)
            after, end = suspicion.after_death(
                position, end, was_alone=len(at_work) == 1, died_ns=died_ns
            )
            at_work[who] = after
            self.put(who, after)
            if row is not None:
                self._db.execute("UPDATE sinks SET attempt_end = ? WHERE name = ?", (end, name))
        return at_work
