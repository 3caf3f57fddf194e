"""Dead letters from the ledger to the sink, through the real connectors and the settings."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from despatch import Run
from despatch.account import accounts_of
from despatch.courier.ledger import Cursor, Ledger
from despatch.courier.timestamps import LATEST
from despatch.dead_letters import letters_in, resend
from despatch.errors import RunError
from despatch.history import settings_of
from made_runs import START, ledger_of, letter, make_run


@pytest.fixture
def path(tmp_path):
    """The file that the sink writes to."""
    return tmp_path / "out.jsonl"


@pytest.fixture
def make(tmp_path, path):
    """A run with all records accounted for, those in `rejected` as dead letters."""

    def make(*rejected, connector="faulty", published=5, delivered=None, **sink):
        sink = {"connector": connector, "name": "sink", "path": str(path), **sink}
        return make_run(
            tmp_path / "runs",
            uuid.uuid4().hex,
            published=published,
            delivered=published if delivered is None else delivered,
            rejected=rejected,
            egress=[{"retry": {"initial": "1ms", "maximum": "5ms"}, **sink}],
        )

    return make


def keep(folder, *letters, sink="sink"):
    """Put dead letters of a test's own in the place of those that are there."""
    ledger = Ledger(folder.ledger)
    cursor = ledger.cursor(sink)
    ledger._db.execute("DELETE FROM dead_letters")
    ledger.advance(sink, cursor, letters)
    ledger.close()


def seqs(path):
    return [msgspec.json.decode(line)["seq"] for line in path.read_bytes().splitlines()]


def test_dead_letters_are_shown_with_all_that_is_known_of_them(make):
    folder = make(1, 3)
    first, second = letters_in(folder)
    assert (first.seq, second.seq) == (1, 3)
    assert (first.run_id, first.name, first.sink) == (folder.info.run_id, "line", "sink")
    assert (first.reason, first.attempt, first.wall_time) == ("too long", 1, START.isoformat())
    assert first.record["value"] == {"number": 1}
    assert first.obstacle == ""


def test_only_the_sinks_that_are_asked_for_are_shown(make):
    folder = make(1)
    assert list(letters_in(folder, ["another"])) == []
    assert len(list(letters_in(folder, ["sink"]))) == 1


def test_a_run_that_no_courier_has_opened_has_no_dead_letters(make):
    folder = make()
    folder.ledger.unlink()
    assert list(letters_in(folder)) == []
    assert not folder.ledger.exists()


def test_a_record_is_shown_whole_with_types_that_json_does_not_know(make):
    value = {
        "cost": Decimal("12.50"),
        "due": datetime(2026, 1, 6, 12, tzinfo=UTC),
        "day": date(2026, 1, 6),
        "took": timedelta(seconds=41.5),
        "id": uuid.UUID(int=17),
        "raw": b"ab",
        "pair": (1, 2),
        "set": {3},
        "big": 2**70,
        "nan": float("nan"),
        7: "seven",
        "long": "x" * 1000,
    }
    folder = make(1)
    keep(folder, letter(folder.info.run_id, 1, value=value))
    (shown,) = letters_in(folder)
    assert json.loads(msgspec.json.encode(shown))["record"]["value"] == {
        "cost": "12.50",
        "due": "2026-01-06T12:00:00+00:00",
        "day": "2026-01-06",
        "took": "PT41.5S",
        "id": str(uuid.UUID(int=17)),
        "raw": "YWI=",
        "pair": [1, 2],
        "set": [3],
        "big": str(2**70),
        "nan": "nan",
        "7": "seven",
        "long": "x" * 1000,
    }


@pytest.mark.parametrize("connector", ["faulty", "jsonl"])
def test_what_is_sent_again_is_delivered_and_the_account_adds_up(make, path, connector):
    folder = make(1, 3, connector=connector)
    (result,) = resend(folder)
    assert (result.sink, result.delivered, result.is_done) == ("sink", 2, True)
    assert seqs(path) == [1, 3]
    cursor, letters = ledger_of(folder, "sink")
    assert (cursor.delivered, cursor.dead_lettered, letters) == (5, 0, [])
    assert (cursor.retries, cursor.repeats) == (0, 0)
    assert cursor.bytes > 0
    (account,) = accounts_of(folder, settings_of(folder).egress)
    assert (account.given, account.delivered, account.owed) == (5, 5, 0)
    assert resend(folder) == []
    assert not folder.is_locked()


def test_the_record_that_comes_late_is_the_one_that_was_published(make, path):
    resend(make(1, connector="jsonl"))
    assert msgspec.json.decode(path.read_bytes()) == {
        "stream_type": "event",
        "sim": "line",
        "key": "part-1",
        "type": None,
        "value": {"number": 1},
        "sim_ts": 1.0,
        "timestamp": "2026-01-05T06:00:00.000000+00:00",
        "run_id": msgspec.json.decode(path.read_bytes())["run_id"],
        "seq": 1,
        "sink_seq": 1,
    }


def test_only_those_that_are_meant_are_sent(make, path):
    folder = make(1, 2, 3)
    (result,) = resend(folder, ["sink"], [2, 99])
    assert result.delivered == 1
    assert seqs(path) == [2]
    assert [each.seq for each in ledger_of(folder, "sink")[1]] == [1, 3]


def test_what_is_rejected_again_stays_with_the_new_reason(make, path):
    folder = make(1, 3, reject_keys=["part-3"])
    (result,) = resend(folder)
    assert (result.delivered, result.rejected, result.is_done) == (1, 1, False)
    cursor, (left,) = ledger_of(folder, "sink")
    assert (left.seq, left.reason, left.attempt) == (3, "this key is not wanted", 2)
    assert left.wall_time > START.isoformat()
    assert (cursor.delivered, cursor.dead_lettered) == (4, 1)


