"""Judging: mutants are installed as a stranger's plugins, and their suites run by pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
PATIENCE_S = 3.0
"""How long the suites of mutants wait for what has to come, in wall seconds."""

_LINE = re.compile(r"^(FAILED|ERROR) \S+::Test(\w+)::(\w+)", re.MULTILINE)
_SUMMARY = re.compile(r"\d+ (passed|failed).* in [\d.]+s")


class Judgement(NamedTuple):
    """What came of a mutant's suite.

    Attributes:
        failed: The tests that failed.
        said: What pytest said of it, and of the others that were run with it.
    """

    failed: set[str]
    said: str


def suite_of(base: type, name: str, found_by: Set[str]) -> type:
    """The suite of a mutant: the tests that find it, or all where none is to."""
    tests = {each for each in dir(base) if each.startswith("test_")}
    assert found_by <= tests, found_by - tests
    members: dict[str, Any] = {"plugin": f"mutant-{name.lower()}"}
    if found_by:
        members |= {"patience_s": PATIENCE_S, **dict.fromkeys(tests - found_by)}
    return type(f"Test{name}", (base,), members)


def install(site: Path, group: str, module: str, names: Iterable[str]) -> None:
    """Make a distribution of a module's classes, each a plugin ``mutant-<class>``."""
    name = module.rpartition(".")[2]
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: despatch>=0.1,<0.2\n"
    )
    points = "".join(f"mutant-{name.lower()} = {module}:{name}\n" for name in names)
    (folder / "entry_points.txt").write_text(f"[{group}]\n{points}")


def judge(
    site: Path, suites: str, names: Iterable[str], *, processes: int
) -> Mapping[str, Judgement]:
    """Run the suites of mutants; what came of each, by its name.

    Args:
        site: Where the mutants are installed.
        suites: The module with the classes ``Test<mutant>``.
        names: The mutants.
        processes: How many processes to share them out to.
    """
    names = list(names)
    paths = [str(site), str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-q", "--tb=native", "-rfE", "--timeout=0"),
                *("-p", "no:cacheprovider", f"--basetemp={site / f'pytest-{i}'}"),
                *(f"{FOLDER / suites}.py::Test{name}" for name in names[i::processes]),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(processes)
    ]
    judgements = {}
    for i, (said, _) in enumerate([process.communicate() for process in running]):
        assert _SUMMARY.search(said), said
        found = _LINE.findall(said)
        for name in names[i::processes]:
            judgements[name] = Judgement({test for _, of, test in found if of == name}, said)
    return judgements
