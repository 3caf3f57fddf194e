"""Replaying: the same run again, from its folder, held against what was recorded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from despatch.audit.journal import AuditReader, Begun, Called, Paused, describe
from despatch.entries import ENTRY_FIELDS
from despatch.environment import DynamicEnvironment
from despatch.errors import JournalError, RunError
from despatch.journal import JournalReader, JournalWriter
from despatch.models import ModelError, find_model, find_resume
from despatch.renderings import counted
from despatch.replaying.comparison import Comparison
from despatch.replaying.differences import Difference, Verdict
from despatch.replaying.environment import Follower, ReplayEnvironment
from despatch.replaying.initial import ReplayInitial
from despatch.replaying.script import Script, is_from_outside, is_same_error
from despatch.restoring.beginning import Resume, resume_model
from despatch.run import Model, environment_of
from despatch.runs import RunFolder
from despatch.settings.entries import named
from despatch.settings.file import resolve
from despatch.snapshots import Snapshot

__all__ = ["ReplayReport", "replay"]

_Found = TypeVar("_Found")


class ReplayReport(msgspec.Struct, kw_only=True):
    """What a replay found.

    Attributes:
        run_id: The run's id.
        name: The simulation's name.
        folder: The run's folder.
        records: How many records were compared and were the same.
        commands: How many commands were applied again.
        outcomes: How many outcomes of commands and updates were the same.
        sim_time: Simulated time at the end of the replay.
        error: What the model raised, as recorded and again; None where it raised nothing.
        notes: What a reader should know, such as what could not be compared.
        difference: The first difference; None where there is none.
    """

    run_id: str
    name: str
    folder: str
    records: int
    commands: int
    outcomes: int
    sim_time: float
    error: str | None = None
    notes: list[str] = []
    difference: Difference | None = None

    @property
    def is_identical(self) -> bool:
        """Whether all that could be compared is the same."""
        return self.difference is None

    def __str__(self) -> str:
        same = (
            f"{counted(self.records, 'record')} and {counted(self.outcomes, 'outcome')}, "
            f"with {counted(self.commands, 'command')} from outside"
        )
        lines = [f"run {self.run_id} of {self.name}: "]
        if self.difference is None:
            lines[0] += f"identical: {same}, up to simulated time {self.sim_time!r}"
            if self.error is not None:
                lines.append(f"it ended as it had, with {self.error}")
        else:
            lines[0] += str(self.difference)
            lines.append(f"the same before it: {same}")
        return "\n".join([*lines, *self.notes])


def replay(
    folder: Path | str,
    *,
    model: Model | None = None,
    resume: Resume | None = None,
    drive: Callable[[DynamicEnvironment], object] | None = None,
    keep: Path | str | None = None,
) -> ReplayReport:
    """Run a run again, and compare what it publishes with what was recorded, byte for byte.

    The seed, the times and all that came from outside are taken from the run's folder. Nothing
    is delivered, no connector is loaded, and no clock is waited for. The model's own code is run:
    what it does beside publishing, it does again. The replay ends at the first difference.

    Args:
        folder: The run's folder.
        model: Builds the model; by default what the run's settings name.
        resume: Takes the state in that the run began with; by default what is beside the model
            that the settings name.
        drive: Runs the model as the program did that made the run, where it called `env.run`
            until an event of its own, or did more between two calls than change parameters. By
            default `env.run` is called as it was.
        keep: A folder for the journal of what the replay publishes, new or empty; None keeps
            nothing.

    Raises:
        RunError: There is no run here, it is still under way, its audit journal is damaged, its
            model cannot be imported, or it cannot be repeated without `drive`.
        JournalError: A journal cannot be read or written.
        SettingsError: The run's settings have a reference that cannot be resolved now.
    """
    run = RunFolder.open(Path(folder))
    settings = run.settings()
    snapshot = run.snapshot()
    begin = model or _model_of(run, settings)
    if snapshot is not None and snapshot.has_work:
        begin = partial(_take_in, resume or _resume_of(run, settings), snapshot)
    run.lock()
    try:
        return _Replay(run, settings, begin, drive, None if keep is None else Path(keep)).report()
    finally:
        run.unlock()


class _Replay:
    """One replay, from the building of the model to the report."""

    def __init__(
        self,
        run: RunFolder,
        settings: dict[str, Any],
        model: Model,
        drive: Callable[[DynamicEnvironment], object] | None,
        keep: Path | None,
    ) -> None:
        _check_audit(run)
        self._run, self._model, self._drive = run, model, drive
        self._verdict = Verdict()
        self._script = Script(AuditReader(run.audit), self._verdict)
        self._is_interrupted = is_from_outside(run.info.error)
        self._kept = None
        if keep is not None:
            meta = {"kind": "records", "run_id": run.info.run_id, "sim": run.info.name}
            self._kept = JournalWriter(keep / "records", meta, fields=ENTRY_FIELDS)
        self._comparison = Comparison(
            run.records,
            self._verdict,
            self._kept,
            is_open_ended=lambda: self._is_interrupted or self._script.ends_early,
        )
        self._env = environment_of(run.info, ReplayEnvironment)
        allow = _allow_lists(settings)
        self._follower = Follower(self._env, self._script, self._comparison, self._verdict, allow)
        self._env._initial = ReplayInitial(self._env, self._script, self._follower)
        self._has_begun = False
        self._has_run = False

    def report(self) -> ReplayReport:
        error = self._perform()
        self._comparison.finish()
        if self._kept is not None:
            self._kept.close()
        self._compare_end(error)
        difference = self._verdict.difference
        info = self._run.info
        return ReplayReport(
            run_id=info.run_id,
            name=info.name,
            folder=str(self._run.path),
            records=self._comparison.same,
            commands=self._script.commands,
            outcomes=self._script.outcomes,
            sim_time=float(self._env.now),
            error=info.error if difference is None else None,
            notes=list(self._notes(difference)),
            difference=difference,
        )

    def _perform(self) -> str | None:
        """Do it all again; what was raised outside of `env.run`."""
        try:
            self._model(self._env)
            self._follow()
        except (RunError, JournalError):
            raise
        except (Exception, SystemExit) as error:
            # The boundary to the model: what it raises is held against what was recorded.
            self._script.miss(f"{describe(error)}, at {self._env.now!r}")
            return describe(error)
        return None

    def _follow(self) -> None:
        """Do what came between the calls of `env.run`, and call it."""
        script = self._script
        while (entry := script.next) is not None and self._verdict.difference is None:
            cause = entry.cause
            self._has_begun = self._has_begun or isinstance(cause, Begun)
            if isinstance(cause, Called):
                self._has_run = True
                self._call(cause)
            elif cause is None or isinstance(cause, Paused):
                script.miss()
            else:
                self._follower.bring(entry)

    def _call(self, called: Called) -> None:
        if called.is_event and self._drive is None:
            raise RunError(
                f"{self._run.path}: the program that made this run ran it until an event of its "
                "own: replay it with despatch.replay(folder, model=…, drive=…), where `drive` "
                "does the same with the environment"
            )
        try:
            if self._drive is None:
                self._env.run(called.until)
            else:
                self._drive(self._env)
        except (Exception, SystemExit) as error:
            # What `env.run` raised was compared when it ended, and a program may go on after it.
            is_compared = self._verdict.difference is not None or self._script.is_open_ended
            if not is_compared and not is_same_error(describe(error), self._script.last_error):
                raise
        if self._drive is not None:
            self._script.miss("the end of `drive`")

    def _compare_end(self, error: str | None) -> None:
        """Hold what ended the run against what ended the replay."""
        recorded, sim_time = self._run.info.error, float(self._env.now)
        if error is not None:
            is_beyond = self._script.is_open_ended and self._comparison.is_exhausted(sim_time)
            is_same = is_same_error(error, recorded) or _is_told_of(recorded, error)
            is_different = not is_same and not is_beyond
        else:
            is_build = recorded is not None and not self._has_begun
            is_different = is_build and not (is_from_outside(recorded) or _is_of_settings(recorded))
        if is_different:
            self._verdict.differ(
                Difference(what="end", sim_time=sim_time, recorded=recorded, replayed=error)
            )

    def _notes(self, difference: Difference | None) -> list[str]:
        info, comparison, script = self._run.info, self._comparison, self._script
        notes = []
        if not comparison.has_records and info.error is None:
            notes.append("no record is left to compare: set `journal.keep` to keep some")
        elif comparison.first:
            notes.append(
                f"compared from record {comparison.first:,} on: those before it were removed when "
                "every sink had them; set `journal.keep` to keep them"
            )
        if script.is_open_ended and difference is None:
            notes.append("the run was killed or interrupted: compared up to the last that it wrote")
        if script.threaded:
            first = script.threaded[0]
            notes.append(
                f"{len(script.threaded):,} functions from other threads were called, the first at "
                f"simulated time {first.sim_time!r}: what they did beside updates of parameters is "
                "not repeated"
            )
        is_of_program = self._has_run and not is_same_error(script.last_error, info.error)
        if difference is None and is_of_program and info.error is not None:
            notes.append(f"the program that made the run ended it with {info.error}")
        if difference is not None and info.version != version("despatch"):
            notes.append(f"recorded by despatch {info.version}, this is {version('despatch')}")
        return notes


def _check_audit(run: RunFolder) -> None:
    """Raise an error where something that came from outside is not known."""
    if not run.audit.is_dir():
        raise RunError(f"{run.path}: the run has no audit journal, and nothing to repeat")
    with JournalReader(run.audit, packed=True) as reader:
        reader.finish()
        damage, is_within = None, False
        while (frame := reader.read()) is not None:
            is_within = is_within or (damage is not None and bool(frame.entries))
            damage = damage or frame.damage
        # What is torn off at the end of a journal whose writer was killed is no damage.
        if damage is not None and (is_within or reader.ended):
            raise RunError(f"{damage.segment}: the audit journal is damaged: {damage.reason}")


def _take_in(resume: Resume, snapshot: Snapshot, env: DynamicEnvironment) -> None:
    resume_model(env, resume, snapshot)


def _model_of(run: RunFolder, settings: dict[str, Any]) -> Model:
    return _found(run, settings, find_model, "model=build")


def _resume_of(run: RunFolder, settings: dict[str, Any]) -> Resume:
    resume = _found(run, settings, find_resume, "resume=resume")
    if resume is None:
        raise RunError(
            f"{run.path}: the run began from a state, and there is no `resume` beside the model "
            f"{settings['model']} any more"
        )
    return resume


def _found(
    run: RunFolder, settings: dict[str, Any], find: Callable[[str], _Found], argument: str
) -> _Found:
    name = settings.get("model")
    if name is None:
        raise RunError(
            f"{run.path}: the run's settings name no model: replay it from Python, with "
            f"despatch.replay(folder, {argument})"
        )
    for folder in (os.getcwd(), run.info.origin):
        if folder is not None and folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        return find(str(resolve({"model": name})["model"]))
    except ModelError as error:
        raise RunError(f"{run.path}: the run's model {name}: {error}") from error


def _allow_lists(settings: dict[str, Any]) -> dict[str, list[str] | None]:
    """The paths that each source might write; of the rest of a source nothing is needed."""
    core = [
        {key: entry[key] for key in ("connector", "name", "allow") if key in entry}
        for entry in settings.get("ingress") or ()
    ]
    entries = resolve({"ingress": named(core)})["ingress"]
    return {entry["name"]: entry.get("allow") for entry in entries}


def _is_told_of(recorded: str | None, error: str) -> bool:
    """Whether the run told of an error with who had read the state, which a replay does not."""
    kind, _, reason = error.partition(": ")
    return (
        kind == "StateError"
        and recorded is not None
        and recorded.startswith(kind)
        and recorded.endswith(reason)
    )


def _is_of_settings(error: str | None) -> bool:
    """Whether an error came of what was set before the run began: values that were refused."""
    return error is not None and error.startswith(("SettingsError:", "StateError:"))
