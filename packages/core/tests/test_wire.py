from __future__ import annotations

import asyncio

import pytest

from despatch.courier.wire import Wire
from despatch.link import Finished, Link, Passed, StopNow, Written

HUGE = 100_000
"""So many messages do not fit into the socket's buffer."""


class Ends:
    """The simulator's end of a wire, and the courier's."""

    def __init__(self):
        ours, theirs = Link.pair()
        self.simulator = Link(ours)
        self.wire = Wire(Link(theirs))
        self.heard = []
        self.gone = 0

    def listen(self):
        self.wire.listen(self.heard.append, self.note)

    def note(self):
        self.gone += 1

    async def until(self, condition):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def ends():
    ends = Ends()
    yield ends
    ends.simulator.close()
    ends.wire._link.close()


def test_what_came_before_it_listened_is_heard_at_once(ends):
    ends.simulator.send(StopNow())

    async def run():
        ends.listen()
        assert ends.heard == [StopNow()]
        ends.simulator.send(Written(7))
        await ends.until(lambda: Written(7) in ends.heard)

    asyncio.run(run())


def test_what_does_not_fit_is_sent_as_soon_as_there_is_room(ends):
    async def run():
        ends.listen()
        for position in range(HUGE):
            ends.wire.send(Passed(position))
        heard = []
        while len(heard) < HUGE:
            heard += ends.simulator.receive()
            await asyncio.sleep(0)
        assert heard == [Passed(position) for position in range(HUGE)]

    asyncio.run(run())


def test_the_end_of_the_simulator_is_told_once_and_nothing_waits_for_it_any_longer(ends):
    async def run():
        ends.listen()
        for position in range(HUGE):
            ends.wire.send(Passed(position))
        ends.simulator.close()
        await ends.until(lambda: ends.gone)
        loop = asyncio.get_running_loop()
        # Neither is there any longer: a loop that watched either would never sleep again.
        assert not loop.remove_reader(ends.wire._link.fileno())
        assert not loop.remove_writer(ends.wire._link.fileno())
        ends.wire.send(Passed(0))
        ends.wire.hang_up()

    asyncio.run(run())
    assert ends.gone == 1


def test_hanging_up_says_the_last_word(ends):
    async def run():
        ends.listen()
        ends.wire.send(Passed(3))
        ends.wire.hang_up()

    asyncio.run(run())
    assert ends.simulator.receive() == [Passed(3), Finished()]
    assert ends.simulator.receive() == []
    assert ends.simulator.is_closed
