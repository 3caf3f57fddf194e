"""The roster: what the resources of an environment are called, and which keep statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from despatch.resources.observed import Observer
from despatch.resources.statistics import StockStatistics, UseStatistics

if TYPE_CHECKING:
    from despatch.registry.signals import Signal

__all__ = ["Enrolment", "Roster", "enrolment"]

_CAPACITY = ".capacity"

_Figures = TypeVar("_Figures", UseStatistics, StockStatistics)


class Roster:
    """The named resources of an environment, and those of them that keep statistics.

    It holds them for good: so what is published, and which names are taken, does not depend on
    when Python collects what nobody needs any more. A resource without a name is not held.

    Args:
        is_for_all: Whether every resource keeps statistics that does not say otherwise.

    Attributes:
        named: Every resource that has a name, by its name, in the order of their making.
        kept: The names of those that keep statistics, with who gathers and the class of their
            figures.
    """

    def __init__(self, is_for_all: bool = False) -> None:
        self.is_for_all = is_for_all
        self.named: dict[str, Any] = {}
        self.kept: dict[str, tuple[Observer, type[UseStatistics] | type[StockStatistics]]] = {}
        self._on_path: Counter[str] = Counter()

    def name_on(self, path: str) -> str:
        """The name of the next resource whose capacity follows a path.

        It is the path without a last part ``capacity``; for a second one on it, with ``-2``.
        """
        stem = path.removesuffix(_CAPACITY)
        while True:
            self._on_path[stem] += 1
            number = self._on_path[stem]
            name = stem if number == 1 else f"{stem}-{number}"
            if name not in self.named:
                return name


@dataclass(frozen=True, slots=True)
class Enrolment(Generic[_Figures]):
    """What a resource that is about to be made will be called, and whether it keeps statistics."""

    name: str | None
    roster: Roster | None
    figures: type[_Figures] | None

    def enrol(self, resource: Any, observe: Callable[[], Observer]) -> None:
        """Be in the roster from now on; where statistics are kept, begin to.

        Args:
            resource: The resource.
            observe: Makes who gathers its statistics.
        """
        is_named = self.roster is not None and self.name is not None
        if is_named:
            self.roster.named[self.name] = resource  # type: ignore[union-attr, index]
        if self.figures is None:
            return
        resource._observer = observer = observe()
        if is_named:
            self.roster.kept[self.name] = observer, self.figures  # type: ignore[union-attr, index]
        resource._figures = self.figures(observer.read, observer.reset, self.name)


def enrolment(
    env: Any,
    statistics: bool | None,
    name: str | None,
    signal: Signal | None,
    figures: type[_Figures],
) -> Enrolment[_Figures]:
    """What a resource that is about to be made will be called, and whether it keeps statistics.

    Args:
        env: Its environment.
        statistics: What it says itself; None is as its environment says.
        name: The name that it was given.
        signal: What its capacity follows; where no name was given, it is called by that path.
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
    roster: Roster | None = getattr(env, "_roster", None)
    if statistics is None:
        statistics = roster is not None and roster.is_for_all
    if roster is not None:
        if name is None:
            name = None if signal is None else roster.name_on(signal.path)
        elif name in roster.named:
            raise ValueError(f"name: another resource of this environment is called {name!r}")
    return Enrolment(name, roster, figures if statistics else None)
