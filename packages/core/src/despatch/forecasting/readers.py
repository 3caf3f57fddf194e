"""Readers: how each watched figure is read from an environment, or why it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from despatch.errors import UnknownPathError
from despatch.forecasting.counting import Counting
from despatch.forecasting.figures import Figure
from despatch.renderings import excerpt
from despatch.resources import DynamicContainer, DynamicResource, DynamicStore
from despatch.restoring.checking import nearest
from despatch.values.numbers import finite_number

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["Read", "UnreadableError", "needs_statistics", "reader_of"]

Read: TypeAlias = Callable[[], float]
"""Reads a figure as it is now; nan is nothing."""

_NAN: Final = float("nan")

_Sizes: TypeAlias = dict[str, Callable[[Any], Any]]

_OF_USE: Final[_Sizes] = {
    "in_service": lambda resource: resource.count,
    "queue_length": lambda resource: len(resource.put_queue),
    "in_system": lambda resource: resource.count + len(resource.put_queue),
    "capacity": lambda resource: resource.capacity,
}
_OF_STOCK: Final[_Sizes] = {
    "puts.queue_length": lambda stock: len(stock.put_queue),
    "gets.queue_length": lambda stock: len(stock.get_queue),
    "capacity": lambda stock: stock.capacity,
}
_SIZES: Final[tuple[tuple[type, str, _Sizes], ...]] = (
    (DynamicResource, "resource", _OF_USE),
    (DynamicContainer, "container", {"level": lambda each: each.level, **_OF_STOCK}),
    (DynamicStore, "store", {"items": lambda each: len(each.items), **_OF_STOCK}),
)

_OF_A_LINE: Final = (
    "mean_queue",
    "max_queue",
    "served",
    "withdrawn",
    "mean_wait",
    "max_wait",
    "wait_p50",
    "wait_p95",
    "wait_p99",
)
_STATISTICS: Final = {
    "resource": ("utilization", "mean_users", "preempted", *_OF_A_LINE),
    "container": (
        "utilization",
        "mean_level",
        *(f"{line}.{each}" for line in ("puts", "gets") for each in _OF_A_LINE),
    ),
}
_STATISTICS["store"] = _STATISTICS["container"]
_LIVE: Final = frozenset(name for _, _, sizes in _SIZES for name in sizes)
_WAIT_QUANTILE: Final = "wait_p"


class UnreadableError(Exception):
    """A figure that the model does not have; the message says what it has instead."""


def needs_statistics(figure: Figure) -> bool:
    """Whether a figure is one of the statistics that a resource only keeps where it is asked to."""
    return figure.kind == "resource" and figure.figure not in _LIVE


def reader_of(figure: Figure, env: DynamicEnvironment, counting: Counting | None) -> Read:
    """What reads a figure, once the model is there.

    Raises:
        UnreadableError: The model has no such resource or parameter, or not this figure of it.
    """
    match figure.kind:
        case "count":
            assert counting is not None
            counts, name = counting.counts, figure.name
            return lambda: float(counts[name])
        case "telemetry":
            assert counting is not None
            last, path = counting.telemetry, figure.of
            initial = _NAN if figure.initial is None else figure.initial
            return lambda: last.get(path, initial)
        case "parameter":
            return _reader_of_parameter(figure.of, env)
        case _:
            return _reader_of_resource(figure, env)


def unpublished(figure: Figure, published: Collection[str]) -> str:
    """What to say of a telemetry that was not published."""
    return (
        f"{figure.of}: the first replication has not published such a telemetry as a number"
        f"{nearest(figure.of, sorted(published))}; where it may be so, say with `initial` what it "
        "is until it is published"
    )


def _reader_of_parameter(path: str, env: DynamicEnvironment) -> Read:
    try:
        value = env.registry[path]
    except UnknownPathError as error:
        raise UnreadableError(str(error)) from None
    if finite_number(value) is None and not isinstance(value, bool):
        raise UnreadableError(f"{path}: expected a number, and it is {excerpt(value)}")
    values = env.registry.live_values

    def read() -> float:
        # A distribution of another family has other parameters.
        number = finite_number(values.get(path))
        return _NAN if number is None else number

    return read


def _reader_of_resource(figure: Figure, env: DynamicEnvironment) -> Read:
    named = env._roster.named
    resource: Any = named.get(figure.of)
    if resource is None:
        none = "" if named else "; none of its resources has a name"
        raise UnreadableError(
            f"{figure.of}: no such resource in the model{nearest(figure.of, named)}{none}"
        )
    kind, sizes = next((kind, sizes) for cls, kind, sizes in _SIZES if isinstance(resource, cls))
    wanted = figure.figure or ""
    if (size := sizes.get(wanted)) is not None:
        return lambda: float(size(resource))
    if wanted not in _STATISTICS[kind]:
        known = [*sizes, *_STATISTICS[kind]]
        raise UnreadableError(f"{figure.of}: a {kind} has no {wanted!r}{nearest(wanted, known)}")
    try:
        statistics = resource.statistics
    except AttributeError:
        raise UnreadableError(
            f"{figure.of}: it was made with statistics=False, and {wanted!r} is one of these"
        ) from None
    return _reader_of_statistics(statistics, wanted)


def _reader_of_statistics(statistics: Any, figure: str) -> Read:
    line, _, last = figure.rpartition(".")
    of = attrgetter(line)(statistics) if line else statistics
    if last.startswith(_WAIT_QUANTILE):
        share = int(last.removeprefix(_WAIT_QUANTILE)) / 100
        return lambda: float(of.wait_quantile(share))
    return lambda: float(getattr(of, last))
