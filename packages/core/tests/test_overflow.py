from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import threading
import time

import pytest

from despatch import overflow as module
from despatch.errors import JournalError, JournalFullError
from despatch.journal import JournalReader, end_position
from despatch.link import Finished, MakeRoom, Passed, Resolved, SinkState
from switchboards import SOURCE, boards, files_no_longer_than, finished, set_staff

FRAME = 140
"""Each record is written at once, as a frame of not quite so many bytes."""
ROOM = 10 * FRAME
"""Ten frames."""


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO, "despatch")


@pytest.fixture
def make(tmp_path):
    with boards(tmp_path) as make:

        def make_full(when_full=None, *, factor=0.0, sinks=("sink",), **given):
            return make(
                ingress=[{"name": SOURCE}],
                egress=[{"connector": "jsonl", "name": name, "path": "x"} for name in sinks],
                clock={"factor": factor},
                journal={
                    "flush": {"bytes": 1, "interval": "1h"},
                    "max_bytes": ROOM,
                    "when_full": when_full,
                },
                **given,
            )

        yield make_full


def publish(board, count=1):
    for _ in range(count):
        board.env.publish_event("customer", "x" * 75)


def written(board):
    return end_position(board.folder.records)


def held(board):
    return board.switchboard._overflow._is_held


@contextlib.contextmanager
def meanwhile(*steps):
    """Play other threads and the world: each step is a condition and what follows upon it."""

    def play():
        for condition, action in steps:
            deadline = time.monotonic() + 60
            while not condition():
                assert time.monotonic() < deadline
                time.sleep(0.001)
            action()

    thread = threading.Thread(target=play)
    thread.start()
    yield
    thread.join()


class TestBlock:
    def test_holds_nothing_up_while_there_is_room(self, make):
        board = make("block")
        publish(board, 10)
        assert written(board) == 10
        assert board.switchboard.held_s == 0

    def test_holds_the_simulation_until_sinks_have_passed(self, make, caplog):
        board = make("block")
        publish(board, 10)
        seen = []
        with meanwhile(
            (lambda: held(board), lambda: seen.append(written(board))),
            (lambda: True, lambda: board.say(Passed(6))),
        ):
            publish(board)
        assert seen == [10]
        assert written(board) == 11
        assert board.switchboard.held_s > 0
        first, last = caplog.messages
        assert "the journal is full: 1." in first
        assert "journal.max_bytes is 1." in first
        assert "the simulation goes on; it was held for " in last

    def test_lets_a_full_journal_empty_by_a_quarter_before_it_goes_on(self, make):
        board = make("block")
        publish(board, 10)
        said = threading.Event()
        with meanwhile(
            (lambda: held(board), lambda: board.say(Passed(1))),
            (lambda: not board.said(MakeRoom), said.set),
            (lambda: board.switchboard._overflow._arrears.bytes < ROOM - FRAME, lambda: None),
            (lambda: written(board) == 10, lambda: board.say(Passed(9))),
        ):
            publish(board)
        assert written(board) == 11

    def test_names_the_sinks_that_are_late_and_why(self, make, caplog):
        board = make("block", sinks=["a", "b"])
        board.say(SinkState("a", "healthy"), SinkState("b", "retrying", "it is down"))
        with meanwhile((lambda: held(board), lambda: board.say(Passed(10)))):
            publish(board, 11)
        assert "waits for b, retrying: it is down" in caplog.messages[0]

    def test_says_so_when_a_sink_stops_and_waits_until_it_is_told_to_stop(
        self, make, caplog, monkeypatch
    ):
        monkeypatch.setattr(module, "QUIET_S", 0.0)
        board = make("block")
        board.say(SinkState("sink", "healthy"))
        with meanwhile(
            (lambda: held(board), lambda: board.say(SinkState("sink", "stopped", "no more"))),
            (lambda: "sink, stopped: no more" in caplog.text, lambda: None),
            (lambda: written(board) == 10, lambda: board.env.stop("SIGTERM")),
        ):
            publish(board, 11)
        assert written(board) == 11
        assert [message for message in caplog.messages if "waits for" in message] == [
            *(m for m in caplog.messages if "waits for sink (" in m),
            *(m for m in caplog.messages if "waits for sink, stopped" in m),
        ]

    def test_ends_at_a_request_to_stop_and_loses_nothing(self, make):
        board = make("block")
        with meanwhile((lambda: held(board), lambda: board.env.stop("SIGINT"))):
            publish(board, 15)
        assert written(board) == 15
        board.say(Finished())
        board.switchboard.drain(30.0)
        with JournalReader(board.folder.records) as reader:
            assert sum(len(frame.entries) for frame in iter(reader.read, None)) == 15
            assert reader.ended

    def test_applies_no_command_in_the_middle_of_the_models_turn(self, make):
        board = make("block")
        board.switchboard.attend()
        publish(board, 10)
        seen = []
        with meanwhile(
            (lambda: held(board), lambda: board.bring(set_staff(3))),
            (lambda: bool(board.switchboard._reception._brought), lambda: None),
            (lambda: True, lambda: seen.append(board.env.registry["Desk.staff"])),
            (lambda: True, lambda: board.say(Passed(10))),
        ):
            publish(board)
        assert seen == [1]
        assert board.env.registry["Desk.staff"] == 1
        # The clock is woken, for there is something to do.
        assert board.env.doorbell.is_rung
        board.switchboard.attend()
        assert board.env.registry["Desk.staff"] == 3
        assert len(board.said(Resolved)) == 1

    def test_starts_a_courier_again_that_dies_meanwhile(self, make):
        board = make("block", on_start=[lambda link: None, lambda link: link.send(Passed(10))])
        board.bring(set_staff(3))
        with meanwhile((lambda: held(board), lambda: board.host.link.close())):
            publish(board, 11)
        assert board.switchboard.restarts == 1
        assert written(board) == 11
        # What the dead one had brought comes again, from the new one.
        board.switchboard.attend()
        assert board.env.registry["Desk.staff"] == 1
        assert board.said(Resolved) == []

    def test_holds_the_simulation_also_where_the_clock_stands_still(self, make):
        board = make("block")
        publish(board, 10)
        board.switchboard._records._full_at = 1_000_000
        publish(board)
        assert not held(board)
        with meanwhile((lambda: held(board), lambda: board.say(Passed(10)))):
            board.switchboard.pause()
        assert written(board) == 11

    def test_holds_no_error_up_that_is_on_its_way_out(self, make):
        board = make("block")

        def model():
            publish(board, 11)
            yield board.env.timeout(1)

        board.env.process(model())
        interrupt = (lambda: held(board), lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt), meanwhile(interrupt):
            board.env.run()
        assert written(board) == 11

    def test_holds_nothing_up_once_the_run_is_over(self, make):
        board = make("block")
        board.switchboard._records._full_at = 1_000_000
        publish(board, 30)
        board.say(Finished())
        board.switchboard.drain(30.0)
        assert written(board) == 30

    def test_lets_pass_what_is_larger_than_the_limit_when_nothing_is_behind(self, make):
        board = make("block")
        board.env.publish_event("a", "x" * 2 * ROOM)
        assert written(board) == 1
        with meanwhile((lambda: held(board), lambda: board.say(Passed(1)))):
            board.env.publish_event("a", "x" * 2 * ROOM)
        assert written(board) == 2

    def test_never_holds_a_run_without_sinks(self, make):
        board = make("block", sinks=[])
        publish(board, 50)
        assert written(board) == 50


