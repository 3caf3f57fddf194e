from __future__ import annotations

import logging
import threading
import time

import pytest

from despatch import switchboard as module
from despatch.commands import Change, Command, Refusal
from despatch.errors import DespatchError
from despatch.journal import JournalReader, end_position
from despatch.link import (
    Configure,
    Drain,
    Finished,
    IngressState,
    Progress,
    Resolved,
    SinkState,
    StopNow,
    Written,
)
from switchboards import SOURCE, boards, finished, set_staff


@pytest.fixture
def make(tmp_path):
    with boards(tmp_path) as make:
        yield make


@pytest.fixture
def board(make):
    return make(ingress=[{"name": SOURCE}])


def test_a_command_is_applied_and_answered_under_its_number(board):
    board.bring(set_staff(3, id="a"), set_staff(99, id="b"))
    board.switchboard.attend()
    assert board.env.registry["Desk.staff"] == 3
    first, second = board.said(Resolved)
    assert (first.ingress, first.number, first.outcome.id) == (SOURCE, 0, "a")
    assert isinstance(first.outcome, Change)
    assert (second.number, second.outcome.id) == (1, "b")
    assert isinstance(second.outcome, Refusal)


def test_a_command_ends_the_sleep_of_a_paced_clock(make):
    board = make(
        ingress=[{"name": SOURCE}],
        clock={"factor": 1.0},
        journal={"flush": {"interval": "1h"}},
    )
    env = board.env

    def model():
        threading.Timer(0.01, board.bring, (set_staff(3),)).start()
        change = yield env.registry.signal("Desk.staff").changed() | env.timeout(100_000)
        assert change
        return env.now

    assert 0 < env.run(env.process(model())) < 100_000
    assert env.registry["Desk.staff"] == 3


def test_an_outcome_is_in_the_audit_journal_before_anyone_is_told(board):
    board.switchboard.attend()
    board.switchboard._flush_at = float("inf")
    board.bring(set_staff(3), set_staff(4))
    ends = []
    registry_apply = board.env.registry.apply

    def apply(command, *, allow=None):
        # Nobody has been told of the command before.
        assert board.said(Resolved) == []
        return registry_apply(command, allow=allow)

    board.env.registry.apply = apply
    board.switchboard.attend()
    for message in board.said(Resolved):
        ends.append(message.audit_end)
        assert end_position(board.folder.audit) >= message.audit_end
    assert ends == [2, 2]


def test_the_audit_says_when_and_between_which_events(board):
    board.env.timeout(5)
    board.bring(set_staff(3, id="a", source=SOURCE))
    board.switchboard.attend()
    ((sim_time, position, wall_time, outcome, cause),) = board.audited
    assert (sim_time, position[0]) == (0, 5)
    assert position == list(board.env._queue[0][:3])
    assert "T" in wall_time
    assert (outcome["type"], outcome["id"], outcome["source"]) == ("change", "a", SOURCE)
    assert cause == {"type": "command", "updates": {"Desk.staff": 3}, "id": "a", "source": SOURCE}


def test_with_nothing_due_an_outcome_has_no_position(board):
    board.bring(set_staff(3))
    board.switchboard.attend()
    assert board.audited[0][1] is None


def test_updates_of_the_models_own_are_audited_too(board):
    board.env.registry.update({"Desk.staff": 2})
    board.say(Finished())
    board.switchboard.drain(30.0)
    assert [entry[3]["source"] for entry in board.audited] == ["model"]


def test_an_ingress_may_write_only_what_its_settings_allow(make):
    board = make(ingress=[{"name": SOURCE, "allow": ["Desk.staff"]}])
    board.bring(set_staff(3), Command(updates={"Desk.rooms": 4}))
    board.switchboard.attend()
    first, second = board.said(Resolved)
    assert isinstance(first.outcome, Change)
    assert isinstance(second.outcome, Refusal)
    assert board.env.registry["Desk.rooms"] == 1


