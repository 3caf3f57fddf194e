"""State sources that each do one thing wrong; `Correct` does none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from datetime import UTC, datetime
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


class ChangesWork(Correct):
    """Makes something else of each piece of work; a mutant says what."""

    async def read(self) -> Snapshot:
        content = (await super().read()).model_dump()
        for resource in content["resources"].values():
            self.change(resource)
        return Snapshot.model_validate(content)

    def change(self, resource: dict[str, Any]) -> None:
        raise NotImplementedError


class SortsTheQueue(ChangesWork):
    """Asks for rows in the order of their keys."""

    def change(self, resource: dict[str, Any]) -> None:
        resource["queue"].sort(key=lambda work: work["key"])


class SortsByPriority(ChangesWork):
    """Puts the most important first."""

    def change(self, resource: dict[str, Any]) -> None:
        for works in (resource["queue"], resource["in_service"]):
            works.sort(key=lambda work: work["priority"])


class TakesAKeyOnce(ChangesWork):
    """Has a key once in each queue."""

    def change(self, resource: dict[str, Any]) -> None:
        resource["queue"] = list({work["key"]: work for work in resource["queue"]}.values())


class ForgetsPriorities(ChangesWork):
    """Reads no priority of those in service."""

    def change(self, resource: dict[str, Any]) -> None:
        for work in resource["in_service"]:
            work["priority"] = 0


class RoundsDurations(ChangesWork):
    """Reads durations to the microsecond."""

    def change(self, resource: dict[str, Any]) -> None:
        for work in resource["in_service"]:
            for name in ("elapsed", "remaining"):
                work[name] = None if work[name] is None else round(work[name], 6)


class CutsFractionsOfTimes(ChangesWork):
    """Reads times to the second."""

    def change(self, resource: dict[str, Any]) -> None:
        for work in resource["queue"]:
            if work["joined"] is not None:
                work["joined"] = work["joined"].replace(microsecond=0)


class TakesUnknownForNow(ChangesWork):
    """Says of who joined at no known time that it has just come."""

    def change(self, resource: dict[str, Any]) -> None:
        for work in resource["queue"]:
            if work["joined"] is None:
                work["joined"] = "2025-01-06T06:00:00Z"


class ForgetsData(ChangesWork):
    """Reads nothing but what each has."""

    def change(self, resource: dict[str, Any]) -> None:
        for work in resource["queue"]:
            work["data"] = {}


class MakesFloatsOfData(ChangesWork):
    """Makes a float of every number in data."""

    def change(self, resource: dict[str, Any]) -> None:
        for work in resource["in_service"]:
            work["data"] = {
                name: float(value) if type(value) is int and value < 2**53 else value
                for name, value in work["data"].items()
            }


class ForgetsWhatIsDown(ChangesWork):
    """Does not ask since when something is down."""

    def change(self, resource: dict[str, Any]) -> None:
        resource["down_since"] = None


class ReadsAPageOfAQueue(ChangesWork):
    """Takes the first page of a queue for all."""

    def change(self, resource: dict[str, Any]) -> None:
        resource["queue"] = resource["queue"][:1000]


class LeavesOutIdleResources(Correct):
    """Finds resources by whom they serve and who waits."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        busy = {
            name: each for name, each in snapshot.resources.items() if each.in_service or each.queue
        }
        return snapshot.model_copy(update={"resources": busy})


class KeepsThoseWhoHaveGone(Correct):
    """Adds the work that it reads to what it has read."""

    _known: dict[str, Any] | None = None

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        self._known = {**(self._known or {}), **snapshot.resources}
        return snapshot.model_copy(update={"resources": self._known})


class ReadsParameters(Correct):
    """Knows of nothing but parameters."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        return Snapshot(taken_at=snapshot.taken_at, parameters=snapshot.parameters)


class TakesEmptyContainersForNone(Correct):
    """Leaves out what is empty."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        full = {name: each for name, each in snapshot.containers.items() if each.level}
        return snapshot.model_copy(update={"containers": full})


class TakesLastItemsFirst(Correct):
    """Has items in the wrong order."""

    async def read(self) -> Snapshot:
        content = (await super().read()).model_dump()
        for store in content["stores"].values():
            store["items"].reverse()
        return Snapshot.model_validate(content)


class ReadsArrivalsToTheSecond(Correct):
    """Cuts the fraction of times off."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        cut = {name: last.replace(microsecond=0) for name, last in snapshot.arrivals.items()}
        return snapshot.model_copy(update={"arrivals": cut})


class TakesMidnightForNothing(Correct):
    """Takes 0 for an offset that nobody said."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        return snapshot.model_copy(update={"calendar_offset": snapshot.calendar_offset or None})


class TellsItsOwnTime(Correct):
    """Says when it was read, and not when it was so."""

    async def read(self) -> Snapshot:
        snapshot = await super().read()
        return snapshot.model_copy(update={"taken_at": datetime.now(UTC)})


class ReadsOneAfterTheOther(Correct):
    """Reads the parameters first, and the work later."""

    async def read(self) -> Snapshot:
        first = await super().read()
        if not first.containers:
            return first
        # Whoever looks for it sees this within the time that it takes to change.
        then = first
        while then.taken_at == first.taken_at:
            then = await super().read()
        return then.model_copy(update={"parameters": first.parameters})


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
        parts: dict[str, Any] = {}
        while END not in parts:
            line = await self._line()
            if not line.endswith(b"\n"):
                raise ConnectionError("the server has hung up in the middle of its answer")
            part, name, value = json.loads(line)
            if name is None:
                parts[part] = value
            else:
                parts.setdefault(part, {})[name] = value
        del parts[END]
        return Snapshot.model_validate(parts)

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
        return json.dumps([END, None, None]).encode() + b"\n"


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
