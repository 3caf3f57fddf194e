"""A run that is under way is asked for its present state, by a source in another process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from despatch import (
    Distribution,
    DynamicPriorityResource,
    DynamicStore,
    Exponential,
    Run,
    SimParameter,
    StateError,
)
from despatch.errors import RunError
from despatch.settings.file import settings_from
from despatch.snapshots import Snapshot
from despatch.snapshotting import enquiries
from despatch.state_reading.reading import read_state
from despatch.states.simulation import SimulationState, SimulationStateSettings

HOSTS = ("process", "thread")


class Desk(SimParameter):
    capacity: int = 2
    service: Distribution = Exponential(rate=0.5)


def build(env):
    env.registry.register("Desk", Desk())
    desk = DynamicPriorityResource(env, "Desk.capacity")

    def customer():
        with desk.request() as turn:
            yield turn
            yield env.timeout(1e6)

    for number in range(5):
        env.process(customer()).key = f"customer-{number}"
    env.note_arrival("customers")


def build_crowd(env):
    """So many that a copy of the process writes them, where one may be had."""
    desk = DynamicPriorityResource(env, 1, name="Desk")

    def customer():
        with desk.request() as turn:
            yield turn
            yield env.timeout(1e6)

    for _ in range(3000):
        env.process(customer())


def build_busy(env):
    """One that is never idle, and has all its customers come at one instant in each second."""
    build(env)

    def clock():
        while True:
            yield env.timeout(1)
            env.registry.update({"Desk.capacity": 1 + int(env.now) % 5})

    env.process(clock())


def build_unsayable(env):
    DynamicStore(env, name="yard").put(object())
    env.timeout(1e6)


@contextmanager
def under_way(tmp_path: Path, model: Any = build, *, factor=1.0, host="process", **given: Any):
    """A run of which the clock goes, in a thread of its own, and has left its first instant."""
    begun = threading.Event()

    def begin(env):
        yield env.timeout(1e-3)
        begun.set()

    def built(env):
        model(env)
        env.process(begin(env))

    settings = {
        "name": "line",
        "runs": str(tmp_path / "runs"),
        "clock": {"factor": factor},
        "courier": {"host": host},
        "egress": [],
        **given,
    }
    with Run(settings, built) as run:
        thread = threading.Thread(target=run.env.run)
        thread.start()
        try:
            assert begun.wait(60)
            yield run
        finally:
            run.env.stop("the test is over")
            thread.join()


def source(tmp_path: Path, run: str = "line", **given: Any) -> SimulationState:
    settings = {"run": run, "runs": str(tmp_path / "runs"), "answer_within": "60s", **given}
    return SimulationState(SimulationStateSettings.model_validate(settings), simulation="twin")


def asked(state: SimulationState, times: int = 1) -> list[Snapshot]:
    async def work():
        await state.open()
        try:
            return [await state.read() for _ in range(times)]
        finally:
            await state.close()

    return asyncio.run(work())


@pytest.mark.parametrize("host", HOSTS)
def test_a_clock_that_sleeps_answers(tmp_path, host) -> None:
    with under_way(tmp_path, host=host) as run:
        first, second = asked(source(tmp_path), 2)
        start = run.env.start
    desk = first.resources["Desk"]
    assert [each.key for each in desk.in_service] == ["customer-0", "customer-1"]
    assert [each.key for each in desk.queue] == ["customer-2", "customer-3", "customer-4"]
    assert first.parameters["Desk.capacity"] == 2
    assert first.arrivals == {"customers": start}
    # As of the time of asking, though nothing has happened since the start.
    assert first.taken_at < second.taken_at
    assert first.taken_at == start + timedelta(seconds=round(first.calendar_offset, 6))
    assert desk.in_service[0].elapsed == pytest.approx(first.calendar_offset)


@pytest.mark.parametrize("host", HOSTS)
def test_a_clock_that_never_sleeps_answers(tmp_path, host) -> None:
    with under_way(tmp_path, build_busy, factor=0.0, host=host):
        first, second = asked(source(tmp_path), 2)
    assert first.calendar_offset < second.calendar_offset
    for each in (first, second):
        capacity = each.parameters["Desk.capacity"]
        assert capacity == 1 + int(each.calendar_offset) % 5, "in the midst of an instant"
        assert len(each.resources["Desk"].in_service) >= min(capacity, 2)


@pytest.mark.parametrize("host", HOSTS)
def test_a_crowd_is_whole(tmp_path, host) -> None:
    with under_way(tmp_path, build_crowd, host=host) as run:
        (found,) = asked(source(tmp_path))
        left = [each.name for each in run.folder.path.glob("own-state*")]
    assert [each.key for each in found.resources["Desk"].in_service] == ["customer-1"]
    queue = found.resources["Desk"].queue
    assert [each.key for each in queue] == [f"customer-{n}" for n in range(2, 3001)]
    assert left == []


ASKING = """
import sys
from despatch.settings.file import settings_from
from despatch.state_reading.reading import read_state

state = {"source": "simulation", "run": "line", "runs": sys.argv[1], "timeout": "60s"}
snapshot = read_state(settings_from({"state": state})).snapshot
with open(sys.argv[2], "w") as file:
    file.write(snapshot.model_dump_json())
