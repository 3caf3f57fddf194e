from __future__ import annotations

import os
import sys

import pytest

from despatch.errors import PluginError
from despatch.plugins import Kind, Plugins, Status
from despatch.plugins.trying import tried

GOOD = """
from pydantic import BaseModel
from despatch.interfaces import EgressConnector, Guarantee, Receipt
print("a greeting that is nobody's business")
class Sink(EgressConnector):
    Settings = BaseModel
    guarantee = Guarantee.AT_LEAST_ONCE
    async def open(self): ...
    async def deliver(self, batch): return Receipt()
    async def close(self): ...
"""


@pytest.fixture
def reasons(install):
    """What is wrong with plugins, by the code of their modules; the last one is good."""

    def reasons(*codes, **given):
        for number, code in enumerate([*codes, GOOD]):
            module = f"acme_trial_{number}"
            entry_points = f"[despatch.egress]\nacme{number} = {module}:Sink\n"
            install(f"acme-{number}", entry_points, modules={module: code})
        own = [each for each in Plugins().list() if each.distribution.startswith("acme-")]
        found = tried(own, **given)
        assert found[-1].is_ready
        assert "acme_trial_0" not in sys.modules
        return [each.reason for each in found[:-1]]

    return reasons


def test_a_plugin_that_ends_its_process_is_broken_and_hinders_no_other(reasons):
    exits, killed, raises = reasons(
        "import os; os._exit(7)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "1 / 0",
    )
    assert exits == "importing acme_trial_0:Sink ended its process: exit status 7"
    assert killed == "importing acme_trial_1:Sink ended its process: SIGKILL"
    assert raises.endswith("raised ZeroDivisionError: division by zero")


def test_what_a_plugin_said_last_is_told(reasons):
    (reason,) = reasons("import os; os.write(2, b'no licence\\n'); os._exit(1)")
    assert reason.endswith("exit status 1; it said last: no licence")


def test_a_plugin_whose_import_takes_too_long_is_broken(reasons):
    (reason,) = reasons("import time\nwhile True: time.sleep(60)", timeout_s=2.0)
    assert reason == "importing acme_trial_0:Sink took longer than 2 s"


def test_a_plugin_that_is_not_ready_is_not_tried(install):
    install("acme-new", "[despatch.egress]\nnew = acme_trial:Sink\n", requires=["despatch>=99"])
    plugin = Plugins(core_version="0.1.0").find(Kind.EGRESS, "new")
    assert tried([plugin]) == [plugin]
    assert plugin.status is Status.INCOMPATIBLE


def test_a_process_that_cannot_be_had_accuses_nobody(install, monkeypatch):
    install("acme-sink", "[despatch.egress]\nacme = acme_trial:Sink\n")
    plugin = Plugins().find(Kind.EGRESS, "acme")
    monkeypatch.setenv("PYTHONHOME", os.devnull)
    with pytest.raises(PluginError, match=r"plugins cannot be tried: .* ended its process"):
        tried([plugin])