class TestDropOldest:
    def test_asks_for_room_and_goes_on_at_once(self, make, caplog):
        board = make("drop_oldest")
        publish(board, 11)
        assert written(board) == 11
        assert board.switchboard.held_s == 0
        (asked,) = board.said(MakeRoom)
        # Three quarters of ten frames are left.
        assert asked.before == 3
        assert "the oldest records are given up" in caplog.text

    def test_asks_again_when_it_was_answered_and_not_before(self, make):
        board = make("drop_oldest")
        publish(board, 14)
        assert len(board.said(MakeRoom)) == 1
        board.say(Passed(3))
        publish(board, 1)
        assert board.said(MakeRoom) == [MakeRoom(7)]
        publish(board, 2)
        assert board.said(MakeRoom) == []

    def test_asks_again_when_nobody_answers_and_says_so_once(self, make, monkeypatch, caplog):
        monkeypatch.setattr(module, "ASK_AGAIN_S", 0.0)
        monkeypatch.setattr(module, "UNANSWERED_S", 0.0)
        board = make("drop_oldest")
        publish(board, 20)
        asked = [message.before for message in board.said(MakeRoom)]
        assert asked == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        assert written(board) == 20
        assert sum("the courier makes no room" in message for message in caplog.messages) == 1
        board.say(Passed(12))
        publish(board, 5)
        assert written(board) == 25

    def test_goes_on_without_a_courier(self, make):
        board = make("drop_oldest")
        board.host.link.close()
        publish(board, 30)
        assert written(board) == 30
        assert board.switchboard.held_s == 0


class TestFail:
    def test_refuses_the_record_and_delivers_those_before_it(self, make):
        board = make("fail")
        publish(board, 10)
        with pytest.raises(JournalFullError, match=r"max_bytes is .* \(journal.when_full: fail\)"):
            publish(board)
        assert board.switchboard.published == written(board) == 10
        board.say(Finished())
        board.switchboard.drain(30.0)
        assert written(board) == 10

    def test_counts_what_has_passed_a_moment_ago(self, make):
        board = make("fail")
        publish(board, 10)
        board.say(Passed(5))
        publish(board)
        assert written(board) == 11


