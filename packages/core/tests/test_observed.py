"""Whatever a model does, the figures are those of its events, counted one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import simpy
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from simpy.core import EmptySchedule

from despatch.environment import DynamicEnvironment
from despatch.parameters import SimParameter
from despatch.resources import DynamicPreemptiveResource, DynamicResource, DynamicStore
from despatch.resources.quantiles import ACCURACY
from despatch.resources.statistics import LineStatistics
from despatch.statistics_telemetry import figures_of
from libraries import OTHERS
from model_playing import REFUSALS, Fault, Play, play
from model_watching import watch_steps
from random_models import models

PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]


class AskingEnvironment(DynamicEnvironment):
    """An environment that asks all of its resources to keep statistics."""

    def __init__(self, initial_time=0):
        super().__init__(initial_time, statistics=True)


DESPATCH = OTHERS[0]
ASKING = replace(DESPATCH, Environment=AskingEnvironment)


@dataclass
class Line:
    """What is known of a waiting line by looking at it."""

    queue: Any
    area: float = 0.0
    longest: int = 0
    waits: list[float] = field(default_factory=list)
    withdrawn: int = 0
    pending: dict[Any, float] = field(default_factory=dict)


class Witness:
    """Looks at a resource after each event, and knows nothing of how it works."""

    def __init__(self, env: simpy.Environment, resource: Any, level: Any) -> None:
        self.env, self.resource, self.level = env, resource, level
        self.began = self.since = env.now
        self.levels = self.capacities = 0.0
        self.puts = Line(resource.put_queue)
        self.gets = Line(resource.get_queue)
        self.seen: set[Any] = set()

    def before(self) -> None:
        """Note what is so now: it was so since the last event, and is until the next."""
        lengths = len(self.puts.queue), len(self.gets.queue)
        self.state = self.level(), self.resource.capacity, *lengths

    def after(self, events: list[Any]) -> None:
        """Time has passed to the next event, in which these may have been made."""
        level, capacity, puts, gets = self.state
        duration, self.since = self.env.now - self.since, self.env.now
        if duration:
            self.levels += duration * level
            self.capacities += duration * capacity
            for line, length in ((self.puts, puts), (self.gets, gets)):
                line.area += duration * length
                line.longest = max(line.longest, length)
        self.notice(events)

    def notice(self, events: list[Any]) -> None:
        """Note which events were made, and what became of those made before."""
        # A request whose making fails, since its process would have to preempt itself, stays.
        unlabelled = [*self.puts.queue, *getattr(self.resource, "users", [])]
        for event in [*events, *unlabelled]:
            if event not in self.seen and getattr(event, "resource", None) is self.resource:
                self.seen.add(event)
                line = self.puts if isinstance(event, simpy.resources.base.Put) else self.gets
                line.pending[event] = self.env.now
        for line in (self.puts, self.gets):
            for event, came in list(line.pending.items()):
                if event.triggered:
                    line.waits.append(self.env.now - came)
                elif event not in line.queue:
                    line.withdrawn += 1
                else:
                    continue
                del line.pending[event]

    def check(self) -> None:
        """Hold the figures against what was seen."""
        figures, duration = self.resource.statistics, self.env.now - self.began
        assert figures.duration == pytest.approx(duration)
        if hasattr(figures, "mean_users"):
            check_line(figures, self.puts, duration)
            mean_level = figures.mean_users
        else:
            check_line(figures.puts, self.puts, duration)
            check_line(figures.gets, self.gets, duration)
            mean_level = figures.mean_level
        if duration:
            assert mean_level == pytest.approx(self.levels / duration)
        if self.capacities:
            assert figures.utilization == pytest.approx(self.levels / self.capacities)


def check_line(figures: LineStatistics, line: Line, duration: float) -> None:
    assert (figures.served, figures.withdrawn) == (len(line.waits), line.withdrawn)
    assert figures.max_queue == line.longest
    if duration:
        assert figures.mean_queue == pytest.approx(line.area / duration)
    if not line.waits:
        return
    assert figures.mean_wait == pytest.approx(sum(line.waits) / len(line.waits))
    assert figures.max_wait == pytest.approx(max(line.waits))
    waits = sorted(line.waits)
    for place, wait in enumerate(waits, 1):
        # Between two steps, so that no rounding decides which of them is meant.
        found = figures.wait_quantile((place - 0.5) / len(waits))
        assert found == pytest.approx(wait, rel=ACCURACY * (1 + 1e-9))


def witnesses(played: Play) -> Iterator[Witness]:
    for place, made in zip(played.model.places, played._places, strict=True):
        if place.kind == "Container":
            yield Witness(played.env, made, lambda made=made: made.level)
        elif place.kind.endswith("Store"):
            yield Witness(played.env, made, lambda made=made: len(made.items))
        else:
            yield Witness(played.env, made, lambda made=made: made.count)


@pytest.mark.parametrize("is_watched", [False, True], ids=["fast", "watched"])
@given(model=models())
@settings(phases=PHASES)
def test_the_figures_are_those_of_the_events(is_watched, model):
    played = Play(model, ASKING)
    if is_watched:
        step = played.env.step
        played.env.step = lambda: step()
    played.prepare()
    looking = list(witnesses(played))
    for witness in looking:
        witness.notice(played._labelled)
    while True:
        for witness in looking:
            witness.before()
        try:
            played.env.step()
        except EmptySchedule:
            break
        except (Fault, simpy.Interrupt, *REFUSALS):
            pass  # what goes wrong in a model goes wrong with and without statistics
        for witness in looking:
            witness.after(played._labelled)
    for witness in looking:
        witness.check()


@given(model=models())
@settings(phases=PHASES)
def test_statistics_change_nothing_in_what_happens(model):
    assert play(model, ASKING) == play(model, DESPATCH)


@given(model=models())
@settings(max_examples=max(30, settings().max_examples // 3), phases=PHASES)
def test_both_paths_give_the_same_figures(model):
    fast, watched = Play(model, ASKING), Play(model, ASKING)
    watch_steps(watched)
    for played in (fast, watched):
        played.prepare()
        played.finish()
    for ours, theirs in zip(fast._places, watched._places, strict=True):
        assert list(figures_of(ours.statistics)) == list(figures_of(theirs.statistics))


class Desk(SimParameter):
    staff: int = 1


ACTIONS = st.tuples(
    st.sampled_from(["capacity", "request", "request", "release", "cancel", "reset", "wait"]),
    st.integers(0, 4),
    st.sampled_from([0, 1, 0.5, 2.25]),
)


@pytest.mark.parametrize("policy", ["drain", "preempt"])
@pytest.mark.parametrize("kind", [DynamicResource, DynamicPreemptiveResource])
@given(actions=st.lists(ACTIONS, max_size=40))
def test_the_figures_follow_the_capacity_and_everyone_is_accounted_for(kind, policy, actions):
    env = AskingEnvironment()
    env.registry.register("Desk", Desk())
    desk = kind(env, "Desk.staff", on_shrink=policy)
    requests, evicted = [], []

    def customer(priority):
        request = desk.request(priority) if kind is DynamicPreemptiveResource else desk.request()
        requests.append(request)
        try:
            yield request
            yield env.event()
        except simpy.Interrupt:
            evicted.append(request)

    witness = Witness(env, desk, lambda: desk.count)
    cancelled, served_before, withdrawn_before = 0, 0, 0
    for action, number, delay in actions:
        match action:
            case "capacity":
                env.registry.update({"Desk.staff": number})
            case "request":
                env.process(customer(number))
            case "release" if desk.users:
                desk.release(desk.users[number % desk.count])
            case "cancel" if desk.queue:
                desk.queue[number % len(desk.queue)].cancel()
                cancelled += 1
            case "reset":
                served_before += desk.statistics.served
                withdrawn_before += desk.statistics.withdrawn
                pending = witness.puts.pending
                witness = Witness(env, desk, lambda: desk.count)
                witness.seen = set(requests)
                witness.puts.pending = pending
                desk.statistics.reset()
                evicted.clear()
        env.run()
        witness.notice(requests)
        witness.before()
        if delay:
            env.run(until=env.now + delay)
            witness.after(requests)
        witness.check()
        figures = desk.statistics
        assert figures.preempted == len(evicted)
        assert withdrawn_before + figures.withdrawn == cancelled
        served = served_before + figures.served
        assert len(requests) == served + len(desk.queue) + cancelled


def visits(env, places, rate, stay, customers, random_numbers):
    def customer():
        for place in places:
            with place.request() as turn:
                yield turn
                yield env.timeout(random_numbers.expovariate(1 / stay))

    def arrivals():
        for _ in range(customers):
            env.process(customer())
            yield env.timeout(random_numbers.expovariate(rate))

    env.process(arrivals())


def test_littles_law_holds():
    """L = λW on a stretch that begins and ends empty (Little, Operations Research 9, 1961)."""
    env = AskingEnvironment()
    first, second = DynamicResource(env, 2), DynamicResource(env, 3)
    visits(env, [first, second], 1.8, 1.0, 2000, random.Random(1))
    env.run()
    for place in (first, second):
        figures = place.statistics
        rate = figures.served / figures.duration
        assert figures.served == 2000
        assert figures.mean_queue == pytest.approx(rate * figures.mean_wait, rel=1e-9)
        assert figures.mean_queue > 0.5


def test_littles_law_holds_for_what_lies_in_a_store():
    env = AskingEnvironment()
    shelf = DynamicStore(env, 5)
    random_numbers, stays = random.Random(2), []

    def putting():
        for _ in range(500):
            yield env.timeout(random_numbers.expovariate(1))
            came = env.event()
            yield shelf.put(came)
            came.since = env.now

    def taking():
        for _ in range(500):
            yield env.timeout(random_numbers.expovariate(1))
            item = yield shelf.get()
            stays.append(env.now - getattr(item, "since", env.now))

    env.process(putting())
    env.process(taking())
    env.run()
    figures = shelf.statistics
    assert figures.mean_level == pytest.approx(sum(stays) / env.now, rel=1e-9)
    assert figures.puts.mean_queue == pytest.approx(500 / env.now * figures.puts.mean_wait)
    assert figures.gets.mean_queue == pytest.approx(500 / env.now * figures.gets.mean_wait)


class Minimal:
    """What SimPy asks of a queue: append, pop, __getitem__ and __len__."""

    def __init__(self):
        self._waiting = []

    def append(self, item):
        self._waiting.insert(0, item)

    def pop(self, index):
        return self._waiting.pop(index)

    def __getitem__(self, index):
        return self._waiting[index]

    def __len__(self):
        return len(self._waiting)


def test_queues_of_ones_own_are_observed():
    class LastComeFirstServed(DynamicResource):
        PutQueue = Minimal

    env = AskingEnvironment()
    desk = LastComeFirstServed(env, 1)
    came = []

    def customer(number):
        with desk.request() as turn:
            yield turn
            came.append(number)
            yield env.timeout(2)

    for number in range(3):
        env.process(customer(number))
    env.run(until=10)
    assert came == [0, 2, 1]
    figures = desk.statistics
    assert (figures.served, figures.max_queue, figures.mean_wait) == (3, 2, 2)
    assert figures.mean_queue == pytest.approx((2 * 2 + 1 * 2) / 10)


def test_hooks_of_ones_own_are_observed():
    class Closing(DynamicResource):
        is_open = False

        def _do_put(self, event):
            if self.is_open:
                return super()._do_put(event)
            return None

    env = AskingEnvironment()
    desk = Closing(env, 2)
    first = desk.request()
    env.run(until=3)
    desk.is_open = True
    second = desk.request()
    env.run(until=4)
    assert (first.triggered, second.triggered) == (True, False)
    figures = desk.statistics
    assert (figures.served, figures.mean_wait, figures.mean_users) == (1, 3, 0.25)


def test_an_interval_and_a_reset_do_not_disturb_each_other():
    env = AskingEnvironment()
    desk = DynamicResource(env, 1)
    observer = desk._observer
    env.run(until=2)
    held = desk.request()
    env.run(until=4)
    desk.statistics.reset()
    env.run(until=6)
    first = observer.end_interval()
    assert (first.duration, first.level, first.lines[0].served) == (6, 4, 1)
    desk.release(held)
    env.run(until=7)
    second = observer.end_interval()
    assert (second.duration, second.level, second.lines[0].served) == (1, 0, 0)
    assert (desk.statistics.duration, desk.statistics.mean_users) == (3, pytest.approx(2 / 3))
