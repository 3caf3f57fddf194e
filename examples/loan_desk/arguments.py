"""What the programs of this example are told on their command lines."""

from __future__ import annotations

import argparse
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from log import Log, Window

from despatch.settings.file import raw_settings

__all__ = ["arguments", "settings_of", "window_arguments", "window_of"]

SETTINGS = Path(__file__).with_name("loan_desk.yaml")


def window_arguments(description: str) -> argparse.ArgumentParser:
    """The log, and which days of it; what `window_of` reads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("log", type=Path, help="the event log: bpic2012.csv.gz (see README.md)")
    days = {"type": date.fromisoformat, "metavar": "DAY"}
    parser.add_argument("--from", dest="first", help="the first day (default: the log's)", **days)
    parser.add_argument("--to", dest="last", help="the last day (default: the log's)", **days)
    parser.add_argument("--week", help="instead of both: the first of seven days", **days)
    return parser


def arguments(description: str) -> argparse.ArgumentParser:
    """What a run and its roster office are told; what `settings_of` reads, too."""
    parser = window_arguments(description)
    parser.add_argument(
        "--factor",
        type=float,
        default=0.0,
        help="wall seconds per simulated second; 0 is as fast as the machine allows (default); "
        "0.0001 takes a minute for a week",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        default=SETTINGS,
        metavar="FILE",
        help="where commands come from and records go to (default: %(default)s)",
    )
    parser.add_argument("--redis", metavar="URL", help="sets LOAN_DESK_REDIS for the settings")
    parser.add_argument("--kafka", metavar="SERVERS", help="sets LOAN_DESK_KAFKA for the settings")
    return parser


def window_of(log: Log, chosen: argparse.Namespace) -> Window:
    """The days that were chosen.

    Raises:
        ValueError: The log has no work in them.
    """
    first, last = chosen.first, chosen.last
    if chosen.week:
        first, last = chosen.week, chosen.week + timedelta(days=6)
    return log.window(first, last)


def settings_of(chosen: argparse.Namespace) -> dict[str, Any]:
    """What the settings file says, and the servers in the environment for its references."""
    for name, value in (("LOAN_DESK_REDIS", chosen.redis), ("LOAN_DESK_KAFKA", chosen.kafka)):
        if value:
            os.environ[name] = value
    return raw_settings(chosen.settings)
