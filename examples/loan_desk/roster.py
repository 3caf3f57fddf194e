"""The roster office: tells the desk every hour how many people are at work, through Redis.

It knows nothing of the simulation. It adds commands to a stream; whoever reads the stream obeys.

    python roster.py bpic2012.csv.gz                    the whole week ahead, for factor 0
    python roster.py bpic2012.csv.gz --factor 0.001     each hour when it comes
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import redis
from log import DEFAULT_WEEK, read_log
from staffing import HOUR, heads_by_hour

__all__ = ["COMMANDS", "Roster", "arguments"]

COMMANDS = "loan_desk.commands"
"""The stream that the desk's settings name."""


class Roster:
    """Sends the staffing of one week.

    Args:
        server: The Redis server.
        heads: For each hour of the week, how many people of each team are at work.
        name: What the commands' ids begin with.
    """

    def __init__(
        self, server: redis.Redis, heads: Sequence[Mapping[str, int]], name: str = "roster"
    ) -> None:
        self._server = server
        self._heads = heads
        self._name = name

    def clear(self) -> None:
        """Take back what an earlier run of the example left in the stream."""
        self._server.delete(COMMANDS)

    def send_ahead(self) -> None:
        """Send the whole week, each command with the simulated time to apply it at."""
        with self._server.pipeline(transaction=False) as pipeline:
            for hour in range(len(self._heads)):
                pipeline.xadd(COMMANDS, self.entry(hour, at=hour * HOUR.total_seconds()))
            pipeline.execute()

    def send_live(self, factor: float, stop: threading.Event) -> None:
        """Send each hour's command when that hour comes, until the week is over or `stop` is set.

        Args:
            factor: Wall seconds per simulated second.
            stop: Ends it early.
        """
        began = time.monotonic()
        for hour in range(len(self._heads)):
            due = began + hour * HOUR.total_seconds() * factor
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            self._server.xadd(COMMANDS, self.entry(hour))

    def entry(self, hour: int, at: float | None = None) -> dict[str, str]:
        """The stream's entry for an hour: one command, which changes both teams or neither."""
        heads = self._heads[hour]
        command: dict[str, object] = {
            "id": f"{self._name}-{hour:03}",
            "updates": {f"Desk.{team}.staff": count for team, count in heads.items()},
        }
        if at is not None:
            command["at"] = at
        return {"command": json.dumps(command)}


def arguments(description: str) -> argparse.ArgumentParser:
    """What this program and run.py are told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("log", type=Path, help="the event log: bpic2012.csv.gz (see README.md)")
    parser.add_argument(
        "--week",
        type=date.fromisoformat,
        default=DEFAULT_WEEK,
        metavar="MONDAY",
        help=f"the week to run (default {DEFAULT_WEEK})",
    )
    parser.add_argument(
        "--factor",
        type=float,
        default=0.0,
        help="wall seconds per simulated second; 0 is as fast as the machine allows (default); "
        "0.0001 takes a minute for the week",
    )
    parser.add_argument(
        "--redis",
        metavar="URL",
        default=os.environ.get("LOAN_DESK_REDIS", "redis://localhost:6379"),
        help="the Redis server (default %(default)s)",
    )
    return parser


def main() -> None:
    """Send one week."""
    chosen = arguments("Send a week's staffing to the loan desk.").parse_args()
    log = read_log(chosen.log)
    heads = heads_by_hour(log, log.week(chosen.week))
    roster = Roster(redis.Redis.from_url(chosen.redis), heads, name=f"roster-{chosen.week}")
    roster.clear()
    if chosen.factor:
        roster.send_live(chosen.factor, threading.Event())
    else:
        roster.send_ahead()


if __name__ == "__main__":
    main()
