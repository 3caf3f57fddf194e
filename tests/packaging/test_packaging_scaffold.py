"""What `despatch plugins new` makes: tested, built and used as a stranger's distribution is."""

from __future__ import annotations

import functools
import os
import sys
import textwrap
import tomllib
import zlib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from clean_environments import CleanEnvironment, finished, succeeded, uv

# Each kind is installed, tested, checked and built within one test.
pytestmark = pytest.mark.timeout(600)

KINDS = ("connector", "serializer", "state", "executor")
NAME = "my-own"
OWN_TEST = {
    "connector": "records_of_a_run or command_changes_a_run",
    "serializer": "records_of_a_run",
    "state": "begins_with_the_state",
    "executor": "replications_run_on_it",
}
MODEL = """
from despatch import SimParameter

class Desk(SimParameter):
    staff: int = 1

def build(env):
    def hours():
        for hour in range(3):
            env.publish_event(f"hour-{hour}", {"staff": env.registry["Desk.staff"]})
            env.publish_telemetry("Desk.staff", env.registry["Desk.staff"])
            yield env.timeout(1)

    env.registry.register("Desk", Desk())
    env.process(hours())
"""


class Author:
    """Works on a distribution, in an environment of its own in the distribution's folder.

    Args:
        folder: The distribution.
        dist: Where despatch is installed from.
    """

    def __init__(self, folder, dist):
        self.folder = folder
        self._environment = folder / ".venv"
        self._variables = {
            "PATH": os.pathsep.join(
                [str(self._environment / "bin"), str(Path(uv()).parent), os.environ["PATH"]]
            ),
            "PIP_FIND_LINKS": str(dist),
            "UV_FIND_LINKS": str(dist),
            # Checked once, the libraries need not be checked for each kind.
            "MYPY_CACHE_DIR": str(dist.parent / "mypy-cache"),
        }

    def type(self, command, *, cwd=None, **variables):
        """Type a command into a shell; it must succeed. What it printed."""
        process = finished(
            ["sh", "-c", command], cwd=cwd or self.folder, **self._variables, **variables
        )
        assert process.returncode == 0, f"{command}\n{process.stdout}\n{process.stderr}"
        return process.stdout

    def steps(self, job):
        """What the workflow for GitHub does in a job, but for the actions of others."""
        workflow = YAML(typ="safe").load(self.folder / ".github" / "workflows" / "test.yml")
        return [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]


@pytest.fixture(scope="module")
def new(environment, tmp_path_factory):
    """Makes a distribution; its folder, and what was printed."""
    parent = tmp_path_factory.mktemp("new")

    def new(kind, name, *options):
        made = environment("despatch[scaffold]").despatch(
            "plugins", "new", kind, name, *options, cwd=parent
        )
        assert made.returncode == 0, made.stderr
        return parent / f"despatch-{kind}-{name}", made.stdout

    return new


@pytest.fixture(scope="module")
def worked_on(new, dist):
    """The distribution of a kind, after its author did what was said, and what the CI checks."""

    @functools.cache
    def work_on(kind):
        folder, printed = new(kind, NAME)
        CleanEnvironment(folder / ".venv").install("--find-links", dist, "despatch", "pip")
        author = Author(folder, dist)
        steps = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
        assert len(steps) == 3
        author.type(" && ".join(steps), cwd=folder.parent)
        installs, checks = author.steps("checks")[:2], author.steps("checks")[2:]
        assert installs == ["uv venv", 'uv pip install --editable ".[dev]"']
        assert [check.split()[0] for check in checks] == [
            ".venv/bin/ruff",
            ".venv/bin/ruff",
            ".venv/bin/mypy",
            "uv",
        ]
        for check in checks:
            author.type(check)
        return folder

    return work_on


@pytest.fixture(scope="module")
def beside_despatch(dist, tmp_path_factory):
    """An environment that has despatch, and wheels as they come."""
    made = CleanEnvironment(tmp_path_factory.mktemp("user") / "environment")
    made.install("--find-links", dist, "despatch")
    return made


@pytest.fixture
def user(beside_despatch, worked_on, tmp_path):
    """Installs the wheels of some kinds; the environment."""

    def install(*kinds):
        wheels = [wheel for kind in kinds for wheel in worked_on(kind).glob("dist/*.whl")]
        assert len(wheels) == len(kinds)
        beside_despatch.install(*wheels)
        installed = beside_despatch.installed().keys()
        assert installed >= {"despatch", *(f"despatch-{kind}-{NAME}" for kind in kinds)}
        # A plugin brings nothing of what its tests take.
        assert installed.isdisjoint({"pytest", "mypy", "ruff", "copier"})
        assert {row["status"] for row in beside_despatch.plugins(tmp_path).values()} == {"ready"}
        (tmp_path / "desk.py").write_text(MODEL, encoding="utf-8")
        return beside_despatch

    return install


