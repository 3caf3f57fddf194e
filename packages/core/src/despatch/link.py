"""The link: small messages between the simulator and its courier, over a socket pair.

Commands come in; outcomes, "there is more" and states go out. No record travels here. Nothing
ever waits for the other side: what does not fit into the socket's buffer is kept and sent when
there is room, and what is only of passing interest is not even kept (`offer`).

A message is a length of four bytes, big-endian, and a msgpack array that begins with its type.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import msgspec

from despatch.commands import Command, Outcome
from despatch.errors import DespatchError

__all__ = [
    "Brought",
    "Configure",
    "Drain",
    "Finished",
    "IngressState",
    "Link",
    "MakeRoom",
    "Message",
    "Passed",
    "Progress",
    "Resolved",
    "SinkState",
    "SnapshotAsked",
    "SnapshotTaken",
    "StopNow",
    "Written",
]

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_RECEIVE_BYTES = 256 * 1024
_LENGTH = struct.Struct(">I")
_NO_LENGTH = bytes(_LENGTH.size)


class Configure(msgspec.Struct, tag=True, array_like=True):
    """First of all: the run's folder and its settings, secrets included.

    `started_ns` is when the courier was started, wall time in nanoseconds since 1970, UTC.
    """

    folder: str
    settings: dict[str, Any]
    progress: Literal["live", "plain", "none"] = "none"
    started_ns: int = 0


class Written(msgspec.Struct, tag=True, array_like=True):
    """The journal of records is written up to here."""

    end: int


class Progress(msgspec.Struct, tag=True, array_like=True):
    """Where the simulation stands, for those who watch.

    `commands` is what became of commands: by source, how many were applied and how many refused.
    """

    sim_time: float
    until: float | None
    lag_s: float
    published: int
    commands: dict[str, tuple[int, int]] = {}
    courier_restarts: int = 0


class Brought(msgspec.Struct, tag=True, array_like=True):
    """An ingress has brought a command; the answer is a `Resolved` with the same number."""

    ingress: str
    number: int
    command: Command


class Passed(msgspec.Struct, tag=True, array_like=True):
    """Every sink has accounted for the journal of records below this position."""

    position: int


class MakeRoom(msgspec.Struct, tag=True, array_like=True):
    """The journal is full: give up what no sink has accounted for below this position."""

    before: int


class Resolved(msgspec.Struct, tag=True, array_like=True):
    """What became of a command; the audit journal holds it below the position `audit_end`."""

    ingress: str
    number: int
    outcome: Outcome
    audit_end: int


class IngressState(msgspec.Struct, tag=True, array_like=True):
    """How an ingress fares. `caught up` and `ended` let a waiting clock start.

    `since_ns` is when it came into this state, wall time in nanoseconds since 1970, UTC.
    """

    name: str
    state: Literal["connecting", "open", "caught up", "ended", "retrying", "stopped"]
    reason: str = ""
    since_ns: int = 0


class SinkState(msgspec.Struct, tag=True, array_like=True):
    """How a sink fares.

    Attributes:
        name: The sink's name.
        state: `connecting` until it is open for the first time, `healthy` while it takes what it
            is brought, `retrying` while it does not, `stopped` where it is tried no more.
        reason: Why it is not well; empty where it is.
        since_ns: When it came into this state, wall time in nanoseconds since 1970, UTC.
    """

    name: str
    state: Literal["connecting", "healthy", "retrying", "stopped"]
    reason: str = ""
    since_ns: int = 0


class SnapshotAsked(msgspec.Struct, tag=True, array_like=True):
    """Somebody asks for the present state; the answer is a `SnapshotTaken` with the same number.

    It takes the place of one that is not answered yet.
    """

    number: int


class SnapshotTaken(msgspec.Struct, tag=True, array_like=True):
    """The state that was asked for.

    Attributes:
        number: That of the `SnapshotAsked`.
        file: The name of a file in the run's folder that has it as JSON, for the courier to
            remove; empty where there is none.
        fault: Why there is none.
    """

    number: int
    file: str = ""
    fault: str = ""


class Drain(msgspec.Struct, tag=True, array_like=True):
    """The journal has ended: deliver what is there within the grace time, then finish."""

    grace_s: float


class StopNow(msgspec.Struct, tag=True, array_like=True):
    """Finish at once; what is not delivered stays owed."""


class Finished(msgspec.Struct, tag=True, array_like=True):
    """The courier's last word: its duties are done and its ledger is closed."""