class TestWithoutAPolicy:
    def test_a_simulation_at_full_speed_is_held(self, make):
        board = make()
        with meanwhile((lambda: held(board), lambda: board.say(Passed(10)))):
            publish(board, 11)
        assert board.said(MakeRoom) == []

    def test_a_paced_one_is_not(self, make):
        board = make(factor=1.0)
        publish(board, 11)
        assert len(board.said(MakeRoom)) == 1

    def test_the_factor_counts_that_it_has_at_that_moment(self, make):
        board = make(factor=1.0)
        publish(board, 10)
        board.env.factor = 0.0
        with meanwhile((lambda: held(board), lambda: board.say(Passed(10)))):
            publish(board)
        assert board.said(MakeRoom) == []


class TestAFullDisk:
    def test_holds_the_simulation_until_there_is_room(self, make, caplog):
        board = make("block")
        with contextlib.ExitStack() as disk:
            disk.enter_context(files_no_longer_than(10))
            with meanwhile((lambda: held(board), disk.close)):
                publish(board)
        assert written(board) == 1
        assert board.switchboard.held_s > 0
        assert os.strerror(errno.EFBIG) in caplog.messages[0]
        assert "goes on" in caplog.messages[-1]

    def test_is_waited_for_in_memory_where_the_oldest_are_dropped(self, make, caplog, monkeypatch):
        monkeypatch.setattr(module, "ASK_AGAIN_S", 0.0)
        board = make("drop_oldest")
        publish(board, 4)
        with files_no_longer_than(10):
            publish(board, 3)
            assert (board.switchboard.published, written(board)) == (7, 4)
            assert board.said(MakeRoom)[0] == MakeRoom(1)
            assert "kept in memory" in caplog.text
            board.switchboard.pause()
        assert board.switchboard.held_s == 0
        board.switchboard.pause()
        assert written(board) == 7

    def test_holds_the_simulation_where_memory_has_no_more_room(self, make, monkeypatch):
        monkeypatch.setattr(module, "MAX_ENTRY_BYTES", 5 * FRAME)
        board = make("drop_oldest")
        with contextlib.ExitStack() as disk:
            disk.enter_context(files_no_longer_than(10))
            publish(board, 5)
            with meanwhile((lambda: held(board), disk.close)):
                publish(board, 5)
        assert written(board) == 10
        assert board.switchboard.held_s > 0

    def test_fails_the_run_where_that_is_the_policy(self, make):
        board = make("fail")
        with files_no_longer_than(10), pytest.raises(JournalFullError, match="cannot be written"):
            publish(board)
        assert board.switchboard.published == 0

    @pytest.mark.parametrize("when_full", ["block", "drop_oldest", "fail"])
    def test_is_not_what_other_trouble_is(self, make, monkeypatch, when_full):
        def fail(*arguments):
            del arguments  # among them a view of the buffer
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        board = make(when_full)
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", fail)
            with pytest.raises(JournalError, match="cannot be written") as caught:
                publish(board)
        assert not isinstance(caught.value, JournalFullError)
        assert not held(board)

    def test_lets_a_run_end_that_is_asked_to_and_write_what_it_has(self, make):
        board = make("block")
        with contextlib.ExitStack() as disk:
            disk.enter_context(files_no_longer_than(10))
            with meanwhile((lambda: held(board), lambda: board.env.stop("SIGTERM"))):
                publish(board, 5)
            board.switchboard.pause()
            assert (board.switchboard.published, written(board)) == (5, 0)
            threading.Timer(0.05, disk.close).start()
            board.say(Finished())
            board.switchboard.drain(60.0)
        assert written(board) == 5

    @pytest.mark.parametrize("is_abandoned", [False, True])
    def test_says_how_much_is_lost_in_the_end(self, make, is_abandoned):
        board = make("block")
        publish(board, 2)
        with files_no_longer_than(10):
            board.env.stop("SIGTERM")
            publish(board, 3)
            if is_abandoned:
                board.switchboard.abandon()
            finished(board.host.link)
            with pytest.raises(JournalFullError, match="3 records that could not be written: lost"):
                board.switchboard.drain(3600.0 if is_abandoned else 0.1)
        assert written(board) == 2

    def test_of_the_journal_of_commands_holds_the_simulation_too(self, make):
        board = make("block")
        board.switchboard.attend()
        with contextlib.ExitStack() as disk:
            disk.enter_context(files_no_longer_than(10))
            board.bring(set_staff(3))
            with meanwhile((lambda: held(board), disk.close)):
                board.switchboard.attend()
        assert len(board.audited) == 1
        assert len(board.said(Resolved)) == 1

    def test_leaves_no_source_told_of_what_is_not_written(self, make):
        board = make("drop_oldest")
        board.switchboard.attend()
        with files_no_longer_than(10):
            board.bring(set_staff(3))
            board.switchboard.attend()
            assert board.env.registry["Desk.staff"] == 3
            publish(board)
            # Nor is a record written without the commands that led to it.
            assert written(board) == 0
            board.switchboard.pause()
            assert board.said(Resolved) == []
        board.switchboard.pause()
        assert len(board.audited) == 1
        assert len(board.said(Resolved)) == 1
        assert written(board) == 1
