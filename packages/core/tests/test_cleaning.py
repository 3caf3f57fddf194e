from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from despatch import Run
from despatch.cleaning import candidates, remove
from despatch.errors import RunError
from despatch.history import past_runs
from made_runs import make_run

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def make(root):
    """A run's folder; by default all is delivered."""

    def make(run_id, *, delivered=3, **given):
        sink = {"connector": "jsonl", "path": "x"}
        return make_run(root, run_id, delivered=delivered, egress=[sink], **given)

    return make


def kept(root, **given):
    """Why each run is kept; None where it may go."""
    return {each.run_id: each.kept for each in candidates(past_runs(root), **given)}


def test_a_run_that_has_delivered_all_may_go(root, make):
    make("0001")
    assert kept(root) == {"0001": None}


def test_a_run_that_owes_or_has_dead_letters_is_kept_unless_that_is_meant(root, make):
    make("0001", delivered=1)
    make("0002", rejected=[1])
    make("0003", delivered=2, rejected=[1])
    assert kept(root) == {
        "0001": "2 records owed to jsonl",
        "0002": "1 dead letter of jsonl",
        "0003": "1 record owed to jsonl, 1 dead letter of jsonl",
    }
    assert set(kept(root, with_losses=True).values()) == {None}


def test_a_run_that_is_under_way_is_always_kept(root, make):
    folder = make("0001")
    folder.lock()
    for given in ({}, {"with_losses": True}, {"named": ["0001"], "with_losses": True}):
        assert kept(root, **given) == {"0001": "it is under way"}
    folder.unlock()


def test_a_run_whose_accounts_cannot_be_read_is_always_kept(root, make):
    folder = make("0001")
    for segment in folder.records.iterdir():
        segment.unlink()
    folder.records.rmdir()
    assert "it is not known what it owes" in kept(root, with_losses=True)["0001"]


def test_only_what_is_old_enough_or_named_is_meant(root, make):
    for run_id, days in (("0001", 8), ("0002", 6)):
        make(run_id, created=NOW - timedelta(days=days))
    assert kept(root, older_than=timedelta(days=7), now=NOW) == {"0001": None}
    assert kept(root, named=["0002"]) == {"0002": None}


def real_run(root, name="line"):
    with Run({"name": name, "runs": root, "courier": {"host": "thread"}}, lambda env: None) as run:
        run.run()
    return run.folder


def test_the_run_that_the_next_would_take_over_from_is_kept_unless_it_is_named(root, make):
    make("0001")
    older, newest = real_run(root), real_run(root)
    other = real_run(root, "other")
    reasons = kept(root)
    assert reasons["0001"] is None
    assert reasons[older.info.run_id] is None
    assert reasons[newest.info.run_id] == "`resume: last` of line takes over from it"
    assert "other" in reasons[other.info.run_id]
    assert kept(root, named=[newest.info.run_id]) == {newest.info.run_id: None}


def test_a_folder_that_is_removed_is_gone_and_nothing_that_it_links_to(root, make, tmp_path):
    folder = make("0001")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x" * 10_000)
    (folder.path / "link").symlink_to(outside)
    (folder.path / "records" / "link").symlink_to(outside / "precious")
    (candidate,) = candidates(past_runs(root))
    assert 0 < candidate.bytes < 100_000
    (folder.path / "large").write_bytes(b"x" * 50_000)
    assert candidates(past_runs(root))[0].bytes == candidate.bytes + 50_000
    remove(candidate)
    assert not folder.path.exists()
    assert (outside / "precious").read_text() == "x" * 10_000


def test_a_folder_that_is_itself_a_link_is_left(root, make, tmp_path):
    folder = make("0001")
    elsewhere = tmp_path / "elsewhere"
    folder.path.rename(elsewhere)
    folder.path.symlink_to(elsewhere)
    assert kept(root) == {"0001": "the folder is a link to another place"}


def test_a_run_that_has_been_taken_up_meanwhile_is_not_removed(root, make):
    folder = make("0001")
    (candidate,) = candidates(past_runs(root))
    folder.lock()
    with pytest.raises(RunError, match="still"):
        remove(candidate)
    folder.unlock()
    assert (folder.path / "run.json").exists()


def test_what_cannot_be_removed_is_named_and_taken_for_a_run_no_more(root, make, monkeypatch):
    folder = make("0001")
    (candidate,) = candidates(past_runs(root))

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path / "records"))

    monkeypatch.setattr("despatch.cleaning.shutil.rmtree", refuse)
    with pytest.raises(RunError, match=r"records: cannot be removed \(Perm.*by hand"):
        remove(candidate)
    assert past_runs(root) == []
    assert not folder.is_locked()
