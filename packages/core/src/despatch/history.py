"""History: what the runs in a folder did, and what they still owe to whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from pydantic import ValidationError

from despatch.account import SinkAccount, accounts_of, reckon
from despatch.concealment import Concealer
from despatch.courier.courier import Courier
from despatch.courier.progress import ProgressView
from despatch.courier.stopping import Stopping
from despatch.courier.tasks import run_to_end
from despatch.deeds import Deeds, deeds_of
from despatch.errors import DespatchError, RunError
from despatch.journal import end_position
from despatch.runs import RunFolder, RunInfo, runs_in
from despatch.settings import EgressSettings, Settings
from despatch.settings.entries import named
from despatch.settings.file import settings_from
from despatch.settings.references import substitute

__all__ = [
    "PastRun",
    "deliver",
    "find_run",
    "past_run",
    "past_runs",
    "settings_of",
    "who_comes_first",
]

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
        deeds: What it did; None where its journals cannot be read.
        sinks: What became of its records.
        problem: What is wrong with `sinks`, or why they are not known.
    """

    info: RunInfo
    folder: str
    state: PastState
    published: int = 0
    deeds: Deeds | None = None
    sinks: list[SinkAccount] = []
    problem: str | None = None

    @property
    def owed(self) -> dict[str, int]:
        """What is owed, by the sink's name."""
        return {sink.sink: sink.owed for sink in self.sinks if sink.owed}


def past_runs(
    root: Path, *, name: str | None = None, unreadable: list[RunError] | None = None
) -> list[PastRun]:
    """The runs in a folder, oldest first.

    Args:
        root: The folder of all runs.
        name: Only those of this name.
        unreadable: As for `runs_in`.

    Raises:
        RunError: As for `runs_in`.
    """
    return [
        past_run(folder)
        for folder in runs_in(root, unreadable)
        if name is None or folder.info.name == name
    ]


def past_run(folder: RunFolder) -> PastRun:
    """A run as its folder shows it. What cannot be read is said in `problem`."""
    if folder.is_locked():
        state: PastState = "under way"
    elif folder.info.state == "finished" or folder.info.state == "failed":
        state = folder.info.state
    else:
        state = "killed"
    past = PastRun(info=folder.info, folder=str(folder.path), state=state)
    try:
        past.published = end_position(folder.records)
        past.deeds = deeds_of(folder)
        reckoning = reckon(folder, _sinks_of(folder))
        past.sinks = reckoning.accounts
        past.problem = None if reckoning.error is None else str(reckoning.error)
    except DespatchError as error:
        # One run that cannot be read hides none of the others.
        past.problem = str(error)
    return past


def find_run(root: Path, name: str) -> RunFolder:
    """A run by its id, the beginning of its id, or its folder.

    Raises:
        RunError: There is none, or more than one.
    """
    if (Path(name) / "run.json").is_file():
        return RunFolder.open(Path(name))
    found = [folder for folder in runs_in(root, []) if folder.info.run_id.startswith(name)]
    if len(found) != 1:
        number = "no run" if not found else f"{len(found)} runs"
        raise RunError(
            f"{root}: {number} whose id begins with {name!r}; `despatch runs list` shows all"
        )
    return found[0]


def who_comes_first(run: PastRun, runs: Sequence[PastRun]) -> dict[str, PastRun]:
    """Which sinks of a run must wait: their name, to the oldest run that they wait for.

    The order of a sink's records goes across the runs of one name: what an older one still owes
    comes first.
    """
    first: dict[str, PastRun] = {}
    for older in sorted(runs, key=lambda each: each.info.run_id):
        if older.info.name == run.info.name and older.info.run_id < run.info.run_id:
            for sink in older.owed:
                first.setdefault(sink, older)
    return {sink: first[sink] for sink in run.owed if sink in first}


def deliver(
    folder: RunFolder,
    progress: ProgressView | None = None,
    *,
    held: Collection[str] = (),
    grace: timedelta | None = None,
    is_patient: bool = True,
    stopping: Stopping | None = None,
    conceal: Concealer | None = None,
) -> list[SinkAccount]:
    """Deliver what a run still owes, within its grace time.

    Args:
        folder: The run.
        progress: Shows how it goes.
        held: The names of sinks that get nothing for now.
        grace: How long it may take, in wall time; by default as the run's settings say.
        is_patient: Whether a sink that fails is tried again, as the run's settings say.
        stopping: What ends it before; what is not delivered by then stays owed.
        conceal: Learns the secrets of the connectors.

    Returns:
        The accounts afterwards.

    Raises:
        RunError: The run is still under way.
        SettingsError: Its settings cannot be resolved, for want of a secret for instance.
        AccountError: The accounts do not add up afterwards.
    """
    settings = settings_of(folder)
    if grace is not None:
        limited = settings.courier.model_copy(update={"grace": grace})
        settings = settings.model_copy(update={"courier": limited})
    if not is_patient:
        egress = [_impatient(sink) for sink in settings.egress]
        settings = settings.model_copy(update={"egress": egress})
    folder.lock()
    try:
        courier = Courier(folder, settings, None, progress, conceal, held=held)
        run_to_end(_deliver(courier, stopping))
        return accounts_of(folder, settings.egress)
    finally:
        folder.unlock()


def _impatient(sink: EgressSettings) -> EgressSettings:
    return sink.model_copy(update={"retry": sink.retry.model_copy(update={"attempts": 1})})


async def _deliver(courier: Courier, stopping: Stopping | None) -> None:
    if stopping is None:
        await courier.run()
        return
    with stopping.reaching(courier.stop):
        await courier.run()


def settings_of(folder: RunFolder) -> Settings:
    """The settings of a past run, resolved.

    Raises:
        SettingsError: They cannot be, for want of a secret or of a plugin for instance.
        RunError: They cannot be read.
    """
    return settings_from(folder.settings(), source=str(folder.path / "settings.json"))


def _sinks_of(folder: RunFolder) -> list[EgressSettings]:
    """The sinks of a run, with what can be known of them without its secrets and plugins."""
    where = folder.path / "settings.json"
    data, problems = substitute(folder.settings().get("egress") or [])
    for location, message in problems:
        if location[1:2] in (("name",), ("select",)):
            raise RunError(f"{where}: egress[{location[0]}].{location[1]}: {message}")
    try:
        return [_known_of(entry) for entry in named(data)]
    except (ValidationError, TypeError, AttributeError) as error:
        raise RunError(f"{where}: the sinks cannot be read: {error}") from error


def _known_of(entry: Mapping[str, object]) -> EgressSettings:
    known = {key: entry[key] for key in ("connector", "name", "select") if key in entry}
    return EgressSettings.model_validate(known)
