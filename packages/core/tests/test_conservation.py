"""Nobody and nothing is lost, doubled or let in too early, whatever becomes of the capacity.

Long runs with a fixed seed: customers with patience and priorities, and a capacity that changes
all the time. Each is played on the fast path and on SimPy's own code, with the same outcome.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
import simpy

from despatch import (
    DynamicContainer,
    DynamicFilterStore,
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicPriorityStore,
    DynamicResource,
    DynamicStore,
)
from despatch.resources.queues import Users
from live_capacity import CAPACITY, WAYS, environment, set_capacity

CHANGES = 100_000
FEWER_CHANGES = 10_000
LARGEST = 6


class AuditedUsers(Users):
    """Looks at each admission, when it happens."""

    def __init__(self, shop):
        super().__init__()
        self.shop = shop

    def admit(self, request):
        super().setdefault(request)
        self.shop.note_admission(request)


class Shop:
    """A desk, customers who come to it, and somebody who changes its capacity."""

    def __init__(self, way, kind, on_shrink, changes, seed=1):
        self.env = environment(way)
        self.desk = kind(self.env, CAPACITY, on_shrink=on_shrink)
        self.desk.users = AuditedUsers(self)
        self.has_priorities = kind is not DynamicResource
        self.changes = changes
        self.random = random.Random(seed)
        self.outcomes: list[tuple[Any, ...]] = []
        self.counts: Counter[str] = Counter()
        self.numbers: dict[Any, int] = {}
        self.last_admitted = -1
        self.checks = 0
        self.env.process(self.steer())
        self.env.run()

    def steer(self):
        env, draw = self.env, self.random.random
        for change in range(self.changes):
            for _ in range(int(draw() * 3)):
                env.process(self.customer())
            yield env.timeout(int(draw() * 3) / 2)
            set_capacity(env, int(draw() * (LARGEST + 1)))
            if change % 50 == 0:
                # All that happens at this instant is over then.
                yield env.timeout(0.25)
                self.check()
                yield env.timeout(0.25)
        set_capacity(env, LARGEST)

    def customer(self):
        env, draw, counts = self.env, self.random.random, self.counts
        number = counts["requests"]
        counts["requests"] += 1
        priority = (int(draw() * 3),) if self.has_priorities else ()
        stay, patience = int(draw() * 8) / 2, int(draw() * 8) / 2
        is_patient = draw() < 0.5
        with self.desk.request(*priority) as request:
            self.numbers[request] = number
            try:
                if is_patient:
                    yield request
                else:
                    yield request | env.timeout(patience)
                    if not request.triggered:
                        counts["withdrawn"] += 1
                        self.outcomes.append((env.now, number, "withdrawn"))
                        return
                yield env.timeout(stay)
                counts["served"] += 1
                self.outcomes.append((env.now, number, "served"))
            except simpy.Interrupt as interrupt:
                counts["evicted"] += 1
                cause = type(interrupt.cause).__name__
                since = interrupt.cause.usage_since
                self.outcomes.append((env.now, number, cause, since))

    def note_admission(self, request):
        desk = self.desk
        assert len(desk.users) <= desk.capacity
        number = self.number_of(request)
        if not self.has_priorities:
            assert number > self.last_admitted
            self.last_admitted = number
        elif desk.queue and desk.queue[0] is not request:
            first = desk.queue[0]
            assert (request.key, number) < (first.key, self.number_of(first))
        self.counts["admitted"] += 1
        self.outcomes.append((self.env.now, number, "admitted"))

    def number_of(self, request):
        # The newest may be admitted before anybody else has seen it.
        return self.numbers.get(request, self.counts["requests"] - 1)

    def check(self):
        """requests = served + in service + waiting + withdrawn (and evicted)"""
        self.checks += 1
        counts, desk = self.counts, self.desk
        gone = counts["served"] + counts["withdrawn"] + counts["evicted"]
        assert counts["requests"] == gone + desk.count + len(desk.queue)
        assert not desk.queue or desk.count >= desk.capacity
        assert desk.over_capacity == max(0, desk.count - desk.capacity)

    def finish(self):
        counts = self.counts
        assert (self.desk.count, len(self.desk.queue)) == (0, 0)
        assert counts["requests"] == counts["served"] + counts["withdrawn"] + counts["evicted"]
        assert self.checks >= self.changes // 50
        return counts


def played(kind, on_shrink, changes):
    shops = [Shop(way, kind, on_shrink, changes) for way in WAYS]
    counts = [shop.finish() for shop in shops]
    assert counts[0] == counts[1]
    assert shops[0].outcomes == shops[1].outcomes
    return counts[0]


def test_customers_are_conserved_over_a_hundred_thousand_changes():
    counts = played(DynamicResource, "drain", CHANGES)
    assert min(counts["served"], counts["withdrawn"]) > CHANGES // 10
    assert counts["admitted"] == counts["served"]


@pytest.mark.parametrize("on_shrink", ["drain", "preempt"])
@pytest.mark.parametrize(
    "kind", [DynamicResource, DynamicPriorityResource, DynamicPreemptiveResource]
)
def test_customers_are_conserved_by_every_kind_and_policy(kind, on_shrink):
    counts = played(kind, on_shrink, FEWER_CHANGES)
    assert counts["served"] > FEWER_CHANGES // 4
    is_evicting = on_shrink == "preempt" or kind is DynamicPreemptiveResource
    assert (counts["evicted"] > FEWER_CHANGES // 50) == is_evicting


class AuditedTank(DynamicContainer):
    """Looks at what comes in, when it comes."""

    @property
    def _level(self):
        return self.seen_level

    @_level.setter
    def _level(self, level):
        if level > getattr(self, "seen_level", 0):
            assert level <= self._capacity
        self.seen_level = level


class AuditedItems(list):
    """Looks at each item that is put in, when it is."""

    def __init__(self, store):
        super().__init__()
        self.store = store

    def append(self, item):
        super().append(item)
        assert len(self) <= self.store.capacity


class Warehouse:
    """A container or a store, those who bring and take, and who changes its capacity."""

    def __init__(self, way, place, changes, seed=2):
        self.env = env = environment(way)
        self.place = place(env, CAPACITY)
        self.random = random.Random(seed)
        self.changes = changes
        self.moves: list[tuple[str, Any]] = []
        self.outcomes: list[tuple[Any, ...]] = []
        self.withdrawn: list[Any] = []
        self.checks = 0
        env.process(self.steer())
        env.run()

    def steer(self):
        env, draw = self.env, self.random.random
        for change in range(self.changes):
            for _ in range(int(draw() * 4)):
                env.process(self.visit())
            yield env.timeout(int(draw() * 3) / 2)
            set_capacity(env, int(draw() * (LARGEST + 1)))
            if change % 50 == 0:
                yield env.timeout(0.25)
                self.check()
                yield env.timeout(0.25)
        self.check()

    def visit(self):
        env = self.env
        number, patience = len(self.moves), int(self.random.random() * 30) / 2
        what, event = self.move(number)
        self.moves.append((what, event))
        with event:
            yield event | env.timeout(patience)
            outcome = "done" if event.triggered else "withdrawn"
            if outcome == "withdrawn":
                self.withdrawn.append(event)
            self.outcomes.append((env.now, number, what, outcome, self.shown(event)))

    def done(self, what):
        return [event for kind, event in self.moves if kind == what and event.triggered]


class TankHouse(Warehouse):
    def move(self, number):
        what = "put" if self.random.random() < 0.5 else "get"
        return what, getattr(self.place, what)(1 + int(self.random.random() * 10) / 4)

    def shown(self, event):
        return event.amount

    def check(self):
        self.checks += 1
        tank = self.place
        brought = sum(event.amount for event in self.done("put"))
        taken = sum(event.amount for event in self.done("get"))
        assert tank.level == brought - taken >= 0
        assert self.waiting_is_right()

    def waiting_is_right(self):
        waiting = [event for _, event in self.moves if not event.triggered]
        gone = set(self.withdrawn)
        here = {*self.place.put_queue, *self.place.get_queue}
        return here == {event for event in waiting if event not in gone}


class StoreHouse(TankHouse):
    def move(self, number):
        if self.random.random() < 0.5:
            return "put", self.place.put(number)
        if isinstance(self.place, DynamicFilterStore):
            rest = int(self.random.random() * 2)
            return "get", self.place.get(lambda item: item % 2 == rest)
        return "get", self.place.get()

    def shown(self, event):
        return event.value if event.triggered else None

    def check(self):
        self.checks += 1
        store = self.place
        brought = [event.item for event in self.done("put")]
        taken = [event.value for event in self.done("get")]
        assert sorted([*taken, *store.items]) == sorted(brought)
        assert self.waiting_is_right()
        assert not store.put_queue or len(store.items) >= store.capacity
        if not isinstance(store, DynamicFilterStore):
            assert not store.get_queue or not store.items


def warehouses(house, place):
    played = [house(way, place, 2_000) for way in WAYS]
    assert played[0].outcomes == played[1].outcomes
    assert played[0].checks == 2_000 // 50 + 1
    ways = Counter((what, outcome) for _, _, what, outcome, _ in played[0].outcomes)
    assert len(ways) == 4
    assert min(ways.values()) > 20


def test_matter_is_conserved_and_enters_where_there_is_room_alone():
    warehouses(TankHouse, AuditedTank)


@pytest.mark.parametrize("kind", [DynamicStore, DynamicPriorityStore, DynamicFilterStore])
def test_items_are_conserved_and_enter_where_there_is_room_alone(kind):
    def store(env, capacity):
        made = kind(env, capacity)
        made.items = AuditedItems(made)
        return made

    warehouses(StoreHouse, store)
