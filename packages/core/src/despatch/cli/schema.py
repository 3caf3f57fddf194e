"""``despatch schema``: the JSON Schema of settings files."""

from __future__ import annotations

from despatch.cli.console import err, print_json
from despatch.plugins import Plugins
from despatch.settings.schema import schema_of_settings

__all__ = ["schema"]


def schema() -> None:
    """Print the JSON Schema of settings files, for editors, installed plugins included.

    Plugins that cannot be used are named on standard error, and left out.
    """
    made, left_out = schema_of_settings(Plugins())
    for reason in left_out:
        err().print(f"left out: {reason}", markup=False, style="yellow")
    print_json(made)
