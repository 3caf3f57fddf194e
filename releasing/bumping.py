"""Another version of a package, as `hatch version` writes it."""

from __future__ import annotations

import subprocess
import sys

from packaging.version import Version

from workspace import Package

__all__ = ["bump"]


def bump(package: Package, part: str) -> None:
    """Make a package's version another one.

    Args:
        package: The package.
        part: What `hatch version` takes: `patch`, `minor`, `major`, `rc`, `release`, several with
            commas between them, or a version. `release` leaves a final version as it is.

    Raises:
        ValueError: It is none of these, or a version that is not higher.
    """
    if part == "release" and not Version(package.version).is_prerelease:
        return
    ran = subprocess.run(
        [sys.executable, "-m", "hatchling", "version", part],
        cwd=package.folder,
        text=True,
        capture_output=True,
    )
    if ran.returncode:
        raise ValueError(f"{package.name} {package.version}, {part}: {ran.stderr.strip()}")
