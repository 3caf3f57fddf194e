"""A trial: one package's suite in an environment of its own, with other libraries.

The environment holds what a user gets who installs that package, and what its tests need, which is
what the root's pyproject.toml says of the hatch environment of that name. "Lowest" is the oldest
version that each requirement allows, of the package and of the despatch beside it, and what those
bring along (uv's `lowest-direct`); "newest" is the newest that all bounds allow, pre-releases
excluded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from workspace import CORE, PACKAGES, ROOT, Package

__all__ = ["Dependencies", "Outcome", "Trial", "TrialError", "pythons", "supported_pythons"]

_FOLDER = ROOT / ".hatch" / "trials"
_CLASSIFIER = "Programming Language :: Python :: "
# Of an environment that this program itself runs in.
_OURS = ("PYTHONHOME", "PYTHONPATH", "UV_RESOLUTION", "VIRTUAL_ENV")


class TrialError(Exception):
    """No environment could be made: the requirements of a package, or of its tests, exclude it."""


class Dependencies(StrEnum):
    """Which versions of the libraries are taken."""

    LOWEST = "lowest"
    NEWEST = "newest"

    @property
    def resolution(self) -> str:
        """What uv calls it."""
        return "lowest-direct" if self is Dependencies.LOWEST else "highest"


@dataclass(frozen=True)
class Outcome:
    """What became of a suite.

    Attributes:
        passed: How many of its tests passed, those counted that were to fail and did.
        failed: How many failed, or could not begin.
        skipped: How many were skipped.
        status: The exit status of pytest.
    """

    passed: int
    failed: int
    skipped: int
    status: int


@dataclass(frozen=True)
class Trial:
    """One package with one despatch, one Python, and the lowest or the newest libraries.

    Attributes:
        package: The package that is tried, from its sources.
        core: The despatch that it is tried with; of another checkout, where it is a released one.
        python: The minor version of Python, such as ``3.11``.
        dependencies: Which versions of the libraries.
    """

    package: Package
    core: Package
    python: str
    dependencies: Dependencies

    @property
    def name(self) -> str:
        """The name of its environment's folder."""
        parts = [self.package.folder.name, self.dependencies, self.python]
        return "-".join([*parts, *([] if self.core.folder == CORE.folder else [self.core.version])])

    def install(self, folder: Path = _FOLDER) -> Path:
        """Make the environment anew, in a folder beside those of other trials; its Python.

        Raises:
            TrialError: uv finds no versions that fit, or not this Python; or a version is not the
                lowest that the package says it works with.
        """
        place = folder / self.name
        folder.mkdir(parents=True, exist_ok=True)
        _uv("venv", "--clear", "--no-project", "--python", self.python, str(place))
        python = place / "bin" / "python"
        sources = dict.fromkeys([str(self.core.folder), str(self.package.folder)])
        versions = ["--resolution", self.dependencies.resolution, "--prerelease", "disallow"]
        # What is at hand may be older than what there is.
        anew = ["--refresh"] if self.dependencies is Dependencies.NEWEST else []
        for_tests = _requirements_of_tests(self.package.folder.name)
        own = [flag for each in PACKAGES for flag in ("--reinstall-package", each.name)]
        _uv("pip", "install", "--python", str(python), *versions, *anew, *own, *sources, *for_tests)
        if self.dependencies is Dependencies.LOWEST:
            self._see_that_they_are_lowest(python)
        return python

    def run(
        self,
        python: Path,
        arguments: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run the suite, or what of it `arguments` to pytest say; its output is printed.

        Args:
            python: What `install` returned.
            arguments: For pytest; by default the package's whole suite.
            variables: What is added to the environment's variables.
        """
        report = python.parents[1] / "report.xml"
        report.unlink(missing_ok=True)
        # Tests may use what stands among the core's own tests, which belongs to that core.
        shared = [ROOT / "tests", ROOT / "docs" / "hooks", ROOT / "releasing"]
        paths = " ".join(map(str, [*shared, self.core.folder / "tests"]))
        options = [f"--junit-xml={report}", "-o", f"pythonpath={paths}", "-p", "no:cacheprovider"]
        suite = arguments or [str(self.package.folder.relative_to(ROOT) / "tests"), "-q"]
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        path = os.pathsep.join([str(python.parent), kept["PATH"]])
        ran = subprocess.run(
            [python, "-m", "pytest", *options, *suite],
            cwd=ROOT,
            env={**kept, "PATH": path, **(variables or {})},
        )
        return _outcome(report, ran.returncode)

    def libraries(self, python: Path) -> dict[str, str]:
        """What the package requires, but for despatch itself: the version there is, by name."""
        listed = json.loads(_uv("pip", "list", "--python", str(python), "--format", "json"))
        found: dict[str, str] = {
            canonicalize_name(each["name"]): each["version"] for each in listed
        }
        required = self.package.requirements - {CORE.name}
        return {name: found[name] for name in sorted(required)}

    def _see_that_they_are_lowest(self, python: Path) -> None:
        installed = self.libraries(python)
        for requirement in map(Requirement, self.package.project["dependencies"]):
            if requirement.marker and not requirement.marker.evaluate(
                {"python_version": self.python}
            ):
                continue
            bounds = [each.version for each in requirement.specifier if each.operator == ">="]
            there = installed.get(canonicalize_name(requirement.name))
            if there and bounds and Version(there) != Version(bounds[0]):
                raise TrialError(
                    f"{self.package.name} says that it works with {requirement}, and {there} was "
                    f"installed: there is no {bounds[0]}, or another requirement, perhaps one of "
                    "the tests, excludes it"
                )


def supported_pythons() -> list[str]:
    """The minor versions of Python that despatch says it supports, oldest first."""
    minors = (each.removeprefix(_CLASSIFIER) for each in CORE.project["classifiers"])
    return sorted((each for each in minors if each[:2] == "3."), key=lambda each: int(each[2:]))


def pythons() -> list[str]:
    """Those of the supported ones that are installed here."""
    options = ["--only-installed", "--no-python-downloads", "--output-format", "json"]
    listed = json.loads(_uv("python", "list", *options))
    usable = [each for each in listed if each["path"] and each["implementation"] == "cpython"]
    there = {
        f"{each['version_parts']['major']}.{each['version_parts']['minor']}" for each in usable
    }
    return [each for each in supported_pythons() if each in there]


def _requirements_of_tests(environment: str) -> list[str]:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    environments = described["tool"]["hatch"]["envs"]
    own = environments[environment].get("extra-dependencies", [])
    return [*environments["suite"]["dependencies"], *own]


def _outcome(report: Path, status: int) -> Outcome:
    if not report.exists():
        return Outcome(0, 1, 0, status)
    cases = list(ElementTree.parse(report).iter("testcase"))
    # pytest reports what was expected to fail among the skipped.
    skipped = sum(case.find("skipped[@type='pytest.skip']") is not None for case in cases)
    failed = sum(
        case.find("failure") is not None or case.find("error") is not None for case in cases
    )
    return Outcome(len(cases) - failed - skipped, failed, skipped, status)


def _uv(*arguments: str) -> str:
    uv = os.environ.get("HATCH_UV") or shutil.which("uv")
    if not uv:
        raise TrialError("uv is needed: run this by `make`, or put uv on the path")
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    ran = subprocess.run(
        [uv, "--no-python-downloads", *arguments],
        cwd=ROOT, env=kept, text=True, capture_output=True,
    )  # fmt: skip
    if ran.returncode:
        raise TrialError(f"uv {' '.join(arguments)}:\n{ran.stderr or ran.stdout}")
    return ran.stdout


def main() -> int:
    """Try packages, one after the other; the exit status is 1 where one of them failed."""
    parser = argparse.ArgumentParser(description="run packages' suites with other libraries")
    parser.add_argument("dependencies", type=Dependencies, choices=list(Dependencies))
    names = [package.folder.name for package in PACKAGES]
    parser.add_argument("package", nargs="?", choices=names, help="by default all, one by one")
    parser.add_argument("--python", default="{}.{}".format(*sys.version_info), metavar="3.11")
    # What argparse does not know is pytest's.
    chosen, arguments = parser.parse_known_args()
    failed = []
    for package in PACKAGES:
        if chosen.package in (None, package.folder.name):
            print(f"\n== {package.name} with its {chosen.dependencies} dependencies", flush=True)
            trial = Trial(package, CORE, chosen.python, chosen.dependencies)
            try:
                python = trial.install()
            except TrialError as error:
                print(error)
                failed.append(package.name)
            else:
                if trial.run(python, arguments).status:
                    failed.append(package.name)
    if failed:
        print(f"\nfailed with their {chosen.dependencies} dependencies: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