Message: TypeAlias = (
    Configure
    | Written
    | Progress
    | Passed
    | MakeRoom
    | Brought
    | Resolved
    | IngressState
    | SinkState
    | SnapshotAsked
    | SnapshotTaken
    | Drain
    | StopNow
    | Finished
)


class Link:
    """One end of the wire. Never blocks; not for use from several threads.

    Attributes:
        is_closed: Whether the other side has gone, or this one has closed.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
        self.is_closed = False

    @staticmethod
    def pair() -> tuple[socket.socket, socket.socket]:
        """The two ends of a new wire."""
        return socket.socketpair()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    @property
    def has_outgoing(self) -> bool:
        """Whether messages wait for room in the socket; `flush` sends them when there is."""
        return bool(self._outgoing)

    def send(self, message: Message) -> None:
        """Send a message now or, when the socket is full, as soon as `flush` finds room."""
        self.send_all((message,))

    def send_all(self, messages: Iterable[Message]) -> None:
        """Send messages as `send` does, with as few calls of the system as they take."""
        if self.is_closed:
            return
        for message in messages:
            self._put(message)
        self.flush()

    def _put(self, message: Message) -> None:
        outgoing = self._outgoing
        start = len(outgoing)
        outgoing += _NO_LENGTH
        try:
            self._encoder.encode_into(message, outgoing, -1)
            length = len(outgoing) - start - _LENGTH.size
            if length > MAX_MESSAGE_BYTES:
                raise DespatchError(
                    f"a {type(message).__name__} message of {length} bytes is too large "
                    f"for the link (at most {MAX_MESSAGE_BYTES})"
                )
        except BaseException:
            del outgoing[start:]
            raise
        _LENGTH.pack_into(outgoing, start, length)

    def offer(self, message: Message) -> None:
        """Send a message of passing interest, or drop it when others are still waiting."""
        if not self._outgoing:
            self.send(message)

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        while self._outgoing and not self.is_closed:
            try:
                sent = self._socket.send(self._outgoing)
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                # The other side has gone. What it said before may still be read: `receive`
                # meets the end of the stream and closes.
                self._outgoing.clear()
                return
            del self._outgoing[:sent]

    def receive(self, at_most: int | None = None) -> list[Message]:
        """The messages that have come; `is_closed` is set when the other side has gone.

        Args:
            at_most: Leave the rest for the next call, which does not wait for more; None takes
                all.
        """
        while not self.is_closed:
            try:
                chunk = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                break
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                self.is_closed = True
                break
            self._incoming += chunk
            if len(chunk) < _RECEIVE_BYTES:
                break
        return self._split(at_most)

    def _split(self, at_most: int | None) -> list[Message]:
        buffer, start, end = self._incoming, 0, len(self._incoming)
        unpack, decode = _LENGTH.unpack_from, self._decoder.decode
        messages: list[Message] = []
        # One view for all: it is given back before the buffer changes its size.
        with memoryview(buffer) as view:
            while end - start >= _LENGTH.size and len(messages) != at_most:
                (length,) = unpack(view, start)
                if length > MAX_MESSAGE_BYTES:
                    raise DespatchError(
                        f"the link brought a message of {length} bytes: it is garbled"
                    )
                stop = start + _LENGTH.size + length
                if end < stop:
                    break
                messages.append(decode(view[start + _LENGTH.size : stop]))
                start = stop
        del buffer[:start]
        return messages

    def close(self) -> None:
        """Hang up. May be called twice."""
        self.is_closed = True
        self._socket.close()
