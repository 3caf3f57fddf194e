from __future__ import annotations

import msgspec
import pytest

from despatch.courier.ledger import Ledger
from despatch.errors import RunError, SettingsError
from despatch.history import deliver, find_run, past_runs, who_comes_first
from despatch.journal import remove_segments, segments
from despatch.report import CommandCount
from made_runs import make_run


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def make(root, tmp_path):
    """A run's folder as its processes leave it: so many records, so many of them delivered."""

    def make(run_id, *, egress=None, **given):
        sink = {"connector": "jsonl", "path": str(tmp_path / f"{run_id}.jsonl")}
        return make_run(root, run_id, egress=[egress or sink], **given)

    return make


def test_runs_are_listed_oldest_first_with_what_they_owe(root, make):
    make("0002", delivered=3)
    make("0001", delivered=1)
    first, second = past_runs(root)
    assert [run.info.run_id for run in (first, second)] == ["0001", "0002"]
    assert (first.published, first.owed) == (3, {"jsonl": 2})
    assert second.owed == {}


def test_no_folder_is_no_runs(root):
    assert past_runs(root) == []


@pytest.mark.parametrize("state", ["finished", "failed"])
def test_a_run_that_said_how_it_ended_is_believed(root, make, state):
    make("0001", state=state)
    assert past_runs(root)[0].state == state


@pytest.mark.parametrize("state", ["created", "connecting", "running", "draining"])
def test_a_run_that_nobody_holds_and_that_did_not_end_was_killed(root, make, state):
    make("0001", state=state)
    assert past_runs(root)[0].state == "killed"


def test_a_run_whose_folder_is_held_is_under_way(root, make):
    folder = make("0001", state="finished")
    folder.lock()
    assert past_runs(root)[0].state == "under way"
    folder.unlock()


def test_what_a_run_owes_is_known_without_its_secrets_and_plugins(root, make, monkeypatch):
    monkeypatch.delenv("NO_SUCH_FOLDER", raising=False)
    make("0001", egress={"connector": "gone", "name": "jsonl", "path": "${NO_SUCH_FOLDER}/x"})
    (past,) = past_runs(root)
    assert (past.problem, past.owed) == (None, {"jsonl": 3})


