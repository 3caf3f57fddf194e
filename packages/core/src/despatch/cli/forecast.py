"""``despatch forecast``: a model run ahead many times from the present."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from despatch.cli.console import fail, out, progress_mode
from despatch.cli.ensembles import (
    FAILED,
    make_folder,
    of_a_run,
    parquet_sink,
    shown,
    tell_and_exit,
)
from despatch.errors import DespatchError, ReplicationError
from despatch.forecasting.delivery import deliver
from despatch.forecasting.forecast import Forecast
from despatch.forecasting.forecasting import forecast as run_forecast
from despatch.forecasting.picture import check_can_draw
from despatch.forecasting.telling import (
    COLUMNS,
    DIFFERENCE_COLUMNS,
    crossing_in_words,
    differences,
    headline,
    percent,
    rows,
)
from despatch.settings.entries import by_name
from despatch.settings.file import raw_settings
from despatch.settings.forecast import RESOURCE_FIGURES

__all__ = ["forecast"]

# A comma between two changes, and none within a value.
_COMMA: Final = re.compile(r",\s*(?=[^,=]+=)")


def forecast(
    settings_file: Annotated[Path, typer.Argument(help="The settings file, YAML.")],
    state: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE|FILE",
            help="A snapshot's file, or a state source that needs no settings, instead of `state`.",
        ),
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(help="How far to look ahead, such as 90s or 8h.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="The distance of the grid points, such as 15m.")
    ] = None,
    replications: Annotated[
        int | None, typer.Option(help="How many; with a precision, at most.")
    ] = None,
    watch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="A telemetry, or RESOURCE.FIGURE such as Line_A.lathe.queue_length; repeatable, "
            "in place of forecast.watch.",
        ),
    ] = None,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME:] PATH=VALUE[,PATH=VALUE]",
            help="A scenario; repeatable, in place of forecast.what_if.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="[FIGURE=]0.5|5%", help="Stop when the mean is so exact at the horizon."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="What the seeds are made from.")] = None,
    executor: Annotated[
        str | None, typer.Option(help="Who performs the replications, such as local.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="How many at once.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Write forecast.json and what else is asked here.")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Write forecast.html too.")] = False,
    png: Annotated[bool, typer.Option("--png", help="Write forecast.png too.")] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Deliver its records as Parquet too.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run a model ahead many times from the present, and say what will be and how sure that is.

    Exit status 0: there is a forecast, and all is written and delivered. 1: a replication's model
    raised or its worker was lost, or a file could not be written. 2: the command, the settings or
    the state are wrong. 3: not all of its records were delivered.
    """
    if folder is None and (html or png or parquet):
        fail("--html, --png and --parquet: say with --out FOLDER where to")
    try:
        raw = raw_settings(settings_file)
        sinks = _sinks(raw, folder if parquet else None)
        if png:
            check_can_draw()
        if folder is not None:
            make_folder(folder)
        with shown(str(raw.get("name", "simulation")), "replications") as progress:
            found = run_forecast(
                settings_file,
                state=None if state is None else _state(state),
                horizon=horizon,
                every=every,
                replications=replications,
                watch=None if watch is None else [_watched(each) for each in watch],
                what_if=None if what_if is None else dict(_scenario(each) for each in what_if),
                precision=None if precision is None else _precision(precision),
                seed=seed,
                executor=_executor(raw, executor, workers),
                progress=progress,
            )
    except ReplicationError as error:
        fail(error, FAILED)
    except DespatchError as error:
        fail(error)
    except ValueError as error:  # a seed that is out of bounds
        fail(str(error))
    if json:
        out().print(found.to_json().decode(), markup=False)
    else:
        _show(found)
    if folder is not None:
        _write(found, folder, html=html, png=png)
    if sinks:
        _deliver(found, sinks, raw, settings_file)


def _state(given: str) -> dict[str, Any]:
    """The part of the settings that a state's file or source stands for."""
    is_source = re.fullmatch(r"[A-Za-z0-9_-]+", given) and not Path(given).exists()
    return {"source": given} if is_source else {"source": "file", "path": given}


def _watched(path: str) -> dict[str, str]:
    figures = [each for each in RESOURCE_FIGURES if path.endswith(f".{each}")]
    if not figures:
        return {"telemetry": path}
    figure = max(figures, key=len)  # puts.mean_wait, and not mean_wait
    return {"resource": path.removesuffix(f".{figure}"), "figure": figure}


def _scenario(given: str) -> tuple[str, dict[str, str]]:
    head, equals, _ = given.partition("=")
    name, colon, _ = head.rpartition(":")
    changes = given[len(name) + len(colon) :]
    found = {}
    for change in _COMMA.split(changes):
        path, is_there, value = change.partition("=")
        if not is_there or not path.strip() or not equals:
            fail(
                f"--what-if {given}: expected PATH=VALUE, such as Line_A.lathe.capacity=3, or "
                "several with a name: 'NAME: PATH=VALUE,PATH=VALUE'"
            )
        found[path.strip()] = value.strip()
    return (name if colon else given).strip(), found


def _precision(given: str) -> str | dict[str, Any]:
    name, equals, target = given.rpartition("=")
    return {"mean": {name: target}} if equals else given


def _executor(
    raw: Mapping[str, Any], executor: str | None, workers: int | None
) -> dict[str, Any] | None:
    if executor is None and workers is None:
        return None
    chosen = {"name": executor} if executor is not None else by_name(raw.get("executor") or {})
    return {**chosen, **({} if workers is None else {"workers": workers})}


def _sinks(raw: Mapping[str, Any], parquet: Path | None) -> list[dict[str, Any]]:
    """The sinks of the forecast's records.

    Raises:
        SettingsError: That of Parquet cannot be had.
    """
    section = raw.get("forecast")
    egress = section.get("egress") if isinstance(section, Mapping) else None
    sinks = [dict(each) for each in egress or () if isinstance(each, Mapping)]
    if parquet is not None:
        sinks.append(parquet_sink(raw, parquet))
    return sinks


def _show(found: Forecast) -> None:
    console = out()
    console.print(headline(found), markup=False)
    shares = [percent(each) for each in found.quantiles]
    console.print(_table([*COLUMNS, *shares], rows(found), "at the horizon"))
    for scenario in found.scenarios.values():
        for outlook in scenario.outlooks.values():
            for crossing in outlook.crossings.values():
                told = crossing_in_words(outlook, crossing)
                console.print(f"{scenario.name}: {outlook.figure.name} {told}", markup=False)
    if found.comparisons:
        title = "compared with the base, by the same seeds"
        console.print(_table(DIFFERENCE_COLUMNS, differences(found), title))


def _table(columns: Any, body: list[list[str]], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right")
    for row in body:
        table.add_row(*map(escape, row))
    return table


def _write(found: Forecast, folder: Path, *, html: bool, png: bool) -> None:
    try:
        (folder / "forecast.json").write_bytes(found.to_json())
        if html:
            (folder / "forecast.html").write_text(found.to_html(), encoding="utf-8")
        if png:
            found.draw(folder / "forecast.png")
    except OSError as error:
        fail(f"--out {folder}: {error}", FAILED)


def _deliver(
    found: Forecast, sinks: list[dict[str, Any]], raw: Mapping[str, Any], settings_file: Path
) -> None:
    origin, progress = settings_file.absolute().parent, progress_mode()
    try:
        report = deliver(found, sinks, settings=of_a_run(raw), progress=progress, origin=origin)
    except DespatchError as error:
        fail(error)
    tell_and_exit(report)