def test_what_is_published_is_written_and_the_courier_told(board):
    board.env.publish_event("a", 1)
    board.switchboard.attend()
    assert end_position(board.folder.records) == board.switchboard.published == 1
    assert board.said(Written) == [Written(1)]


def test_what_was_published_is_written_when_the_clock_comes_to_stand_still(make):
    # The next flush is an hour away, and between two runs nobody would look at the time.
    board = make(journal={"flush": {"interval": "1h"}})
    board.env.timeout(2)
    board.env.run(until=1)
    board.env.publish_event("customer-1", {"status": "queued"})
    board.switchboard.attend()
    assert end_position(board.folder.records) == 0
    board.env.run()
    assert end_position(board.folder.records) == 1
    assert board.said(Written)[-1].end == 1


def test_between_two_flushes_nothing_is_written(board):
    next_at = board.switchboard.attend()
    assert next_at > time.monotonic() - 1
    board.switchboard._flush_at = float("inf")
    board.env.publish_event("a", 1)
    board.switchboard.attend()
    assert end_position(board.folder.records) == 0


def test_progress_says_where_the_simulation_stands(make):
    board = make(clock={"until": "90s"})
    board.env.timeout(7)
    board.env.run()
    board.switchboard._flush_at = 0.0
    board.switchboard.attend()
    assert board.said(Progress)[-1] == Progress(7.0, 90.0, 0.0, 0)


def test_states_of_the_sinks_are_kept(board):
    board.say(SinkState("jsonl", "connecting"), SinkState("jsonl", "retrying", "down"))
    board.switchboard.attend()
    assert board.switchboard.sinks == {"jsonl": SinkState("jsonl", "retrying", "down")}


def test_commands_are_expected_until_every_ingress_has_ended(make):
    board = make(ingress=[{"name": "a"}, {"name": "b"}])
    assert board.switchboard.expects_commands
    board.say(IngressState("a", "ended"), IngressState("b", "retrying"))
    board.switchboard.attend()
    assert board.switchboard.expects_commands
    board.say(IngressState("b", "stopped"))
    board.switchboard.attend()
    assert not board.switchboard.expects_commands


def test_without_an_ingress_no_commands_are_expected(make):
    assert not make().switchboard.expects_commands


def test_connecting_waits_for_what_was_waiting_at_the_source(board):
    def courier():
        board.say(IngressState(SOURCE, "connecting"), IngressState(SOURCE, "open"))
        board.bring(set_staff(3))
        board.say(IngressState(SOURCE, "caught up"))

    threading.Timer(0.01, courier).start()
    board.switchboard.connect(30.0)
    assert board.env.registry["Desk.staff"] == 3


@pytest.mark.parametrize("state", ["caught up", "ended", "retrying", "stopped"])
def test_connecting_does_not_wait_for_one_that_has_or_can_bring_nothing(make, state):
    board = make(
        ingress=[{"name": SOURCE}],
        # The next flush is an hour away: nothing but the news may end the waiting.
        journal={"flush": {"interval": "1h"}},
    )
    board.switchboard.attend()
    threading.Timer(0.01, board.say, [IngressState(SOURCE, state)]).start()
    board.switchboard.connect(3600.0)


def test_connecting_waits_no_longer_than_it_may_and_says_for_whom(make, caplog):
    board = make(ingress=[{"name": "a"}, {"name": "slow"}])
    board.say(IngressState("a", "ended"), IngressState("slow", "open"))
    board.switchboard.connect(0.02)
    assert "without waiting any longer for: slow" in caplog.text


def test_a_request_to_stop_ends_the_connecting(board):
    board.env.stop("SIGTERM")
    board.switchboard.connect(3600.0)


def test_the_clock_is_asked_back_in_time_for_a_restart(board):
    board.switchboard._flush_at = float("inf")
    board.host.link.close()
    next_at = board.switchboard.attend()
    assert next_at == board.switchboard._courier.restart_at


