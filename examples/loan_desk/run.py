"""Run a loan desk through what really came in, and say how close the model comes to it.

python run.py bpic2012.csv.gz                               the half year, in a minute
python run.py bpic2012.csv.gz --week 2011-11-14             one week, in seconds
python run.py bpic2012.csv.gz --week 2011-11-14 --factor 0.0001     the week in a minute
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping
from datetime import timedelta
from typing import Any

from arguments import arguments, settings_of, window_of
from channel import Channel, channel_of
from comparison import compare, records_of, settled_at, show
from log import Log, Window, read_log
from model import make_model
from rich.console import Console
from roster import Roster
from staffing import heads_by_hour

from despatch import Report, Run

__all__ = ["simulate"]


def simulate(
    settings: Mapping[str, Any], log: Log, window: Window, *, factor: float = 0.0, **options: Any
) -> Report:
    """Run the desk, its roster office beside it.

    At factor 0 the whole roster is sent before the run, else each hour's command when that hour
    comes.

    Args:
        settings: As in loan_desk.yaml; `clock` is set here.
        log: What comes in.
        window: The days to simulate.
        factor: Wall seconds per simulated second.
        options: What else `Run` takes.

    Raises:
        ConnectionError: The server that commands go through doesn't answer.
    """
    clock = {"factor": factor, "start": window.start, "until": f"{window.hours}h"}
    settings = {**settings, "clock": clock}
    channel = channel_of(settings)
    roster = Roster(heads_by_hour(log, window), name=f"roster-{window.start:%Y-%m-%d}")
    asyncio.run(prepare(roster, channel, is_live=bool(factor)))
    with Run(settings, make_model(log, window.start), **options) as run:
        if factor:
            with at_work(send_live(roster, channel, factor)):
                run.run()
        else:
            run.run()
    return run.report


async def prepare(roster: Roster, channel: Channel, *, is_live: bool) -> None:
    """What the roster office does before the run."""
    async with channel:
        await channel.clear()
        if not is_live:
            await roster.send_ahead(channel)


async def send_live(roster: Roster, channel: Channel, factor: float) -> None:
    """What it does during a run that is not at factor 0."""
    async with channel:
        await roster.send_live(channel, factor)


@contextlib.contextmanager
def at_work(office: Coroutine[Any, Any, None]) -> Iterator[None]:
    """Have the office work in a thread of its own, until it is done or what is inside is over."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(office)

    def work() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=work, name="roster office")
    thread.start()
    try:
        yield
    finally:
        # More than once: a client may swallow a cancellation that comes while it connects.
        while thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
            thread.join(timeout=0.1)
        loop.close()


def main() -> int:
    """Run the desk and compare; the exit status is the delivery report's."""
    chosen = arguments(__doc__.splitlines()[0] if __doc__ else "").parse_args()
    log = read_log(chosen.log)
    window = window_of(log, chosen)
    settings = settings_of(chosen)
    try:
        report = simulate(
            settings,
            log,
            window,
            factor=chosen.factor,
            progress="live" if sys.stderr.isatty() else "plain",
            handle_signals=True,
        )
    except ConnectionError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console(soft_wrap=True, highlight=False)
    console.print(report.summary())
    console.print(report.table())

    records = records_of(settings, report.run_id)
    if report.exit_status or report.stopped_by:
        print(f"\nWhat is in {records} is not complete: nothing to compare yet.")
        return report.exit_status
    if "://" in records:
        print(f"\nTo compare, give comparison.sql a DuckDB that can read {records}.")
        return 0
    last = (window.end - timedelta(days=1)).date()
    print(f"\nThe desk from {window.start.date()} to {last}, and the model by {records}:\n")
    show(compare(chosen.log, records, window, settled_at(log, window)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
