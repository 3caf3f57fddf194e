"""The simulator answers who asks for its present state, between two events."""

from __future__ import annotations

import os
import signal
import socket
from itertools import count

import pytest

from despatch import DynamicResource, DynamicStore, Snapshot
from despatch.link import SnapshotAsked, SnapshotTaken
from despatch.snapshotting import enquiries
from switchboards import boards, finished


@pytest.fixture
def board(tmp_path):
    with boards(tmp_path) as make:
        yield make()


def answers(board, number=1):
    """What comes while the simulation goes on until so many answers are there."""
    found = []

    def look():
        while len(found) < number:
            yield board.env.timeout(1)
            found.extend(board.said(SnapshotTaken))

    board.env.run(board.env.process(look()))
    return found


def state_in(board, taken):
    assert not taken.fault
    return Snapshot.model_validate_json((board.folder.path / taken.file).read_bytes())


def crowd(board, size=enquiries.MUCH + 1):
    desk = DynamicResource(board.env, 1, name="desk")
    for _ in range(size):
        desk.request()


def noting_who_writes(board, monkeypatch):
    """Where a writer notes its process id."""
    written, pids = enquiries._written, board.folder.path / "pids"

    def write(*args):
        with pids.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return written(*args)

    monkeypatch.setattr(enquiries, "_written", write)
    return lambda: [int(pid) for pid in pids.read_text().split()]


def test_the_answer_is_a_file_in_the_runs_folder_for_its_owner_alone(board):
    DynamicStore(board.env, name="yard").put("bolt")
    board.say(SnapshotAsked(7))
    (taken,) = answers(board)
    assert taken.number == 7
    assert state_in(board, taken).stores["yard"].items == ["bolt"]
    assert (board.folder.path / taken.file).stat().st_mode & 0o777 == 0o600


def test_little_is_written_by_the_simulator_and_much_by_a_copy_of_it(board, monkeypatch):
    writers = noting_who_writes(board, monkeypatch)
    board.say(SnapshotAsked(1))
    answers(board)
    crowd(board)
    board.say(SnapshotAsked(2))
    (taken,) = answers(board)
    here, there = writers()
    assert here == os.getpid()
    assert there != os.getpid()
    assert len(state_in(board, taken).resources["desk"].queue) == enquiries.MUCH


def test_where_no_copy_can_be_had_the_simulator_writes_it_all(board, monkeypatch):
    writers = noting_who_writes(board, monkeypatch)
    crowd(board)
    monkeypatch.delattr(os, "fork")
    board.say(SnapshotAsked(1))
    (taken,) = answers(board)
    assert writers() == [os.getpid()]
    assert len(state_in(board, taken).resources["desk"].queue) == enquiries.MUCH


@pytest.mark.parametrize("is_much", [False, True])
def test_a_state_that_cannot_be_said_is_a_fault_and_the_simulation_goes_on(board, is_much):
    if is_much:
        crowd(board)
    DynamicStore(board.env, name="yard").put(object())
    board.say(SnapshotAsked(1))
    (taken,) = answers(board)
    assert taken.fault.startswith("stores.yard.items[0]: <object object")
    assert taken.file == ""
    assert not list(board.folder.path.glob("own-state-*"))


class Trap:
    """An item that raises what nobody expects."""

    def __dataclass_fields__(self):
        raise NotImplementedError

    def __repr__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize("is_much", [False, True])
def test_what_an_items_own_methods_raise_is_a_fault_too(board, is_much):
    if is_much:
        crowd(board)
    DynamicStore(board.env, name="yard").put(Trap())
    board.say(SnapshotAsked(1))
    (taken,) = answers(board)
    assert taken.fault


