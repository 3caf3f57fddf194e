"""Mosquitto for tests: a broker of the test's own, or one that is there already."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

__all__ = ["Mosquitto", "free_port", "place_of", "shared_broker", "unavailable"]

IMAGE = "eclipse-mosquitto:2"
MISSING = (
    "no MQTT broker: set DESPATCH_TEST_MQTT to a URL, start a Docker engine, or install mosquitto"
    " (Debian: apt-get install --no-install-recommends mosquitto)"
)
READY_WITHIN_S = 20.0
# Nothing that was published is given up because a reader is slow.
UNLIMITED = ("max_queued_messages 0", "max_queued_bytes 0")


class Mosquitto:
    """A Mosquitto of the test's own, on a loopback port that stays the same."""

    def __init__(self, *options: str, listener: tuple[str, ...] = (), files=()) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            unavailable(MISSING)
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="despatch-mosquitto-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.folder = Path(self._folder.name)
        for name, text in dict(files).items():
            (self.folder / name).write_text(text, encoding="utf-8")
        lines = [f"listener {self.port} 127.0.0.1", *listener, *UNLIMITED, *options]
        if not any(line.startswith("allow_anonymous") for line in options):
            lines.append("allow_anonymous true")
        if os.geteuid() == 0:
            # It would become a user who cannot read the folder.
            lines.append("user root")
        self._configuration = self.folder / "mosquitto.conf"
        self._configuration.write_text("\n".join([*lines, ""]), encoding="utf-8")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        log = self.folder / "output.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, "-c", self._configuration],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"mosquitto did not come up: {log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as an operator does; with `persistence true` it keeps what it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        if self._process is not None:
            self.kill()
        self._folder.cleanup()

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        process.wait(READY_WITHIN_S)


@contextmanager
def shared_broker():
    """The URL of a broker for many tests: given, in a container, or a local process."""
    if given := os.environ.get("DESPATCH_TEST_MQTT"):
        yield given
    elif docker_answers():
        with container() as url:
            yield url
    else:
        with Mosquitto() as broker:
            yield broker.url


@contextmanager
def container():
    port = free_port()
    options = "\n".join(["listener 1883", "allow_anonymous true", *UNLIMITED])
    run = ["docker", "run", "--rm", "--detach", "--publish", f"127.0.0.1:{port}:1883"]
    script = (
        f"echo '{options}' > /mosquitto/despatch.conf && exec mosquitto -c /mosquitto/despatch.conf"
    )
    started = subprocess.run(
        [*run, IMAGE, "sh", "-c", script], check=True, capture_output=True, text=True
    )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not answers(port):
            assert time.monotonic() < deadline, "mosquitto did not come up in its container"
            time.sleep(0.05)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        subprocess.run(["docker", "kill", started.stdout.strip()], check=True, capture_output=True)


def docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def unavailable(reason: str):
    """Skip the test that asked, or fail it where services are required."""
    if os.environ.get("DESPATCH_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def listens(port: int) -> bool:
    """Whether a process listens, with TLS or without."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def answers(port: int) -> bool:
    """Whether a CONNECT of MQTT 3.1.1 is answered; a port that is forwarded accepts anyone."""
    connect = bytes.fromhex("100c00044d51545404020001 0000".replace(" ", ""))
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(connect)
            return connection.recv(1) == b"\x20"
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def place_of(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "localhost", parts.port or 1883
