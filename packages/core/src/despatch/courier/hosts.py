"""Hosts: where a courier lives. One code path, two of them.

As a process (the default) the courier's encoding and networking cost the simulation nothing but a
core. As a thread it takes connectors given as live objects, works in notebooks, and shares the
interpreter with the simulation.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from despatch.courier.courier import Courier
from despatch.courier.progress import ProgressView
from despatch.courier.tasks import run_to_end
from despatch.interfaces import EgressConnector
from despatch.link import Configure, Link
from despatch.runs import RunFolder
from despatch.settings import Settings

__all__ = ["Host", "ProcessHost", "ProgressMode", "ThreadHost"]

ProgressMode: TypeAlias = Literal["live", "plain", "none"]

_log = logging.getLogger("despatch.courier")

_KEPT_BYTES: Final = str(32 * 1024 * 1024)
_MALLOC: Final = {"MALLOC_TRIM_THRESHOLD_": _KEPT_BYTES, "MALLOC_MMAP_THRESHOLD_": _KEPT_BYTES}
"""How much free memory glibc keeps for a courier (mallopt(3)). By itself it gives back to the
system what a batch has left, takes it again for the next one, and has each page of it cleared:
3,400 page faults for a batch of 5,000 records of 3 KB, a tenth of the courier's time."""


class Host(ABC):
    """Starts couriers for a run, one after the other has gone."""

    def __init__(self, folder: RunFolder, settings: Settings, progress: ProgressMode) -> None:
        self._folder = folder
        self._settings = settings
        self._progress = progress

    @property
    def sinks(self) -> Mapping[str, EgressConnector]:
        """The connectors of the sinks, where they live in this process."""
        return {}

    @abstractmethod
    def start(self) -> Link:
        """Start a courier; the simulator's end of the wire to it."""

    @abstractmethod
    def reap(self) -> str:
        """Clear away a courier that has hung up; how it ended, in words."""

    @abstractmethod
    def kill(self) -> None:
        """End a courier that does not end by itself."""


class ProcessHost(Host):
    """Runs the courier as ``python -m despatch.courier``."""

    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> Link:
        """Start a courier process.

        It inherits its end of the wire and the lock on the run's folder, and gets its settings,
        secrets included, over the wire, where no other process can read them.
        """
        ours, theirs = Link.pair()
        started_ns = time.time_ns()
        with theirs:
            # -P: a file of the user's own folder must not shadow a plugin's client library.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "despatch.courier", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), self._folder.lock_fd],
                env={**_MALLOC, **os.environ},
            )
        link = Link(ours)
        link.send(
            Configure(str(self._folder.path), self._settings.reveal(), self._progress, started_ns)
        )
        return link

    @property
    def pid(self) -> int | None:
        """The courier's process id."""
        return None if self._process is None else self._process.pid

    def reap(self) -> str:
        """Wait for the process that has closed its end of the wire."""
        assert self._process is not None
        try:
            status = self._process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def kill(self) -> None:
        """Kill the process; what it had not confirmed stays owed."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


class ThreadHost(Host):
    """Runs the courier in a thread of the simulator's process."""

    _thread: threading.Thread | None = None
    _courier: Courier | None = None

    @property
    def sinks(self) -> Mapping[str, EgressConnector]:
        """The connectors of the sinks, by name."""
        return {} if self._courier is None else self._courier.sinks

    def start(self) -> Link:
        """Start a courier thread."""
        ours, theirs = Link.pair()
        progress = ProgressView.of(self._progress, self._settings.name)
        courier = Courier(self._folder, self._settings, Link(theirs), progress)
        self._courier = courier

        def run() -> None:
            try:
                run_to_end(courier.run())
            except Exception:
                # The boundary of the thread: the simulator sees the wire end, as with a process.
                _log.exception("the courier failed")
            finally:
                theirs.close()

        # A daemon: a connector that blocks its thread must not keep the interpreter alive.
        self._thread = threading.Thread(target=run, name="despatch-courier", daemon=True)
        self._thread.start()
        return Link(ours)

    def reap(self) -> str:
        """Wait for the thread that has closed its end of the wire."""
        assert self._thread is not None
        self._thread.join(timeout=1.0)
        return "an exception"

    def kill(self) -> None:
        """Leave the thread to itself: a thread cannot be killed."""
