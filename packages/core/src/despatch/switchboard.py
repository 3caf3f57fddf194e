"""The switchboard: the simulator's side of everything outside.

It owns the journals and what is said to the courier. The environment calls it between two
events (`attend`); it never waits, except before the clock starts, after the model has ended, and
where `journal.when_full` or `journal.sync` says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext

from despatch.audit.log import AuditLog
from despatch.courier.hosts import Host
from despatch.entries import AUDIT_FIELDS, ENTRY_FIELDS
from despatch.environment import DynamicEnvironment
from despatch.errors import DespatchError, JournalFullError
from despatch.interfaces import EgressConnector
from despatch.journal import JournalWriter
from despatch.link import (
    Brought,
    Drain,
    Finished,
    IngressState,
    Message,
    Passed,
    Progress,
    SinkState,
    SnapshotAsked,
    StopNow,
    Written,
)
from despatch.overflow import RETRY_S, Overflow
from despatch.reception import Reception
from despatch.renderings import counted
from despatch.runs import RunFolder
from despatch.settings import Settings
from despatch.snapshotting.enquiries import Enquiries
from despatch.supervision import Supervision

__all__ = ["Switchboard"]

_log = logging.getLogger("despatch")

FAREWELL_S = 5.0
"""How long a courier may take to leave after its grace time, in wall seconds."""


class Switchboard:
    """Connects an environment to its courier.

    Args:
        env: The environment.
        folder: The run's folder, locked.
        settings: The run's settings.
        host: Where couriers live.

    Attributes:
        audit: Takes down what comes from outside, and what became of it.
        sinks: How the sinks fare, by name.
    """

    def __init__(
        self, env: DynamicEnvironment, folder: RunFolder, settings: Settings, host: Host
    ) -> None:
        self._env = env
        self._folder = folder
        self._settings = settings
        self._host = host
        self._courier = Supervision(host, env, self._greet)
        self._flush_s = settings.journal.flush.interval.total_seconds()
        self.sinks: dict[str, SinkState] = {}
        self._overflow = Overflow(
            env,
            settings.journal,
            folder.path,
            self._courier,
            self._look,
            self.sinks,
            has_sinks=bool(settings.egress),
        )
        info = folder.info
        meta = {"run_id": info.run_id, "sim": info.name, "start": info.start.isoformat()}
        is_synced = settings.journal.sync == "frame"
        self._audit = JournalWriter(
            folder.audit,
            {"kind": "audit", **meta},
            fields=AUDIT_FIELDS,
            is_synced=is_synced,
            after_write=lambda end, size: self._overflow.went_on(),
            on_full=self._overflow.on_full,
        )
        self._records = JournalWriter(
            folder.records,
            {"kind": "records", **meta},
            fields=ENTRY_FIELDS,
            flush_bytes=settings.journal.flush.bytes,
            segment_bytes=settings.journal.segment_bytes,
            is_synced=is_synced,
            before_write=self._before_records,
            after_write=self._overflow.after_write,
            on_full=self._overflow.on_full,
        )
        self.audit = AuditLog(env, self._audit)
        allow = {ingress.name: ingress.allow for ingress in settings.ingress}
        self._reception = Reception(env, self.audit, self._audit, self._courier, allow)
        self._enquiries = Enquiries(env, folder, self._courier)
        self._flush_at = 0.0
        self._abandoned = False
        self._drain_until: float | None = None

    @property
    def published(self) -> int:
        """How many records were published: the journal's end."""
        return self._records.end

    @property
    def held_s(self) -> float:
        """How long the simulation was held by a full journal, in wall seconds."""
        return self._overflow.held_s

    @property
    def restarts(self) -> int:
        """How often a courier died and was started again."""
        return self._courier.restarts

    @property
    def connectors(self) -> Mapping[str, EgressConnector]:
        """The connectors of the sinks, where they live in this process."""
        return self._host.sinks

    @property
    def expects_commands(self) -> bool:
        """Whether an ingress may still bring commands."""
        return self._reception.expects_commands

    def open(self) -> None:
        """Record what the model publishes and every outcome, and start the courier."""
        self._env._record_into(self._records)
        self._env.registry.on_outcome += [self.audit.observe, self._reception.count]
        self._env._chronicle = self.audit
        self._env.attach(self)
        self._courier.start()

    def connect(self, timeout_s: float) -> None:
        """Wait until every ingress has brought what was waiting at its source.

        An ingress that cannot connect is not waited for; nor is any after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while self._env.stop_reason is None:
            attend_at = self.attend()
            waiting = self._reception.waited_for
            if not waiting:
                return
            now = time.monotonic()
            if now >= deadline:
                _log.warning("starting without waiting any longer for: %s", ", ".join(waiting))
                return
            self._env.doorbell.wait(max(0.0, min(deadline, attend_at) - now))
            self._env.doorbell.answer()

    def attend(self) -> float:
        """Apply what commands have come, write what is due, see to the courier, answer it."""
        self._receive()
        self._reception.apply()
        now = time.monotonic()
        if now >= self._flush_at:
            self._flush()
            self._flush_at = now + self._flush_s
        self._courier.see_to_it()
        return min(self._flush_at, self._courier.restart_at, self._enquiries.attend())

    def pause(self, *, is_failing: bool = False) -> None:
        """Write what was published: the sinks get it though the clock stands still.

        Args:
            is_failing: An error is on its way out of the simulation, and is not held up.
        """
        with self._overflow.letting_go() if is_failing else nullcontext():
            self._flush()
        self._flush_at = time.monotonic() + self._flush_s

    def sever(self) -> None:
        """In a copy of this process: close what leads outside, without a word to anybody."""
        self._stop_observing()
        self._enquiries.sever()
        self._courier.sever()
        self._records.abandon()
        self._audit.abandon()
        self._folder.unlock()

    def _stop_observing(self) -> None:
        self._env.registry.on_outcome.remove(self.audit.observe)
        self._env.registry.on_outcome.remove(self._reception.count)

    def _look(self) -> None:
        """Hear what the courier has to say, but apply nothing: this may be in a model's turn."""
        self._receive()
        if not self._courier.is_there:
            self._reception.forget()
        self._courier.see_to_it()
        self._announce()

    def _receive(self) -> None:
        for message in self._courier.receive():
            match message:
                case Brought():
                    self._reception.take(message)
                case IngressState():
                    self._reception.note(message)
                case SinkState():
                    self.sinks[message.name] = message
                case SnapshotAsked():
                    self._enquiries.take(message)
                case Passed():
                    self._overflow.passed(message.position)
                case Finished():
                    pass  # the supervision's
                case _:
                    raise DespatchError(f"the courier sent a {type(message).__name__}")
        if not self._courier.is_there:
            self._reception.forget_answers()
            self._enquiries.forget()

    def _before_records(self, size: int) -> None:
        self._overflow.before_write(size)
        # No record is there without the commands that led to it, whatever dies when.
        self._audit.flush()
        if self._audit.written < self._audit.end:
            raise JournalFullError("the journal of commands waits for room on the disk")

    def _flush(self) -> None:
        self._records.flush()
        self._audit.flush()
        self._reception.answer()
        self._announce()

    def _announce(self) -> None:
        """Say how much there is to deliver, and where the simulation stands."""
        self._courier.offer(Written(self._records.written))
        self._courier.offer(self._progress())

    def _progress(self) -> Progress:
        until = self._settings.clock.until
        clock = self._env.clock
        return Progress(
            float(self._env.now),
            None if until is None else until.total_seconds(),
            clock.lag_s if clock.factor else 0.0,
            self._records.end,
            self._reception.commands,
            self._courier.restarts,
        )

    def _greet(self) -> Iterator[Message]:
        """What a new courier is told before all else."""
        if self._courier.restarts:
            # One that takes over knows where the simulation stands before the next flush.
            yield self._progress()
        if self._drain_until is not None:
            yield Drain(max(0.0, self._drain_until - time.monotonic()))

    def drain(self, grace_s: float) -> None:
        """End the journal and wait until the courier has delivered it, or the time is over.

        What is not delivered stays owed.

        Raises:
            JournalFullError: The last records cannot be written and are lost; what was written
                before has been delivered.
            JournalError: The same, for another reason than a full disk.
        """
        self._env.attach(None)
        self._env._chronicle = None
        self._enquiries.forget()
        self._stop_observing()
        self._env._record_into(None)
        self._overflow.lift()
        try:
            self._end_journals(time.monotonic() + grace_s / 2)
        finally:
            self._await_delivery(grace_s)

    def _end_journals(self, deadline: float) -> None:
        """Write what is left, as soon as a full disk has room for it."""
        is_said = is_last = False
        while True:
            try:
                self._records.close()
                self._audit.close()
            except JournalFullError as error:
                lost = self._records.end - self._records.written
                if is_last:
                    raise JournalFullError(
                        f"{error}; {counted(lost, 'record')} that could not be written: lost"
                    ) from error
                if not is_said:
                    is_said = True
                    _log.warning("%s; waiting for the courier to make room", error)
            else:
                return
            self._announce()
            self._wait(min(deadline, time.monotonic() + RETRY_S))
            if self._abandoned or time.monotonic() >= deadline:
                is_last = True
                self._overflow.open_reserve()

    def _await_delivery(self, grace_s: float) -> None:
        until = self._drain_until = time.monotonic() + grace_s
        self._courier.send([self._progress(), Drain(grace_s)])
        while not self._courier.is_finished:
            now = time.monotonic()
            if self._abandoned and until > now:
                until = self._drain_until = now
                self._courier.send([StopNow()])
            if now >= until + FAREWELL_S:
                _log.warning("the courier does not end by itself; killing it")
                self._courier.kill()
                return
            self._wait(until + FAREWELL_S)
        self._courier.dismiss()

    def _wait(self, until: float) -> None:
        """Wait for the courier, which may have to be started again, and hear what it says."""
        self._courier.see_to_it()
        wake = min(until, self._courier.restart_at)
        self._env.doorbell.wait(max(0.0, wake - time.monotonic()))
        self._env.doorbell.answer()
        self._receive()

    def abandon(self) -> None:
        """Let `drain` end at once; what is not delivered stays owed. For signal handlers."""
        self._abandoned = True
