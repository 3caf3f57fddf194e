"""One real week at the loan desk, over a real Redis: every record, whatever dies meanwhile."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import time
from datetime import date
from pathlib import Path

import pytest
import redis
from log import read_log
from model import make_model

from despatch import Run
from lateness import Bystander, Phase, is_unmoved, phase_of
from loan_desk_logs import LOAN_DESK
from processes import CommandLines, courier_of, finish, is_alive, kill, outcomes_of, wait_until
from services import RedisServer

WEEK = date(2011, 11, 14)
HOURS = 168


class Desk:
    """A loan desk at work in a folder, with a Redis of its own."""

    def __init__(self, folder: Path, server: RedisServer, log: Path) -> None:
        self.folder = folder
        self.server = server
        self.log = log
        self.lines = CommandLines(folder, LOAN_DESK_REDIS=server.url, LOAN_DESK_LOG=str(log))

    def start(self, factor=0.0):
        options = ("--week", WEEK, "--redis", self.server.url, "--factor", factor)
        return self.lines.start(self.log, *options, program=[LOAN_DESK / "run.py"])

    @property
    def run_folder(self) -> Path:
        (folder,) = (self.folder / ".despatch").iterdir()
        return folder

    def jsonl(self) -> list[dict]:
        """The records in the JSONL file, in its order."""
        (path,) = (self.folder / "out" / "loan_desk").glob("*.jsonl")
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    def written(self) -> int:
        """How many records the JSONL file has, about."""
        paths = list((self.folder / "out").glob("loan_desk/*.jsonl"))
        return paths[0].read_bytes().count(b"\n") if paths else 0

    def journal_bytes(self) -> int:
        """How much the simulator has written into its journal of records."""
        return sum(path.stat().st_size for path in self.run_folder.glob("records/*"))

    def redis(self) -> list[dict]:
        """The records in the Redis stream, in its order."""
        with redis.Redis.from_url(self.server.url) as client:
            return [
                json.loads(fields[b"record"]) for _, fields in client.xrange("loan_desk.events")
            ]

    def unacknowledged(self) -> int:
        """How many commands the run's consumer group was given and has not acknowledged."""
        with redis.Redis.from_url(self.server.url) as client:
            return client.xpending("loan_desk.commands", "loan_desk")["pending"]

    def report(self) -> dict:
        return json.loads((self.run_folder / "report.json").read_bytes())

    def hold_against_the_journal(self, published: int) -> None:
        """Every record that was published is in both sinks, once, in order."""
        whole = list(range(published))
        for records in (self.jsonl(), self.redis()):
            assert [record["seq"] for record in records] == whole
            assert [record["sink_seq"] for record in records] == whole

    def hold_against_the_roster(self) -> None:
        """Every hour's command was applied, once, in order, and acknowledged."""
        changes = [
            o
            for o in outcomes_of(self.run_folder)
            if o["type"] == "change" and o["source"] == "redis"
        ]
        assert [change["id"][-4:] for change in changes] == [f"{hour:04}" for hour in range(HOURS)]
        assert self.unacknowledged() == 0


@pytest.fixture
def desk(tmp_path, redis_server, loan_desk_log):
    desk = Desk(tmp_path, redis_server, loan_desk_log)
    yield desk
    desk.lines.close()


def test_a_week_reaches_both_sinks_and_follows_the_roster(desk):
    status, out, err = finish(desk.start())
    assert status == 0, err
    published = desk.report()["published"]
    assert published > 8_000
    desk.hold_against_the_journal(published)
    desk.hold_against_the_roster()
    assert "call-backs" in out, "the comparison with the real week is printed"


def test_the_same_week_with_the_same_seed_gives_the_same_records(desk, tmp_path, loan_desk_log):
    again = Desk(tmp_path / "again", desk.server, loan_desk_log)
    again.folder.mkdir()
    try:
        for each in (desk, again):
            status, _, err = finish(each.start())
            assert status == 0, err
    finally:
        again.lines.close()
    first, second = desk.jsonl(), again.jsonl()
    for record in [*first, *second]:
        del record["run_id"]
    assert first == second


