"""What the fault suite shares."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.servers import session_stands, stands
from faults.soak import NOTES, Soak

__all__ = ["session_stands", "stands"]

PLUGINS = [
    str(Path(__file__).parent / "plugins"),
    str(Path(__file__).parents[2] / "packages" / "core" / "tests" / "plugins"),
]


@pytest.fixture(autouse=True, scope="session")
def _installed_plugins() -> Iterator[None]:
    """Plugins of a stranger, installed for this process and for the couriers it starts."""
    before = os.environ.get("PYTHONPATH")
    sys.path += PLUGINS
    os.environ["PYTHONPATH"] = os.pathsep.join(PLUGINS if before is None else [before, *PLUGINS])
    yield
    for plugins in PLUGINS:
        sys.path.remove(plugins)
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> Soak:
    """How often to hurt, and a place to say what was done."""
    return Soak(request.config.stash.setdefault(NOTES, []))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    notes = config.stash.get(NOTES, [])
    if notes:
        terminalreporter.section("what the fault suite did")
        for note in notes:
            terminalreporter.write_line(note)
