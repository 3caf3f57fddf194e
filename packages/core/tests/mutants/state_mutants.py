"""State sources that each do one thing wrong; `Correct` does none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from despatch.interfaces import Health, StateSource
from despatch.snapshots import Snapshot
from despatch.states.file import FileState, FileStateSettings
from mutants.state_server import END, LONGEST_LINE


class Settings(FileStateSettings):
    """Settings of a mutant."""

    password: SecretStr | None = Field(None, description="Opens the file.")


class Correct(FileState):
    """Reads a file as it should."""

    Settings = Settings
    settings: Settings


class CachesItsFirstReading(Correct):
    """Reads a file once."""

    _first: Snapshot | None = None

    async def read(self) -> Snapshot:
        if self._first is None:
            self._first = await super().read()
        return self._first


class KeepsWhatIsGone(Correct):
    """Adds what it reads to what it has read."""

    _known: dict[str, Any] | None = None

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        self._known = {**(self._known or {}), **snapshot.parameters}
        return snapshot.model_copy(update={"parameters": self._known})


class TellsNoOffset(Correct):
    """Gives a time of nowhere."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        return snapshot.model_copy(update={"taken_at": snapshot.taken_at.replace(tzinfo=None)})


class BlocksTheLoop(Correct):
    """Reads on the loop."""

    async def read(self) -> Snapshot:
        content = json.loads(self.settings.path.read_text(encoding="utf-8"))
        return Snapshot.model_validate(content)


class GivesWhatItHas(Correct):
    """Makes a state of what can be read."""

    async def read(self) -> Snapshot:
        text = await asyncio.to_thread(self.settings.path.read_text, encoding="utf-8")
        try:
            return await super().read()
        except ValueError:
            (taken_at,) = re.findall(r'"taken_at": "([^"]+)"', text)
            values = dict(re.findall(r'"(\w+\.\w+)": (\d+),', text))
            return Snapshot(taken_at=taken_at, parameters=values)


class TakesAwayForEmpty(Correct):
    """Says of a system that is out of reach that nothing is in it."""

    async def open(self) -> None:
        pass

    async def read(self) -> Snapshot:
        try:
            return await super().read()
        except FileNotFoundError:
            return Snapshot.model_validate({"taken_at": "2026-01-05T06:00:00Z"})


class SaysNothing(Correct):
    """Raises without a word."""

    async def open(self) -> None:
        if not self.settings.path.exists():
            raise OSError


class TakesEmptyForAway(Correct):
    """Says of a system with nothing in it that it is out of reach."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        if not snapshot.parameters:
            raise LookupError("there is no state")
        return snapshot


class MakesFloats(Correct):
    """Makes a float of every whole number."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        values = {
            path: float(value) if type(value) is int else value
            for path, value in snapshot.parameters.items()
        }
        return snapshot.model_copy(update={"parameters": values})


class StripsTexts(Correct):
    """Takes blanks for nothing."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        values = {
            path: value.strip() if isinstance(value, str) else value
            for path, value in snapshot.parameters.items()
        }
        return snapshot.model_copy(update={"parameters": values})


class ReadsOnePage(Correct):
    """Takes the first page for all."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        page = dict(list(snapshot.parameters.items())[:1000])
        return snapshot.model_copy(update={"parameters": page})


