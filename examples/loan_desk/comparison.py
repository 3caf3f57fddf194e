"""The comparison: what the desk really did, and what the model did, by the query in comparison.sql.

python comparison.py bpic2012.csv.gz out/loan_desk/RUN_ID.jsonl [--week DAY]
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from arguments import window_arguments, window_of
from log import Log, Window, read_log

from despatch.settings.file import resolve

__all__ = ["compare", "records_of", "settled_at", "show"]

QUERY = Path(__file__).with_suffix(".sql")

WARM_UP = timedelta(days=29)
"""Nine of ten applications of the log have had their last turn by then."""

SHORT = timedelta(days=14)
"""What is no longer than this is shown day by day."""


def compare(
    log: Path, records: Path | str, window: Window, settled: datetime | None = None
) -> duckdb.DuckDBPyConnection:
    """A database in memory, with the views that comparison.sql describes.

    Args:
        log: The event log.
        records: The run's records, JSON lines or Parquet: a file, or a glob for several.
        window: What the run simulated.
        settled: From when on waiting counts; by default from the beginning, work included that
            was in hand then.
    """
    told = {
        "log": str(log),
        "began": window.start.isoformat(),
        "ended": window.end.isoformat(),
        "settled": settled.isoformat() if settled else "-infinity",
    }
    database = duckdb.connect()
    for name, value in told.items():
        database.execute(f"SET VARIABLE {name} = ?", [value])
    path = str(records).replace("'", "''")
    database.execute(f"CREATE VIEW records AS FROM '{path}'")
    database.execute(QUERY.read_text(encoding="utf-8"))
    return database


def settled_at(log: Log, window: Window) -> datetime | None:
    """When a run has warmed up that begins with an empty desk, as the log does.

    None for a run that begins later: it has the work that was in hand.
    """
    is_whole = log.applications[0].arrived in window
    return window.start + WARM_UP if is_whole else None


def show(database: duckdb.DuckDBPyConnection) -> None:
    """Print throughput and waiting times."""
    began, ended = database.execute(
        "SELECT epoch(getvariable('began')::TIMESTAMPTZ), epoch(getvariable('ended')::TIMESTAMPTZ)"
    ).fetchall()[0]
    by = "day" if ended - began <= SHORT.total_seconds() else "week"
    for title, view in {
        "Turns finished": f"throughput_by_{by}",
        "Hours waited for staff": "waiting",
        "Turns that wait for staff at the end": "still_waiting",
    }.items():
        print(title)
        database.table(view).show(max_width=120, max_rows=60)


def records_of(settings: Mapping[str, Any], run_id: str) -> str:
    """Where a run of these settings has its events, for `compare`: a file, or a glob for several.

    Raises:
        ValueError: Nowhere that can be read as files.
    """
    for egress in resolve(settings)["egress"]:
        match egress:
            case {"connector": "parquet", "uri": uri}:
                return f"{uri.rstrip('/')}/event/WorkItem/run={run_id}/*.parquet"
            case {"connector": "jsonl", "path": path}:
                return str(path.replace("{run_id}", run_id))
    raise ValueError("the settings have no egress to parquet or jsonl: nothing to compare")


def main() -> None:
    """Print the comparison of a run that is over."""
    parser = window_arguments("Compare a run with what really happened.")
    parser.add_argument("records", help="the run's records: a file or a glob")
    chosen = parser.parse_args()
    log = read_log(chosen.log)
    window = window_of(log, chosen)
    show(compare(chosen.log, chosen.records, window, settled_at(log, window)))


if __name__ == "__main__":
    main()
