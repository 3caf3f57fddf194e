"""History: what the runs in a folder did, and what they still owe to whom."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from despatch.account import SinkAccount, accounts_of
from despatch.courier.courier import Courier
from despatch.courier.progress import ProgressView
from despatch.errors import DespatchError, RunError
from despatch.journal import end_position
from despatch.runs import RunFolder, RunInfo, runs_in
from despatch.settings import Settings
from despatch.settings_file import settings_from

__all__ = ["PastRun", "deliver", "find_run", "past_runs"]

PastState: TypeAlias = Literal["finished", "failed", "under way", "killed"]


class PastRun(msgspec.Struct, kw_only=True):
    """A run as its folder shows it.

    Attributes:
        info: What the run is.
        folder: Where it is.
        state: `under way` while its simulator or its courier lives; `killed` where both are gone
            and neither said so. What such a run had published within one flush interval of its
            death was never written.
        published: How many records its journal got.
        sinks: What became of them.
        problem: Why `sinks` is not known.
    """

    info: RunInfo
    folder: str
    state: PastState
    published: int = 0
    sinks: list[SinkAccount] = []
    problem: str | None = None

    @property
    def owed(self) -> dict[str, int]:
        """What is owed, by the sink's name."""
        return {sink.sink: sink.owed for sink in self.sinks if sink.owed}


def past_runs(root: Path) -> list[PastRun]:
    """The runs in a folder, oldest first."""
    return [_past_run(folder) for folder in runs_in(root)]


def find_run(root: Path, name: str) -> RunFolder:
    """A run by its id, the beginning of its id, or its folder.

    Raises:
        RunError: There is none, or more than one.
    """
    if (Path(name) / "run.json").is_file():
        return RunFolder.open(Path(name))
    found = [folder for folder in runs_in(root) if folder.info.run_id.startswith(name)]
    if len(found) != 1:
        number = "no run" if not found else f"{len(found)} runs"
        raise RunError(
            f"{root}: {number} whose id begins with {name!r}; `despatch runs list` shows all"
        )
    return found[0]


def deliver(folder: RunFolder, progress: ProgressView | None = None) -> list[SinkAccount]:
    """Deliver what a run still owes, within the grace time of its settings.

    Raises:
        RunError: The run is still under way.
        SettingsError: Its settings cannot be resolved, for want of a secret for instance.
    """
    settings = _settings(folder)
    folder.lock()
    try:
        asyncio.run(Courier(folder, settings, None, progress).run())
        return accounts_of(folder, settings.egress)
    finally:
        folder.unlock()


def _past_run(folder: RunFolder) -> PastRun:
    if folder.is_locked():
        state: PastState = "under way"
    elif folder.info.state == "finished" or folder.info.state == "failed":
        state = folder.info.state
    else:
        state = "killed"
    past = PastRun(
        info=folder.info,
        folder=str(folder.path),
        state=state,
    )
    try:
        past.published = end_position(folder.records)
        past.sinks = accounts_of(folder, _settings(folder).egress)
    except DespatchError as error:
        # One run that cannot be read hides none of the others.
        past.problem = str(error)
    return past


def _settings(folder: RunFolder) -> Settings:
    return settings_from(folder.settings(), source=str(folder.path / "settings.json"))
