from __future__ import annotations

import ast
import errno
import os
import tomllib
from datetime import date
from pathlib import Path

import pytest

import despatch
from despatch.errors import ScaffoldError
from despatch.plugins import Kind
from despatch.scaffold import Project, ProjectKind
from despatch.scaffold.making import make
from despatch.scaffold.project import requirement_on

LONGEST = "abcdefghij-bcdefghij-cdefghijk"
ALWAYS = {
    ".github/workflows/test.yml",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "pyproject.toml",
}


def files_in(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture
def made(tmp_path):
    """Makes a project; its files."""

    def make_one(kind, name="x", **options):
        folder = tmp_path / f"{kind}-{name}"
        make(Project.of(kind, name, **options), folder)
        return files_in(folder)

    return make_one


@pytest.mark.parametrize(
    ("kind", "only", "roles"),
    [
        (ProjectKind.CONNECTOR, None, ["egress", "ingress"]),
        (ProjectKind.CONNECTOR, Kind.EGRESS, ["egress"]),
        (ProjectKind.CONNECTOR, Kind.INGRESS, ["ingress"]),
        (ProjectKind.SERIALIZER, None, ["serializer"]),
        (ProjectKind.STATE, None, ["state"]),
        (ProjectKind.EXECUTOR, None, ["executor"]),
    ],
)
def test_a_distribution_has_what_its_plugins_need_and_nothing_else(made, kind, only, roles):
    package = f"src/despatch_{kind}_my_own"
    modules = {f"{package}/{name}" for name in ("__init__.py", "py.typed")}
    modules |= {f"{package}/{role}.py" for role in roles}
    tests = {f"tests/test_{role}.py" for role in roles}
    assert made(kind, "my-own", only=only).keys() == ALWAYS | modules | tests


@pytest.mark.parametrize("kind", ProjectKind)
@pytest.mark.parametrize("name", ["x", LONGEST])
def test_whatever_the_name_is_the_files_are_in_order(made, kind, name):
    for path, text in made(kind, name).items():
        assert "{%" not in text, path
        assert "{{" not in text.replace("${{ matrix.", ""), path
        if text:
            assert text.endswith("\n"), path
            assert not text.endswith("\n\n"), path
        if path.endswith(".py"):
            ast.parse(text)
            assert max(map(len, text.splitlines())) <= 100, path


@pytest.mark.parametrize("kind", ProjectKind)
def test_the_project_says_what_it_has_and_which_despatch_it_is_for(made, kind):
    files = made(kind, "my-own")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == f"despatch-{kind}-my-own"
    assert requirement_on(despatch.__version__) in project["dependencies"]
    for part in Project.of(kind, "my-own").parts:
        target = f"despatch_{kind}_my_own:{part.class_name}"
        assert project["entry-points"][part.kind.group] == {"my-own": target}
        assert f"class {part.class_name}(" in files[f"src/despatch_{kind}_my_own/{part.role}.py"]
    assert len(project["entry-points"]) == len(Project.of(kind, "my-own").parts)


def test_an_author_is_who_is_said_to_be_whatever_that_takes(made):
    author = 'Jörg "the \\ Hammer" <j@example.org> & 工藤 {{ year }}'
    files = made(ProjectKind.STATE, author=author)
    assert tomllib.loads(files["pyproject.toml"])["project"]["authors"] == [{"name": author}]
    assert f"Copyright (c) {date.today().year} {author}\n" in files["LICENSE"]


def test_it_takes_no_git_and_no_home(made, monkeypatch, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setenv("HOME", os.fspath(home))
    assert made(ProjectKind.CONNECTOR).keys() > ALWAYS
    assert list(home.iterdir()) == []


def test_it_is_made_into_an_empty_folder_and_into_one_that_is_not_there(tmp_path):
    project = Project.of(ProjectKind.STATE, "x")
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "a" / "b"):
        make(project, folder)
        assert (folder / "pyproject.toml").exists()


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path):
    (tmp_path / ".hidden").write_text("mine")
    with pytest.raises(ScaffoldError, match=r"^folder: .* is not empty; give another with --fo"):
        make(Project.of(ProjectKind.STATE, "x"), tmp_path)
    assert files_in(tmp_path) == {".hidden": "mine"}


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ScaffoldError, match=r"^folder: expected .*/x is a file"):
        make(Project.of(ProjectKind.STATE, "x"), tmp_path / "x")
    with pytest.raises(ScaffoldError, match=r"^folder: .*/x/y cannot be made: .*Not a directory"):
        make(Project.of(ProjectKind.STATE, "x"), tmp_path / "x" / "y")
    assert files_in(tmp_path) == {"x": "mine"}


def test_of_what_cannot_be_ended_nothing_is_left(tmp_path, monkeypatch):
    def begin(source, folder, *arguments, **options):
        (Path(folder) / "begun").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("despatch.scaffold.making.run_copy", begin)
    with pytest.raises(ScaffoldError, match=r"^folder: .* cannot be made: .*No space left"):
        make(Project.of(ProjectKind.STATE, "x"), tmp_path)
    assert list(tmp_path.iterdir()) == []
