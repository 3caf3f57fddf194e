"""A server that runs as a local process: free ports, a folder, readiness, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

__all__ = ["LocalServer", "ServiceError", "ServiceMissing", "free_port"]

POLL_S = 0.02
START_ATTEMPTS = 3


class ServiceError(Exception):
    """A server that cannot be had, did not start, or refused a command."""


class ServiceMissing(ServiceError):
    """A server that this machine lacks. The text says what to install."""


class LocalServer(ABC):
    """A process that serves free loopback ports, with a folder of its own.

    The ports stay the same when it is stopped and started again, and so does what is in the folder.

    Example:
        >>> with RedisServer() as server:
        ...     server.pause()
        ...     server.resume()
    """

    program: ClassVar[str]
    """What errors call the server."""
    port_count: ClassVar[int] = 1
    """How many ports it listens on."""
    ready_within_s: ClassVar[float] = 20.0
    """How long it may take to answer, in seconds of wall time."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: tuple[int, ...] = ()

    @classmethod
    @abstractmethod
    def require(cls) -> None:
        """Check that the server can run here, and fetch what it is made of.

        Raises:
            ServiceMissing: Something has to be installed; the text says what.
        """

    @classmethod
    def is_installed(cls) -> bool:
        """Whether the server can run here."""
        try:
            cls.require()
        except ServiceMissing:
            return False
        return True

    @property
    @abstractmethod
    def address(self) -> str:
        """What a client is given to find the server: a URL, a list of hosts."""

    @abstractmethod
    def command_line(self) -> list[str]:
        """What is run, once there are ports and a folder."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server is ready for clients. Called until it is."""

    def environment(self) -> dict[str, str]:
        """What the process's environment has in addition to this one's."""
        return {}

    @property
    def user(self) -> int | None:
        """The id of the user that it runs as; None for whoever runs the tests."""
        return None

    @property
    def port(self) -> int:
        """The first loopback port, the same for as long as the server lives; 0 before the start."""
        return self._ports[0] if self._ports else 0

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._running().pid

    @property
    def folder(self) -> Path:
        """Where the server keeps its data and its log."""
        if self._folder is None:
            raise ServiceError(f"{self.program} was not started")
        return Path(self._folder.name)

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServiceMissing: It is not installed.
            ServiceError: It is running already, or did not answer in time.
        """
        if self._process is not None:
            raise ServiceError(f"{self.program} at {self.address} is running already")
        self.require()
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix=f"despatch-{self.program}-")
        if self._ports:
            self._launch()
            return
        for attempt in range(1, START_ATTEMPTS + 1):
            # Another process may take a port between here and the server's own bind.
            self._ports = free_ports(self.port_count)
            try:
                self._launch()
            except ServiceError:
                if attempt == START_ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        """Ask the server to end, and wait for it."""
        process = self._running()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        self._reap()

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL)."""
        self._running().kill()
        self._reap()

    def restart(self) -> None:
        """Stop the server and start it again, on the same ports."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open, nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill the server if it runs, frozen or not, and remove its folder."""
        if self._process is not None:
            self.kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _launch(self) -> None:
        log = self.folder / "output.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.command_line(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                user=self.user,
                # A Ctrl-C in the terminal is meant for the tests, which then end their servers.
                start_new_session=True,
            )
        self._process = process
        deadline = time.monotonic() + self.ready_within_s
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                self.kill()
                raise ServiceError(
                    f"{self.program} did not come up at {self.address}; it said:\n{said}"
                )
            time.sleep(POLL_S)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServiceError(f"{self.program} is not running")
        return self._process

    def _reap(self) -> None:
        process = self._running()
        try:
            process.wait(timeout=self.ready_within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> tuple[int, ...]:
    """So many different loopback ports that nothing listens on at this moment."""
    listeners = [socket.socket() for _ in range(count)]
    try:
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return tuple(listener.getsockname()[1] for listener in listeners)
    finally:
        for listener in listeners:
            listener.close()