def test_a_copy_that_is_killed_is_a_fault(board, monkeypatch):
    monkeypatch.setattr(enquiries, "_written", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    crowd(board)
    board.say(SnapshotAsked(1))
    (taken,) = answers(board)
    assert taken.fault == "the process that was to write it was killed (SIGKILL)"


def test_a_later_question_takes_the_place_of_one_that_is_not_answered(board):
    board.say(SnapshotAsked(1), SnapshotAsked(2))
    (taken,) = answers(board)
    assert taken.number == 2


def test_a_question_that_comes_while_a_copy_writes_is_answered_after_it(board, monkeypatch):
    read, write = os.pipe()
    written = enquiries._written

    def wait_and_write(*args):
        os.read(read, 1)
        return written(*args)

    monkeypatch.setattr(enquiries, "_written", wait_and_write)
    crowd(board)
    board.say(SnapshotAsked(1))

    def ask_again():
        while board.switchboard._enquiries._writer is None:
            yield board.env.timeout(1)
        board.say(SnapshotAsked(2))
        for _ in range(2_000):
            yield board.env.timeout(1)
        assert not board.said(SnapshotTaken)
        os.write(write, b"..")

    board.env.process(ask_again())
    first, second = answers(board, 2)
    assert [first.number, second.number] == [1, 2]
    before, after = (state_in(board, each).calendar_offset for each in (first, second))
    assert after >= before + 2_000
    os.close(read), os.close(write)


def test_when_the_courier_is_gone_its_copy_is_ended_and_another_courier_is_told_nothing(
    board, monkeypatch
):
    monkeypatch.setattr(enquiries, "_written", lambda *_: signal.pause())
    crowd(board)
    board.say(SnapshotAsked(1))
    asked = board.switchboard._enquiries

    def play():
        while asked._writer is None:
            yield board.env.timeout(1)
        pid = asked._writer.child.pid
        # Closing is not enough: the courier is played in this process, so the copy has its end.
        board.host.link._socket.shutdown(socket.SHUT_RDWR)
        while asked._writer is not None:
            yield board.env.timeout(1)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    board.env.run(board.env.process(play()))
    assert not board.said(SnapshotTaken)


def test_the_end_of_the_run_ends_a_copy_that_writes(board, monkeypatch):
    monkeypatch.setattr(enquiries, "_written", lambda *_: signal.pause())
    crowd(board)
    board.say(SnapshotAsked(1))
    asked = board.switchboard._enquiries

    def play():
        while asked._writer is None:
            yield board.env.timeout(1)

    board.env.run(board.env.process(play()))
    pid = asked._writer.child.pid
    finished(board.host.link)
    board.switchboard.drain(1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_is_answered_when_an_instant_is_over(board):
    """Those who come in one are all there, or none."""
    env = board.env
    desk = DynamicResource(env, 1, name="desk")

    def customer():
        with desk.request() as turn:
            yield turn
            yield env.timeout(1e9)

    def come():
        for number in count(1):
            yield env.timeout(1)
            if number % 50 == 0:
                board.say(SnapshotAsked(number))
            if number < 500:
                for _ in range(7):
                    env.process(customer())

    env.process(come())
    for taken in answers(board, 3):
        state = state_in(board, taken)
        there = len(state.resources["desk"].in_service) + len(state.resources["desk"].queue)
        assert there == 7 * min(int(state.calendar_offset), 499)


def test_a_run_within_an_event_is_not_answered_in_the_midst_of_that_event(board):
    env = board.env
    told = DynamicStore(env, name="told")

    def outer():
        yield env.timeout(1)
        told.put("half")
        board.say(SnapshotAsked(1))
        env.run(until=env.now + 1_000)  # long enough to look up in it
        told.put("whole")
        yield env.timeout(1)

    def tick():
        while True:
            yield env.timeout(0.01)

    env.process(tick())
    env.process(outer())
    (taken,) = answers(board)
    assert state_in(board, taken).stores["told"].items == ["half", "whole"]


def test_a_paced_clock_goes_on_to_the_end_of_the_instant_that_is_due(tmp_path, monkeypatch):
    monkeypatch.setattr(enquiries, "PATIENCE_S", 1e6)
    with boards(tmp_path) as make:
        board = make(clock={"factor": 1e-4})
        for number in range(5):
            board.say(SnapshotAsked(number))
            (taken,) = answers(board)
            assert state_in(board, taken).taken_at == board.env.wall_time(
                state_in(board, taken).calendar_offset
            )


def test_asking_moves_no_clock(tmp_path, monkeypatch):
    with boards(tmp_path) as make:
        board = make(clock={"factor": 1.0})
        env, tell = board.env, enquiries.Enquiries._tell

        def tell_and_stop(self, *answer):
            tell(self, *answer)
            env.stop("somebody was told")

        monkeypatch.setattr(enquiries.Enquiries, "_tell", tell_and_stop)
        env.timeout(1e6)
        board.say(SnapshotAsked(1))
        env.run()
        (taken,) = board.said(SnapshotTaken)
        assert state_in(board, taken).calendar_offset > 0
        assert env.now == 0


def test_an_instant_that_never_ends_is_not_waited_for(board, monkeypatch):
    monkeypatch.setattr(enquiries, "PATIENCE_S", 0.01)
    env = board.env

    def spin():
        while not found:
            yield env.timeout(0)
            found.extend(board.said(SnapshotTaken))

    found = []
    board.say(SnapshotAsked(1))
    env.run(env.process(spin()))
    assert state_in(board, found[0]).calendar_offset == 0


def test_before_the_clock_has_started_nobody_is_answered(board):
    board.say(SnapshotAsked(1))
    board.switchboard.attend()
    board.switchboard.attend()
    assert not board.said(SnapshotTaken)
    assert answers(board)


def test_a_branch_leaves_the_answer_to_the_mainline(board, monkeypatch):
    read, write = os.pipe()
    written = enquiries._written

    def wait_and_write(*args):
        os.read(read, 1)
        return written(*args)

    monkeypatch.setattr(enquiries, "_written", wait_and_write)
    crowd(board)
    board.say(SnapshotAsked(1))
    asked = board.switchboard._enquiries

    def play():
        while asked._writer is None:
            yield board.env.timeout(1)
        branch = board.env.branch(
            until=board.env.now + 10, collect=lambda ahead: asked._writer is None
        )
        result = yield branch
        if not board.env.is_branch:
            assert result
            os.write(write, b".")

    board.env.process(play())
    (taken,) = answers(board)
    assert state_in(board, taken)
    os.close(read), os.close(write)
