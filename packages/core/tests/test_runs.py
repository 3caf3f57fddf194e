from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from despatch.errors import RunError
from despatch.runs import RunFolder, RunInfo, new_run_id, runs_in
from despatch.snapshots import Snapshot


def make_info(**changes):
    given = {
        "run_id": new_run_id(),
        "name": "line",
        "start": datetime(2026, 1, 5, 6, tzinfo=UTC),
        "created": datetime.now(UTC),
        "seed": 42,
        "factor": 1.0,
        "version": "0.1.0",
    }
    return RunInfo(**{**given, **changes})


def test_ids_sort_by_the_time_of_making_and_name_version_7():
    ids = [new_run_id() for _ in range(50)]
    assert len(set(ids)) == 50
    assert [i[:12] for i in ids] == sorted(i[:12] for i in ids)
    milliseconds = int(ids[0][:12], 16)
    assert abs(milliseconds / 1000 - datetime.now(UTC).timestamp()) < 60
    assert all(i[12] == "7" and i[16] in "89ab" and len(i) == 32 for i in ids)


def test_a_folder_comes_back_as_it_was_made(tmp_path):
    info = make_info()
    made = RunFolder.create(tmp_path / "runs", info, {"name": "line", "url": "${URL}"})
    opened = RunFolder.open(made.path)
    assert opened.info == info
    assert opened.settings() == {"name": "line", "url": "${URL}"}
    made.unlock()


def test_a_folder_keeps_the_state_that_the_run_began_with(tmp_path):
    state = Snapshot(taken_at=datetime.now(UTC), parameters={"Desk.staff": 2})
    made = RunFolder.create(tmp_path, make_info(), {}, state)
    made.unlock()
    opened = RunFolder.open(made.path)
    assert opened.snapshot() == state
    assert stat.S_IMODE(opened.snapshot_file.stat().st_mode) == 0o600
    opened.snapshot_file.write_text("{")
    with pytest.raises(RunError, match=r"snapshot\.json: cannot be read: "):
        opened.snapshot()
    opened.snapshot_file.unlink()
    assert opened.snapshot() is None


def test_a_folder_is_for_its_owner_alone(tmp_path):
    made = RunFolder.create(tmp_path, make_info(), {})
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((made.path / "settings.json").stat().st_mode) == 0o600
    made.unlock()


def test_a_locked_folder_is_refused_by_name(tmp_path):
    made = RunFolder.create(tmp_path, make_info(), {})
    other = RunFolder.open(made.path)
    assert other.is_locked()
    with pytest.raises(RunError, match="still"):
        other.lock()
    made.unlock()
    assert not other.is_locked()
    other.lock()
    other.unlock()


def test_a_child_that_inherits_the_lock_keeps_it(tmp_path):
    made = RunFolder.create(tmp_path, make_info(), {})
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[made.lock_fd]
    )
    made.unlock()
    assert RunFolder.open(made.path).is_locked()
    child.communicate(b"\n")
    assert not RunFolder.open(made.path).is_locked()


def test_runs_are_listed_oldest_first_and_strangers_passed_over(tmp_path):
    infos = [make_info(run_id=f"{number:032x}") for number in (3, 1, 2)]
    for info in infos:
        RunFolder.create(tmp_path, info, {}).unlock()
    (tmp_path / "not-a-run").mkdir()
    assert [run.info.run_id[-1] for run in runs_in(tmp_path)] == ["1", "2", "3"]
    assert list(runs_in(tmp_path / "missing")) == []


def test_no_run_here_says_where_runs_are_listed(tmp_path):
    with pytest.raises(RunError, match="despatch runs list"):
        RunFolder.open(tmp_path)


def test_a_garbled_description_is_named(tmp_path):
    made = RunFolder.create(tmp_path, make_info(), {})
    made.unlock()
    (made.path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json"):
        RunFolder.open(made.path)


def test_a_place_where_no_folder_can_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="runs:"):
        RunFolder.create(tmp_path / "file", make_info(), {})
