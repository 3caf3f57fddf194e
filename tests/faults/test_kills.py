"""Processes that are killed at random moments, again and again, with every kind of sink at once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.checks import check_run
from faults.program import Killable, Program
from faults.servers import Stands, local_sinks
from faults.soak import Soak

# A net for `make soak`, on a machine with other things to do.
pytestmark = pytest.mark.timeout(1200)

SEED = 11
RECORDS_PER_S = 600.0


@pytest.fixture
def program(stands: Stands, tmp_path: Path) -> Iterator[Program]:
    """A paced model with five sinks of five kinds."""
    served = [stands.of(kind).sink for kind in ("lines", "redis", "kafka")]
    sinks = [*local_sinks(tmp_path), *served]
    program = Program(tmp_path, sinks, factor=3 / RECORDS_PER_S)
    yield program
    program.lines.close()


def a_moment(rng: random.Random, longest_s: float) -> None:
    """Let a random time pass: the moment of a fault, no condition."""
    time.sleep(rng.uniform(0.0, longest_s))


def let_run(run: Killable, rng: random.Random, beyond: list[int]) -> list[int]:
    """Let a run come further at every sink, and then for a random while."""
    run.wait_all_beyond(beyond)
    a_moment(rng, 0.3)
    return run.positions()


def test_a_courier_that_is_killed_at_random_moments_loses_nothing(program: Program, soak: Soak):
    rng = random.Random(SEED)
    count = soak.count(5, 50)
    run = program.start()
    positions = [0] * len(program.sinks)
    for number in range(count):
        # Never more than twice without progress: what kills a courier thrice is put aside.
        if number % 2 == 0:
            positions = let_run(run, rng, positions)
        else:
            a_moment(rng, 1.0)
        run.kill_courier()
    status, report, said = run.stop()
    assert status == 0, said
    assert report["courier_restarts"] == count
    accounts = check_run(run.path, program.sinks)
    soak.note(
        f"courier killed {count} times at random moments, seed {SEED}: {report['published']:,} "
        f"records to {len(accounts)} sinks, none missing"
    )


def test_a_simulator_that_is_killed_at_random_moments_loses_nothing_that_was_written(
    program: Program, soak: Soak
):
    rng = random.Random(SEED)
    count = soak.count(5, 50)
    records = unwritten = 0
    for number in range(count):
        run = program.start()
        if number % 5 == 4:
            a_moment(rng, 1.0)  # in the midst of its start
        else:
            let_run(run, rng, [0] * len(program.sinks))
        run.kill_simulator()
        unwritten += run.check_notes()
        if run.has_begun:
            accounts = check_run(run.path, program.sinks)
            records += accounts["jsonl"].given
    soak.note(
        f"simulator killed {count} times at random moments, seed {SEED}: {records:,} records "
        f"written, none missing at {len(program.sinks)} sinks; {unwritten:,} were published "
        "after the last flush"
    )


def test_what_is_left_when_both_are_killed_at_random_moments_is_delivered_later(
    program: Program, soak: Soak
):
    rng = random.Random(SEED)
    count = soak.count(5, 50)
    records = owed = 0
    for number in range(count):
        run = program.start()
        if number % 5 == 4:
            a_moment(rng, 1.0)
        else:
            let_run(run, rng, [0] * len(program.sinks))
        run.kill_both()
        run.check_notes()
        owed += sum(sum(past.owed.values()) for past in program.past_runs())
        if number % 2 == 1:
            # So is who delivers what they left.
            delivering = program.lines.start("runs", "deliver")
            a_moment(rng, 1.5)
            delivering.kill()
            delivering.communicate()
        status, out, said = program.lines.run("runs", "deliver")
        assert status == 0, out + said
        if run.has_begun:
            accounts = check_run(run.path, program.sinks)
            records += accounts["jsonl"].given
    soak.note(
        f"both killed {count} times at random moments, seed {SEED}: {records:,} records written, "
        f"{owed:,} of them owed to one of {len(program.sinks)} sinks, none missing after "
        "`despatch runs deliver`"
    )
