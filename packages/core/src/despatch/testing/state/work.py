"""Work: a snapshot says who is served, who waits, what is stored, and of which instant all is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from despatch.interfaces import StateSource
from despatch.snapshots import Snapshot
from despatch.testing.conformance import applies_if
from despatch.testing.state.suite import MakeState, StateSuite
from despatch.testing.state.system import RealSystem

__all__ = ["WorkTests"]

_EIGHT: Final = datetime(2025, 1, 6, 6, 0, 0, 125_001, tzinfo=UTC)
_IN_SERVICE: Final = {
    "Line_A.lathe": {
        # In the order of admission, which is that of no column.
        "in_service": [
            {"key": "part-9", "elapsed": 12.5},
            {"key": "part-10", "remaining": 0.1 + 0.2, "priority": -2},
            {"key": "Teil 7 für Löwe", "elapsed": 0.0, "remaining": 1e6 + 1e-6, "priority": 3},
        ]
    },
    "Straße_7.Prüfer": {"in_service": [{"key": "part-10", "elapsed": 5e-300}]},
}
_QUEUE: Final = {
    "Line_A.lathe": {
        # The next one first, whatever their keys, priorities and times say.
        "queue": [
            {"key": "part-12", "joined": _EIGHT, "priority": 1},
            {"key": "part-11", "priority": -1},
            {"key": "part-2", "joined": _EIGHT - timedelta(days=400)},
            {"key": "part-11", "joined": _EIGHT + timedelta(microseconds=1)},
        ]
    },
    "Line_B.mill": {"queue": [{"key": "part-3", "joined": _EIGHT}]},
}
_CAPACITIES: Final = {
    "Line_A.lathe": {"down_since": _EIGHT},
    "Line_A.mill": {"down_since": _EIGHT, "queue": [{"key": "part-1"}]},
    "Line_B.desk": {"over_capacity": True, "in_service": [{"key": "part-4", "elapsed": 1.0}]},
}
_FLAT: Final = {
    "size": "L",
    "weight": 0.1 + 0.2,
    "pieces": 3,
    "number": 2**53 + 1,
    "is_urgent": True,
    "note": "",
}
_DEEP: Final = {"steps": [{"name": "turn", "minutes": 3.5}, []], "note": None}
_LENGTH: Final = 2_000
_CHANGES: Final = 6


class WorkTests(StateSuite):
    """A snapshot says who is served, who waits, what is stored, and of which instant all is."""

    @applies_if("holds_resources")
    def test_those_in_service_are_read(self, system: RealSystem, make_state: MakeState) -> None:
        """Each resource has those whom it serves, in the order in which they were admitted.

        What has elapsed and what remains come to the last bit, and with them the priority.

        If it fails: the difference shows whom. Order rows by what says who came first; nothing
        is the same as 0 but a priority that is not there.
        """
        self._is_read_as_it_is(system, make_state, resources=_IN_SERVICE)

    @applies_if("holds_resources")
    def test_queues_are_read_in_their_order(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """Each resource has those who wait, the next one first, and when each has joined.

        A key may be there twice. A time that is not known is None, and others are exact to the
        microsecond.

        If it fails: the system's own order counts, and not that of keys, priorities or times. Keep
        a queue where an order is kept: in a list, or beside a number that tells the place.
        """
        self._is_read_as_it_is(system, make_state, resources=_QUEUE)

    @applies_if("holds_resources")
    def test_what_else_is_known_of_work_comes_along(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """`data` comes as it is, each value of its own type, for those in service and in queues.

        If it fails: the difference shows which value. Whole numbers come with every digit, and
        what nobody said is not there.
        """
        for data in (_FLAT, _DEEP) if self.holds_nested else (_FLAT,):
            work = {
                "in_service": [{"key": "a", "elapsed": 1.0, "data": data}],
                "queue": [{"key": "b"}, {"key": "c", "data": data}],
            }
            found = self._is_read_as_it_is(system, make_state, resources={"Line_A.lathe": work})
            lathe = found.resources["Line_A.lathe"]
            for each in (lathe.in_service[0], lathe.queue[1]):
                types = {name: type(value) for name, value in each.data.items()}
                assert types == {name: type(value) for name, value in data.items()}

    @applies_if("holds_resources")
    def test_what_is_down_and_what_is_over_capacity_is_read(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """A resource says since when it is down, and whether it may serve more than its capacity.

        If it fails: such a resource may have nobody in service, and nobody waiting.
        """
        self._is_read_as_it_is(system, make_state, resources=_CAPACITIES)

    @applies_if("holds_resources")
    def test_a_long_queue_is_whole(self, system: RealSystem, make_state: MakeState) -> None:
        """Two thousand who wait all come, in their order.

        If it fails: look for the page size of a cursor or a scan, and read all pages.
        """
        queue = [{"key": f"part-{i * 7919 % _LENGTH}"} for i in range(_LENGTH)]
        self._is_read_as_it_is(system, make_state, resources={"Line_A.lathe": {"queue": queue}})

    @applies_if("holds_resources")
    def test_work_that_is_done_is_gone(self, system: RealSystem, make_state: MakeState) -> None:
        """Of a source that stays open, a second reading has no one who has left, nor their place.

        If it fails: `read` adds to what it has read before. Begin each time with nothing.
        """
        parameters = {"Line_A.lathe.capacity": 3}
        before, after = (
            self.state_of(parameters=parameters, resources=resources)
            for resources in (_IN_SERVICE, _QUEUE)
        )

        system.be(before)

        async def work() -> Snapshot:
            async with self.opened(make_state()) as state:
                await self.in_time(state.read())
                system.be(after)
                return await self.in_time(state.read())

        assert self.told(self.wait_for(work())) == self.told_of(system, after)

    @applies_if("holds_containers")
    def test_what_containers_hold_is_read(self, system: RealSystem, make_state: MakeState) -> None:
        """The level of each container comes to the last bit; one that is empty is there.

        If it fails: a level is a float, and 0 is not the same as nothing.
        """
        containers = {
            "Yard.tank": {"level": 0.1 + 0.2},
            "Yard.pit": {"level": 0.0},
            "Straße_7.Öl": {"level": 7.0, "over_capacity": True},
        }
        self._is_read_as_it_is(system, make_state, containers=containers)

    @applies_if("holds_stores")
    def test_what_stores_hold_is_read(self, system: RealSystem, make_state: MakeState) -> None:
        """Each store has its items, in the order of taking out; one that is empty is there.

        If it fails: an item may be there twice, and their order is the system's own.
        """
        items = ["b", "a", "b", "größer"]
        stores = {
            "Yard.shelf": {"items": [*items, _FLAT, _DEEP] if self.holds_nested else items},
            "Yard.rack": {"items": []},
            "Yard.bench": {"items": ["a"], "over_capacity": True},
        }
        self._is_read_as_it_is(system, make_state, stores=stores)

    @applies_if("holds_arrivals")
    def test_when_somebody_came_last_is_read(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """The time of the last arrival comes for each name, exact to the microsecond.

        If it fails: give it an offset from UTC, and let no client cut its fraction off.
        """
        arrivals = {"customers": _EIGHT, "Aufträge": _EIGHT - timedelta(days=400)}
        self._is_read_as_it_is(system, make_state, arrivals=arrivals)

    @applies_if("holds_calendar_offset")
    def test_which_simulated_time_it_is_comes_along(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """`calendar_offset` comes to the last bit, and where nobody says it, it is None.

        If it fails: 0 is midnight of the model's first day, and no word for nothing.
        """
        for calendar_offset in (0.1 + 0.2, 0.0, None):
            self._is_read_as_it_is(system, make_state, calendar_offset=calendar_offset)

    @applies_if("holds_taken_at")
    def test_the_time_of_the_state_is_the_systems(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """`taken_at` is when the system was in this state, exact to the microsecond.

        If it fails: take it from the system, and not from the clock of whoever reads.
        """
        found = self._is_read_as_it_is(system, make_state)
        assert found.taken_at == self.state_of().taken_at

    def test_all_of_a_state_is_of_one_instant(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """While the system changes all the time, each reading has one of its states, whole.

        Such is what a transaction gives, or one file that is renamed. A reading may raise; the
        next one is looked at then.

        If it fails: parts of the state are read one after the other. Read them in one
        transaction with a consistent view, in one command, or from one document.
        """
        states = [self._marked(1), self._marked(2)]
        wanted = [self.told_of(system, each) for each in states]
        system.be(states[0])
        # The system is left to the one that changes it from here on.
        first = make_state()
        with _changing(system, states) as changes:

            async def work() -> list[Snapshot]:
                found: list[Snapshot] = await self._read_if_it_can(first)
                async with asyncio.timeout(self.patience_s):
                    while len(found) < 5 or changes.count < _CHANGES:
                        found += await self._read_if_it_can(make_state())
                return found

            found = self.wait_for(work())
        assert not changes.error, changes.error
        for each in found:
            assert self.told(each) in wanted

    async def _read_if_it_can(self, state: StateSource) -> list[Snapshot]:
        try:
            return [await self.read_once(state)]
        except AssertionError:  # it hung
            raise
        except Exception:
            return []

    def _marked(self, number: int) -> Snapshot:
        """A state in which each part says which one it is of."""
        work = {"key": f"part-{number}", "priority": number}
        lathe = {"in_service": [{**work, "elapsed": number}], "queue": [work] * number}
        return self.state_of(
            taken_at=self.state_of().taken_at + timedelta(seconds=number),
            parameters={f"Line_{i}.staff": number for i in range(20)},
            resources={"Line_A.lathe": lathe},
            containers={"Yard.tank": {"level": number}},
            stores={"Yard.shelf": {"items": [f"item-{number}"]}},
            arrivals={"customers": _EIGHT + timedelta(seconds=number)},
            calendar_offset=float(number),
        )

    def _is_read_as_it_is(
        self, system: RealSystem, make_state: MakeState, **parts: Any
    ) -> Snapshot:
        now = self.state_of(parameters={"Line_A.lathe.capacity": 3}, **parts)
        system.be(now)
        found = self.read(make_state())
        assert self.told(found) == self.told_of(system, now)
        return found


class _Changes:
    """What came of changing a system.

    Attributes:
        count: How often it has changed.
        error: Why it changes no more.
    """

    def __init__(self) -> None:
        self.count = 0
        self.error = ""


@contextmanager
def _changing(system: RealSystem, states: list[Snapshot]) -> Iterator[_Changes]:
    """Let a system be in one state after the other, until the block is left."""
    changes, is_over = _Changes(), threading.Event()

    def change() -> None:
        try:
            while not is_over.is_set():
                changes.count += 1
                system.be(states[changes.count % len(states)])
        except Exception as error:
            # The test's thread tells it.
            changes.error = f"`RealSystem.be` raised {error!r}"

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield changes
    finally:
        is_over.set()
        thread.join()
