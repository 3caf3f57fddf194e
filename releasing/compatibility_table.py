"""The compatibility table: which versions were tried together, and what became of it.

``docs/compatibility.json`` is written from trials alone, when a package is released or a bound
changes; the page Compatibility is made of it.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date

from packaging.requirements import Requirement
from packaging.version import Version

from repository import archive, released
from trials import Dependencies, Trial, TrialError, pythons
from workspace import CORE, PACKAGES, ROOT, Package, packages_of

__all__ = ["FILE", "Row", "missing", "record", "requirements", "rows"]

FILE = ROOT / "docs" / "compatibility.json"
_RELEASED = ROOT / ".hatch" / "released"
# A server that is missing would leave tests out of what the table says.
_VARIABLES = {"DESPATCH_REQUIRE_SERVICES": "1"}


@dataclass(frozen=True)
class Row:
    """What became of one trial.

    Attributes:
        package: The distribution that was tried.
        version: Its version.
        despatch: The version of the core that it was tried with; its own, where it is the core.
        python: The minor version of Python.
        dependencies: ``lowest`` or ``newest``.
        requires: What it required then.
        libraries: The versions of the libraries among these that it was tried with.
        passed: How many tests passed.
        failed: How many failed.
        day: When it was tried, as ISO 8601 has it.
    """

    package: str
    version: str
    despatch: str
    python: str
    dependencies: str
    requires: list[str]
    libraries: dict[str, str]
    passed: int
    failed: int
    day: str

    @property
    def key(self) -> tuple[object, ...]:
        """What one row is there for once; rows stand in its order."""
        versions = (Version(self.version), Version(self.despatch), Version(self.python))
        return self.package, *versions, self.dependencies


def rows() -> list[Row]:
    """What was recorded."""
    if not FILE.exists():
        return []
    return [Row(**each) for each in json.loads(FILE.read_text(encoding="utf-8"))]


def requirements(package: Package) -> list[str]:
    """What a package requires, in order."""
    return sorted(package.project["dependencies"])


def missing(recorded: Sequence[Row], packages: Iterable[Package] = PACKAGES) -> list[str]:
    """What the table lacks of the packages as they are now, or has as failed, in words."""
    found = []
    for package in packages:
        for dependencies in Dependencies:
            tried = [
                row
                for row in recorded
                if (row.package, row.version, row.despatch, row.dependencies, row.requires)
                == (
                    package.name,
                    package.version,
                    CORE.version,
                    dependencies,
                    requirements(package),
                )
            ]
            subject = f"{package.name} {package.version} with its {dependencies} dependencies"
            mended = f"make compatibility PACKAGE={package.folder.name}"
            if not tried:
                found.append(f"{subject}, as it requires them now, was not tried: {mended}")
            failed = [f"{row.failed} tests on Python {row.python}" for row in tried if row.failed]
            found += [f"{subject} failed {each}: {mended}" for each in failed]
    return found


def record(
    names: Sequence[str], *, day: date, versions_of_python: Sequence[str] | None = None
) -> list[str]:
    """Try packages as they are now and record what became of it; which failed, in words.

    Args:
        names: The distributions.
        day: The day that the table says.
        versions_of_python: Which Pythons; by default all that are supported and installed.

    Raises:
        TrialError: An environment cannot be made.
    """
    failed = []
    for package in packages_of(ROOT):
        if package.name in names:
            for core in _cores(package):
                for python in versions_of_python or pythons():
                    for dependencies in Dependencies:
                        row = _try(Trial(package, core, python, dependencies), day)
                        _write(row)
                        if row.failed:
                            failed.append(f"{row.package} on Python {python}, {dependencies}")
    return failed


def _try(trial: Trial, day: date) -> Row:
    what = f"{trial.package.name} {trial.package.version} with despatch {trial.core.version}"
    print(f"\n== {what}, Python {trial.python}, {trial.dependencies}", flush=True)
    python = trial.install()
    outcome = trial.run(python, variables=_VARIABLES)
    return Row(
        package=trial.package.name,
        version=trial.package.version,
        despatch=trial.core.version,
        python=trial.python,
        dependencies=trial.dependencies,
        requires=requirements(trial.package),
        libraries=trial.libraries(python),
        passed=outcome.passed,
        # pytest may end otherwise than by a test that fails.
        failed=outcome.failed or int(outcome.status != 0),
        day=day.isoformat(),
    )


def _write(new: Row) -> None:
    kept = [row for row in rows() if row.key != new.key and not _is_past(row, new)]
    ordered = sorted([*kept, new], key=lambda row: row.key)
    text = json.dumps([asdict(row) for row in ordered], indent=2, ensure_ascii=False)
    FILE.write_text(f"{text}\n", encoding="utf-8")


def _is_past(row: Row, new: Row) -> bool:
    """Whether a row is of what a package was before it was released as it is now."""
    is_same = (row.package, row.version) == (new.package, new.version)
    was_in_the_making = row.package == new.package and Version(row.version).is_prerelease
    return (is_same and row.requires != new.requires) or (was_in_the_making and not is_same)


def _cores(package: Package) -> Iterator[Package]:
    """The cores to try a package with: the one here, and those released that it allows."""
    yield CORE
    if package.name != CORE.name:
        wanted = map(Requirement, package.project["dependencies"])
        (allowed,) = (each.specifier for each in wanted if each.name == CORE.name)
        for version, tag in released(CORE).items():
            if version != Version(CORE.version) and version in allowed:
                yield _core_of(tag)


def _core_of(tag: str) -> Package:
    folder = _RELEASED / tag
    with tarfile.open(fileobj=io.BytesIO(archive(tag, "packages/core"))) as packed:
        packed.extractall(folder, filter="data")
    (core,) = packages_of(folder)
    return core


def main() -> int:
    """Record what the command line says; the exit status is 1 where a suite failed."""
    parser = argparse.ArgumentParser(description="record docs/compatibility.json")
    folders = {package.folder.name: package.name for package in PACKAGES}
    parser.add_argument("package", nargs="?", choices=[*folders], help="by default all")
    parser.add_argument(
        "--python", action="append", metavar="3.11", help="by default all there are"
    )
    chosen = parser.parse_args()
    names = [folders[chosen.package]] if chosen.package else [*folders.values()]
    try:
        failed = record(names, day=date.today(), versions_of_python=chosen.python)
    except TrialError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        "\n".join(
            ["", f"recorded in {FILE.relative_to(ROOT)}", *(f"failed: {each}" for each in failed)]
        )
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