def test_a_courier_killed_ten_times_loses_nothing(desk):
    process = desk.start(factor=0.00005)
    rng = random.Random(2012)
    for _ in range(10):
        courier = wait_until(lambda: courier_of(process.pid), "a courier")
        time.sleep(rng.uniform(0.0, 2.0))  # the random moment: there is nothing to wait for
        kill(courier)
        wait_until(lambda courier=courier: not is_alive(courier), "its end")
    status, _, err = finish(process)
    assert status == 0, err
    assert desk.report()["courier_restarts"] == 10
    desk.hold_against_the_journal(desk.report()["published"])
    desk.hold_against_the_roster()


def test_what_is_left_when_both_are_killed_is_delivered_later(desk):
    process = desk.start(factor=0.00005)
    wait_until(lambda: desk.written() > 1_000, "some records")
    courier = wait_until(lambda: courier_of(process.pid), "a courier")
    os.kill(courier, signal.SIGSTOP)
    seen = desk.journal_bytes()
    wait_until(lambda: desk.journal_bytes() > seen, "records that the courier has not seen")
    # Stopped first, so that it does not start another courier.
    os.kill(process.pid, signal.SIGSTOP)
    kill(courier)
    kill(process.pid)
    process.communicate()
    wait_until(lambda: not is_alive(courier), "the end of the courier")
    status, out, err = desk.lines.run("runs", "deliver", "--json")
    assert status == 0, err
    ((_, sinks),) = json.loads(out).items()
    published = sinks[0]["given"]
    assert published > 1_000
    assert all(sink["delivered"] == published for sink in sinks)
    desk.hold_against_the_journal(published)


def test_a_redis_that_stops_for_ten_seconds_holds_up_no_clock(desk):
    """In one paced run: ten seconds undisturbed against ten with a Redis that is stopped.

    A machine that is busy with something else delays either, for a moment or for longer. So the
    figure of a round is the median of its seconds' 99th percentiles, it is held against that of a
    bystander who sleeps as the clock does and has nothing to do with Redis, and there are three
    rounds. A clock that Redis holds up is late by seconds in each of them.
    """
    factor, round_s = 0.0001, 10.0
    rounds: list[tuple[Phase, Phase]] = []
    log = read_log(desk.log)
    week = make_model(log, log.week(WEEK).start)

    def build(env):
        week(env)
        env.registry.update({"Desk.calls.staff": 20, "Desk.assessment.staff": 20})
        env.process(measure(env))
        # The log and the model are 136,000 objects to the collector: going through all takes 90 ms.
        gc.collect()
        gc.freeze()

    def lags(env, enough):
        measured: list[float] = []
        while not enough(measured):
            yield env.timeout(50)
            measured.append(env.clock.lag_s)
        return measured

    def is_warm(measured):
        """The work in hand at the start is in the queues, and the courier has started."""
        return len(measured) > 500 and max(measured[-500:]) < 0.02

    def phase(env):
        began = time.monotonic()
        measured = yield from lags(env, lambda _: time.monotonic() >= began + round_s)
        return phase_of(measured, bystander.lags(began, time.monotonic()))

    def measure(env):
        yield from lags(env, is_warm)
        for _ in range(3):
            quiet = yield from phase(env)
            desk.server.pause()
            disturbed = yield from phase(env)
            desk.server.resume()
            rounds.append((quiet, disturbed))
            if is_unmoved(*rounds[-1]):
                break
        env.stop("the end of the measurement")

    settings = {
        "name": "loan_desk",
        "runs": desk.folder / ".despatch",
        "clock": {"factor": factor},
        "seed": 1,
        "egress": [
            {
                "connector": "redis",
                "url": desk.server.url,
                "stream": "loan_desk.events",
                "timeout": "2s",
            },
            {"connector": "jsonl", "path": str(desk.folder / "out/loan_desk/{run_id}.jsonl")},
        ],
    }
    try:
        with Bystander(50 * factor) as bystander, Run(settings, build) as run:
            run.run()
    finally:
        gc.unfreeze()
    assert run.report.exit_status == 0
    assert run.report.published > 1_000
    desk.hold_against_the_journal(run.report.published)
    assert is_unmoved(*rounds[-1]), f"p99 of the lag, undisturbed and stopped, in s: {rounds}"
