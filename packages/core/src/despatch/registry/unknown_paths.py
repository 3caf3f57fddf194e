"""Unknown paths: what to say where there is no parameter, with what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Final

from despatch.errors import UnknownPathError
from despatch.registry.parameter_nodes import Group
from despatch.renderings import excerpt

__all__ = ["unknown_path"]

# Comparing texts takes time, which a stream of misspelt commands must not take from the clock.
_COMPARED_PATHS: Final = 128
_LONGEST_COMPARED: Final = 200
_LISTED_NAMES: Final = 20


def unknown_path(
    path: object, values: Mapping[str, object], groups: Mapping[str, Group]
) -> UnknownPathError:
    """The error for a path that no parameter has.

    Args:
        path: What was asked for.
        values: All that could have been asked for.
        groups: The groups of parameters, by their paths.
    """
    if not isinstance(path, str):
        return UnknownPathError(f"a path is a text, not {excerpt(path)}")
    if path in groups:
        return UnknownPathError(
            f"{path}: a group of parameters, not one of them; it has "
            f"{_listed(groups[path].children)}"
        )
    shown = path if path.isprintable() and 0 < len(path) <= _LONGEST_COMPARED else excerpt(path)
    if not values:
        return UnknownPathError(f"{shown}: no such path; no parameters are registered")
    nearest = _nearest(path, values, groups)
    if nearest:
        return UnknownPathError(f"{shown}: no such path; the nearest: {', '.join(nearest)}")
    return UnknownPathError(f"{shown}: no such path; there are {_listed(values)}")


def _nearest(path: str, values: Mapping[str, object], groups: Mapping[str, Group]) -> list[str]:
    if len(path) > _LONGEST_COMPARED:
        return []
    siblings = (sibling for sibling in _siblings(path, groups) if sibling in values)
    candidates = chain(siblings, islice(values, _COMPARED_PATHS))
    return difflib.get_close_matches(path, list(dict.fromkeys(candidates)))


def _siblings(path: str, groups: Mapping[str, Group]) -> Iterator[str]:
    """Paths that differ in one name, in the deepest group that is named rightly."""
    segments = path.split(".")
    for n in range(len(segments) - 1, 0, -1):
        group = groups.get(".".join(segments[:n]))
        if group is not None:
            for name in islice(group.children, _COMPARED_PATHS):
                yield ".".join([group.path, name, *segments[n + 1 :]])
            return


def _listed(names: Iterable[str]) -> str:
    some = list(islice(names, _LISTED_NAMES + 1))
    return ", ".join(some[:_LISTED_NAMES]) + (", …" if len(some) > _LISTED_NAMES else "")