class FlattensValues(Correct):
    """Gives what is nested as text."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        values = {
            path: json.dumps(value) if isinstance(value, list | dict) else value
            for path, value in snapshot.parameters.items()
        }
        return snapshot.model_copy(update={"parameters": values})


class SwallowsCancellation(Correct):
    """Takes its cancellation for an answer."""

    async def read(self) -> Snapshot:
        try:
            return await super().read()
        except asyncio.CancelledError:
            return Snapshot.model_validate({"taken_at": "2026-01-05T06:00:00Z"})


class LeavesATask(Correct):
    """Begins what it never ends."""

    async def open(self) -> None:
        await super().open()
        self._task = asyncio.ensure_future(asyncio.Event().wait())


class ClosesOnce(Correct):
    """Can be closed where it is open, and no more often."""

    _is_open = False

    async def open(self) -> None:
        await super().open()
        self._is_open = True

    async def close(self) -> None:
        if not self._is_open:
            raise RuntimeError("it is not open")
        self._is_open = False


class OpensOnce(Correct):
    """Cannot be opened again."""

    _is_over = False

    async def open(self) -> None:
        if self._is_over:
            raise RuntimeError("it has been closed")
        await super().open()

    async def close(self) -> None:
        self._is_over = True

    async def check(self) -> Health:
        return await Correct(self.settings, simulation=self.simulation).check()


class ChangesWhenAsked(Correct):
    """Takes away what it looks at."""

    async def check(self) -> Health:
        health = await super().check()
        content = json.loads(self.settings.path.read_text(encoding="utf-8"))
        self.settings.path.write_text(json.dumps({**content, "parameters": {}}), encoding="utf-8")
        return health


class NeedsThisProcess(Correct):
    """Knows its file by what the test has told it, and not by its settings."""

    async def open(self) -> None:
        import sys

        if "pytest" not in sys.modules:
            raise RuntimeError("it was not told where to look")


class ShowsThePassword(Correct):
    """Says with what it could not log in."""

    async def open(self) -> None:
        password = self.settings.password
        if password is not None:
            raise PermissionError(f"login with {password.get_secret_value()} refused")


class LogsThePassword(Correct):
    """Logs what it logs in with."""

    async def open(self) -> None:
        import logging

        if self.settings.password is not None:
            logging.getLogger(__name__).debug("as %s", self.settings.password.get_secret_value())


class FarSettings(BaseModel):
    """Settings of a mutant that is reached by TCP."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(description="Where the system's server listens.")


class Far(StateSource):
    """Asks a server as it should."""

    Settings = FarSettings
    settings: FarSettings
    _writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        await self.close()
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self.settings.port, limit=LONGEST_LINE
        )

    async def read(self) -> Snapshot:
        assert self._writer is not None
        self._writer.write(b"state\n")
        values: dict[str, Any] = {}
        while END not in values:
            line = await self._line()
            if not line.endswith(b"\n"):
                raise ConnectionError("the server has hung up in the middle of its answer")
            path, value = json.loads(line)
            values[path] = value
        del values[END]
        return Snapshot(taken_at=values.pop("taken_at"), parameters=values)

    async def _line(self) -> bytes:
        return await self._reader.readline()

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class FarTakesTheFirstPart(Far):
    """Takes the end of a connection for the end of the answer, once it has begun."""

    _has_begun = False

    async def _line(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            line = await super()._line()
            if line.endswith(b"\n"):
                self._has_begun = True
                return line
        if not self._has_begun:
            raise ConnectionError("there is no answer")
        return json.dumps([END, 0]).encode() + b"\n"


class FarTakesAwayForEmpty(Far):
    """Says of a server that is away that nothing is in it."""

    async def open(self) -> None:
        with contextlib.suppress(OSError):
            await super().open()

    async def read(self) -> Snapshot:
        if self._writer is None:
            return Snapshot.model_validate({"taken_at": "2026-01-05T06:00:00Z"})
        return await super().read()


class FarBlocksTheLoop(Far):
    """Asks on the loop."""

    async def open(self) -> None:
        with socket.create_connection(("127.0.0.1", self.settings.port)) as connection:
            connection.sendall(b"state\n")
            connection.recv(1)
        await super().open()


class OpenSettings(FileStateSettings):
    """Settings in which a secret is none."""

    model_config = ConfigDict(extra="forbid")

    password: str | None = Field(None, description="Opens the file.")


class KeepsThePasswordAsText(FileState):
    """Has a password that anybody may read."""

    Settings = OpenSettings