def test_what_has_no_value_cannot_be_sent_and_says_so(make, path):
    folder = make(1, 3)
    run_id = folder.info.run_id
    keep(folder, letter(run_id, 1, has_value=False), letter(run_id, 3))
    assert [bool(each.obstacle) for each in letters_in(folder)] == [True, False]
    (result,) = resend(folder)
    assert (result.delivered, result.impossible) == (1, 1)
    assert "could not be encoded" in result.reason
    assert seqs(path) == [3]
    assert [each.seq for each in ledger_of(folder, "sink")[1]] == [1]


def test_a_value_that_the_journal_could_not_hold_is_known_to_be_none(tmp_path, path):
    def build(env):
        env.publish_event("a", object())
        env.publish_event("b", None)

    settings = {
        "runs": tmp_path / "runs",
        "courier": {"host": "thread"},
        "egress": [
            {"connector": "faulty", "path": str(path), "reject_keys": ["b"]},
        ],
    }
    with Run(settings, build) as run:
        run.run()
    without, with_none = letters_in(run.folder)
    assert ("value" in without.record, with_none.record["value"]) == (False, None)
    assert "could not be encoded" in without.obstacle
    assert with_none.obstacle == ""


def test_a_time_beyond_the_calendar_cannot_be_sent(make):
    folder = make(1)
    keep(folder, letter(folder.info.run_id, 1, timestamp=LATEST))
    (result,) = resend(folder)
    assert (result.impossible, result.reason) == (1, "its simulated time is beyond the calendar")


def test_a_type_that_the_journal_no_longer_knows_cannot_be_sent(make):
    folder = make(1)
    keep(folder, letter(folder.info.run_id, 1, type="PartDone"))
    (result,) = resend(folder)
    assert "no longer says what a PartDone is" in result.reason


def test_a_sink_that_is_down_keeps_them_for_the_next_time(make, tmp_path, path):
    down = tmp_path / "down"
    down.touch()
    folder = make(1, down_while=str(down))
    (result,) = resend(folder, grace=timedelta(milliseconds=50))
    assert (result.left, result.is_done) == (1, False)
    assert "the sink is down" in result.reason
    assert len(ledger_of(folder, "sink")[1]) == 1
    down.unlink()
    assert resend(folder)[0].is_done


def test_attempts_are_limited_as_the_settings_say(make, tmp_path):
    down = tmp_path / "down"
    down.touch()
    folder = make(1, down_while=str(down), retry={"initial": "1ms", "attempts": 2})
    (result,) = resend(folder)
    assert result.left == 1


def test_an_attempt_that_fails_is_repeated_and_counted(make, path):
    folder = make(1, 3, fail_every=2, batch={"records": 1})
    (result,) = resend(folder)
    assert result.delivered == 2
    assert seqs(path) == [1, 3, 3]
    cursor, _ = ledger_of(folder, "sink")
    assert (cursor.retries, cursor.repeats) == (1, 1)


def test_what_is_owed_comes_first(make, path):
    folder = make(1, delivered=4)
    with pytest.raises(RunError, match=r"still owed records.*runs deliver"):
        resend(folder)
    assert not path.exists()
    assert not folder.is_locked()


def test_a_batch_that_may_be_there_already_comes_first(make):
    folder = make(1, published=5)
    ledger = Ledger(folder.ledger)
    ledger.begin("sink", 5, 1)
    ledger.close()
    with pytest.raises(RunError, match="still owed"):
        resend(folder)


def test_a_run_that_is_under_way_is_left_alone(make):
    folder = make(1)
    held = make(1)
    held.lock()
    with pytest.raises(RunError, match="still"):
        resend(held)
    held.unlock()
    assert resend(folder)[0].is_done


def test_a_sink_that_is_not_there_is_named(make):
    with pytest.raises(RunError, match="no sink 'kafka'; it has sink"):
        resend(make(1), ["kafka"])


def test_a_connector_that_cannot_be_made_hinders_no_other_sink(tmp_path, path):
    sinks = [
        {"connector": "unmakable", "name": "a"},
        {"connector": "faulty", "name": "b", "path": str(path)},
    ]
    folder = make_run(tmp_path / "runs", "0001", delivered=3, rejected=[1], egress=sinks)
    unmade, made = resend(folder)
    assert unmade.left == 1
    assert "'unmakable' (despatch-connector-faulty 0.1.0) is broken" in unmade.reason
    assert "raised RuntimeError: cannot be made" in unmade.reason
    assert made.is_done


def test_a_late_line_is_not_written_twice_though_others_follow_it(make, path):
    folder = make(1, connector="jsonl")
    others = [
        json.dumps({"stream_type": "event", "run_id": folder.info.run_id, "seq": seq})
        for seq in (0, 2, 3, 4)
    ]
    path.write_text("\n".join([*others, ""]))
    resend(folder)
    assert seqs(path) == [0, 2, 3, 4, 1]
    ledger = Ledger(folder.ledger)
    # As if the courier had died before it had noted that the line is there.
    cursor = Cursor(position=5, delivered=4, dead_lettered=1)
    ledger.advance("sink", cursor, [letter(folder.info.run_id, 1)])
    ledger.close()
    assert resend(folder)[0].delivered == 1
    assert seqs(path) == [0, 2, 3, 4, 1]