"""


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_a_run_in_a_process_of_its_own_has_a_copy_of_it_write_and_goes_on(
    tmp_path, monkeypatch, factor
) -> None:
    written, pids, answer = enquiries._written, tmp_path / "pids", tmp_path / "answer"
    runs = str(tmp_path / "runs")

    def write(*args):
        pids.write_text(str(os.getpid()))
        return written(*args)

    monkeypatch.setattr(enquiries, "_written", write)

    def model(env):
        build_crowd(env)
        env.process(ask(env))

    def ask(env):
        yield env.timeout(1e-3)
        asker = subprocess.Popen([sys.executable, "-c", ASKING, runs, str(answer)])
        while asker.poll() is None:
            yield env.timeout(0.01)
        env.stop("it has its answer")

    settings = {"name": "line", "runs": runs, "clock": {"factor": factor}, "egress": []}
    with Run(settings, model) as run:
        run.env.run()
    found = Snapshot.model_validate_json(answer.read_bytes())
    assert len(found.resources["Desk"].queue) == 2999
    assert int(pids.read_text()) != os.getpid()


def test_it_is_read_by_a_run_in_another_process(tmp_path) -> None:
    state = {"source": "simulation", "run": "line", "runs": str(tmp_path / "runs")}
    with under_way(tmp_path) as run:
        reading = read_state(settings_from({"state": state}))
        path = run.folder.path
    assert reading is not None
    assert len(reading.snapshot.resources["Desk"].queue) == 3
    assert f"run line in {path}" in reading.origin


def test_a_run_is_found_by_its_id_the_beginning_of_its_id_or_its_folder(tmp_path) -> None:
    with under_way(tmp_path) as run:
        for name in (run.run_id, run.run_id[:20], str(run.folder.path)):
            assert asked(source(tmp_path, name))


def test_a_run_that_is_not_there_is_an_error_that_says_which_there_are(tmp_path) -> None:
    with (
        under_way(tmp_path) as run,
        pytest.raises(RunError, match=f"run lathe in .*no such run.*line {run.run_id}"),
    ):
        asked(source(tmp_path, "lathe"))
    with pytest.raises(RunError, match="no such run; under way are: none"):
        asked(source(tmp_path, "lathe", runs=str(tmp_path / "nowhere")))


def test_two_runs_of_one_name_are_told_apart_by_their_ids(tmp_path) -> None:
    with under_way(tmp_path, host="thread") as one, under_way(tmp_path, host="thread") as other:
        with pytest.raises(RunError, match="2 such runs are under way") as told:
            asked(source(tmp_path))
        assert one.run_id in str(told.value)
        assert other.run_id in str(told.value)
        assert asked(source(tmp_path, one.run_id))


def test_a_run_that_is_over_is_an_error_that_says_so(tmp_path) -> None:
    with under_way(tmp_path) as run:
        state = source(tmp_path)
        asked(state)
        socket = Path(run.folder.socket_note.read_text())
    assert not socket.parent.exists()
    assert not run.folder.socket_note.exists()
    for name in ("line", run.run_id, str(run.folder.path)):
        with pytest.raises(RunError, match=r"it is over \(finished\).*Start it again"):
            asked(source(tmp_path, name))
    with pytest.raises(ConnectionError, match=r"it is over \(finished\)"):
        asyncio.run(state.read())


def test_a_state_that_cannot_be_said_is_an_error_with_the_reason(tmp_path) -> None:
    with (
        under_way(tmp_path, build_unsayable) as run,
        pytest.raises(RuntimeError, match=r"run line in .*stores\.yard\.items\[0\]: .*dataclass"),
    ):
        asked(source(tmp_path))
    assert run.report.state == "finished"


def test_a_run_whose_clock_stands_gives_no_answer_within_its_time(tmp_path) -> None:
    settings = {"name": "line", "runs": str(tmp_path / "runs"), "egress": []}
    with (
        Run(settings, build),
        pytest.raises(TimeoutError, match=r"run line in .*no answer within 0\.5 s.*answer_within"),
    ):
        asked(source(tmp_path, answer_within="0.5s"))


def test_doctor_finds_the_run_and_says_what_is_in_it(tmp_path) -> None:
    with under_way(tmp_path) as run:
        health = asyncio.run(source(tmp_path).check())
        path = run.folder.path
    assert str(path) in health.findings[0]
    assert "2 in service, 3 waiting" in health.findings[0]


def test_a_run_begins_with_the_state_of_another(tmp_path) -> None:
    def resume(env, snapshot):
        env.registry.register("Desk", Desk())
        desk = DynamicPriorityResource(env, "Desk.capacity")
        state = env.restore(snapshot)
        state.leave_out("arrivals.customers")

        def customer(work):
            with desk.request() as turn:
                env.active_process.key = work.key
                yield turn
                yield env.timeout(1e6 if work.remaining is None else work.remaining)

        state.resume(desk, customer)

    state = {"source": "simulation", "run": "line", "runs": str(tmp_path / "runs")}
    with under_way(tmp_path):
        twin = {"name": "twin", "runs": str(tmp_path / "twins"), "state": state, "egress": []}
        with Run(twin, build, resume=resume) as run:
            run.env.run(run.env.now + 1)
            desk = run.env.snapshot().resources["Desk"]
    assert [each.key for each in desk.in_service] == ["customer-0", "customer-1"]
    assert [each.key for each in desk.queue] == ["customer-2", "customer-3", "customer-4"]


def test_a_model_without_resume_is_told_before_anything_runs(tmp_path) -> None:
    state = {"source": "simulation", "run": "line", "runs": str(tmp_path / "runs")}
    twin = Run({"name": "twin", "runs": str(tmp_path / "twins"), "state": state}, build)
    with under_way(tmp_path), pytest.raises(StateError, match=r"no function `resume"):
        twin.__enter__()
