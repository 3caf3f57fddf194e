"""The courier hands on what the simulator answers, to the same user, and holds no rubbish."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from despatch.courier import state_service
from despatch.courier.state_service import MOST_AT_ONCE, QUESTION, StateService
from despatch.link import SnapshotAsked, SnapshotTaken
from despatch.runs import RunFolder, RunInfo

CONTENT = b'{"taken_at": "2026-01-05T06:00:00Z"}'


class Played:
    """A service, and the simulator behind it, which the test plays."""

    def __init__(self, root: Path) -> None:
        now = datetime.now(UTC)
        info = RunInfo(
            run_id="run-1", name="line", start=now, created=now, seed=1, factor=1.0, version="0"
        )
        self.folder = RunFolder.create(root, info, {})
        self.asked: asyncio.Queue[SnapshotAsked] = asyncio.Queue()
        self.service = StateService(self.folder, self.asked.put_nowait)
        self.writers: list[asyncio.StreamWriter] = []

    @property
    def socket(self) -> Path:
        return Path(self.folder.socket_note.read_text())

    @property
    def files(self) -> list[str]:
        return [each.name for each in self.folder.path.glob("own-state-*")]

    async def connect(self, question: bytes = QUESTION) -> Any:
        reader, writer = await asyncio.open_unix_connection(self.socket)
        self.writers.append(writer)
        writer.write(question)
        return reader, writer

    def write(self, number: int, content: bytes = CONTENT) -> SnapshotTaken:
        taken = SnapshotTaken(number, f"own-state-{number}.json")
        (self.folder.path / taken.file).write_bytes(content)
        return taken


def playing(tmp_path: Path, play: Callable[[Played], Any]) -> None:
    async def work() -> None:
        played = Played(tmp_path)
        await played.service.open()
        try:
            async with asyncio.timeout(60):
                await play(played)
        finally:
            played.service.close()
            await played.service.leave()
            for writer in played.writers:
                writer.close()
            await asyncio.sleep(0)
            played.folder.unlock()

    asyncio.run(work())


async def answer_on(reader: asyncio.StreamReader) -> Any:
    """The header, and what comes after it up to the end."""
    header = json.loads(await reader.readline())
    return header, await reader.read()


async def fault_on(reader: asyncio.StreamReader) -> str:
    header, rest = await answer_on(reader)
    assert rest == b""
    return str(header["fault"])


def test_who_asks_gets_what_the_simulator_has_written_and_it_is_removed(tmp_path):
    async def play(played):
        for number in (1, 2):
            reader, _ = await played.connect()
            asked = await played.asked.get()
            assert asked.number == number
            played.service.take(played.write(number))
            assert await answer_on(reader) == ({"size": len(CONTENT)}, CONTENT)
            assert played.files == []

    playing(tmp_path, play)


def test_what_is_wrong_is_handed_on(tmp_path):
    async def play(played):
        reader, _ = await played.connect()
        await played.asked.get()
        played.service.take(SnapshotTaken(1, fault="größer als erlaubt"))
        assert await fault_on(reader) == "größer als erlaubt"

    playing(tmp_path, play)


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path):
    async def play(played):
        reader, _ = await played.connect()
        await played.asked.get()
        played.service.take(SnapshotTaken(1, file="own-state-1.json"))
        assert "own-state-1.json" in await fault_on(reader)

    playing(tmp_path, play)


def test_each_gets_a_state_of_its_own_one_after_the_other(tmp_path):
    async def play(played):
        ends = [await played.connect() for _ in range(3)]
        for number in (1, 2, 3):
            assert (await played.asked.get()).number == number
            assert played.asked.empty()
            played.service.take(played.write(number, b"%d" % number))
        found = {(await answer_on(reader))[1] for reader, _ in ends}
        assert found == {b"1", b"2", b"3"}

    playing(tmp_path, play)


def test_who_has_gone_holds_up_nobody_and_leaves_no_file(tmp_path):
    async def play(played):
        _, writer = await played.connect()
        await played.asked.get()
        writer.close()
        reader, _ = await played.connect()
        assert (await played.asked.get()).number == 2
        played.service.take(played.write(1, b"late"))
        assert played.files == []
        played.service.take(played.write(2))
        assert (await answer_on(reader))[1] == CONTENT

    playing(tmp_path, play)


@pytest.mark.parametrize("question", [b"\n", b"snapshot 2\n", b"x" * 100_000, b"\xff\xfe\n"])
def test_another_question_is_refused_and_the_simulator_is_not_asked(tmp_path, question):
    async def play(played):
        reader, _ = await played.connect(question)
        try:
            assert await fault_on(reader) == "expected the question 'snapshot 1'"
        except ConnectionResetError:
            assert len(question) > 1000  # nobody reads so much, and the system says so
        assert played.asked.empty()

    playing(tmp_path, play)


def test_who_says_nothing_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(state_service, "ASKING_S", 0.05)

    async def play(played):
        reader, _ = await played.connect(b"snap")
        assert await reader.read() == b""

    playing(tmp_path, play)


def test_who_does_not_read_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(state_service, "SENDING_S", 0.05)

    async def play(played):
        big = b"x" * 20_000_000
        reader, _ = await played.connect()
        reader._transport.pause_reading()
        await played.asked.get()
        played.service.take(played.write(1, big))
        while played.service._at_work:
            await asyncio.sleep(0.01)
        reader._transport.resume_reading()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(len(big))

    playing(tmp_path, play)


def test_too_many_at_once_are_told_to_come_again(tmp_path):
    async def play(played):
        ends = [await played.connect() for _ in range(MOST_AT_ONCE)]
        while len(played.service._at_work) < MOST_AT_ONCE:
            await asyncio.sleep(0.01)
        reader, _ = await played.connect()
        assert await fault_on(reader) == "too many ask at the same time: ask again"
        for _, writer in ends:
            writer.close()

    playing(tmp_path, play)


def test_the_end_of_the_run_is_told_to_all_who_wait_and_nothing_is_left(tmp_path):
    async def play(played):
        ends = [await played.connect() for _ in range(2)]
        await played.asked.get()
        place = played.socket
        assert place.parent.stat().st_mode & 0o777 == 0o700
        assert place.stat().st_mode & 0o777 == 0o600
        played.service.close()
        assert [await fault_on(reader) for reader, _ in ends] == ["the run is over"] * 2
        assert not place.parent.exists()
        assert not played.folder.socket_note.exists()

    playing(tmp_path, play)


def test_what_a_courier_that_was_killed_has_left_is_cleared_away(tmp_path):
    async def play(played):
        played.write(5)
        place = played.socket
        another = StateService(played.folder, lambda _: None)
        await another.open()
        assert not place.parent.exists()
        assert played.socket != place
        assert played.files == []
        another.close()

    playing(tmp_path, play)


def test_a_long_path_of_the_runs_folder_does_not_matter(tmp_path):
    async def play(played):
        reader, _ = await played.connect()
        await played.asked.get()
        played.service.take(played.write(1))
        assert (await answer_on(reader))[1] == CONTENT

    playing(tmp_path.joinpath(*["a" * 60] * 3), play)


def test_a_run_goes_on_where_nobody_can_listen(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(state_service.tempfile, "mkdtemp", no_room)

    async def play(played):
        assert not played.folder.socket_note.exists()

    playing(tmp_path, play)
    assert "nobody can ask this run for its state: " in caplog.text


def no_room(**_: object) -> str:
    raise OSError(28, "No space left on device")


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system does not say who asks")
def test_another_user_is_refused(tmp_path, monkeypatch):
    stranger = struct.pack("3i", 1, os.getuid() + 1, 1)
    monkeypatch.setattr(socket.socket, "getsockopt", lambda *_: stranger)

    async def play(played):
        reader, _ = await played.connect()
        assert await fault_on(reader) == "only the user who has started the run may ask"
        assert played.asked.empty()

    playing(tmp_path, play)
