"""The fast path: what SimPy's resources do, in one function instead of five.

A resource of SimPy's is made to be extended: `_do_put`, `_do_get` and the loops that call them
may be overridden in a subclass or replaced on an instance, and so may the queues, the events'
constructors and the environment's `schedule`. Where none of that was done, nobody can tell
whether all these calls are made, and the dynamic resources leave them out. Where any was done, they
step aside, and SimPy's own code runs.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from simpy.resources.base import BaseResource

from despatch.kernel import Kernel
from despatch.kernel.bare_events import are_simpys_own
from despatch.resources.queues import Users

if TYPE_CHECKING:
    import simpy

__all__ = ["FastPath"]

_EXTENSION_POINTS: Final = (
    "capacity",
    "_do_put",
    "_do_get",
    "_trigger_put",
    "_trigger_get",
    "PutQueue",
    "GetQueue",
)


_KNOWN: Final = ("despatch.resources.", "simpy.resources.")


class _ExtensionPoint:
    """A method of SimPy's that an instance may have replaced, which ends its fast path."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner
        self._name = name

    def __get__(self, instance: Any, kind: type | None = None) -> Any:
        if instance is None:
            return getattr(super(self._owner, cast(type, kind)), self._name)
        replaced = instance.__dict__.get(self._name)
        return getattr(super(self._owner, instance), self._name) if replaced is None else replaced

    def __set__(self, instance: Any, method: Any) -> None:
        instance.__dict__[self._name] = method
        instance._is_fast = False

    def __delete__(self, instance: Any) -> None:
        if instance.__dict__.pop(self._name, None) is None:
            raise AttributeError(self._name)


class _Line(property):
    """A line that an instance may be given another for, which ends its fast path."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(attrgetter(f"_{name}"))
        self._slot = f"_{name}"
        self._kind = kind

    def __set__(self, instance: Any, line: Any) -> None:
        setattr(instance, self._slot, line)
        kind = getattr(instance, self._kind)
        # A function that makes lines was brought by a subclass, which is on no fast path.
        if isinstance(kind, type) and not isinstance(line, kind):
            instance._is_fast = False


class FastPath(BaseResource[Any, Any]):
    """A resource that takes the fast path where it may.

    Attributes:
        _is_fast: Whether SimPy's extension points are as SimPy left them. Whether the environment
            is watched is asked besides, each time.
    """

    _is_fast: bool = False
    # Of events and queues, resources touch what is SimPy's own business.
    put_queue: Any = _Line("put_queue", "PutQueue")
    get_queue: Any = _Line("get_queue", "GetQueue")
    users: Any = _Line("users", "_Users")
    _Users: ClassVar[type] = Users
    # The same without a call in between.
    _put_queue: Any
    _get_queue: Any
    _users: Any

    _do_put = _ExtensionPoint()
    _do_get = _ExtensionPoint()
    _trigger_put = _ExtensionPoint()
    _trigger_get = _ExtensionPoint()

    def __init__(self, env: simpy.Environment, capacity: int | float, *args: Any) -> None:
        super().__init__(env, capacity, *args)
        self._is_fast = isinstance(env, Kernel) and _is_untouched(type(self)) and are_simpys_own()


def _is_untouched(cls: type) -> bool:
    """Whether no class but SimPy's and those of this package has an extension point."""
    strangers = (kind for kind in cls.__mro__ if not kind.__module__.startswith(_KNOWN))
    return not any(point in vars(kind) for kind in strangers for point in _EXTENSION_POINTS)
