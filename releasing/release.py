"""Release one package: version, changelog, what has to follow, a commit, a tag, and the files.

Nothing is published. Where a step fails, the checkout is as it was, and what was written until then
is in git's stash.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import date
from pathlib import Path

from packaging.version import Version

import compatibility_table
import surface
from bumping import bump
from following import follow
from repository import changes, git, released
from trials import TrialError
from workspace import CORE, PACKAGES, ROOT, Package

__all__ = ["ReleaseError", "release"]


class ReleaseError(Exception):
    """Why a package cannot be released as it is."""


def release(package: Package, part: str, *, day: date, dist: Path, has_trials: bool = True) -> None:
    """Release a package.

    Args:
        package: Which one.
        part: What `hatch version` takes: `patch`, `minor`, `major`, …; `release` is the version
            that stands there, for a first release and after one in the making.
        day: The day that the changelog says.
        dist: The folder that its sdist and its wheel are built into.
        has_trials: Whether its suite, and those of all plugins with a new core, are run with the
            lowest and the newest libraries, which the compatibility table needs.

    Raises:
        ReleaseError: The checkout has changes, there is nothing to tell, the version was released
            before or does not say what breaks, the surface is not recorded, or a suite failed.
    """
    if present := changes():
        raise ReleaseError(
            "the checkout has changes that are not committed:\n" + "\n".join(present)
        )
    if not list((package.folder / "changes").glob("*.md")):
        raise ReleaseError(
            f"{package.name} has no change to tell: expected one or more files "
            f"packages/{package.folder.name}/changes/+what.added.md (see CONTRIBUTING.md)"
        )
    if said := surface.difference(package):
        raise ReleaseError(said)
    try:
        _write(package, part, day, has_trials)
        _build(package, dist)
        git("add", "--all", "--", "packages", "docs")
        git("commit", "--quiet", "--message", f"Release {package.name} {package.version}")
    except BaseException:
        # Somebody may have written something meanwhile, which is not to be lost.
        what = f"release of {package.name} that failed"
        git("stash", "push", "--quiet", "--include-untracked", "--message", what)
        raise
    git("tag", "--annotate", "--message", f"{package.name} {package.version}", package.tag)


def _write(package: Package, part: str, day: date, has_trials: bool) -> None:
    earlier = released(package)
    try:
        bump(package, part)
    except ValueError as error:
        raise ReleaseError(str(error)) from error
    version = Version(package.version)
    if version in earlier:
        raise ReleaseError(
            f"{package.name} {version} was released before: expected PART=patch, minor or major"
        )
    if earlier:
        last = max(earlier)
        _see_that_it_says_what_breaks(package, last, earlier[last], version)
    followers = follow(package)
    command = [sys.executable, "-m", "towncrier", "build", "--yes"]
    where = ["--config", str(ROOT / "pyproject.toml"), "--dir", str(package.folder)]
    what = ["--version", package.version, "--date", day.isoformat()]
    subprocess.run([*command, *where, *what], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for each in followers:
        print(f"{each.name} follows: see packages/{each.folder.name}/changes")
    if has_trials:
        # A new core is tried with every plugin.
        tried = PACKAGES if package.name == CORE.name else [package]
        try:
            failed = compatibility_table.record([each.name for each in tried], day=day)
        except TrialError as error:
            raise ReleaseError(str(error)) from error
        if failed:
            raise ReleaseError("\n".join(["suites failed:", *failed]))


def _see_that_it_says_what_breaks(
    package: Package, last: Version, tag: str, version: Version
) -> None:
    says_so = version.major > last.major or (last.major == 0 and version.minor > last.minor)
    broken = [] if says_so else surface.breakages(package, tag)
    if broken:
        wanted = "major" if last.major else "minor"
        raise ReleaseError(
            "\n".join(
                [
                    f"{package.name} {version} breaks what {last} had: expected PART={wanted}",
                    *broken,
                ]
            )
        )


def _build(package: Package, dist: Path) -> None:
    builder = [sys.executable, "-m", "hatchling", "build", "-d", str(dist)]
    subprocess.run(builder, cwd=package.folder, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Release what the command line says; the exit status is 2 where that is refused."""
    parser = argparse.ArgumentParser(description="release one package; nothing is published")
    parser.add_argument("package", choices=[package.folder.name for package in PACKAGES])
    parser.add_argument("part", help="patch, minor, major, rc, release, or a version")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--day", type=date.fromisoformat, default=date.today())
    parser.add_argument("--without-trials", action="store_true", help="`make compatibility` later")
    chosen = parser.parse_args()
    package = next(each for each in PACKAGES if each.folder.name == chosen.package)
    try:
        has_trials = not chosen.without_trials
        release(package, chosen.part, day=chosen.day, dist=chosen.dist, has_trials=has_trials)
    except ReleaseError as error:
        print(f"not released: {error}", file=sys.stderr)
        return 2
    files = " ".join(str(path) for path in sorted(chosen.dist.glob(f"{package.stem}[-.]*")))
    print(
        f"{package.name} {package.version} is committed and tagged, and nothing is published yet:"
    )
    print(f"  git push origin HEAD {package.tag}\n  .venv/bin/hatch publish {files}")
    print("the environments here still have the version before: make clean")
    return 0


if __name__ == "__main__":
    sys.exit(main())
