"""Supervision: keeps a courier alive at the other end of the wire."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable

from despatch.courier.hosts import Host
from despatch.environment import DynamicEnvironment
from despatch.link import Finished, Link, Message

__all__ = ["Supervision"]

_log = logging.getLogger("despatch")


class Supervision:
    """Starts a courier, and another one when it dies. Never waits.

    Args:
        host: Where couriers live.
        env: The environment, whose doorbell the wire rings.
        greet: What each new courier is told first.

    Attributes:
        restart_at: When the next courier is due, by `time.monotonic`; infinity where there is one.
        restarts: How often a courier died.
        is_finished: Whether a courier has said that its duties are done.
    """

    def __init__(
        self, host: Host, env: DynamicEnvironment, greet: Callable[[], Iterable[Message]]
    ) -> None:
        self.restart_at = math.inf
        self.restarts = 0
        self.is_finished = False
        self._host = host
        self._greet = greet
        self._env = env
        self._link: Link | None = None
        self._has_spoken = False
        self._mute_deaths = 0

    @property
    def is_there(self) -> bool:
        """Whether there is a courier."""
        return self._link is not None

    def start(self) -> None:
        """Start a courier."""
        self.restart_at = math.inf
        self._has_spoken = False
        self._link = self._host.start()
        self._env.doorbell.watch(self._link.fileno())
        self._link.send_all(self._greet())

    def see_to_it(self) -> None:
        """Start another courier, if one is due."""
        if time.monotonic() >= self.restart_at:
            self.start()

    def receive(self) -> list[Message]:
        """What the courier has said; if it has gone, another one is due."""
        if self._link is None:
            return []
        self._link.flush()
        messages = self._link.receive()
        self._has_spoken = self._has_spoken or bool(messages)
        self.is_finished = self.is_finished or any(isinstance(m, Finished) for m in messages)
        if self._link.is_closed:
            self._is_gone()
        return messages

    def send(self, messages: Iterable[Message]) -> None:
        """Tell the courier, if there is one, as soon as it listens."""
        if self._link is not None:
            self._link.send_all(messages)

    def offer(self, message: Message) -> bool:
        """Tell the courier, unless it has not even heard what came before; whether it was told."""
        if self._link is None or self._link.has_outgoing:
            return False
        self._link.offer(message)
        return True

    def dismiss(self) -> None:
        """Let go of a courier that has finished."""
        if self._link is not None:
            self._hang_up()
            self._host.reap()

    def kill(self) -> None:
        """End a courier that does not end by itself."""
        self._host.kill()
        self._hang_up()

    def sever(self) -> None:
        """In a copy of this process: close this end of the wire. It is the other's courier."""
        self.restart_at = math.inf
        if self._link is not None:
            self._link.close()
            self._link = None

    def _is_gone(self) -> None:
        self._hang_up()
        how = self._host.reap()
        if self.is_finished:
            return
        # One that never said a word may never be able to. Any other is needed at once.
        self._mute_deaths = 0 if self._has_spoken else self._mute_deaths + 1
        wait_s = 0.0 if self._mute_deaths == 0 else min(5.0, 0.1 * 2**self._mute_deaths)
        self.restart_at = time.monotonic() + wait_s
        self.restarts += 1
        _log.warning("the courier died (%s); starting it again at its cursors", how)

    def _hang_up(self) -> None:
        if self._link is not None:
            self._env.doorbell.unwatch(self._link.fileno())
            self._link.close()
            self._link = None
