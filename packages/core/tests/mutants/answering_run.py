"""A run that answers with any state, as the conformance kit acts on it.

Its folder, its courier's service and the socket are real; the simulator behind them is played,
since no model can be made to be in any state whatever. `test_state_simulation` asks real runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from despatch.courier.state_service import QUESTION, StateService
from despatch.link import SnapshotAsked, SnapshotTaken
from despatch.runs import RunFolder, RunInfo
from despatch.snapshots import Snapshot
from despatch.testing import RealSystem
from despatch.testing.loop_thread import LoopThread

_NAME = "line"


class AnsweringRun(RealSystem):
    """A run that is under way, and the far end of its courier's link."""

    def __init__(self, root: Path, loop: LoopThread) -> None:
        now = datetime.now(UTC)
        info = RunInfo(
            run_id="1" * 32, name=_NAME, start=now, created=now, seed=1, factor=1.0, version="0"
        )
        info.state = "running"
        self._root = root
        self._loop = loop
        self._folder = RunFolder.create(root, info, {})
        self._content = b""
        self._is_stalling = False
        self._held: list[SnapshotAsked] = []
        self._begin()

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"run": _NAME, "runs": str(self._root), "answer_within": "5s"}

    def be(self, state: Snapshot) -> None:
        self._content = state.model_dump_json().encode()

    def close(self) -> None:
        self._end()
        self._folder.unlock()

    @contextmanager
    def away(self) -> Iterator[None]:
        """The run is killed, and somebody starts it again."""
        self.close()
        try:
            yield
        finally:
            self._folder.lock()
            self._begin()

    @contextmanager
    def damaged(self) -> Iterator[None]:
        """Its courier dies while it answers."""
        note = self._folder.socket_note
        true = note.read_text()
        cut_off = Path(true).with_name("cut-off")

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(len(QUESTION))
            size = len(self._content)
            writer.write(f'{{"size":{size}}}\n'.encode() + self._content[: size // 2])
            await writer.drain()
            writer.close()

        server = self._loop.wait_for(asyncio.start_unix_server(answer, cut_off))
        note.write_text(str(cut_off))
        try:
            yield
        finally:
            note.write_text(true)
            self._loop.wait_for(_closed(server))
            cut_off.unlink(missing_ok=True)

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """One event takes long."""
        self._is_stalling = True
        try:
            yield
        finally:
            self._loop.wait_for(self._answer_all())

    def _begin(self) -> None:
        self._service = StateService(self._folder, self._ask)
        self._loop.wait_for(self._service.open())

    def _end(self) -> None:
        self._loop.wait_for(_left(self._service))

    def _ask(self, message: SnapshotAsked) -> None:
        if self._is_stalling:
            self._held.append(message)
            return
        file = f"own-state-{message.number}.json"
        (self._folder.path / file).write_bytes(self._content)
        asyncio.get_running_loop().call_soon(
            self._service.take, SnapshotTaken(message.number, file)
        )

    async def _answer_all(self) -> None:
        self._is_stalling = False
        held, self._held = self._held, []
        for message in held:
            self._ask(message)


async def _left(service: StateService) -> None:
    service.close()
    await service.leave()


async def _closed(server: asyncio.Server) -> None:
    server.close()
