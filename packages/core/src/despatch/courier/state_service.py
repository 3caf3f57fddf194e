"""The state service: who asks a run that is under way for its state gets it from the courier.

The simulator has no network and no threads; so the courier listens, on a Unix domain socket, and
asks the simulator by the link. A socket's path may have no more than a hundred bytes or so
(unix(7), `sun_path`), which a run's folder may exceed: it lies in a folder of its own, which nobody
else may enter, and a note in the run's folder says where.

A question is a line, ``snapshot 1``. The answer is a line of JSON, ``{"size": BYTES}``, and then
the snapshot as JSON; or ``{"fault": REASON}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from despatch.courier.backoff import describe
from despatch.link import SnapshotAsked, SnapshotTaken
from despatch.runs import RunFolder

__all__ = ["QUESTION", "StateService"]

_log = logging.getLogger("despatch.courier")

QUESTION: Final = b"snapshot 1\n"
"""All that can be asked, with the version of what is said here."""

MOST_AT_ONCE: Final = 16
"""So many may ask at the same time; others are told to come again."""
ASKING_S: Final = 5.0
"""How long a question may take to come, in wall seconds."""
ANSWERING_S: Final = 3600.0
"""How long the simulator may take, in wall seconds; who has asked mostly gives up before."""
SENDING_S: Final = 60.0
"""How long it may take to be read, in wall seconds."""

_MOST_IN_ALL: Final = 4 * MOST_AT_ONCE
_OVER: Final = "the run is over"
_CREDENTIALS: Final = struct.Struct("3i")


class StateService:
    """Listens, asks the simulator, and hands the answer on.

    Args:
        folder: The run's folder.
        ask: Sends a question to the simulator.
    """

    def __init__(self, folder: RunFolder, ask: Callable[[SnapshotAsked], None]) -> None:
        self._folder = folder
        self._ask = ask
        self._server: asyncio.Server | None = None
        self._place: Path | None = None
        self._number = 0
        self._turn = asyncio.Lock()
        self._awaited: asyncio.Future[SnapshotTaken] | None = None
        self._at_work: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Begin to listen. A run goes on where that is not to be had, and the log says so."""
        self._clear_away()
        try:
            self._place = Path(tempfile.mkdtemp(prefix="despatch-"))
            path = self._place / "s"
            self._server = await asyncio.start_unix_server(
                self._serve, path, limit=len(QUESTION) * 2
            )
            path.chmod(0o600)
            note = self._folder.socket_note
            beside = note.with_suffix(".new")
            beside.write_text(str(path))
            beside.replace(note)
        except OSError as error:
            _log.warning("nobody can ask this run for its state: %s", describe(error))
            self.close()

    def take(self, taken: SnapshotTaken) -> None:
        """The simulator has answered."""
        awaited = self._awaited
        if awaited is not None and not awaited.done() and taken.number == self._number:
            awaited.set_result(taken)
        elif taken.file:
            self._remove(taken.file)  # who had asked has gone

    def close(self) -> None:
        """Listen no more; who waits for an answer is told that the run is over."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(SnapshotTaken(self._number, fault=_OVER))
        if self._place is not None:
            self._clear_away()
            with contextlib.suppress(OSError):
                self._place.rmdir()
            self._place = None

    async def leave(self) -> None:
        """Wait until all who have asked have been answered."""
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=ASKING_S)
        for task in self._at_work:
            task.cancel()

    def _clear_away(self) -> None:
        """Remove what this courier, or one before it, has left: its socket, and answers."""
        note = self._folder.socket_note
        with contextlib.suppress(OSError, ValueError):
            path = Path(note.read_text())
            note.unlink()
            path.unlink(missing_ok=True)
            path.parent.rmdir()
        for left in self._folder.path.glob("own-state-*"):
            left.unlink(missing_ok=True)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder.path / name).unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._at_work) >= _MOST_IN_ALL:
            writer.transport.abort()
            return
        self._at_work.add(task)
        try:
            await self._answer(reader, writer)
        except (OSError, TimeoutError):
            pass  # who has asked is gone, or as good as gone
        finally:
            self._at_work.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_one_too_many = len(self._at_work) > MOST_AT_ONCE
        # Read, whatever becomes of it: what is left unread would cost who has asked the answer.
        try:
            async with asyncio.timeout(ASKING_S):
                question = await reader.readline()
        except ValueError:
            question = b""  # too long
        if _is_a_stranger(writer):
            await _send(writer, "only the user who has started the run may ask")
        elif is_one_too_many:
            await _send(writer, "too many ask at the same time: ask again")
        elif question != QUESTION:
            await _send(writer, f"expected the question {QUESTION.decode().strip()!r}")
        else:
            await self._answer_question(reader, writer)

    async def _answer_question(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # Who goes away meanwhile keeps nobody waiting.
        gone = asyncio.ensure_future(reader.read(1))
        made = asyncio.ensure_future(self._made())
        try:
            await asyncio.wait(
                [gone, made], timeout=ANSWERING_S, return_when=asyncio.FIRST_COMPLETED
            )
            if made.done():
                await _send(writer, made.result())
        finally:
            gone.cancel()
            made.cancel()
            await asyncio.wait([gone, made])

    async def _made(self) -> bytes | str:
        """The document, or why there is none."""
        async with self._turn:
            if self._server is None:
                return _OVER
            self._number += 1
            self._awaited = asyncio.get_running_loop().create_future()
            self._ask(SnapshotAsked(self._number))
            taken = await self._awaited
            if not taken.file:
                return taken.fault
            try:
                return await asyncio.to_thread((self._folder.path / taken.file).read_bytes)
            except OSError as error:
                return describe(error)
            finally:
                self._remove(taken.file)


async def _send(writer: asyncio.StreamWriter, answer: bytes | str) -> None:
    async with asyncio.timeout(SENDING_S):
        if isinstance(answer, str):
            writer.write(msgspec.json.encode({"fault": answer}) + b"\n")
        else:
            writer.write(msgspec.json.encode({"size": len(answer)}) + b"\n" + answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def _is_a_stranger(writer: asyncio.StreamWriter) -> bool:
    """Whether another user asks, where the system says who does; nobody else can come in anyway."""
    if not hasattr(socket, "SO_PEERCRED"):
        return False
    peer: socket.socket = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    return uid not in (os.getuid(), 0)
