"""What was written for SimPy runs on despatch when rebound, and it is noticed where it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import simpy
import simpy.core
import simpy.resources.store
import simpy.rt

import despatch
from compatibility.rebinding import ALL_REBOUND, CLASSES, PARTS, parts_of, rebound

TESTS = Path(__file__).parents[1]


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run_tests(code, folder):
    """Run a suite of one module with everything rebound; pytest's exit status and output."""
    (folder / "test_it.py").write_text(code)
    (folder / "pytest.ini").touch()
    plugins = ["-p", "compatibility.suite_plugin", "--rebind", ALL_REBOUND]
    process = run("pytest", "-q", *plugins, cwd=folder)
    return process.returncode, process.stdout


def test_all_of_simpys_resources_and_its_environment_are_rebound():
    resources = {
        each
        for each in vars(simpy).values()
        if isinstance(each, type) and issubclass(each, simpy.resources.base.BaseResource)
    }
    assert parts_of(ALL_REBOUND).keys() == {simpy.Environment, *resources}


def test_every_class_of_despatchs_is_a_subclass_of_the_one_it_stands_for():
    for theirs, ours in parts_of(ALL_REBOUND).items():
        assert issubclass(ours, theirs)
        assert ours is not theirs


@pytest.mark.parametrize("parts", PARTS)
def test_the_names_are_rebound_where_they_are_defined_and_for_a_while(parts):
    before = dict(vars(simpy)), dict(vars(simpy.core)), dict(vars(simpy.resources.store))
    with rebound(parts):
        is_environment = "environment" in parts
        is_resources = "resources" in parts
        assert (simpy.Environment is despatch.DynamicEnvironment) == is_environment
        assert (simpy.core.Environment is despatch.DynamicEnvironment) == is_environment
        assert (simpy.Store is despatch.DynamicStore) == is_resources
        assert (simpy.resources.store.Store is despatch.DynamicStore) == is_resources
    assert before == (vars(simpy), vars(simpy.core), vars(simpy.resources.store))


def test_simpys_real_time_environment_stays_as_it_is():
    with rebound(ALL_REBOUND):
        (theirs,) = CLASSES["environment"]
        assert simpy.RealtimeEnvironment.__bases__ == (theirs,)
        assert simpy.rt.Environment is theirs


def test_a_suite_runs_on_despatch(tmp_path):
    status, printed = run_tests(
        """
import pytest, simpy
from simpy.core import Environment

@pytest.fixture
def env():
    return simpy.Environment()

@pytest.mark.parametrize("kind", [simpy.Store, simpy.FilterStore])
def test_it(env, kind):
    assert type(env) is Environment
    assert {type(env).__name__, kind.__name__} <= {
        "DynamicEnvironment", "DynamicStore", "DynamicFilterStore"
    }
""",
        tmp_path,
    )
    assert "2 passed" in printed
    assert status == 0


TO_SIMPY = """
import pytest
from despatch import DynamicEnvironment, DynamicStore

environment = [DynamicEnvironment.__mro__[-2]]
store = [each for each in DynamicStore.__mro__ if each.__module__ == "simpy.resources.store"]
"""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("Environment, = environment\ndef test_it(): pass", "still SimPy's own: Environment"),
        ("Store, = store\ndef test_it(): pass", "still SimPy's own: Store"),
        (
            "@pytest.mark.parametrize('kind', store)\ndef test_it(kind): pass",
            "still SimPy's own: kind",
        ),
        (
            "@pytest.fixture\ndef env(): return environment[0]()\ndef test_it(env): pass",
            "the fixture env is still SimPy's own",
        ),
    ],
)
def test_a_suite_that_would_run_on_simpy_is_an_error(tmp_path, code, said):
    status, printed = run_tests(TO_SIMPY + code, tmp_path)
    assert said in printed
    assert status != 0


def test_a_program_that_would_run_on_simpy_is_an_error(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(TO_SIMPY + "env = environment[0]()")
    process = run("compatibility.rebinding", ALL_REBOUND, str(program), cwd=tmp_path)
    assert process.stdout == f"{program}: still SimPy's own: env\n"
    assert process.returncode == 1
