"""What was tried together, as it is recorded and shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import compatibility_table as table
from checkouts import Checkout
from compatibility_page import page
from compatibility_table import Row
from trials import Dependencies, Outcome, Trial
from workspace import CORE, EXTRAS, PACKAGES

REDIS = EXTRAS["redis"]
DAY = date(2030, 1, 31)
CORES = """
import sys
sys.path.insert(0, "releasing")
from compatibility_table import _cores
from workspace import EXTRAS

for core in _cores(EXTRAS["redis"]):
    print(core.version, (core.source / "__init__.py").exists(), (core.folder / "tests").is_dir())
"""


def row(package=REDIS, **fields):
    """A row of a package as it is now, but for what is given."""
    present = Row(
        package=package.name,
        version=package.version,
        despatch=CORE.version,
        python="3.11",
        dependencies="lowest",
        requires=table.requirements(package),
        libraries={"redis": "5.2.0"},
        passed=95,
        failed=0,
        day="2030-01-31",
    )
    return replace(present, **fields)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where rows are recorded, which is empty."""
    monkeypatch.setattr(table, "FILE", tmp_path / "compatibility.json")
    return tmp_path / "compatibility.json"


class Tried:
    """What was tried, each by its name, and what becomes of each suite."""

    def __init__(self):
        self.names = []
        self.outcome = Outcome(95, 0, 0, 0)

    def run(self, trial, python, *, variables):
        self.names.append(trial.name)
        return self.outcome


@pytest.fixture
def tried(file, monkeypatch):
    """Trials without an environment, which all pass."""
    made = Tried()
    monkeypatch.setattr(Trial, "install", lambda self: Path(self.name))
    monkeypatch.setattr(Trial, "libraries", lambda self, python: {"redis": "5.2.0"})
    monkeypatch.setattr(Trial, "run", lambda self, *rest, **named: made.run(self, *rest, **named))
    return made


RECORDED = {row.package for row in table.rows()}


# What was never recorded is recorded by its first release; until then the page does not list it.
@pytest.mark.parametrize(
    "package",
    [package for package in PACKAGES if package.name in RECORDED],
    ids=lambda package: package.name,
)
def test_what_a_package_requires_now_was_tried(package):
    lacking = table.missing(table.rows(), [package])
    assert lacking == [], "\n".join(lacking)


def test_what_was_tried_is_not_missing():
    both = [row(), row(dependencies="newest")]
    assert table.missing(both, [REDIS]) == []


@pytest.mark.parametrize(
    "past",
    [{"version": "0.0.9"}, {"despatch": "0.0.9"}, {"requires": ["despatch", "redis>=4"]}],
    ids=lambda fields: "".join(fields),
)
def test_a_result_of_before_is_missing_with_what_makes_it_anew(past):
    (lacking,) = table.missing([row(**past), row(dependencies="newest")], [REDIS])
    assert lacking == (
        f"despatch-connector-redis {REDIS.version} with its lowest dependencies, as it requires "
        "them now, was not tried: make compatibility PACKAGE=connector-redis"
    )


def test_a_result_that_failed_is_told():
    (told,) = table.missing([row(failed=2), row(dependencies="newest")], [REDIS])
    assert "failed 2 tests on Python 3.11: make compatibility" in told


def test_trials_are_recorded_one_row_each_in_order(file, tried):
    assert table.record([REDIS.name], day=DAY, versions_of_python=["3.13", "3.11"]) == []
    assert len(tried.names) == len({*tried.names}) == 4
    keys = [(each.python, each.dependencies) for each in table.rows()]
    assert keys == [
        ("3.11", "lowest"),
        ("3.11", "newest"),
        ("3.13", "lowest"),
        ("3.13", "newest"),
    ]
    assert table.rows()[0] == row()
    assert table.missing(table.rows(), [REDIS]) == []


def test_a_trial_takes_the_place_of_what_was_recorded_of_the_same(file, tried):
    file.write_text(
        json.dumps([vars(each) for each in [row(passed=1), row(python="3.12", passed=1)]])
    )
    table.record([REDIS.name], day=DAY, versions_of_python=["3.11"])
    assert [(each.python, each.passed) for each in table.rows()] == [
        ("3.11", 95),
        ("3.11", 95),
        ("3.12", 1),
    ]


def test_results_of_releases_are_kept_and_those_of_what_never_was_one_are_not(file, tried):
    released = row(version="0.0.8", requires=["despatch"])
    others = row(CORE)
    past = [row(requires=["redis"], python="3.12"), row(version="0.0.9.dev0"), released, others]
    file.write_text(json.dumps([vars(each) for each in past]))
    table.record([REDIS.name], day=DAY, versions_of_python=["3.11"])
    assert [each for each in table.rows() if each.passed and each.requires == ["despatch"]]
    assert others in table.rows()
    assert len(table.rows()) == 4


@pytest.mark.parametrize(
    ("outcome", "failed"), [(Outcome(94, 1, 0, 1), 1), (Outcome(94, 0, 0, 2), 1)]
)
def test_a_suite_that_fails_or_does_not_end_is_recorded_as_that(file, tried, outcome, failed):
    tried.outcome = outcome
    told = table.record([REDIS.name], day=DAY, versions_of_python=["3.11"])
    assert told == [
        "despatch-connector-redis on Python 3.11, lowest",
        "despatch-connector-redis on Python 3.11, newest",
    ]
    assert [each.failed for each in table.rows()] == [failed, failed]


def test_a_plugin_is_tried_with_each_released_core_that_it_allows(tmp_path, monkeypatch):
    checkout = Checkout(tmp_path, monkeypatch)
    for part in ("release", "patch"):
        checkout.tell("core")
        checkout.released("core", part)
    ran = subprocess.run(
        [sys.executable, "-c", CORES], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert ran.stdout.splitlines() == ["0.1.1 True True", "0.1.0 True True"]


def test_the_page_shows_what_was_tried_and_what_was_not():
    shown = page(
        [
            row(),
            row(dependencies="newest", libraries={"redis": "8.1.0"}),
            row(python="3.12", failed=2),
        ]
    )
    assert "## despatch-connector-redis\n" in shown
    lines = shown.splitlines()
    versions = f"| {REDIS.version} | {CORE.version} |"
    passed = "95 tests passed, 2030-01-31"
    assert f"{versions} 3.11 | {passed} | {passed} |" in lines
    assert f"{versions} 3.12 | 2 of 97 tests failed, 2030-01-31 | not tried |" in lines
    assert f"{versions} 3.13 | not tried | not tried |" in lines
    assert "| `redis` | 5.2.0 | 8.1.0 |" in lines


def test_the_page_of_the_record_has_every_row():
    recorded = table.rows()
    shown = page(recorded)
    assert len(re.findall(r"tests (?:passed|failed), \d{4}-", shown)) == len(recorded) > 0
    assert {each.dependencies for each in recorded} == {*map(str, Dependencies)}
