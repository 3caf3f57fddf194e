"""``despatch schema``: the JSON Schema of settings files, of snapshots, and of forecasts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from despatch.cli.console import err, print_json
from despatch.forecasting.report import schema_of_report
from despatch.plugins import Plugins
from despatch.settings.schema import schema_of_settings
from despatch.snapshot_schema import schema_of_snapshot

__all__ = ["schema"]


class Documents(StrEnum):
    """What there is a schema of."""

    SETTINGS = "settings"
    SNAPSHOT = "snapshot"
    FORECAST = "forecast"


def schema(
    what: Annotated[
        Documents,
        typer.Argument(
            help="Of settings files, of snapshots of a system's state, or of forecasts' reports."
        ),
    ] = Documents.SETTINGS,
) -> None:
    """Print the JSON Schema of settings files, of snapshots, or of forecasts' reports.

    It is for editors, and for those who write such documents by program. That of settings has the
    installed plugins' parts; plugins that cannot be used are named on standard error, and left out.
    """
    if what is Documents.SNAPSHOT:
        print_json(schema_of_snapshot())
        return
    if what is Documents.FORECAST:
        print_json(schema_of_report())
        return
    made, left_out = schema_of_settings(Plugins())
    for reason in left_out:
        err().print(f"left out: {reason}", markup=False, style="yellow")
    print_json(made)
