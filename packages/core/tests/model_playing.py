"""Plays a random model on SimPy or on despatch, and writes down what happens."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from typing import Any, TypeAlias

import simpy
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import PENDING, ConditionValue
from simpy.resources.resource import Preempted
from simpy.util import start_delayed

from libraries import Library
from random_models import (
    Await,
    Combine,
    Fail,
    Get,
    Interrupt,
    Join,
    Look,
    Model,
    Place,
    Put,
    Run,
    Start,
    Step,
    Trigger,
    Use,
    Wait,
)

__all__ = ["Activity", "Fault", "Play", "play"]

Activity: TypeAlias = Generator[simpy.Event, Any, None]

RUNS_AT_THE_END = 6
"""So many runs to the end of what is scheduled: a fault that nobody catches ends one early."""


class Fault(Exception):
    """What goes wrong in a model on purpose."""


# What SimPy raises where a step asks for what cannot be.
REFUSALS = (RuntimeError, ValueError, AttributeError)


class Play:
    """One model on one library.

    Attributes:
        trace: What happened, one entry after the other, without any object of the library's.
    """

    def __init__(self, model: Model, library: Library) -> None:
        self.model = model
        self.env = library.Environment(model.start)
        self.trace: list[tuple[Any, ...]] = []
        self.is_watching_callbacks = False
        self._labels: dict[int, str] = {}
        self._labelled: list[simpy.Event] = []
        self._library = library
        self._processes: list[simpy.Process] = []

    def prepare(self) -> None:
        """Make what there is before the start."""
        self._events = [self.label(self.env.event(), "event") for _ in range(self.model.events)]
        self._places = [self._place(place) for place in self.model.places]
        for steps in self.model.processes:
            self._start(self._process(steps))

    def finish(self) -> None:
        """Run the model as it says, and then to the end of what is scheduled."""
        for run in self.model.runs:
            self._run(run)
        for _ in range(RUNS_AT_THE_END):
            self._run(Run("rest"))
        self._look()
        self.note("events", next(self.env._eid))

    # What is written down.

    def note(self, *what: Any) -> None:
        """Write down what happens now."""
        self.trace.append((repr(self.env.now), self.shown(self.env.active_process), *what))

    def label(self, event: Any, name: str) -> Any:
        """Give an event a name of its own, which it has in the trace."""
        self._labels[id(event)] = f"{name} {len(self._labelled)}"
        self._labelled.append(event)  # so that no other gets its id
        if self.is_watching_callbacks and event.callbacks is not None:
            event.callbacks.append(self._note_processed)
        return event

    def _note_processed(self, event: simpy.Event) -> None:
        self.note("processed", self.shown(event), event.ok, self.shown(event.value))

    def shown(self, value: Any) -> Any:
        """A value as it stands in a trace."""
        match value:
            case simpy.Event():
                return self._labels.get(id(value)) or type(value).__name__
            case ConditionValue():
                return [(self.shown(event), self.shown(each)) for event, each in value.items()]
            case BaseException():
                # The text of a refusal names objects by their address.
                shown = [] if isinstance(value, REFUSALS) else [self.shown(a) for a in value.args]
                return (type(value).__name__, *shown, self.shown(value.__cause__))
            case Preempted():
                where = self._places.index(value.resource)
                return ("preempted", self.shown(value.by), repr(value.usage_since), where)
            case list() | tuple():
                return [self.shown(each) for each in value]
            case _:
                return "pending" if value is PENDING else repr(value)

    def scheduled(self) -> list[Any]:
        """The schedule, in the order in which it will be processed."""
        entries = sorted(self.env._queue, key=lambda entry: entry[:3])
        return [(repr(at), *key, self.shown(event)) for at, *key, event in entries]

    def _look(self) -> None:
        for number, (place, made) in enumerate(zip(self.model.places, self._places, strict=True)):
            self.note("place", number, made.capacity, *self._seen(place, made))
        for process in self._processes:
            self.note("sees", self.shown(process), process.is_alive, self.shown(process.target))
        self.note("next", repr(self.env.peek()), self.scheduled())

    def _seen(self, place: Place, made: Any) -> Iterator[Any]:
        yield self.shown(list(made.put_queue))
        yield self.shown(list(made.get_queue))
        if place.kind == "Container":
            yield repr(made.level)
        elif place.kind.endswith("Store"):
            yield self.shown(list(made.items))
        else:
            yield made.count
            yield self.shown(list(made.users))
            yield self.shown(list(made.queue))

    # How it is run.

    def _run(self, run: Run) -> None:
        try:
            match run.kind:
                case "until":
                    value = self.env.run(until=run.what)
                case "process":
                    value = self.env.run(self._of(self._processes, int(run.what)))
                case "event":
                    value = self.env.run(self._of(self._events, int(run.what)))
                case "steps":
                    value = None
                    for _ in range(int(run.what)):
                        self.env.step()
                case "rest":
                    value = self.env.run()
        except (Fault, simpy.Interrupt, EmptySchedule, *REFUSALS) as error:
            self._disarm()
            self.note("raised", self.shown(error), self.scheduled())
        else:
            self.note("returned", self.shown(value), self.scheduled())

    def _disarm(self) -> None:
        # On SimPy, what a run that was ended by a fault should have ended at ends a later run.
        for event in [*self._processes, *self._events, *(entry[3] for entry in self.env._queue)]:
            while event.callbacks and StopSimulation.callback in event.callbacks:
                event.callbacks.remove(StopSimulation.callback)

    # What is in a model.

    def _place(self, place: Place) -> Any:
        made = getattr(self._library, place.kind)
        if place.kind == "Container":
            return made(self.env, place.capacity, place.taken)
        resource = made(self.env, place.capacity)
        for number in range(place.taken):
            if place.kind.endswith("Store"):
                self.label(resource.put(_item(place.kind, number)), "put")
            else:
                self.label(resource.request(), "request")
        return resource

    def _start(self, process: simpy.Process) -> None:
        self._processes.append(self.label(process, "process"))

    def _process(self, steps: tuple[Step, ...]) -> simpy.Process:
        return self.env.process(self._life(steps))

    def _life(self, steps: tuple[Step, ...]) -> Generator[simpy.Event, Any, int]:
        self.note("starts")
        for step in steps:
            if isinstance(step, Fail):
                raise Fault(len(self.trace))
            yield from self._attempt(step)
        self.note("ends")
        return len(self.trace)

    def _attempt(self, step: Step) -> Activity:
        try:
            yield from ACTIVITIES[type(step)](self, step)
        except (Fault, simpy.Interrupt, *REFUSALS) as error:
            self.note("catches", type(step).__name__, self.shown(error))

    def _of(self, known: list[Any], number: int) -> Any:
        return known[number % len(known)]

    # The steps.

    def wait(self, step: Wait) -> Activity:
        value = yield self._timeout(step)
        self.note("waited", self.shown(value))

    def _timeout(self, step: Wait) -> simpy.Event:
        # The ways in which models call it.
        if step.value is not None:
            event = self.env.timeout(step.delay, value=step.value)
        elif step.delay:
            event = self.env.timeout(step.delay)
        else:
            event = simpy.Timeout(self.env, step.delay)
        return self.label(event, "timeout")

    def use(self, step: Use) -> Activity:
        place = self._places[step.place]
        options = [step.priority, step.preempt]
        if self.model.places[step.place].kind == "Resource":
            options = []
        request = self.label(place.request(*options), "request")
        with request if "with" in step.ending else nullcontext():
            yield from self._hold(request, step)
            if "cancel" in step.ending:
                request.cancel()
        if "release" in step.ending:
            release = self.label(place.release(request), "release")
            if "waited" in step.ending:
                self.note("released", self.shown((yield release)))
            if "twice" in step.ending:
                self.label(place.release(request), "release")

    def _hold(self, request: Any, step: Use) -> Activity:
        yield from self._wait_for(request, step.patience)
        if request.processed:
            self.note("uses", repr(request.usage_since))
            for inside in step.inside:
                if isinstance(inside, Fail):
                    raise Fault("inside")
                yield from self._attempt(inside)

    def _wait_for(self, event: simpy.Event, patience: float | None) -> Activity:
        if patience is None:
            self.note("got", self.shown((yield event)))
        else:
            got = yield event | self.label(self.env.timeout(patience), "patience")
            self.note("got in time", event in got, event.triggered, self.shown(got))

    def put(self, step: Put) -> Activity:
        kind = self.model.places[step.place].kind
        what = step.what if kind == "Container" else _item(kind, int(step.what))
        yield from self._move(self._places[step.place].put(what), step)

    def get(self, step: Get) -> Activity:
        place, kind = self._places[step.place], self.model.places[step.place].kind
        if kind == "Container":
            event = place.get(step.what)
        elif kind == "FilterStore" and step.what:
            event = place.get(lambda item: item >= step.what)
        else:
            event = place.get()
        yield from self._move(event, step)

    def _move(self, event: Any, step: Put | Get) -> Activity:
        self.label(event, type(step).__name__.lower())
        match step.manner:
            case "wait":
                yield from self._wait_for(event, step.patience)
            case "with":
                with event:
                    yield from self._wait_for(event, step.patience)
            case "forget":
                self.note("moved", event.triggered)

    def interrupt(self, step: Interrupt) -> Activity:
        self._of(self._processes, step.process).interrupt(step.cause)
        self.note("interrupts")
        yield from ()

    def join(self, step: Join) -> Activity:
        process = self._of(self._processes, step.process)
        if process is not self.env.active_process:
            self.note("joined", self.shown((yield process)))

    def trigger(self, step: Trigger) -> Activity:
        event = self._of(self._events, step.event)
        if step.is_ok:
            event.succeed(len(self.trace))
        else:
            event.fail(Fault(len(self.trace)))
        self.note("triggers")
        yield from ()

    def await_(self, step: Await) -> Activity:
        self.note("awaited", self.shown((yield self._of(self._events, step.event))))

    def combine(self, step: Combine) -> Activity:
        self.note("combined", self.shown((yield self._combined(step))))

    def _combined(self, step: Step) -> simpy.Event:
        match step:
            case Wait():
                return self._timeout(step)
            case Await():
                return self._of(self._events, step.event)
            case Join():
                return self._of(self._processes, step.process)
        parts = [self._combined(part) for part in step.parts]
        if step.kind in ("and", "or") and len(parts) == 2:
            first, second = parts
            return self.label(first & second if step.kind == "and" else first | second, "condition")
        combined = self.env.any_of if step.kind in ("any_of", "or") else self.env.all_of
        return self.label(combined(parts), "condition")

    def start(self, step: Start) -> Activity:
        if step.delay:
            self._start(start_delayed(self.env, self._life(step.steps), step.delay))
        else:
            self._start(self._process(step.steps))
        self.note("started")
        yield from ()

    def look(self, step: Look) -> Activity:
        self._look()
        yield from ()


ACTIVITIES: dict[type, Callable[[Play, Any], Activity]] = {
    Wait: Play.wait,
    Use: Play.use,
    Put: Play.put,
    Get: Play.get,
    Interrupt: Play.interrupt,
    Join: Play.join,
    Trigger: Play.trigger,
    Await: Play.await_,
    Combine: Play.combine,
    Start: Play.start,
    Look: Play.look,
}


def _item(kind: str, number: int) -> Any:
    # Of equal priority, the order of the heap alone decides.
    return simpy.PriorityItem(number // 2, number) if kind == "PriorityStore" else number


def play(
    model: Model, library: Library, observer: Callable[[Play], None] | None = None
) -> list[tuple[Any, ...]]:
    """Play a model to its end; what happened. `observer` may patch something beforehand."""
    played = Play(model, library)
    if observer:
        observer(played)
    played.prepare()
    played.finish()
    return played.trace
