from __future__ import annotations

import pytest
from pydantic import Field

from despatch import Run, SimParameter
from despatch.deeds import deeds_of
from despatch.report import CommandCount


class Desk(SimParameter):
    staff: int = Field(1, ge=0, le=9)


@pytest.fixture
def run(tmp_path):
    def build(env):
        env.registry.register("Desk", Desk())
        env.publish_event("a", 1)

    commands = [{"at": 5, "path": "Desk.staff", "value": 3}, {"at": 7, "path": "Desk.stuff"}]
    commands[1]["value"] = 1
    settings = {
        "runs": tmp_path,
        "courier": {"host": "thread"},
        "clock": {"until": "20s"},
        "ingress": [{"connector": "schedule", "commands": commands}],
    }
    with Run(settings, build) as run:
        run.run()
        run.env.publish_event("b", 1)
    return run


def test_a_run_that_ended_is_told_by_its_report(run):
    deeds = deeds_of(run.folder)
    assert deeds.commands == run.report.commands == CommandCount(applied=1, refused=1, scheduled=1)
    assert (deeds.sim_time, deeds.wall_s) == (20.0, run.report.wall_s)


def test_a_run_that_was_killed_is_told_by_its_journals(run):
    run.folder.report.unlink()
    deeds = deeds_of(run.folder)
    assert deeds.commands == CommandCount(applied=1, refused=1, scheduled=1)
    assert deeds.sim_time == 20.0
    assert 0.0 < deeds.wall_s <= run.report.wall_s + 1.0
    assert deeds.stopped_by is None


@pytest.mark.unaccounted
def test_a_garbled_report_is_passed_over(run):
    run.folder.report.write_text("{")
    assert deeds_of(run.folder).commands.applied == 1
