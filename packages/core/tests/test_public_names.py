from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import despatch

HEAVY = {
    "asyncio",
    "click",
    "msgspec",
    "multiprocessing",
    "numpy",
    "ormsgpack",
    "packaging",
    "pydantic",
    "rich",
    "ruamel.yaml",
    "simpy",
    "sqlite3",
    "typer",
}
PLUGINS = (
    "despatch_",
    "despatch.connectors",
    "despatch.executors",
    "despatch.serializers",
    "despatch.states",
)
CLIENTS = {"aiokafka", "boto3", "fastavro", "hiredis", "pyarrow", "ray", "redis"}


def modules_after(program: str) -> set[str]:
    """What an interpreter of its own has imported after a program."""
    loaded = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        check=True,
        text=True,
    )
    return set(loaded.stdout.split())


def test_all_that_is_public_is_there_once_and_in_order():
    assert [name for name in despatch.__all__ if not hasattr(despatch, name)] == []
    assert despatch.__all__ == sorted(set(despatch.__all__))


def test_type_checkers_see_what_is_there_at_run_time():
    tree = ast.parse(Path(despatch.__file__).read_text())
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("despatch")
        for alias in node.names
    }
    assert seen == despatch._HOMES
    assert {*seen} == {*despatch.__all__}


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'despatch' has no attribute 'Rnu'"):
        _ = despatch.Rnu
    with pytest.raises(ImportError, match="cannot import name 'Rnu' from 'despatch'"):
        exec("from despatch import Rnu")


def test_every_name_can_be_completed_before_it_is_imported():
    program = "import despatch; assert {*despatch.__all__} <= {*dir(despatch)}"
    assert "despatch.run" not in modules_after(program)


def test_all_names_come_with_a_star():
    assert {"despatch.run", "despatch.environment"} <= modules_after("from despatch import *")


def test_a_public_class_can_be_pickled():
    assert pickle.loads(pickle.dumps(despatch.Command)) is despatch.Command


def test_importing_despatch_imports_nothing_that_is_not_asked_for():
    loaded = modules_after("import despatch")
    assert loaded & (HEAVY | CLIENTS) == set()
    assert [name for name in loaded if name.startswith("despatch")] == ["despatch"]


def test_a_model_that_only_simulates_imports_nothing_of_runs_or_plugins():
    loaded = modules_after(
        "from despatch import DynamicEnvironment, DynamicResource, Exponential, SimParameter"
    )
    assert loaded & (CLIENTS | HEAVY - {"msgspec", "ormsgpack", "pydantic", "simpy"}) == set()
    assert [name for name in loaded if name.startswith(PLUGINS)] == []


def test_a_run_imports_the_plugins_that_it_names_and_no_client_library():
    loaded = modules_after("from despatch import Run, Settings, replay")
    assert loaded & (CLIENTS | {"numpy", "typer"}) == set()
    assert [name for name in loaded if name.startswith(PLUGINS)] == []


def test_help_is_shown_without_what_the_commands_need():
    loaded = modules_after(
        "import sys; sys.argv = ['despatch', '--help']\n"
        "from despatch.cli import main\n"
        "from contextlib import redirect_stdout\n"
        "with redirect_stdout(sys.stderr):\n"
        "    try: main()\n"
        "    except SystemExit: pass"
    )
    assert "typer" in loaded
    assert loaded & (CLIENTS | HEAVY - {"click", "rich", "typer"}) == set()
    assert [name for name in loaded if name.startswith(("despatch_", "despatch.run"))] == []
