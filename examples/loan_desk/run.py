"""Run one real week at the loan desk, and say how close the model comes to it.

python run.py bpic2012.csv.gz                       as fast as the machine allows
python run.py bpic2012.csv.gz --factor 0.0001       the week in a minute
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from comparison import figures_of_log, figures_of_records, read_records, table
from log import read_log
from model import make_model
from rich.console import Console
from roster import Roster, arguments
from staffing import heads_by_hour

from despatch import Report, Run
from despatch.settings_file import raw_settings

SETTINGS = Path(__file__).with_name("loan_desk.yaml")


def main() -> int:
    """Run the week; the exit status is the delivery report's."""
    chosen = arguments(__doc__.splitlines()[0] if __doc__ else "").parse_args()
    server = redis.Redis.from_url(chosen.redis)
    try:
        server.ping()
    except redis.ConnectionError as error:
        print(
            f"No Redis answers at {chosen.redis} ({error}). Start one with "
            "`redis-server --port 6379`, or name another with --redis URL.",
            file=sys.stderr,
        )
        return 2

    log = read_log(chosen.log)
    week = log.week(chosen.week)
    roster = Roster(server, heads_by_hour(log, week), name=f"roster-{chosen.week}")
    roster.clear()

    os.environ["LOAN_DESK_REDIS"] = chosen.redis
    settings = raw_settings(SETTINGS)
    settings["clock"] |= {"factor": chosen.factor, "start": week.start}
    if not chosen.factor:
        roster.send_ahead()
    run = Run(
        settings,
        make_model(log, chosen.week),
        progress="live" if sys.stderr.isatty() else "plain",
        handle_signals=True,
    )
    with run, at_work(roster, chosen.factor):
        run.run()

    report = run.report
    show(report)
    records = Path("out/loan_desk") / f"{report.run_id}.jsonl"
    if report.exit_status or report.stopped_by:
        print(f"\nThe week is not complete in {records}: nothing to compare yet.")
        return report.exit_status
    print(f"\nThe week of {chosen.week} at the desk, and in the model by {records}:\n")
    print(table(figures_of_log(log, week), figures_of_records(read_records(records))))
    return 0


@contextmanager
def at_work(roster: Roster, factor: float) -> Iterator[None]:
    """Have the roster office send each hour's command while the run lasts; at factor 0 it has."""
    stop = threading.Event()
    office = threading.Thread(target=roster.send_live, args=(factor, stop), name="roster office")
    if factor:
        office.start()
    try:
        yield
    finally:
        stop.set()
        if factor:
            office.join()


def show(report: Report) -> None:
    """Print the delivery report."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(report.summary())
    console.print(report.table())


if __name__ == "__main__":
    sys.exit(main())
