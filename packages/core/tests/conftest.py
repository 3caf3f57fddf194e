from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

PLUGINS = str(Path(__file__).parent / "plugins")


@pytest.fixture(autouse=True, scope="session")
def _installed_plugins():
    """Plugins of a stranger, installed for this process and for the couriers it starts."""
    sys.path.append(PLUGINS)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = PLUGINS if not before else f"{before}{os.pathsep}{PLUGINS}"
    yield
    sys.path.remove(PLUGINS)
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