def test_a_selection_that_is_not_known_is_a_problem(root, make, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    make("0001", egress={"connector": "jsonl", "path": "x", "select": {"key": "${NO_SUCH_KEY}"}})
    (past,) = past_runs(root)
    assert "egress[0].select" in past.problem
    assert "NO_SUCH_KEY" in past.problem
    assert past.published == 3


def test_a_run_that_was_killed_before_it_had_a_journal_hides_no_other(root, make):
    killed = make("0001", state="created")
    for path in killed.records.iterdir():
        path.unlink()
    killed.records.rmdir()
    make("0002")
    first, second = past_runs(root)
    assert (first.state, first.published) == ("killed", 0)
    assert "records" in first.problem
    assert second.owed == {"jsonl": 3}


def test_a_past_run_can_be_written_as_json(root, make):
    make("0001")
    (past,) = past_runs(root)
    assert msgspec.json.decode(msgspec.json.encode(past))["sinks"][0]["owed"] == 3


def test_a_run_is_found_by_its_id_its_beginning_or_its_folder(root, make):
    folder = make("0001")
    make("0002")
    for name in ("0001", "0001"[:4], str(folder.path)):
        assert find_run(root, name).path == folder.path


def test_a_run_that_is_not_there_is_named(root, make):
    make("0001")
    with pytest.raises(RunError, match=r"no run whose id begins with '9'.*runs list"):
        find_run(root, "9")


def test_a_beginning_that_two_runs_share_is_refused(root, make):
    make("0001")
    make("0002")
    with pytest.raises(RunError, match="2 runs"):
        find_run(root, "000")


def test_what_is_owed_is_delivered_and_accounted_for(root, make, tmp_path):
    folder = make("0001", delivered=1)
    (account,) = deliver(find_run(root, "0001"))
    assert (account.delivered, account.owed) == (3, 0)
    lines = (tmp_path / "0001.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line)["seq"] for line in lines] == [1, 2]
    assert not folder.is_locked()
    assert past_runs(root)[0].owed == {}


def test_a_run_that_is_under_way_is_left_to_its_own_courier(root, make, tmp_path):
    held = make("0001")
    held.lock()
    with pytest.raises(RunError, match="still"):
        deliver(find_run(root, "0001"))
    held.unlock()
    assert not (tmp_path / "0001.jsonl").exists()


def test_a_run_whose_secrets_are_missing_is_not_delivered(root, make, monkeypatch):
    monkeypatch.delenv("NO_SUCH_FOLDER", raising=False)
    folder = make("0001", egress={"connector": "jsonl", "path": "${NO_SUCH_FOLDER}/x"})
    with pytest.raises(SettingsError, match="NO_SUCH_FOLDER"):
        deliver(folder)
    assert not folder.is_locked()


def test_a_description_that_cannot_be_read_hides_no_other_run(root, make):
    (make("0001").path / "run.json").write_text("{")
    make("0002")
    unreadable = []
    (past,) = past_runs(root, unreadable=unreadable)
    assert past.info.run_id == "0002"
    assert [str(root / "0001" / "run.json") in str(error) for error in unreadable] == [True]
    with pytest.raises(RunError, match=r"run\.json"):
        past_runs(root)


def test_only_the_runs_of_one_name_are_looked_at_where_that_is_asked(root, make):
    make("0001", name="line")
    make("0002", name="other")
    assert [past.info.run_id for past in past_runs(root, name="other")] == ["0002"]


@pytest.mark.unaccounted
def test_a_run_whose_account_does_not_add_up_is_listed_with_its_figures_and_the_fault(root, make):
    folder = make("0001", delivered=2)
    ledger = Ledger(folder.ledger)
    ledger._db.execute("UPDATE sinks SET delivered = 1")
    ledger._db.commit()
    ledger.close()
    (past,) = past_runs(root)
    assert past.problem.startswith("internal: the account of sink jsonl does not add up")
    assert (past.sinks[0].delivered, past.sinks[0].owed) == (1, 1)


def test_a_run_says_what_it_did(root, make):
    make("0001")
    (past,) = past_runs(root)
    assert (past.deeds.sim_time, past.deeds.commands) == (2.0, CommandCount())


def test_a_sink_waits_for_what_an_older_run_of_the_same_name_owes_it(root, make):
    make("0001")
    make("0002", delivered=3)
    make("0003")
    make("0004", name="other")
    first, second, third, other = past_runs(root)
    runs = [other, third, second, first]
    assert who_comes_first(first, runs) == {}
    assert who_comes_first(second, runs) == {}
    assert who_comes_first(third, runs) == {"jsonl": first}
    assert who_comes_first(other, runs) == {}


def test_a_sink_that_is_held_gets_nothing_and_loses_nothing(root, make, tmp_path):
    folder = make("0001")
    # A courier would remove the segment, had all sinks passed it.
    (account,) = deliver(folder, held=["jsonl"])
    assert (account.delivered, account.owed) == (0, 3)
    assert not (tmp_path / "0001.jsonl").exists()
    (account,) = deliver(folder)
    assert account.delivered == 3


def add_sink(folder, tmp_path):
    """What an operator does who wants another sink to have what a past run published."""
    path = folder.path / "settings.json"
    settings = msgspec.json.decode(path.read_bytes())
    late = {"connector": "jsonl", "name": "late", "path": str(tmp_path / "late.jsonl")}
    path.write_bytes(msgspec.json.encode({**settings, "egress": [*settings["egress"], late]}))


def seqs(path):
    return [msgspec.json.decode(line)["seq"] for line in path.read_bytes().splitlines()]


def test_a_sink_that_is_added_later_gets_what_is_kept(root, make, tmp_path):
    folder = make("0001", published=6, delivered=6)
    add_sink(folder, tmp_path)
    assert past_runs(root)[0].owed == {"late": 6}
    first, late = deliver(find_run(root, "0001"))
    assert (first.delivered, late.delivered, late.removed) == (6, 6, 0)
    assert seqs(tmp_path / "late.jsonl") == list(range(6))


def test_what_is_no_longer_kept_for_it_is_said_to_be_removed_and_not_damaged(root, make, tmp_path):
    folder = make("0001", published=6, delivered=6, segment_bytes=1)
    remove_segments(folder.records, 4)
    add_sink(folder, tmp_path)
    (past,) = past_runs(root)
    assert past.owed == {"late": 2}
    accounts = deliver(find_run(root, "0001"))
    for late in (past.sinks[1], accounts[1]):
        assert (late.given, late.removed, late.damaged) == (2, 4, 0)
        (remark,) = late.remarks
        assert "late: no longer kept in the journal when this sink was added: 4 records" in remark
    assert accounts[1].is_settled
    assert seqs(tmp_path / "late.jsonl") == [4, 5]


def test_what_is_damaged_is_reported_with_its_positions_and_the_rest_delivered(
    root, make, tmp_path
):
    folder = make("0001", published=6, segment_bytes=1)
    torn = segments(folder.records)[3]
    torn.write_bytes(torn.read_bytes()[:-1] + b"\xc1")
    (before,) = past_runs(root)[0].sinks
    (after,) = deliver(find_run(root, "0001"))
    assert seqs(tmp_path / "0001.jsonl") == [0, 1, 2, 4, 5]
    for account in (before, after):
        (gap,) = account.gaps
        assert (account.damaged, gap.first, gap.end) == (1, 3, 4)
        assert f"{torn.name}: at byte " in gap.reason
    assert not after.is_settled
    # So it is told for as long as the run is there.
    assert past_runs(root)[0].sinks[0].gaps == after.gaps
