"""What hook plugins are told of a run, in both hosts of the courier."""

from __future__ import annotations

import json
import os

import pytest

from despatch import Command, Run, SimParameter
from despatch.history import deliver
from despatch.runs import RunFolder

PLUGIN = """
import json, os
from despatch.hooks import hookimpl

def note(hook, told):
    with open(os.environ["DESPATCH_TEST_HOOKS"], "a") as file:
        file.write(json.dumps([hook, os.getpid(), told]) + "\\n")

@hookimpl
def despatch_run_started(run):
    note("run_started", run.run_id)

@hookimpl
def despatch_command_applied(change):
    note("command_applied", [change.source, change.updates[0].new])

@hookimpl
def despatch_command_refused(refusal):
    note("command_refused", [refusal.source, refusal.reason])

@hookimpl
def despatch_batch_delivered(batch):
    note("batch_delivered", {name: getattr(batch, name) for name in batch.__struct_fields__})

@hookimpl
def despatch_sink_state_changed(state, run):
    note("sink_state_changed", [run.name, state.name, state.state])

@hookimpl
def despatch_run_finished(report):
    note("run_finished", [report.state, report.published, report.owed])
"""
RAISING = """
from despatch.hooks import hookimpl
"""
for hook, arguments in {
    "run_started": "run",
    "command_applied": "change",
    "command_refused": "refusal",
    "batch_delivered": "batch",
    "sink_state_changed": "state",
    "run_finished": "report",
}.items():
    RAISING += f"""
@hookimpl
def despatch_{hook}({arguments}):
    raise RuntimeError("a mistake of the plugin's")
"""


class Desk(SimParameter):
    staff: int = 1


def build(env):
    env.registry.register("Desk", Desk())

    def go():
        for number in range(3):
            env.publish_event(f"part-{number}", {"number": number})
            yield env.timeout(1)
        env.publish_event("part-3", object())
        env.registry.update({"Desk.staff": 3})
        yield env.timeout(5)

    env.process(go())


@pytest.fixture(params=["process", "thread"])
def settings(request, tmp_path):
    at = {"at": 2.5, "path": "Desk.staff", "value": 2}
    refused = {"at": 2.6, "path": "Desk.stuff", "value": 2}
    return {
        "name": "desk",
        "runs": tmp_path / "runs",
        "courier": {"host": request.param},
        "ingress": [{"connector": "schedule", "commands": [at, refused]}],
        "egress": [{"connector": "jsonl", "path": str(tmp_path / "out.jsonl")}],
    }


@pytest.fixture
def told(install, tmp_path, monkeypatch):
    """What the plugin was told: by hook, in which process, and what."""
    file = tmp_path / "told.jsonl"
    monkeypatch.setenv("DESPATCH_TEST_HOOKS", str(file))
    put(install, monkeypatch, "watch", PLUGIN)

    def told():
        found = {}
        for line in file.read_text().splitlines():
            hook, pid, what = json.loads(line)
            found.setdefault(hook, []).append((pid, what))
        return found

    return told


def put(install, monkeypatch, name, code):
    folder = install(
        f"acme-{name}",
        f"[despatch.hooks]\n{name} = {name}_hooks\n",
        modules={f"{name}_hooks": code},
    ).parent
    # A courier process finds it there too.
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ['PYTHONPATH']}")


def run_through(settings):
    with Run(settings, build) as run:
        run.run()
    return run


def test_each_hook_is_told_in_the_process_that_the_reference_says(settings, told):
    run = run_through(settings)
    found = told()
    is_thread = settings["courier"]["host"] == "thread"
    for hook, calls in found.items():
        in_simulator = is_thread or hook in ("run_started", "run_finished")
        assert {pid == os.getpid() for pid, _ in calls} == {in_simulator}, hook
    what = {hook: [each for _, each in calls] for hook, calls in found.items()}
    assert what["run_started"] == [run.folder.info.run_id]
    assert what["run_finished"] == [["finished", 4, 0]]
    assert what["command_applied"] == [["schedule", 2], ["model", 3]]
    ((source, reason),) = what["command_refused"]
    assert source == "schedule"
    assert "Desk.stuff" in reason
    assert what["sink_state_changed"] == [
        ["desk", "jsonl", "connecting"],
        ["desk", "jsonl", "healthy"],
    ]
    batches = what["batch_delivered"]
    assert [each["first"] for each in batches] == [0, *(each["end"] for each in batches[:-1])]
    assert sum(each["delivered"] for each in batches) == 3
    assert sum(each["dead_lettered"] for each in batches) == 1
    assert sum(each["bytes"] for each in batches) == (run.report.sinks[0].bytes)
    assert all(each["waited_s"] >= 0 for each in batches)


def test_a_plugin_that_raises_everywhere_hurts_nothing(
    settings, told, install, monkeypatch, caplog, capfd
):
    put(install, monkeypatch, "bad", RAISING)
    run = run_through(settings)
    assert run.report.exit_status == 3  # for the record that cannot be encoded
    assert run.report.sinks[0].delivered == 3
    assert told().keys() == {
        "run_started",
        "command_applied",
        "command_refused",
        "batch_delivered",
        "sink_state_changed",
        "run_finished",
    }
    said = caplog.text + capfd.readouterr().err
    for hook in told():
        assert f"hooks bad (acme-bad 1.0): despatch_{hook} raised RuntimeError" in said


def test_a_run_that_fails_is_finished_too(settings, told):
    def build(env):
        raise KeyError("oh")

    with pytest.raises(KeyError), Run(settings, build):
        pass
    found = told()
    assert "run_started" not in found
    assert [what for _, what in found["run_finished"]] == [["failed", 0, 0]]


def test_settings_can_leave_a_plugin_out(settings, told, tmp_path):
    run_through({**settings, "plugins": ["acme-other"]})
    assert not (tmp_path / "told.jsonl").exists()


@pytest.mark.parametrize("settings", ["process"], indirect=True)
def test_what_a_past_run_owes_is_told_when_it_is_delivered(settings, told, tmp_path):
    sink = settings["egress"][0]
    away = {**sink, "path": str(tmp_path / "away" / "out.jsonl"), "retry": {"attempts": 1}}
    (tmp_path / "away").write_text("no folder")
    run = run_through({**settings, "egress": [away], "courier": {"grace": "2s"}})
    assert "batch_delivered" not in told()
    (tmp_path / "away").unlink()
    deliver(RunFolder.open(run.folder.path))
    batches = [what for _, what in told()["batch_delivered"]]
    assert sum(each["delivered"] for each in batches) == 3
    assert "command_applied" in told()
    assert len(told()["command_applied"]) == 2


def test_a_command_for_later_is_told_when_it_is_applied(settings, told):
    def build_with_commands(env):
        build(env)
        env.registry.apply(Command(updates={"Desk.staff": 7}, at=1.5))

    with Run({**settings, "ingress": []}, build_with_commands) as run:
        run.run()
    assert [what[1] for _, what in told()["command_applied"]] == [7, 3]
