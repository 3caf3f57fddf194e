"""Rehearsal: what the conformance kit has the workers of an executor do.

It imports nothing of the kit, so that a worker needs no pytest.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket

__all__ = ["die", "digest", "echo", "fail", "leave", "meet", "reside"]

_residents: list[socket.socket] = []
"""Open for as long as this process lives."""


def echo(payload: bytes) -> bytes:
    """Answer with what was given."""
    return payload


def digest(payload: bytes) -> bytes:
    """Answer with what depends on all that was given."""
    return hashlib.sha256(payload).digest()


def fail(payload: bytes) -> bytes:
    """Raise, with what was given in the message."""
    raise LookupError(f"no such part: {payload.decode()}")


def leave(payload: bytes) -> bytes:
    """Ask the interpreter to end, as a function may by mistake."""
    raise SystemExit(payload.decode())


def die(payload: bytes) -> bytes:
    """Kill this very process, unless it is the one whose id was given."""
    if os.getpid() == int(payload):
        return b"this is the process of the test itself"
    os.kill(os.getpid(), signal.SIGKILL)
    return b"still there"


def meet(payload: bytes) -> bytes:
    """Come to a `Meeting`, wait to be let go, and answer with the name."""
    name, connection = _come(payload)
    with connection:
        connection.recv(1)
    return name


def reside(payload: bytes) -> bytes:
    """Come to a `Meeting`, stay there until this process ends, and answer with its id."""
    _, connection = _come(payload)
    _residents.append(connection)
    return str(os.getpid()).encode()


def _come(payload: bytes) -> tuple[bytes, socket.socket]:
    port, _, name = payload.partition(b" ")
    connection = socket.create_connection(("127.0.0.1", int(port)))
    connection.sendall(name + b"\n")
    return name, connection