def simulate(environment, folder, settings):
    """Run the model, which must succeed."""
    text = f"name: desk\nmodel: desk:build\n{textwrap.dedent(settings)}"
    (folder / "desk.yaml").write_text(text, encoding="utf-8")
    run = environment.despatch("run", "desk.yaml", cwd=folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_records_go_out_and_commands_come_in_by_a_new_connector(user, tmp_path):
    environment = user("connector")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.command").write_text('{"path": "Desk.staff", "value": 3}')
    settings = f"""
        ingress: [{{connector: {NAME}, folder: in}}]
        egress: [{{connector: {NAME}, folder: out, select: {{stream_type: event}}}}]
    """
    assert "1 command applied" in simulate(environment, tmp_path, settings)
    records = [path.read_text() for path in sorted((tmp_path / "out").iterdir())]
    assert len(records) == 3
    assert all('"value":{"staff":3}' in record for record in records)
    assert list((tmp_path / "in").iterdir()) == []


def test_records_are_encoded_by_a_new_serializer(user, tmp_path):
    environment = user("serializer", "connector")
    settings = f"egress: [{{connector: {NAME}, folder: out, serializer: {NAME}}}]"
    simulate(environment, tmp_path, settings)
    records = [zlib.decompress(path.read_bytes()) for path in (tmp_path / "out").iterdir()]
    assert len(records) == 6
    assert all(record.startswith(b'{"stream_type": ') for record in records)


def test_a_run_begins_with_what_a_new_state_source_reads(user, tmp_path):
    environment = user("state")
    (tmp_path / "state.json").write_text('{"Desk.staff": 4}')
    settings = f"""
        state: {{source: {NAME}, path: state.json}}
        egress: [{{connector: jsonl, path: out.jsonl, select: {{stream_type: event}}}}]
    """
    simulate(environment, tmp_path, settings)
    assert (tmp_path / "out.jsonl").read_text().count('"value":{"staff":4}') == 3


def test_replications_are_performed_by_a_new_executor(user, tmp_path):
    environment = user("executor")
    (tmp_path / "desk.yaml").write_text("model: desk:build\n")
    (tmp_path / "study.py").write_text(
        "from despatch import replicate\n"
        "if __name__ == '__main__':\n"
        f"    found = replicate('desk.yaml', 3, seed=1, executor={NAME!r})\n"
        "    print(len(found), found.telemetry()['Desk.staff'].mean)\n"
    )
    assert environment.run_python("study.py", cwd=tmp_path).split() == ["3", "1.0"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_distribution_holds_all_that_it_should(worked_on, kind):
    folder = worked_on(kind)
    stem = f"despatch_{kind}_my_own-0.1.0"
    wheel = f"dist/{stem}-py3-none-any.whl"
    listed = succeeded([sys.executable, "-m", "zipfile", "-l", wheel], cwd=folder)
    assert f"{folder.name.replace('-', '_')}/py.typed " in listed
    assert f"{stem}.dist-info/licenses/LICENSE " in listed
    assert "tests/" not in listed
    listed = succeeded([sys.executable, "-m", "tarfile", "-l", f"dist/{stem}.tar.gz"], cwd=folder)
    assert f"{stem}/tests/test_" in listed
    assert f"{stem}/CHANGELOG.md " in listed


@pytest.fixture(scope="module")
def oldest(tmp_path_factory):
    """An environment for the oldest libraries; they are the same for each kind."""
    return CleanEnvironment(tmp_path_factory.mktemp("oldest") / "environment")


@pytest.mark.parametrize("kind", KINDS)
def test_its_workflow_tests_it_with_the_oldest_libraries_that_it_allows(new, oldest, dist, kind):
    folder, _ = new(kind, "oldest")
    (folder / ".venv").symlink_to(oldest.folder)
    author = Author(folder, dist)
    make, install, test = author.steps("tests")
    assert make == "uv venv --python ${{ matrix.python }}"
    author.type(install.replace("${{ matrix.resolution }}", "lowest-direct"))
    # The whole suite is run with the newest.
    author.type(f"{test} -k 'installed or documented or {OWN_TEST[kind]}'")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (required,) = (each for each in project["dependencies"] if each.startswith("pydantic"))
    found = ".".join(oldest.installed()["pydantic"].split(".")[:2])
    assert required == f"pydantic>={found}"


@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_a_connector_for_one_way_is_whole(new, worked_on, dist, way):
    folder, _ = new("connector", way, f"--{way}-only")
    # The tools of the one that goes both ways will do.
    (folder / ".venv").symlink_to(worked_on("connector") / ".venv")
    author = Author(folder, dist)
    author.type("uv pip install --no-deps --editable .")
    author.type(f".venv/bin/pytest -k 'installed or documented or {OWN_TEST['connector']}'")
    for check in author.steps("checks")[2:]:
        author.type(check)


@pytest.mark.parametrize("name", ["x", "abcdefghij-bcdefghij-cdefghijk"])
def test_ruff_is_content_however_long_the_name_is(new, name):
    for kind in KINDS:
        folder, _ = new(kind, name)
        for command in (["check"], ["format", "--check"]):
            succeeded([sys.executable, "-m", "ruff", *command, "--no-cache", "."], cwd=folder)


def test_without_the_extra_it_says_what_to_install(environment, tmp_path):
    refused = environment("despatch").despatch("plugins", "new", "connector", "x", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.endswith('install it: pip install "despatch[scaffold]"\n')
    assert list(tmp_path.iterdir()) == []
