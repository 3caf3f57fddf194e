"""The roster: which resources of an environment keep statistics, and under which names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from despatch.resources.observed import Observer
from despatch.resources.statistics import StockStatistics, UseStatistics

if TYPE_CHECKING:
    from despatch.registry.signals import Signal

__all__ = ["Keeping", "Roster", "keeping"]

_CAPACITY = ".capacity"

_Figures = TypeVar("_Figures", UseStatistics, StockStatistics)


class Roster:
    """The named resources of an environment that keep statistics, in the order of their making.

    It holds them for good: so what is published does not depend on when Python collects what
    nobody needs any more. A resource without a name is not held.

    Args:
        is_for_all: Whether every resource keeps statistics that does not say otherwise.

    Attributes:
        kept: Their names, with who gathers and the class of their figures.
    """

    def __init__(self, is_for_all: bool = False) -> None:
        self.is_for_all = is_for_all
        self.kept: dict[str, tuple[Observer, type[UseStatistics] | type[StockStatistics]]] = {}


@dataclass(frozen=True, slots=True)
class Keeping(Generic[_Figures]):
    """What a resource needs to know that keeps statistics."""

    name: str | None
    roster: Roster | None
    figures: type[_Figures]

    def begin(self, observer: Observer) -> _Figures:
        """Be in the roster from now on; the figures."""
        if self.roster is not None and self.name is not None:
            self.roster.kept[self.name] = observer, self.figures
        return self.figures(observer.read, observer.reset, self.name)


def keeping(
    env: Any,
    statistics: bool | None,
    name: str | None,
    signal: Signal | None,
    figures: type[_Figures],
) -> Keeping[_Figures] | None:
    """Whether a resource that is about to be made keeps statistics, and how.

    Args:
        env: Its environment.
        statistics: What it says itself; None is as its environment says.
        name: The name that it was given.
        signal: What its capacity follows. Where no name was given, the path is the name, without
            a last part ``capacity``; for a second resource on it, with ``-2``.
        figures: The class of its figures.

    Raises:
        TypeError: `statistics` or `name` is of another type.
        ValueError: `name` is empty, or is another resource's.
    """
    if statistics is not None and not isinstance(statistics, bool):
        raise TypeError(f"statistics: expected True, False or None, not {statistics!r}")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name: expected a text such as 'Line_A.lathe', not {name!r}")
    if name is not None and not name.strip():
        raise ValueError(f"name: expected a text such as 'Line_A.lathe', not {name!r}")
    roster = getattr(env, "_roster", None)
    if statistics is None:
        statistics = roster is not None and roster.is_for_all
    if not statistics:
        return None
    is_taken: Callable[[str], bool] = (
        (lambda each: False) if roster is None else roster.kept.__contains__
    )
    if name is not None and is_taken(name):
        raise ValueError(f"name: another resource of this environment keeps statistics as {name!r}")
    if name is None and signal is not None:
        name = path = signal.path.removesuffix(_CAPACITY)
        number = 2
        while is_taken(name):
            name, number = f"{path}-{number}", number + 1
    return Keeping(name, roster, figures)
