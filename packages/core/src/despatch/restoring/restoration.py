"""Restoration: a snapshot is held against the model, and then the parameters and stocks are set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from despatch.errors import StateError
from despatch.renderings import counted, excerpt
from despatch.restoring.checking import faults_of
from despatch.restoring.initial import Initial
from despatch.restoring.restored import Restored
from despatch.restoring.stocks import set_items, set_level
from despatch.snapshots import Snapshot

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["restore"]

_MOST_FAULTS: Final = 20


def restore(env: DynamicEnvironment, snapshot: Snapshot) -> Restored:
    """What `DynamicEnvironment.restore` does."""
    if not isinstance(snapshot, Snapshot):
        raise TypeError(f"snapshot: expected a Snapshot, not {excerpt(snapshot)}")
    if env._restored is not None:
        raise RuntimeError("this environment has been restored already: a state is taken in once")
    initial = env._initial or Initial(env)
    initial.take_over()
    faults = faults_of(env, snapshot)
    if faults:
        more = len(faults) - _MOST_FAULTS
        told = [*faults[:_MOST_FAULTS], *([f"and {more:,} more"] if more > 0 else [])]
        raise StateError("; ".join(told))
    initial.take_in(snapshot.parameters)
    initial.override()
    named: Mapping[str, object] = env._roster.named
    for name, container in snapshot.containers.items():
        set_level(named[name], container.level)
    restored = Restored(env, snapshot)
    for name, store in snapshot.stores.items():
        place = f"stores.{name}"
        try:
            set_items(named[name], store.items, place)
        except StateError:
            # They are items once the model has made them into its own.
            restored.miss(place, counted(len(store.items), "item") + " that cannot be compared")
    return restored
