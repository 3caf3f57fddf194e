from __future__ import annotations

import socket

import pytest

from despatch.commands import Change, Command, Update
from despatch.errors import DespatchError
from despatch.link import (
    MAX_MESSAGE_BYTES,
    Brought,
    Configure,
    Drain,
    Finished,
    IngressState,
    Link,
    Message,
    Progress,
    Resolved,
    SinkState,
    StopNow,
    Written,
)

EVERY_KIND: list[Message] = [
    Configure("/runs/1", {"name": "line", "egress": [{"connector": "jsonl"}]}, "plain"),
    Written(12),
    Progress(1.5, None, 0.0, 12),
    Brought("redis", 3, Command(updates={"Line.capacity": 2}, id="a", at=4.0, source="redis")),
    Resolved(
        "redis",
        3,
        Change(updates=(Update("Line.capacity", 1, 2),), sim_time=4.0, source="redis", id="a"),
        7,
    ),
    IngressState("redis", "caught up"),
    SinkState("jsonl", "retrying", "OSError: no space left"),
    Drain(30.0),
    StopNow(),
    Finished(),
]


@pytest.fixture
def wire():
    ours, theirs = Link.pair()
    near, far = Link(ours), Link(theirs)
    yield near, far
    near.close()
    far.close()


def test_every_message_arrives_as_it_was_sent(wire):
    near, far = wire
    for message in EVERY_KIND:
        near.send(message)
    assert far.receive() == EVERY_KIND


def test_what_is_left_for_later_comes_without_more_being_sent(wire):
    near, far = wire
    for end in (1, 2, 3):
        near.send(Written(end))
    assert far.receive(at_most=1) == [Written(1)]
    assert far.receive() == [Written(2), Written(3)]


def test_many_messages_at_once_come_in_their_order(wire):
    near, far = wire
    near.send(Written(0))
    near.send_all(Written(end) for end in range(1, 2000))
    received = []
    while len(received) < 2000:
        received += far.receive()
        near.flush()
    assert received == [Written(end) for end in range(2000)]


def test_receiving_does_not_wait(wire):
    _, far = wire
    assert far.receive() == []
    assert not far.is_closed


def test_a_message_that_comes_in_pieces_arrives_once_it_is_whole():
    ours, theirs = Link.pair()
    near, far = Link(ours), Link(theirs)
    probe_ours, probe_theirs = Link.pair()
    Link(probe_ours).send(Written(5))
    whole = probe_theirs.recv(1000)
    for byte in whole[:-1]:
        ours.send(bytes([byte]))
        assert far.receive() == []
    ours.send(whole[-1:])
    assert far.receive() == [Written(5)]
    for end in (near, far, probe_ours, probe_theirs):
        end.close()


def test_a_stopped_reader_holds_nobody_up_and_gets_everything_later(wire):
    near, far = wire
    count = 20_000
    for number in range(count):
        near.send(SinkState(f"sink-{number}", "retrying", "x" * 50))
    assert near.has_outgoing
    received = []
    while len(received) < count:
        received += far.receive()
        near.flush()
    assert [m.name for m in received] == [f"sink-{number}" for number in range(count)]
    assert not near.has_outgoing


def test_what_is_only_offered_is_dropped_while_others_wait(wire):
    near, far = wire
    while not near.has_outgoing:
        near.send(Configure("x" * 10_000, {}))
    near.offer(Written(1))
    received: list[Message] = []
    while near.has_outgoing:
        near.flush()
        received += far.receive()
    received += far.receive()
    assert all(isinstance(message, Configure) for message in received)
    near.offer(Written(2))
    assert far.receive() == [Written(2)]


def test_the_last_words_of_the_other_side_are_heard_before_its_end(wire):
    near, far = wire
    near.send(Finished())
    near.close()
    assert far.receive() == [Finished()]
    assert far.receive() == []
    assert far.is_closed


def test_sending_to_one_who_has_gone_is_no_error(wire):
    near, far = wire
    far.close()
    near.send(Written(1))
    near.send(Written(2))
    assert not near.has_outgoing
    assert near.receive() == []
    assert near.is_closed


def test_a_message_too_large_for_the_link_is_refused_by_the_sender(wire):
    near, _ = wire
    with pytest.raises(DespatchError, match="Configure message"):
        near.send(Configure("x" * MAX_MESSAGE_BYTES, {}))


def test_a_garbled_length_is_reported_and_not_waited_for():
    ours, theirs = socket.socketpair()
    far = Link(theirs)
    ours.send(b"\xff\xff\xff\xff")
    with pytest.raises(DespatchError, match="garbled"):
        far.receive()
    ours.close()
    far.close()
