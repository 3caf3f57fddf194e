"""``despatch run``: a model under a settings file."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from despatch.cli.console import err, fail, out, progress_mode
from despatch.cli.earlier_runs import see_to_earlier_runs
from despatch.cli.reading import read, resume_beside
from despatch.concealment import Concealer
from despatch.errors import AccountError, DespatchError, SettingsError, StateError
from despatch.logs import logging_as
from despatch.report import Report
from despatch.restoring.beginning import Resume
from despatch.run import Model, Run
from despatch.settings.file import raw_settings

__all__ = ["conduct", "run", "show"]

RUN_FAILED = 1

_log = logging.getLogger("despatch")


def run(
    settings_file: Annotated[Path, typer.Argument(help="The settings file, YAML.")],
    factor: Annotated[
        float | None, typer.Option(help="Wall seconds per simulated second; 0 is at full speed.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Simulated time to run for, such as 90s or 8h.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Set a parameter at the start."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the delivery report to this file, as JSON.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the delivery report as JSON.")
    ] = False,
) -> None:
    """Run a model under a settings file and print the delivery report.

    Exit status 0: all done and all delivered. 1: the run failed, or its report could not be
    written to the file. 2: the command or the settings are wrong. 3: the run finished, but
    something was not delivered.
    """
    if report is not None:
        _see_that_writable(report)
    overrides: dict[str, object] = {}
    if factor is not None:
        overrides["clock.factor"] = factor
    if until is not None:
        overrides["clock.until"] = until
    for assignment in set_ or []:
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            fail(f"--set {assignment}: expected PATH=VALUE, such as Line_A.lathe.capacity=3")
        overrides.setdefault("parameters", {})[path] = value  # type: ignore[index]
    try:
        settings, model = read(settings_file, overrides)
        resume = resume_beside(settings)
        raw = raw_settings(settings_file, overrides=overrides)
        result = conduct(raw, model, resume=resume, origin=settings_file.absolute().parent)
    except DespatchError as error:
        fail(error)
    if json:
        out().print(result.to_json().decode(), markup=False)
    else:
        show(result)
    is_written = report is None or _write(report, result)
    raise typer.Exit(result.exit_status if is_written else result.exit_status or RUN_FAILED)


def conduct(
    settings: Mapping[str, Any],
    model: Model,
    *,
    resume: Resume | None = None,
    origin: Path | None = None,
) -> Report:
    """Run a model to its end, or to SIGINT or SIGTERM.

    What the model raises is printed with its own traceback, and the report says `failed`.

    Args:
        settings: As for `Run`.
        model: As for `Run`.
        resume: As for `Run`.
        origin: As for `Run`.

    Raises:
        DespatchError: The run could not begin.
    """
    run = Run(
        settings,
        model,
        resume=resume,
        progress=progress_mode(),
        handle_signals=True,
        origin=origin,
    )
    conceal = Concealer()
    with logging_as(run.settings.logs, conceal, sim=run.settings.name, run_id=run.run_id):
        see_to_earlier_runs(run.settings, conceal)
        return _report_of(run)


def _report_of(run: Run) -> Report:
    try:
        with run:
            run.run()
    except (SettingsError, StateError):
        raise
    except AccountError:
        # Not the model's doing, and the report says all there is to say.
        return run.report
    except Exception as error:
        # The boundary to the model: it may raise anything, and its author wants to see where.
        if not hasattr(run, "report"):
            raise
        _log.error("the model raised %s", type(error).__name__, exc_info=error)
    return run.report


def show(report: Report) -> None:
    """Print the delivery report for people."""
    console = out()
    console.print(report.summary())
    if report.sinks:
        console.print(report.table())


def _see_that_writable(file: Path) -> None:
    """Find out before the run that its report could not be written after it."""
    folder = file.absolute().parent
    if file.is_dir():
        fail(f"--report {file}: expected a file, found a folder")
    if not folder.is_dir():
        fail(f"--report {file}: there is no folder {folder}; make it first")
    if not os.access(file if file.exists() else folder, os.W_OK):
        fail(f"--report {file}: may not be written")


def _write(file: Path, report: Report) -> bool:
    """Write the report; whether that succeeded."""
    try:
        file.write_bytes(report.to_json())
    except OSError as error:
        kept = Path(report.folder) / "report.json"
        reason = error.strerror or error
        err().print(
            f"--report {file}: cannot be written ({reason}); the report is in {kept}",
            markup=False,
            style="red",
        )
        return False
    return True
