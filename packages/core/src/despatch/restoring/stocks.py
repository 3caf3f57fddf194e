"""Stocks: what containers and stores hold, set at once rather than put in piece by piece."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify
from typing import Any

from despatch.errors import StateError
from despatch.resources import DynamicPriorityStore

__all__ = ["set_items", "set_level"]


def set_level(container: Any, level: float) -> None:
    """Have so much in a container."""
    _pass_time(container)
    container._level = level
    _note(container)


def set_items(store: Any, items: Iterable[Any], place: str = "") -> None:
    """Have these items in a store, in the order of taking out.

    Args:
        store: The store.
        items: The items; those of a `DynamicPriorityStore` are ordered by themselves.
        place: Where they are in the snapshot, for a message.

    Raises:
        StateError: The items of a `DynamicPriorityStore` cannot be compared.
    """
    items = list(items)
    if isinstance(store, DynamicPriorityStore):
        try:
            heapify(items)
        except TypeError as error:
            raise StateError(
                f"{place}: the items of a DynamicPriorityStore are compared, and these cannot be: "
                f"{error}; make them into the model's own with state.fill(store, make_item)"
            ) from error
    _pass_time(store)
    store.items = items
    _note(store)


def _pass_time(resource: Any) -> None:
    if resource._observer is not None:
        resource._observer.pass_time()


def _note(resource: Any) -> None:
    if resource._observer is not None:
        resource._observer.restocked()
