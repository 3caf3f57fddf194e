"""``despatch plugins new``: makes a new plugin's distribution."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from despatch.cli.console import fail, out
from despatch.errors import ScaffoldError
from despatch.plugins import Kind
from despatch.scaffold import Project, ProjectKind

__all__ = ["app"]

_LIBRARY: Final = "copier"
_NO_LIBRARY: Final = (
    'this needs copier, which is not installed; install it: pip install "despatch[scaffold]"'
)
_NEXT: Final = ('python -m pip install --editable ".[dev]"', "python -m pytest")

app = typer.Typer(
    help="Make a distribution with a plugin that works, its tests and its CI.",
    no_args_is_help=True,
)

_Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="What a settings file will call it: lower-case letters, digits and hyphens.",
        show_default=False,
    ),
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        help="Where to make it: a folder that is empty or not there yet.",
        show_default="the distribution's name",
    ),
]
_Author = Annotated[
    str | None,
    typer.Option("--author", help="Who holds the copyright.", show_default="its authors"),
]


@app.command()
def connector(
    name: _Name,
    folder: _Folder = None,
    author: _Author = None,
    ingress_only: Annotated[
        bool, typer.Option("--ingress-only", help="Commands in, and nothing out.")
    ] = False,
    egress_only: Annotated[
        bool, typer.Option("--egress-only", help="Records out, and nothing in.")
    ] = False,
) -> None:
    """Make despatch-connector-NAME: records out to a folder, commands in from one."""
    if ingress_only and egress_only:
        fail("--ingress-only and --egress-only leave nothing to make; give one of them, or none")
    only = Kind.INGRESS if ingress_only else Kind.EGRESS if egress_only else None
    _make(ProjectKind.CONNECTOR, name, folder, author, only)


@app.command()
def serializer(name: _Name, folder: _Folder = None, author: _Author = None) -> None:
    """Make despatch-serializer-NAME: records as compressed JSON."""
    _make(ProjectKind.SERIALIZER, name, folder, author)


@app.command()
def state(name: _Name, folder: _Folder = None, author: _Author = None) -> None:
    """Make despatch-state-NAME: the real system's state from a JSON file."""
    _make(ProjectKind.STATE, name, folder, author)


@app.command()
def executor(name: _Name, folder: _Folder = None, author: _Author = None) -> None:
    """Make despatch-executor-NAME: replications in a pool of processes."""
    _make(ProjectKind.EXECUTOR, name, folder, author)


def _make(
    kind: ProjectKind,
    name: str,
    folder: Path | None,
    author: str | None,
    only: Kind | None = None,
) -> None:
    try:
        project = Project.of(kind, name, only=only, author=author)
        if find_spec(_LIBRARY) is None:
            fail(_NO_LIBRARY)
        # copier takes most of a second to import: only those wait for it who need it.
        from despatch.scaffold.making import make

        folder = Path(project.distribution) if folder is None else folder
        make(project, folder)
    except ScaffoldError as error:
        fail(error)
    plugins = " and ".join(f"{each.noun} {project.name!r}" for each in project.plugins)
    steps = "\n".join([f"  cd {shlex.quote(str(folder))}", *(f"  {each}" for each in _NEXT)])
    out().print(
        f"{project.distribution} is made, with {plugins}. Go on with:\n\n{steps}\n", markup=False
    )