def test_without_a_courier_records_are_written_all_the_same(board):
    board.host.link.close()
    board.switchboard.attend()
    board.env.publish_event("a", 1)
    board.switchboard._flush_at = 0.0
    board.switchboard.attend()
    assert end_position(board.folder.records) == 1


def test_a_message_that_is_not_the_couriers_is_a_fault(board):
    board.say(Configure("", {}))
    with pytest.raises(DespatchError, match="Configure"):
        board.switchboard.attend()


def test_draining_ends_the_journal_and_waits_for_the_courier(board):
    board.env.publish_event("a", 1)
    board.say(Finished())
    board.switchboard.drain(30.0)
    heard = board.said(Drain)
    assert heard == [Drain(30.0)]
    with JournalReader(board.folder.records) as reader:
        assert [entry[2] for entry in reader.read().entries] == ["a"]
        assert reader.read() is None
        assert reader.ended
    assert board.host.reaped == 1
    assert not board.host.is_killed


def test_after_draining_the_environment_is_let_go(board):
    board.say(Finished())
    board.switchboard.drain(30.0)
    board.env.publish_event("a", 1)
    board.env.registry.update({"Desk.staff": 2})
    assert board.switchboard.published == 0
    assert board.env._attendant is None


def test_commands_that_come_while_it_drains_are_left_to_the_next_run(board):
    board.bring(set_staff(5))
    board.say(Finished())
    board.switchboard.drain(30.0)
    assert board.env.registry["Desk.staff"] == 1
    assert board.said(Resolved) == []


def test_a_courier_that_dies_while_it_drains_is_started_again_and_told(make):
    board = make(on_start=[lambda link: link.close(), finished])
    board.switchboard.drain(30.0)
    assert len(board.host.links) == 2
    assert board.switchboard.restarts == 1
    assert not board.host.is_killed


def test_a_courier_started_while_it_drains_gets_the_time_that_is_left(make):
    board = make(on_start=[lambda link: link.close(), lambda link: link.send(Finished())])
    board.switchboard.drain(30.0)
    (drain,) = board.said(Drain)
    assert 0.0 < drain.grace_s <= 30.0


def test_a_courier_that_does_not_leave_is_killed(board, monkeypatch, caplog):
    monkeypatch.setattr(module, "FAREWELL_S", 0.01)
    board.switchboard.drain(0.01)
    assert board.host.is_killed
    assert "killing it" in caplog.text


def test_abandoning_tells_the_courier_to_stop_now(board):
    heard = []

    def courier():
        while not heard:
            heard.extend(board.said(StopNow))
            time.sleep(0.001)
        finished(board.host.link)

    thread = threading.Thread(target=courier)
    thread.start()
    board.switchboard.abandon()
    board.switchboard.drain(3600.0)
    thread.join()
    assert heard == [StopNow()]
    assert not board.host.is_killed


def test_abandoning_a_courier_that_does_not_hear_kills_it(board, monkeypatch):
    monkeypatch.setattr(module, "FAREWELL_S", 0.01)
    board.switchboard.abandon()
    board.switchboard.drain(3600.0)
    assert board.host.is_killed


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO, "despatch")


def test_no_record_is_written_without_the_outcomes_before_it(make):
    board = make(ingress=[{"name": SOURCE}], journal={"flush": {"bytes": 200, "interval": "1h"}})
    board.switchboard.attend()
    seen = []
    board.env.registry.on_outcome.append(
        # The buffer is full at once: records are written before anyone looks at the audit.
        lambda outcome: board.env.publish_event("outcome", "x" * 300)
    )
    write = board.switchboard._records._segment.write

    def note(data):
        seen.append(end_position(board.folder.audit))
        write(data)

    board.switchboard._records._segment.write = note
    board.env.registry.update({"Desk.staff": 4})
    assert seen == [1]
