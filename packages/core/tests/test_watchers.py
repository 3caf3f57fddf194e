from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from despatch.plugins import Plugins
from despatch.runs import RunInfo
from despatch.watchers import Watchers

MODULE = """
from despatch.hooks import hookimpl

seen = []

@hookimpl
def despatch_run_started(run):
    seen.append(run.name)
"""
RAISING = """
from despatch.hooks import hookimpl

@hookimpl
def despatch_run_started(run):
    raise {error}

@hookimpl
def despatch_run_finished(report):
    pass
"""


@pytest.fixture
def watchers():
    now = datetime.now(UTC)
    info = RunInfo(run_id="1", name="desk", start=now, created=now, seed=1, factor=0, version="0")
    return lambda **given: Watchers(Plugins(**given), info)


def hooks(install, name, code, **given):
    module = f"{name}_module"
    entry = f"[despatch.hooks]\n{name} = {module}\n"
    install(f"acme-{name}", entry, modules={module: code}, **given)
    return module


def seen(module):
    return sys.modules[module].seen


def test_a_hook_is_called_with_what_it_asks_for(install, watchers):
    module = hooks(install, "watch", MODULE)
    made = watchers()
    assert made.watches("despatch_run_started")
    assert not made.watches("despatch_run_finished")
    made.call("despatch_run_started")
    assert seen(module) == ["desk"]


def test_one_that_raises_is_named_in_the_log_once_and_keeps_no_other_from_its_call(
    install, watchers, caplog
):
    hooks(install, "bad", RAISING.format(error="KeyError('oh')"), version="1.5")
    module = hooks(install, "watch", MODULE)
    made = watchers()
    for _ in range(3):
        made.call("despatch_run_started")
    assert len(seen(module)) == 3
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.getMessage() == (
        "hooks bad (acme-bad 1.5): despatch_run_started raised KeyError: 'oh'"
    )
    assert record.exc_info


def test_one_that_would_end_the_process_does_not(install, watchers, caplog):
    hooks(install, "bad", RAISING.format(error="SystemExit(1)"))
    watchers().call("despatch_run_started")
    assert "SystemExit: 1" in caplog.text


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", "importing bad_module raised ZeroDivisionError"),
        ("despatch_run_started = 1", "implements no hook"),
    ],
)
def test_one_that_is_broken_is_named_in_the_log_and_hinders_no_other(
    install, watchers, caplog, code, reason
):
    hooks(install, "bad", code)
    module = hooks(install, "watch", MODULE)
    watchers().call("despatch_run_started")
    assert seen(module) == ["desk"]
    assert "hook plugin 'bad' (acme-bad 1.0) is broken" in caplog.text
    assert reason in caplog.text


def test_one_for_another_despatch_is_not_imported(install, watchers, caplog):
    module = hooks(install, "old", MODULE, requires=["despatch<0.0.1"])
    watchers().call("despatch_run_started")
    assert module not in sys.modules
    assert "hook plugin 'old' (acme-old 1.0) is incompatible" in caplog.text


def test_one_that_is_not_allowed_is_left_out_without_a_word(install, watchers, caplog):
    module = hooks(install, "watch", MODULE)
    watchers(allowed=["other"]).call("despatch_run_started")
    assert module not in sys.modules
    assert caplog.text == ""


def test_what_is_installed_is_listed_with_what_is_wrong_with_it(install):
    hooks(install, "watch", MODULE)
    hooks(install, "bad", "1 / 0")
    listed = {each.name: each for each in Plugins().list(check=True) if each.kind == "hooks"}
    assert listed["watch"].is_ready
    assert listed["bad"].status == "broken"


def test_without_a_hook_plugin_pluggy_is_not_imported():
    code = (
        "import sys; from datetime import datetime; from despatch import *;"
        "from despatch.watchers import Watchers; from despatch.plugins import Plugins;"
        "Watchers(Plugins(), None).call('despatch_run_started');"
        "sys.exit('pluggy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
