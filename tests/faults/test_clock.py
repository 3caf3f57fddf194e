"""The clock while a sink or the courier stands still (SIGSTOP), against the same clock before."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from despatch import Run
from faults.checks import check_run
from faults.publishing import publish
from faults.servers import Stands
from faults.sinks import JsonlSink, KafkaSink, RedisSink
from faults.soak import Soak
from lateness import Bystander, Phase, is_unmoved, phase_of
from processes import courier_of
from services import KafkaServer, RedisServer

BEAT_S = 0.0025
ROUNDS = 3


class Round(NamedTuple):
    """How late the clock was while nothing was stopped, and while each of them was."""

    quiet: Phase
    stopped: dict[str, Phase]

    @property
    def moved(self) -> list[str]:
        """By what the clock was held up."""
        return [
            name
            for name, disturbed in self.stopped.items()
            if not is_unmoved(self.quiet, disturbed)
        ]


def test_no_clock_is_held_up_by_a_sink_or_a_courier_that_stands_still(
    stands: Stands, tmp_path: Path, soak: Soak
):
    """In one paced run with three sinks: each is stopped in its turn, and then the courier.

    A machine that is busy with something else delays either, so there are up to three rounds, and
    the last decides. A clock that waits for what is stopped is late by seconds in each of them.
    """
    phase_s = soak.count(1.5, 10.0)
    redis, kafka = stands.of("redis").server, stands.of("kafka").server
    assert isinstance(redis, RedisServer)
    assert isinstance(kafka, KafkaServer)
    sinks = [
        JsonlSink(tmp_path / "jsonl"),
        RedisSink(redis.port, redis.port),
        KafkaSink(kafka.bootstrap_servers, kafka),
    ]
    rounds: list[Round] = []

    def pid_of(name: str) -> int:
        server = {"redis": redis, "kafka": kafka}.get(name)
        pid = courier_of(os.getpid()) if server is None else server.pid
        assert pid is not None
        return pid

    def build(env: Any) -> None:
        env.process(beats(env))
        env.process(measure(env))

    measured: list[float] = []

    def beats(env: Any) -> Iterator[Any]:
        number = 0
        while True:
            for _ in range(2):
                publish(env, number)
                number += 1
            measured.append(env.clock.lag_s)
            yield env.timeout(1)

    def phase(env: Any) -> Iterator[Any]:
        measured.clear()
        began = time.monotonic()
        while time.monotonic() < began + phase_s:
            yield env.timeout(1)
        return phase_of(measured.copy(), bystander.lags(began, time.monotonic()))

    def measure(env: Any) -> Iterator[Any]:
        while [state.state for state in run._switchboard.sinks.values()] != ["healthy"] * 3:
            yield env.timeout(1)
        gc.collect()
        gc.freeze()
        while len(rounds) < ROUNDS and not (rounds and not rounds[-1].moved):
            rounds.append(Round((yield from phase(env)), {}))
            for name in ("redis", "kafka", "courier"):
                pid = pid_of(name)
                os.kill(pid, signal.SIGSTOP)
                try:
                    rounds[-1].stopped[name] = yield from phase(env)
                finally:
                    os.kill(pid, signal.SIGCONT)
        env.stop("the end of the measurement")

    settings = {
        "name": "faults",
        "runs": tmp_path / "runs",
        "clock": {"factor": BEAT_S},
        "courier": {"grace": "60s"},
        "egress": [sink.entry() for sink in sinks],
    }
    try:
        with Bystander(BEAT_S) as bystander, Run(settings, build) as run:
            run.run()
    finally:
        gc.unfreeze()
    assert run.report.exit_status == 0
    check_run(run.folder.path, sinks)
    assert not rounds[-1].moved, f"p99 of the lag in s, undisturbed and stopped: {rounds}"
    quiet, stopped = rounds[-1]
    soak.note(
        f"stopped for {phase_s:g} s each, p99 of the clock's lag in ms: undisturbed "
        f"{quiet.clock * 1000:.2f}, "
        + ", ".join(f"{name} stopped {of.clock * 1000:.2f}" for name, of in stopped.items())
        + f" ({len(rounds)} of {ROUNDS} rounds, {run.report.published:,} records, none missing)"
    )
