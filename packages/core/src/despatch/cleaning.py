"""Cleaning: which run folders may go, and their removal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from despatch.audit.resumption import legacy_of
from despatch.errors import DespatchError, RunError
from despatch.history import PastRun
from despatch.renderings import counted
from despatch.runs import RunFolder

__all__ = ["Candidate", "candidates", "remove"]


class Candidate(msgspec.Struct, kw_only=True):
    """A run that may be removed, or why it is kept.

    Attributes:
        run_id: The run's id.
        name: The simulation's name.
        folder: Where it is.
        bytes: What its files take.
        losses: What would be lost with it: what it owes, what is in its dead letters. Not
            looked at where it is kept for another reason.
        kept: Why it is kept all the same; None where it may go.
    """

    run_id: str
    name: str
    folder: str
    bytes: int
    losses: list[str] = []
    kept: str | None = None


def candidates(
    runs: Sequence[PastRun],
    *,
    named: Collection[str] = (),
    older_than: timedelta | None = None,
    with_losses: bool = False,
    now: datetime | None = None,
) -> list[Candidate]:
    """Which of some runs may go, and why the others are kept.

    A run that is under way is always kept, and so is one whose accounts cannot be read. One that
    `resume: last` would take over from is kept unless it is named.

    Args:
        runs: All runs in a folder, oldest first.
        named: The ids of those that are meant; empty means all.
        older_than: Only those that were made longer ago than this, in wall time.
        with_losses: Whether those may go that owe something or have dead letters.
        now: The present wall time.
    """
    oldest = None if older_than is None else (now or datetime.now(UTC)) - older_than
    meant = [
        run
        for run in runs
        if (not named or run.info.run_id in named) and (oldest is None or run.info.created < oldest)
    ]
    needed = {} if named else _needed(meant)
    return [_candidate(run, needed.get(run.info.name), with_losses) for run in meant]


def remove(candidate: Candidate) -> None:
    """Remove a run's folder. What a link in it leads to is left alone.

    Raises:
        RunError: It is under way by now, or something in it cannot be removed.
    """
    path = Path(candidate.folder)
    folder = RunFolder.open(path)
    folder.lock()
    try:
        # First of all, so that what is left of it where this fails is never taken for a run.
        (path / "run.json").unlink()
        shutil.rmtree(path)
    except OSError as error:
        raise RunError(
            f"{error.filename or path}: cannot be removed ({error.strerror}); what is left of "
            f"{path} has to be removed by hand"
        ) from error
    finally:
        folder.unlock()


def _candidate(run: PastRun, needed: str | None, with_losses: bool) -> Candidate:
    path = Path(run.folder)
    candidate = Candidate(
        run_id=run.info.run_id, name=run.info.name, folder=run.folder, bytes=_size(path)
    )
    if path.is_symlink():
        candidate.kept = "the folder is a link to another place"
    elif run.state == "under way":
        candidate.kept = "it is under way"
    elif run.info.run_id == needed:
        candidate.kept = f"`resume: last` of {run.info.name} takes over from it"
    else:
        candidate.losses = list(_losses(run))
        if candidate.losses and (run.problem is not None or not with_losses):
            candidate.kept = ", ".join(candidate.losses)
    return candidate


def _losses(run: PastRun) -> Iterable[str]:
    if run.problem is not None:
        yield f"it is not known what it owes: {run.problem}"
    for sink in run.sinks:
        if sink.owed:
            yield f"{counted(sink.owed, 'record')} owed to {sink.sink}"
        if sink.dead_lettered:
            yield f"{counted(sink.dead_lettered, 'dead letter')} of {sink.sink}"


def _needed(runs: Sequence[PastRun]) -> dict[str, str]:
    """By name, the run that the next one would take over from."""
    roots = {run.info.name: Path(run.folder).parent for run in runs}
    newest = {run.info.name: run.info.run_id for run in runs}
    needed: dict[str, str] = {}
    for name, root in roots.items():
        try:
            legacy = legacy_of(root, name)
        except DespatchError:
            needed[name] = newest[name]  # in doubt, the newest is kept
        else:
            if legacy is not None:
                needed[name] = legacy.info.run_id
    return needed


def _size(path: Path) -> int:
    """What the files in a folder take, in bytes; what links lead to does not count."""
    total = 0
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += _size(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
    return total
