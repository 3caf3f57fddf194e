"""Virtual environments that hold what a test installs into them, and nothing else.

They are made by uv, which takes what it once downloaded from its cache: hatch brings it along.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

__all__ = ["CleanEnvironment", "build_sdist", "build_wheel", "finished", "succeeded", "uv"]

# Variables of the caller's that would let something in, or change what is resolved.
_OF_THE_CALLER = ("PYTHON", "VIRTUAL_ENV", "DESPATCH_", "MAKE", "MFLAGS", "UV_RESOLUTION")
_INSTALLED = """
import json, re
from importlib import metadata

found = metadata.distributions()
print(json.dumps({re.sub("[-_.]+", "-", each.name).lower(): each.version for each in found}))
"""


def finished(arguments, *, cwd, **variables):
    """Run a command to its end, whatever that is."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OF_THE_CALLER)}
    return subprocess.run(
        [str(each) for each in arguments],
        cwd=cwd,
        env={**kept, **variables},
        text=True,
        capture_output=True,
    )


def succeeded(arguments, *, cwd):
    """Run a command that must succeed; what it printed."""
    process = finished(arguments, cwd=cwd)
    assert process.returncode == 0, f"{arguments}\n{process.stdout}\n{process.stderr}"
    return process.stdout


def build_wheel(source, folder):
    """Build a wheel of an sdist or of a source tree, as installers do; its path."""
    return _build("wheel", source, folder)


def build_sdist(source, folder):
    """Build an sdist of a source tree; its path."""
    return _build("sdist", source, folder)


class CleanEnvironment:
    """A virtual environment in a folder of its own, of the Python that runs the tests."""

    def __init__(self, folder):
        self.folder = folder
        self.python = folder / "bin" / "python"
        options = ["--quiet", "--no-project", "--python", sys.executable]
        succeeded([uv(), "venv", *options, folder], cwd=folder.parent)

    def install(self, *arguments):
        """Install as `pip install` with these arguments does."""
        options = ["--quiet", "--python", self.python]
        succeeded([uv(), "pip", "install", *options, *arguments], cwd=self.folder)

    def installed(self):
        """What is installed: canonical name to version."""
        return json.loads(self.run_python("-c", _INSTALLED, cwd=self.folder))

    def run_python(self, *arguments, cwd):
        """Run the environment's Python, which must succeed; what it printed."""
        return succeeded([self.python, *arguments], cwd=cwd)

    def despatch(self, *arguments, cwd, **variables):
        """Run the `despatch` command to its end, whatever that is."""
        return finished([self.folder / "bin" / "despatch", *arguments], cwd=cwd, **variables)

    def plugins(self, cwd):
        """What `despatch plugins list` says: the whole row by kind and name."""
        listed = self.despatch("plugins", "list", "--json", cwd=cwd)
        assert listed.returncode == 0, listed.stderr
        return {(row["kind"], row["name"]): row for row in json.loads(listed.stdout)}


def _build(form, source, folder):
    folder.mkdir()
    succeeded([uv(), "build", "--quiet", f"--{form}", "--out-dir", folder, source], cwd=folder)
    (built,) = {*folder.iterdir()} - {folder / ".gitignore"}
    return built


def uv():
    """Where uv is."""
    found = os.environ.get("HATCH_UV") or shutil.which("uv")
    assert found, "uv is needed: run these tests by `make integration`, or put uv on the path"
    return found
