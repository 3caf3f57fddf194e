"""Making: writes a project's files, by copier, from the templates that lie beside this module.

Everything comes from the installed distribution: there is no network, no git and no question.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from copier import run_copy

import despatch
from despatch.errors import ScaffoldError
from despatch.plugins import Kind
from despatch.scaffold.project import Project, requirement_on

__all__ = ["make"]

_TEMPLATES: Final = Path(__file__).with_name("templates")
_FILES: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.EGRESS: ("src/*/egress.py", "tests/test_egress.py"),
    Kind.INGRESS: ("src/*/ingress.py", "tests/test_ingress.py"),
    Kind.SERIALIZERS: ("src/*/serializer.py", "tests/test_serializer.py"),
    Kind.STATES: ("src/*/state.py", "tests/test_state.py"),
    Kind.EXECUTORS: ("src/*/executor.py", "tests/test_executor.py"),
}
_SUMMARIES: Final[Mapping[Kind, str]] = {
    Kind.EGRESS: "records out",
    Kind.INGRESS: "commands in",
    Kind.SERIALIZERS: "records as bytes, and bytes as commands",
    Kind.STATES: "the state of a real system",
    Kind.EXECUTORS: "where replications are run",
}


def make(project: Project, folder: Path) -> None:
    """Write the project's files.

    Args:
        project: What is to be made.
        folder: Where; it is made if it is not there, and has to be empty if it is.

    Raises:
        ScaffoldError: The folder is not empty, is none, or cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            found = "is not empty" if folder.is_dir() else "is a file"
            raise ScaffoldError(
                f"folder: expected one that is empty or not there yet, and {folder} {found}; "
                "give another with --folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        # Of what cannot be ended nothing is left.
        with TemporaryDirectory(dir=folder, prefix=".") as begun:
            run_copy(
                str(_TEMPLATES),
                begun,
                _data(project),
                exclude=[pattern for kind in project.other_plugins for pattern in _FILES[kind]],
                defaults=True,
                quiet=True,
            )
            for path in Path(begun).iterdir():
                path.rename(folder / path.name)
    except OSError as error:
        raise ScaffoldError(f"folder: {folder} cannot be made: {error}") from error


def _data(project: Project) -> dict[str, object]:
    return {
        "author": project.author,
        "core_version": despatch.__version__,
        "distribution": project.distribution,
        "kind": str(project.kind),
        "module": project.module,
        "name": project.name,
        "parts": {
            part.role: {
                "class": part.class_name,
                "group": part.kind.group,
                "noun": part.kind.noun,
            }
            for part in project.parts
        },
        "requirement": requirement_on(despatch.__version__),
        "summary": " and ".join(_SUMMARIES[kind] for kind in reversed(project.plugins)),
        "year": date.today().year,
    }
