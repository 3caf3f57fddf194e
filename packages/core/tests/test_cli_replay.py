"""``despatch replay`` of runs made by ``despatch run``, over a courier of its own."""

from __future__ import annotations

import json
import os
import signal
import textwrap

import pytest

from despatch.history import past_runs
from despatch.journal import end_position
from processes import CommandLines, courier_of, finish, kill, wait_until

MODEL = """
    from pydantic import Field
    from despatch import Distribution, DynamicResource, Exponential, SimParameter

    class Desk(SimParameter):
        staff: int = Field(1, ge=0, le=9)
        service: Distribution = Exponential(rate=1.0)

    def build(env, pause=1):
        env.registry.register("Desk", Desk())
        desk = DynamicResource(env, capacity="Desk.staff")

        def customers():
            number = 0
            while True:
                env.process(customer(number))
                number += 1
                yield env.timeout(pause)

        def customer(number):
            with desk.request() as request:
                yield request
                env.publish_event(f"customer-{number}", {"staff": desk.capacity})
                yield env.timeout(env.sample("Desk.service"))
            env.publish_telemetry("Desk.queue", len(desk.queue))

        env.process(customers())

    def changed(env):
        build(env, pause=2)

    def broken(env):
        build(env)
        def fault():
            yield env.timeout(20)
            raise LookupError("the [model]'s own")
        env.process(fault())
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a model and an empty inbox, in which runs are made."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "queueing.py").write_text(textwrap.dedent(MODEL))
    (tmp_path / "inbox").touch()
    return tmp_path


@pytest.fixture
def despatch(folder):
    lines = CommandLines(folder)
    yield lines
    lines.close()


def settings(folder, model="build", clock="{factor: 0.002, until: 100s}", more=""):
    path = folder / "model" / "desk.yaml"
    path.write_text(
        textwrap.dedent(f"""
            name: desk
            model: queueing:{model}
            clock: {clock}
            journal: {{flush: {{interval: 10ms}}}}
            ingress:
              - {{connector: faulty, inbox: inbox, acknowledged: acknowledged}}
            egress:
              - {{connector: jsonl, path: a.jsonl, batch: {{interval: 10ms}}}}
        """)
        + more
    )
    return path


def tell(folder, *commands):
    with (folder / "inbox").open("a") as inbox:
        inbox.writelines(f"{json.dumps(command)}\n" for command in commands)


def acknowledged(folder):
    path = folder / "acknowledged"
    return path.read_text().splitlines() if path.exists() else []


def staff(value, **given):
    return {"path": "Desk.staff", "value": value, **given}


def the_run(folder):
    (run,) = past_runs(folder / ".despatch")
    return run


def the_latest_run(folder):
    return past_runs(folder / ".despatch")[-1].info.run_id


def delivered(folder):
    path = folder / "a.jsonl"
    return path.read_text() if path.exists() else ""


def replayed(despatch, folder, *options):
    status, out, err = despatch.run("replay", the_run(folder).info.run_id[:-2], "--json", *options)
    assert err == ""
    return status, json.loads(out)


@pytest.mark.parametrize("factor", ["0.002", "0"])
def test_a_run_steered_through_a_process_is_the_same_again(folder, despatch, factor):
    process = despatch.start("run", settings(folder, clock=f"{{factor: {factor}}}"))
    # What comes from here on comes in the middle of the run.
    wait_until(lambda: (folder / "a.jsonl").exists(), "the first records")
    for number, value in enumerate([3, 12, 0, 9, 2, 5], 1):
        tell(folder, staff(value), {"path": "Desk.service.rate", "value": 0.2 * number})
        wait_until(lambda n=number: len(acknowledged(folder)) == 2 * n, "the outcomes")
    os.kill(process.pid, signal.SIGTERM)
    assert finish(process)[0] == 0
    status, report = replayed(despatch, folder)
    assert (status, report["difference"]) == (0, None)
    assert report["commands"] == report["outcomes"] == 12
    assert report["records"] == the_run(folder).published > 0


def test_a_run_that_was_killed_is_compared_up_to_the_last_it_wrote(folder, despatch):
    process = despatch.start("run", settings(folder, clock="{factor: 0.002}"))
    tell(folder, staff(4), staff(99), staff(2, at=40), staff(7, at=10_000_000))
    wait_until(lambda: len(acknowledged(folder)) == 4, "the outcomes")
    (run,) = (folder / ".despatch").iterdir()
    goal = end_position(run / "records") + 50
    wait_until(lambda: end_position(run / "records") > goal, "more records")
    courier = courier_of(process.pid)
    kill(process.pid)
    kill(courier)
    finish(process)
    wait_until(lambda: the_run(folder).state == "killed", "the end of both")
    status, report = replayed(despatch, folder)
    assert (status, report["difference"]) == (0, None)
    assert report["records"] == the_run(folder).published > 50
    assert report["commands"] == 4
    assert "killed" in report["notes"][0]
    # As a crash may leave it: the frame that was being written is torn.
    (segment,) = (run / "records").iterdir()
    os.truncate(segment, segment.stat().st_size - 3)
    status, report = replayed(despatch, folder)
    assert (status, report["difference"]) == (0, None)


def test_a_changed_model_is_status_1_and_the_difference_is_shown(folder, despatch):
    path = settings(folder, clock="{until: 50s}")
    assert despatch.run("run", path)[0] == 0
    code = (folder / "model" / "queueing.py").read_text()
    (folder / "model" / "queueing.py").write_text(code.replace("pause=1", "pause=2"))
    status, out, err = despatch.run("replay", the_run(folder).info.run_id)
    assert (status, err) == (1, "")
    assert "the first difference is record" in out
    assert "  recorded  " in out
    assert "  replayed  " in out
    status, report = replayed(despatch, folder)
    assert (status, report["is_identical"], report["difference"]["what"]) == (1, False, "record")


def test_a_run_that_failed_is_status_0_if_it_fails_in_the_same_way(folder, despatch):
    assert despatch.run("run", settings(folder, model="broken", clock="{}"))[0] == 1
    status, report = replayed(despatch, folder)
    assert (status, report["error"]) == (0, "LookupError: the [model]'s own")


def test_what_is_replayed_can_be_kept(folder, despatch):
    assert despatch.run("run", settings(folder, clock="{until: 20s}"))[0] == 0
    assert replayed(despatch, folder, "--keep", "kept")[0] == 0
    assert end_position(folder / "kept" / "records") == the_run(folder).published
    status, _, err = despatch.run("replay", the_run(folder).folder, "--keep", "kept")
    assert status == 2
    assert "empty folder" in err


def test_what_cannot_be_replayed_is_status_2_and_says_why(folder, despatch):
    status, _, err = despatch.run("replay", "0198")
    assert status == 2
    assert "no run whose id begins with '0198'" in err
    process = despatch.start("run", settings(folder, clock="{factor: 0.002}"))
    wait_until(lambda: (folder / "a.jsonl").exists(), "the first records")
    status, _, err = despatch.run("replay", the_run(folder).info.run_id)
    assert status == 2
    assert "still going on" in err
    os.kill(process.pid, signal.SIGTERM)
    finish(process)
    (folder / "model" / "queueing.py").rename(folder / "model" / "moved.py")
    status, _, err = despatch.run("replay", the_run(folder).info.run_id)
    assert status == 2
    assert "there is no module 'queueing'" in err
    assert "Traceback" not in err


def test_a_run_takes_over_from_one_that_was_killed(folder, despatch):
    path = settings(folder, clock="{factor: 0.002}", more="resume: last\n")
    process = despatch.start("run", path)
    tell(folder, staff(4), staff(2, at=10_000_000))
    wait_until(lambda: len(acknowledged(folder)) == 2, "the outcomes")
    courier = courier_of(process.pid)
    kill(process.pid)
    kill(courier)
    finish(process)
    # The source has forgotten what it was told, and brings all of it again.
    (folder / "acknowledged").unlink()
    process = despatch.start("run", path)
    wait_until(lambda: len(acknowledged(folder)) == 2, "the same outcomes")
    wait_until(lambda: the_latest_run(folder) in delivered(folder), "its first records")
    os.kill(process.pid, signal.SIGTERM)
    status, _, err = finish(process)
    assert status == 0
    assert "values: 1, scheduled commands: 1, of those overdue: 0, known ids: 1" in err
    assert acknowledged(folder) == ["0 change", "1 scheduled"]
    first, second = past_runs(folder / ".despatch")
    assert second.info.resumed == first.info.run_id
    records = [json.loads(line) for line in (folder / "a.jsonl").read_text().splitlines()]
    resumed = [r["value"] for r in records if r["run_id"] == second.info.run_id and "key" in r]
    assert {value["staff"] for value in resumed} == {4}
    status, out, _ = despatch.run("replay", second.info.run_id, "--json")
    assert (status, json.loads(out)["difference"]) == (0, None)
