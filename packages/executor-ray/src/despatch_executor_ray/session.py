"""Session: this process's part in a Ray. All of it is called on the thread that talks to Ray.

A process is in one Ray at a time. So executors with the same settings share a session, and it ends
with the last of them; and where the program has joined Ray by itself, its session is used, and
never ended.
"""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import ray

from despatch_executor_ray.settings import AUTO, RaySettings

__all__ = ["Membership"]

_OF_A_SESSION: Final = {"address", "namespace", "runtime_env", "object_store_mb"}
_MEGABYTE: Final = 1_000_000


@dataclass(slots=True)
class _Session:
    arguments: dict[str, Any]
    members: int


class Membership:
    """An executor's part in the process's session.

    Args:
        settings: The executor's.
        workers: How many workers a Ray that is started here has room for.
    """

    _session: ClassVar[_Session | None] = None

    def __init__(self, settings: RaySettings, workers: int) -> None:
        self._settings = settings
        self._arguments = _arguments(settings, workers)
        self._is_member = False

    def join(self) -> None:
        """Take part in the process's session, which is begun if there is none.

        Raises:
            RuntimeError: There is one that does not fit the settings.
            Exception: Ray's own: it cannot be started, or does not take this process.
        """
        session = Membership._session if ray.is_initialized() else None
        if session is None and ray.is_initialized():
            self._agree_with_the_program()
            return
        if session is None:
            _begin(self._arguments)
            session = Membership._session = _Session(self._arguments, 0)
        if session.arguments != self._arguments:
            raise RuntimeError(
                "this process is in a Ray with other settings, for another executor: a process can "
                "be in one at a time"
            )
        session.members += 1
        self._is_member = True

    def leave(self) -> None:
        """Take part no longer; the last one ends the session. It may be called at any time."""
        session = Membership._session
        if not self._is_member or session is None:
            return
        self._is_member = False
        session.members -= 1
        if not session.members:
            Membership._session = None
            _end()

    def _agree_with_the_program(self) -> None:
        said = self._settings.model_dump(include=_OF_A_SESSION, exclude_defaults=True)
        given = [name for name, value in said.items() if value != AUTO]
        if given:
            raise RuntimeError(
                "the program has joined a Ray by itself, and that one is used: leave out "
                f"{' and '.join(f'`{name}`' for name in given)}, or call ray.shutdown() before"
            )


def _arguments(settings: RaySettings, workers: int) -> dict[str, Any]:
    """What `ray.init` is called with."""
    arguments: dict[str, Any] = {
        "address": settings.address or "local",
        "namespace": settings.namespace,
        "runtime_env": settings.runtime_env.as_ray_takes_it(),
        # What workers print would come to standard output, where results are.
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if settings.address is None:
        arguments |= {
            "include_dashboard": False,
            "num_cpus": math.ceil(workers * settings.num_cpus),
            "object_store_memory": settings.object_store_mb * _MEGABYTE,
        }
    return arguments


def _begin(arguments: dict[str, Any]) -> None:
    # Ray would tell its makers how it is used.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _print_to_standard_output(False)
    try:
        ray.init(**arguments)
    except BaseException:
        # It may have started a part.
        _end()
        raise


def _end() -> None:
    ray.shutdown()
    _print_to_standard_output(True)


def _print_to_standard_output(is_wanted: bool) -> None:
    """Say whether Ray prints what its raylets tell: that a worker died, for instance.

    It does so whatever `log_to_driver` is, and has nothing public against it.
    """
    vars(ray._private.worker)["_worker_logs_enabled"] = is_wanted
