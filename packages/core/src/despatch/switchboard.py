"""The switchboard: the simulator's side of everything outside.

It owns the journals, the courier's host and the wire to it. The environment calls it between two
events (`attend`); it never waits, except before the clock starts and after the model has ended.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping

from despatch.audit.log import AuditLog
from despatch.commands import Change, Outcome, Refusal
from despatch.courier.hosts import Host
from despatch.entries import AUDIT_FIELDS, ENTRY_FIELDS
from despatch.environment import DynamicEnvironment
from despatch.errors import DespatchError
from despatch.interfaces import EgressConnector
from despatch.journal import JournalWriter
from despatch.link import (
    Brought,
    Drain,
    Finished,
    IngressState,
    Link,
    Message,
    Passed,
    Progress,
    Resolved,
    SinkState,
    StopNow,
    Written,
)
from despatch.runs import RunFolder
from despatch.settings import Settings

__all__ = ["Switchboard"]

_log = logging.getLogger("despatch")

FAREWELL_S = 5.0
"""How long a courier may take to leave after its grace time, in wall seconds."""

_READY = ("caught up", "ended", "retrying", "stopped")


class Switchboard:
    """Connects an environment to its courier.

    Args:
        env: The environment.
        folder: The run's folder, locked.
        settings: The run's settings.
        host: Where couriers live.

    Attributes:
        audit: Takes down what comes from outside, and what became of it.
        restarts: How often a courier died and was started again.
    """

    def __init__(
        self, env: DynamicEnvironment, folder: RunFolder, settings: Settings, host: Host
    ) -> None:
        self._env = env
        self._settings = settings
        self._host = host
        self._flush_s = settings.journal.flush.interval.total_seconds()
        self._until = settings.clock.until
        self._allow = {ingress.name: ingress.allow for ingress in settings.ingress}
        info = folder.info
        meta = {"run_id": info.run_id, "sim": info.name, "start": info.start.isoformat()}
        self._audit = JournalWriter(folder.audit, {"kind": "audit", **meta}, fields=AUDIT_FIELDS)
        self._records = JournalWriter(
            folder.records,
            {"kind": "records", **meta},
            fields=ENTRY_FIELDS,
            flush_bytes=settings.journal.flush.bytes,
            segment_bytes=settings.journal.segment_bytes,
            # No record is there without the commands that led to it, whatever dies when.
            before_write=self._audit.flush,
        )
        self.audit = AuditLog(env, self._audit)
        self._commands: dict[str, tuple[int, int]] = {}
        self._ingress: dict[str, IngressState] = {}
        self.sinks: dict[str, SinkState] = {}
        self._link: Link | None = None
        self._has_spoken = False
        self._mute_deaths = 0
        self._restart_at = math.inf
        self._flush_at = 0.0
        self._finished = False
        self._abandoned = False
        self._drain_until: float | None = None
        self.restarts = 0

    @property
    def published(self) -> int:
        """How many records were published: the journal's end."""
        return self._records.end

    @property
    def connectors(self) -> Mapping[str, EgressConnector]:
        """The connectors of the sinks, where they live in this process."""
        return self._host.sinks

    @property
    def expects_commands(self) -> bool:
        """Whether an ingress may still bring commands."""
        return any(
            self._ingress[name].state not in ("ended", "stopped") if name in self._ingress else True
            for name in self._allow
        )

    def open(self) -> None:
        """Record what the model publishes and every outcome, and start the courier."""
        self._env._record_into(self._records)
        self._env.registry.on_outcome += [self.audit.observe, self._count]
        self._env._chronicle = self.audit
        self._env.attach(self)
        self._start_courier()

    def connect(self, timeout_s: float) -> None:
        """Wait until every ingress has brought what was waiting at its source.

        An ingress that cannot connect is not waited for; nor is any after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while self._env.stop_reason is None:
            attend_at = self.attend()
            if self._is_connected:
                return
            now = time.monotonic()
            if now >= deadline:
                waiting = [name for name in self._allow if not self._is_ready(name)]
                _log.warning("starting without waiting any longer for: %s", ", ".join(waiting))
                return
            self._env.doorbell.wait(max(0.0, min(deadline, attend_at) - now))
            self._env.doorbell.answer()

    @property
    def _is_connected(self) -> bool:
        return all(self._is_ready(name) for name in self._allow)

    def _is_ready(self, name: str) -> bool:
        return name in self._ingress and self._ingress[name].state in _READY

    def attend(self) -> float:
        """Apply what commands have come, write what is due, see to the courier."""
        if self._link is not None:
            self._receive(self._link)
        now = time.monotonic()
        if now >= self._flush_at:
            self._flush()
            self._flush_at = now + self._flush_s
        if now >= self._restart_at:
            self._start_courier()
        return min(self._flush_at, self._restart_at)

    def pause(self) -> None:
        """Write what was published: the sinks get it though the clock stands still."""
        self._flush()
        self._flush_at = time.monotonic() + self._flush_s

    def _receive(self, link: Link) -> None:
        link.flush()
        messages = link.receive()
        self._has_spoken = self._has_spoken or bool(messages)
        brought: list[Brought] = []
        for message in messages:
            if isinstance(message, Brought):
                brought.append(message)
            else:
                self._take(message)
        if brought and self._drain_until is None:
            self._apply(brought, link)
        if link.is_closed:
            self._courier_is_gone()

    def _take(self, message: Message) -> None:
        match message:
            case IngressState():
                self._ingress[message.name] = message
            case SinkState():
                self.sinks[message.name] = message
            case Finished():
                self._finished = True
            case Passed():
                pass
            case _:
                raise DespatchError(f"the courier sent a {type(message).__name__}")

    def _apply(self, brought: list[Brought], link: Link) -> None:
        self._env.catch_up()
        outcomes = [
            self.audit.apply(message.command, self._allow.get(message.ingress))
            for message in brought
        ]
        # Written before anyone is told: a source must not forget what no journal remembers.
        self._audit.flush()
        link.send_all(
            Resolved(message.ingress, message.number, outcome, self._audit.end)
            for message, outcome in zip(brought, outcomes, strict=True)
        )

    def _flush(self) -> None:
        self._records.flush()
        self._audit.flush()
        if self._link is None:
            return
        self._link.offer(Written(self._records.end))
        self._link.offer(self._progress())

    def _progress(self) -> Progress:
        until = None if self._until is None else self._until.total_seconds()
        clock = self._env.clock
        lag_s = clock.lag_s if clock.factor else 0.0
        return Progress(
            float(self._env.now), until, lag_s, self._records.end, self._commands, self.restarts
        )

    def _count(self, outcome: Outcome) -> None:
        applied, refused = self._commands.get(outcome.source, (0, 0))
        if isinstance(outcome, Change):
            self._commands[outcome.source] = applied + 1, refused
        elif isinstance(outcome, Refusal):
            self._commands[outcome.source] = applied, refused + 1

    def drain(self, grace_s: float) -> None:
        """End the journal and wait until the courier has delivered it, or the time is over.

        What is not delivered stays owed.

        Raises:
            JournalError: The last records cannot be written, for instance on a full disk; what
                was written before has been delivered.
        """
        self._env.attach(None)
        self._env._chronicle = None
        self._env.registry.on_outcome.remove(self.audit.observe)
        self._env.registry.on_outcome.remove(self._count)
        self._env._record_into(None)
        try:
            self._records.close()
            self._audit.close()
        finally:
            self._await_delivery(grace_s)

    def _await_delivery(self, grace_s: float) -> None:
        self._drain_until = time.monotonic() + grace_s
        if self._link is not None:
            self._link.send_all((self._progress(), Drain(grace_s)))
        while not self._finished:
            now = time.monotonic()
            if self._abandoned and self._drain_until > now:
                self._drain_until = now
                if self._link is not None:
                    self._link.send(StopNow())
            if now >= self._drain_until + FAREWELL_S:
                _log.warning("the courier does not end by itself; killing it")
                self._host.kill()
                self._hang_up()
                return
            if now >= self._restart_at:
                self._start_courier()
            wake = min(self._drain_until + FAREWELL_S, self._restart_at)
            self._env.doorbell.wait(max(0.0, wake - time.monotonic()))
            self._env.doorbell.answer()
            if self._link is not None:
                self._receive(self._link)
        self._hang_up()
        self._host.reap()

    def abandon(self) -> None:
        """Let `drain` end at once; what is not delivered stays owed. For signal handlers."""
        self._abandoned = True

    def _start_courier(self) -> None:
        self._restart_at = math.inf
        self._has_spoken = False
        self._link = self._host.start()
        self._env.doorbell.watch(self._link.fileno())
        if self.restarts:
            # One that takes over knows where the simulation stands before the next flush.
            self._link.send(self._progress())
        if self._drain_until is not None:
            self._link.send(Drain(max(0.0, self._drain_until - time.monotonic())))

    def _courier_is_gone(self) -> None:
        self._hang_up()
        how = self._host.reap()
        if self._finished:
            return
        # One that never said a word may never be able to. Any other is needed at once.
        self._mute_deaths = 0 if self._has_spoken else self._mute_deaths + 1
        wait_s = 0.0 if self._mute_deaths == 0 else min(5.0, 0.1 * 2**self._mute_deaths)
        self._restart_at = time.monotonic() + wait_s
        self.restarts += 1
        _log.warning("the courier died (%s); starting it again at its cursors", how)

    def _hang_up(self) -> None:
        if self._link is not None:
            self._env.doorbell.unwatch(self._link.fileno())
            self._link.close()
            self._link = None
