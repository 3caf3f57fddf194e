"""Random models as plain data: what processes do, step by step, on no library in particular.

`models()` draws them; `model_playing` plays one on SimPy or on despatch. Numbers that name a
process or an event are taken modulo how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

from hypothesis import strategies as st

from libraries import KINDS

__all__ = [
    "Await",
    "Combine",
    "Fail",
    "Get",
    "Interrupt",
    "Join",
    "Look",
    "Model",
    "Place",
    "Put",
    "Run",
    "Start",
    "Step",
    "Trigger",
    "Use",
    "Wait",
    "models",
]

Number: TypeAlias = int | float

_RESOURCES = KINDS[:3]


@dataclass(frozen=True)
class Place:
    """A resource; `taken` is what is in it, or how many requests there are, before the start."""

    kind: str
    capacity: Number
    taken: int


@dataclass(frozen=True)
class Wait:
    """Let time pass."""

    delay: Number
    value: int | None


Ending: TypeAlias = Literal[
    "with", "cancelled with", "release", "waited release", "release twice", "cancel", "never"
]


@dataclass(frozen=True)
class Use:
    """Request a place, for so long if need be, do the steps inside, and end it in some way."""

    place: int
    priority: int
    preempt: bool
    patience: Number | None
    inside: tuple[Step, ...]
    ending: Ending


Manner: TypeAlias = Literal["wait", "with", "forget"]


@dataclass(frozen=True)
class Put:
    """Put an amount, or an item that is named by a number."""

    place: int
    what: Number
    patience: Number | None
    manner: Manner


@dataclass(frozen=True)
class Get:
    """Get an amount, or an item; from a FilterStore one that is named by at least this number."""

    place: int
    what: Number
    patience: Number | None
    manner: Manner


@dataclass(frozen=True)
class Interrupt:
    """Interrupt a process, which may be this one or be dead."""

    process: int
    cause: int


@dataclass(frozen=True)
class Join:
    """Wait for a process to end."""

    process: int


@dataclass(frozen=True)
class Trigger:
    """Let an event succeed or fail."""

    event: int
    is_ok: bool


@dataclass(frozen=True)
class Await:
    """Wait for an event."""

    event: int


@dataclass(frozen=True)
class Combine:
    """Wait for all or any of some events."""

    kind: Literal["all_of", "any_of", "and", "or"]
    parts: tuple[Wait | Await | Join | Combine, ...]


@dataclass(frozen=True)
class Start:
    """Start a process, at once or after a delay."""

    steps: tuple[Step, ...]
    delay: Number


@dataclass(frozen=True)
class Fail:
    """Raise a fault, which ends the process where nothing around it catches it."""


@dataclass(frozen=True)
class Look:
    """Note what there is to see of every place and process."""


Step: TypeAlias = (
    Wait | Use | Put | Get | Interrupt | Join | Trigger | Await | Combine | Start | Fail | Look
)


@dataclass(frozen=True)
class Run:
    """How the model is run for a while: `what` says until which time, process or event."""

    kind: Literal["until", "process", "event", "steps", "rest"]
    what: Number = 0


@dataclass(frozen=True)
class Model:
    """What is played."""

    start: Number
    places: tuple[Place, ...]
    events: int
    processes: tuple[tuple[Step, ...], ...]
    runs: tuple[Run, ...]


DELAYS = st.sampled_from([1, 2, 0, 3, 0.0, 0.5, 1.0, 7.25])
PATIENCE = st.none() | DELAYS
INDEX = st.integers(0, 5)
ENDINGS = ("with",) * 5 + Ending.__args__[1:]

_waits = st.builds(Wait, DELAYS, st.none() | st.integers(0, 2))
_awaits = st.builds(Await, INDEX)
_joins = st.builds(Join, INDEX)
_combinations = st.recursive(
    st.one_of(_waits, _awaits, _joins),
    lambda parts: st.builds(
        Combine,
        st.sampled_from(["any_of", "all_of", "or", "and"]),
        st.lists(parts, min_size=0, max_size=3).map(tuple),
    ),
    max_leaves=4,
)


def _weighted(*choices: tuple[int, st.SearchStrategy[Step]]) -> st.SearchStrategy[Step]:
    """One of some strategies; each stands beside its weight. (`one_of` knows no weights.)"""
    pool = [choice for weight, choice in choices for _ in range(weight)]
    return st.integers(0, len(pool) - 1).flatmap(pool.__getitem__)


_meetings = _weighted(
    (4, _combinations),
    (3, st.builds(Interrupt, INDEX, INDEX)),
    (3, _joins),
    (4, st.builds(Trigger, INDEX, st.sampled_from([True, True, False]))),
    (2, _awaits),
    (1, st.builds(Look)),
    (1, st.builds(Fail)),
)
_manners = st.sampled_from(["with", "wait", "forget", "with"])
_amounts = st.sampled_from([1, 2, 0.5, 1, 2.5, 0])
_items = st.integers(0, 3)

LAYOUTS = (
    ("Resource",),
    ("PriorityResource",),
    ("PreemptiveResource",),
    ("PreemptiveResource",),
    ("Container",),
    ("Store",),
    ("PriorityStore",),
    ("FilterStore",),
    ("Resource", "PreemptiveResource"),
    ("PriorityResource", "Container"),
    ("PreemptiveResource", "Store"),
    ("Resource", "Container", "FilterStore"),
)
"""Which kinds of places a model has: few, so that its processes meet."""


@cache
def _steps(kinds: tuple[str, ...], depth: int) -> st.SearchStrategy[tuple[Step, ...]]:
    """The steps of a process, or those inside another step, among places of these kinds."""
    inside = _steps(kinds, depth - 1) if depth else st.just(())
    start = st.builds(Start, inside, DELAYS) if depth else _waits
    work: list[st.SearchStrategy[Step]] = []
    for index, kind in enumerate(kinds):
        place = st.just(index)
        if kind in _RESOURCES:
            stay = st.builds(lambda wait, steps: (wait, *steps), _waits, inside) | inside
            priority = st.integers(-1, 1)
            ending = st.sampled_from(ENDINGS)
            work.append(st.builds(Use, place, priority, st.booleans(), PATIENCE, stay, ending))
        else:
            what = _amounts if kind == "Container" else _items
            work += [
                st.builds(Put, place, what, PATIENCE, _manners),
                st.builds(Get, place, what, PATIENCE, _manners),
            ]
    steps = _weighted((8, st.one_of(work)), (2, _waits), (4, _meetings), (1, start))
    return st.lists(steps, min_size=1 + depth, max_size=2 + 2 * depth).map(tuple)


@st.composite
def _places(draw: st.DrawFn, kind: str) -> Place:
    capacity: Number = draw(st.sampled_from([1, 1, 2, 3]))
    if kind not in _RESOURCES:
        capacity = draw(st.sampled_from([capacity, 2.5, float("inf")]))
    return Place(kind, capacity, draw(st.sampled_from([0, 0, 0, 1])))


_runs = st.one_of(
    st.builds(Run, st.just("until"), st.sampled_from([1, 2.0, 3.5, 5, 10.5])),
    st.builds(Run, st.just("process"), INDEX),
    st.builds(Run, st.just("event"), INDEX),
    st.builds(Run, st.just("steps"), st.integers(0, 9)),
    st.builds(Run, st.just("rest")),
)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Draw a model that ends: it has no loops, though what is in it may wait for ever."""
    kinds = draw(st.sampled_from(LAYOUTS))
    return Model(
        start=draw(st.sampled_from([0, 0, 0, 5, 0.5])),
        places=tuple(draw(_places(kind)) for kind in kinds),
        events=draw(st.integers(1, 2)),
        processes=draw(st.lists(_steps(kinds, 1), min_size=3, max_size=8).map(tuple)),
        runs=draw(st.lists(_runs, max_size=2).map(tuple)),
    )
