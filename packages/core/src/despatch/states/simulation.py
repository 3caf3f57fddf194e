"""The present state of a despatch run that is under way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from despatch.courier.state_service import QUESTION
from despatch.durations import PositiveDuration
from despatch.errors import RunError
from despatch.interfaces import Health, StateSource
from despatch.runs import RunFolder, runs_in
from despatch.snapshots import Snapshot

__all__ = ["SimulationState", "SimulationStateSettings"]

_LONGEST_LINE: Final = 128 * 1024
_LARGEST: Final = 1 << 30
_LISTED: Final = 10
_LOOK_S: Final = 0.05
_LIVELY: Final = ("created", "connecting", "running")


class _Header(msgspec.Struct):
    """The first line of an answer."""

    size: int = -1
    fault: str = ""


class SimulationStateSettings(BaseModel):
    """Settings of the state source `simulation`."""

    model_config = ConfigDict(extra="forbid")

    run: Annotated[str, Field(min_length=1)] = Field(
        description="Which run: its name, its id, the beginning of its id, or its folder."
    )
    runs: Path = Field(
        default=Path(".despatch"), description="The folder of all runs, as in that run's settings."
    )
    answer_within: PositiveDuration = Field(
        default=timedelta(seconds=10),
        description="How long the simulation may take to answer: it does so between two events.",
    )


class SimulationState(StateSource):
    """Asks a despatch run that is under way for its present state, as `env.snapshot()` gives it.

    The run is of this user, on this machine. It is asked by way of its courier and answers between
    two events, at once where its clock sleeps. It is held up by no more than some milliseconds:
    where there is much to say, a copy of its process says it, unless its courier is a thread.
    Between two calls of `env.run`, and before its clock has started, it does not answer.
    """

    Settings = SimulationStateSettings
    settings: SimulationStateSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._folder: RunFolder | None = None

    @property
    def place(self) -> str:
        """The run's name, and its folder once it is found."""
        if self._folder is None:
            return f"run {self.settings.run} in {self.settings.runs}"
        return f"run {self._folder.info.name} in {self._folder.path}"

    async def open(self) -> None:
        """Find the run.

        Raises:
            RunError: There is no such run, more than one, or it is over.
        """
        self._folder = None
        self._folder = await asyncio.to_thread(_found, self.settings)

    async def read(self) -> Snapshot:
        """Ask the run for its state as it is now.

        Raises:
            ConnectionError: It is over, or has broken off.
            TimeoutError: It has not answered in time.
            RuntimeError: It cannot say its state; with the reason.
            ValueError: What it said is no snapshot.
        """
        if self._folder is None:
            raise ConnectionError(f"{self.place}: read before it was opened")
        within_s = self.settings.answer_within.total_seconds()
        try:
            async with asyncio.timeout(within_s):
                content = await self._asked(self._folder)
        except TimeoutError:
            raise TimeoutError(
                f"{self.place}: no answer within {within_s:g} s. It answers between two events, "
                "while `env.run` is under way: its clock may not have started yet, or one event "
                "takes long; ask again, or set a longer `answer_within`"
            ) from None
        try:
            return await asyncio.to_thread(Snapshot.model_validate_json, content)
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
                for each in error.errors(include_url=False)[:_LISTED]
            )
            raise ValueError(f"{self.place}: expected a snapshot: {told}") from error

    async def close(self) -> None:
        """Nothing is kept open."""

    async def check(self) -> Health:
        """Ask the run, and say what is in its state."""
        try:
            await self.open()
            snapshot = await self.read()
        finally:
            await self.close()
        taken_at = snapshot.taken_at.isoformat()
        return Health([f"{self.place}: {snapshot.contents}, as of {taken_at}"])

    async def _asked(self, folder: RunFolder) -> bytes:
        reader, writer = await self._connected(folder)
        try:
            header, content = await _exchange(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            raise ConnectionError(
                f"{self.place}: broke off before it had said all; its courier may have died, or "
                "the run has ended: ask again"
            ) from error
        finally:
            writer.transport.abort()
        if header.fault:
            raise RuntimeError(f"{self.place}: {header.fault}")
        return content

    async def _connected(
        self, folder: RunFolder
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            try:
                socket = (await asyncio.to_thread(folder.socket_note.read_text)).strip()
                return await asyncio.open_unix_connection(socket, limit=_LONGEST_LINE)
            except (OSError, ValueError) as error:
                present = await asyncio.to_thread(RunFolder.open, folder.path)
                if not await asyncio.to_thread(present.is_locked):
                    raise ConnectionError(f"{self.place}: {_over(present)}") from error
                if present.info.state not in _LIVELY:
                    raise ConnectionError(
                        f"{self.place}: it is {present.info.state}, and answers no more"
                    ) from error
            # Its courier is about to begin, or to be started again.
            await asyncio.sleep(_LOOK_S)


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[_Header, bytes]:
    writer.write(QUESTION)
    header = msgspec.json.decode(await reader.readline(), type=_Header)
    if header.fault:
        return header, b""
    if not 0 <= header.size <= _LARGEST:
        raise ValueError(f"a state of {header.size:,} bytes")
    return header, await reader.readexactly(header.size)


def _found(settings: SimulationStateSettings) -> RunFolder:
    if (Path(settings.run) / "run.json").is_file():
        folder = RunFolder.open(Path(settings.run))
        if not folder.is_locked():
            raise RunError(f"run {folder.info.name} in {folder.path}: {_over(folder)}")
        return folder
    runs = list(runs_in(settings.runs, []))
    named = [each for each in runs if each.info.name == settings.run]
    found = named or [each for each in runs if each.info.run_id.startswith(settings.run)]
    live = [each for each in found if each.is_locked()]
    if len(live) == 1:
        return live[0]
    where = f"run {settings.run} in {settings.runs}"
    if live:
        raise RunError(
            f"{where}: {len(live):,} such runs are under way ({_listed(live)}): say which by its id"
        )
    if found:
        raise RunError(f"{where}: {_over(found[-1])}")
    there = [each for each in runs if each.is_locked()]
    raise RunError(
        f"{where}: there is no such run; under way are: {_listed(there) or 'none'}. `runs` says "
        "where that run has its folder, `despatch runs list` what is there"
    )


def _over(folder: RunFolder) -> str:
    state = folder.info.state
    how = state if state in ("finished", "failed") else "killed"
    return (
        f"it is over ({how}), and nobody is there to ask; its last id is {folder.info.run_id}. "
        "Start it again, or begin without this state"
    )


def _listed(folders: list[RunFolder]) -> str:
    told = [f"{each.info.name} {each.info.run_id}" for each in folders[:_LISTED]]
    return ", ".join([*told, "…"] if len(folders) > _LISTED else told)
