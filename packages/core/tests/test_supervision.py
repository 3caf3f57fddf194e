from __future__ import annotations

import pytest

from despatch import supervision
from despatch.link import Finished, Progress, SinkState
from switchboards import SOURCE, boards, set_staff


@pytest.fixture
def make(tmp_path):
    with boards(tmp_path) as make:
        yield make


@pytest.fixture
def board(make):
    return make(ingress=[{"name": SOURCE}])


def test_a_courier_that_dies_is_started_again(board, caplog):
    board.say(SinkState("jsonl", "healthy"))
    board.host.link.close()
    for _ in range(2):
        board.switchboard.attend()
    assert len(board.host.links) == 2
    assert (board.switchboard.restarts, board.host.reaped) == (1, 1)
    assert "the courier died (the test)" in caplog.text
    board.bring(set_staff(5))
    board.switchboard.attend()
    assert board.env.registry["Desk.staff"] == 5


def test_the_last_words_of_a_courier_that_dies_count(board):
    board.bring(set_staff(5))
    board.host.link.close()
    board.switchboard.attend()
    assert board.env.registry["Desk.staff"] == 5


def test_couriers_that_die_without_a_word_are_started_later_and_later(board, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(supervision.time, "monotonic", lambda: now)
    waits = []
    for _ in range(8):
        board.host.link.close()
        board.switchboard.attend()
        restart_at = board.switchboard._courier.restart_at
        waits.append(restart_at - now)
        started = len(board.host.links)
        now = restart_at - 0.001
        board.switchboard.attend()
        assert len(board.host.links) == started
        now = restart_at
        board.switchboard.attend()
        assert len(board.host.links) == started + 1
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


def test_a_courier_that_has_spoken_ends_the_series(board):
    courier = board.switchboard._courier
    board.host.link.close()
    board.switchboard.attend()
    assert courier.restart_at > 0
    courier.restart_at = 0.0
    board.switchboard.attend()
    board.say(SinkState("jsonl", "healthy"))
    board.switchboard.attend()
    board.host.link.close()
    board.switchboard.attend()
    assert len(board.host.links) == 3


def test_a_courier_that_has_finished_is_not_started_again(board):
    board.say(Finished())
    board.host.link.close()
    # Its last word, the end of the wire, and then once more.
    for _ in range(3):
        board.switchboard.attend()
    assert board.switchboard._courier.is_finished
    assert not board.switchboard._courier.is_there
    assert (len(board.host.links), board.switchboard.restarts) == (1, 0)


def test_what_is_of_passing_interest_is_not_kept_for_a_courier_that_does_not_listen(board):
    courier = board.switchboard._courier
    progress = Progress(0.0, None, 0.0, 0)
    # Until the wire is full.
    while courier.offer(progress):
        pass
    assert not courier.offer(progress)
    count = len(board.said(Progress))
    board.switchboard._courier.receive()
    assert len(board.said(Progress)) <= 1
    assert count > 100
    assert courier.offer(progress)


def test_nobody_is_told_anything_while_there_is_no_courier(board):
    board.host.link.close()
    board.switchboard.attend()
    courier = board.switchboard._courier
    assert not courier.is_there
    assert not courier.offer(Progress(0.0, None, 0.0, 0))
    assert courier.receive() == []
