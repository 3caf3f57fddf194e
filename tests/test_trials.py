"""An environment for each trial, and what became of a suite."""

from __future__ import annotations

import dataclasses
import sys

import pytest

import trials
from trials import Dependencies, Outcome, Trial, TrialError, pythons, supported_pythons
from workspace import CORE, EXTRAS, Package

PYTHON = "{}.{}".format(*sys.version_info)
SUITE = """
import pytest

def test_passes(): pass
def test_fails(): assert False
@pytest.mark.skip(reason="not today")
def test_is_skipped(): pass
@pytest.mark.xfail(reason="known", strict=True)
def test_fails_as_is_known(): assert False
@pytest.fixture
def broken(): raise RuntimeError
def test_cannot_begin(broken): pass
"""


def trial(package=EXTRAS["redis"], dependencies=Dependencies.LOWEST):
    return Trial(package, CORE, PYTHON, dependencies)


def requiring(package, *requirements):
    """A package as it is, but for what it says it requires."""
    project = {**package.project, "dependencies": list(requirements)}
    return Package(package.folder, project)


@pytest.fixture(scope="module")
def lowest(tmp_path_factory):
    """The Python of an environment with what Redis Streams need, in their lowest versions."""
    return trial().install(tmp_path_factory.mktemp("trials"))


def test_a_trial_is_known_by_its_package_its_libraries_and_its_python():
    assert trial().name == f"connector-redis-lowest-{PYTHON}"


def test_a_released_core_has_a_trial_of_its_own(tmp_path):
    about = tmp_path / "src" / "despatch" / "__about__.py"
    about.parent.mkdir(parents=True)
    about.write_text('__version__ = "0.0.7"\n', encoding="utf-8")
    old = dataclasses.replace(trial(), core=Package(tmp_path, CORE.project))
    assert old.name == f"connector-redis-lowest-{PYTHON}-0.0.7"


def test_the_lowest_versions_are_those_that_the_package_names(lowest):
    assert trial().libraries(lowest) == {"pydantic": "2.11.0", "redis": "5.2.0"}


def test_the_newest_versions_are_newer(lowest, tmp_path):
    newest = trial(dependencies=Dependencies.NEWEST)
    found = newest.libraries(newest.install(tmp_path))
    assert found.keys() == {"pydantic", "redis"}
    assert found["redis"] > "5.2.0"


def test_a_lowest_version_that_was_not_taken_is_an_error(lowest):
    too_low = requiring(EXTRAS["redis"], "despatch>=0.1,<0.2", "redis>=5.0")
    with pytest.raises(TrialError, match=r"works with redis>=5\.0, and 5\.2\.0 was installed"):
        trial(too_low)._see_that_they_are_lowest(lowest)


def test_a_bound_for_another_python_is_none_for_this_one(lowest):
    of_others = requiring(EXTRAS["redis"], "despatch>=0.1,<0.2", "redis>=4; python_version < '3.9'")
    trial(of_others)._see_that_they_are_lowest(lowest)


def test_a_python_that_is_not_installed_is_an_error(tmp_path):
    with pytest.raises(TrialError, match="uv venv"):
        Trial(CORE, CORE, "3.99", Dependencies.LOWEST).install(tmp_path)


def test_a_suite_is_counted(lowest, tmp_path):
    suite = tmp_path / "test_suite.py"
    suite.write_text(SUITE, encoding="utf-8")
    assert trial().run(lowest, [str(suite), "-q"]) == Outcome(2, 2, 1, status=1)


def test_a_suite_that_cannot_be_run_has_failed(lowest, tmp_path):
    outcome = trial().run(lowest, [str(tmp_path / "test_none.py")])
    assert (outcome.passed, outcome.failed, outcome.status) == (0, 0, 4)


def test_the_supported_pythons_are_those_of_the_classifiers_and_this_one_is_installed():
    assert supported_pythons()[0] == "3.11"
    assert PYTHON in pythons()
    assert {*pythons()} <= {*supported_pythons()}


def test_what_tests_require_is_what_the_environment_of_that_name_requires():
    required = trials._requirements_of_tests("connector-kafka")
    assert any(each.startswith("pytest>=") for each in required)
    assert any(each.startswith("trustme") for each in required)
