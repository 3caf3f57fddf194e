"""The tutorial is walked as a reader walks it: its files are written, and its commands are run.

What a ``console`` block shows below a command must be what the command prints; ``...`` stands for
anything, as in a doctest.
"""

from __future__ import annotations

import ast
import doctest
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import redis
from ruamel.yaml import YAML

from despatch import demo
from pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "tutorial.md"
OPTIONAL = PAGE.read_text(encoding="utf-8").partition("\n## Optional")[0].count("\n")
STEPS = [block for block in blocks(PAGE) if block.line < OPTIONAL]
LIVE = [block for block in blocks(PAGE) if block.line > OPTIONAL]
DEMO = Path(demo.__file__).parent
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONDONTWRITEBYTECODE": "1",
}


def walk(steps: list[Block], folder: Path) -> None:
    for block in steps:
        if block.title:
            (folder / block.title).write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            run([sys.executable, "-c", block.code], folder, f"{PAGE}:{block.line}")
        else:
            for command, shown in commands(block):
                printed = run(["sh", "-c", command], folder, command)
                assert not shown or looks_like(printed, shown), f"{command}\n{printed}"


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command, and what the page shows below it."""
    for command in ("\n" + block.code).split("\n$ ")[1:]:
        line, _, shown = command.partition("\n")
        yield line, shown.removesuffix("\n")


def run(arguments: list[str], folder: Path, what: str) -> str:
    process = subprocess.run(
        arguments,
        cwd=folder,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.returncode == 0, f"{what}\n{process.stdout}"
    return process.stdout


def looks_like(printed: str, shown: str) -> bool:
    # On a slow machine a line of progress may stand among the others.
    kept = [line for line in printed.splitlines() if not line.startswith("factory: ")]
    return doctest.OutputChecker().check_output(
        shown + "\n", "\n".join(kept) + "\n", doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )


def final_file(name: str) -> str:
    return [block.code for block in STEPS if block.title == name][-1]


def without_docstrings(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            del node.body[0]
    return ast.dump(tree, indent=1)


def published(folder: Path) -> list[dict[str, object]]:
    """The records of the only run there, without what differs from run to run."""
    (file,) = (folder / "despatch-demo").glob("*.jsonl")
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [{**record, "run_id": None, "timestamp": None} for record in records]


def test_every_step_works_as_it_stands_on_the_page(tmp_path):
    walk(STEPS, tmp_path)


def test_the_queue_grows_with_one_lathe_and_goes_with_three(tmp_path):
    for name in ("factory.py", "factory.yaml", "read_back.py"):
        (tmp_path / name).write_text(final_file(name), encoding="utf-8")
    run(["despatch", "run", "factory.yaml", "--factor", "0"], tmp_path, "despatch run")

    lines = run([sys.executable, "read_back.py"], tmp_path, "read_back.py").splitlines()

    queue = {int(line.partition(" s")[0]): line.count("#") for line in lines}
    assert queue[0] == 0
    assert queue[8] > 3
    assert queue[18] == 0
    assert next(line for line in lines if "lathes: 3" in line).startswith("  10 s")
    assert next(line for line in lines if "lathes: 2" in line).startswith("  20 s")


def test_the_finished_model_is_that_of_the_demo():
    of_the_demo = (DEMO / "factory.py").read_text(encoding="utf-8")
    assert without_docstrings(final_file("factory.py")) == without_docstrings(of_the_demo)


def test_the_finished_settings_are_those_of_the_demo():
    yaml = YAML(typ="safe")
    of_the_demo = yaml.load((DEMO / "factory.yaml").read_text(encoding="utf-8"))
    assert yaml.load(final_file("factory.yaml")) == {**of_the_demo, "model": "factory:build"}


def test_the_finished_factory_publishes_the_same_records_as_the_demo(tmp_path):
    ours, the_demo = tmp_path / "ours", tmp_path / "demo"
    for folder in (ours, the_demo):
        folder.mkdir()
    for name in ("factory.py", "factory.yaml"):
        (ours / name).write_text(final_file(name), encoding="utf-8")

    run(["despatch", "run", "factory.yaml", "--factor", "0"], ours, "despatch run")
    run(["despatch", "demo", "--factor", "0"], the_demo, "despatch demo")

    assert len(published(ours)) > 100
    assert published(ours) == published(the_demo)


def test_the_factory_is_steered_through_redis(tmp_path, redis_url):
    settings, start, steer = LIVE
    (tmp_path / "factory.py").write_text(final_file("factory.py"), encoding="utf-8")
    (tmp_path / settings.title).write_text(
        settings.code.replace("redis://localhost:6379", redis_url), encoding="utf-8"
    )
    ((command, _),) = commands(start)
    ((redis_command, _),) = commands(steer)
    client = redis.Redis.from_url(redis_url)

    with subprocess.Popen(
        [*shlex.split(command), "--factor", "0.05", "--report", "report.json"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
    ) as process:
        # Should it come before the run has begun, it waits in the stream.
        client.execute_command(*shlex.split(redis_command)[1:])
    client.close()

    report = json.loads((tmp_path / "report.json").read_bytes())
    assert process.returncode == report["exit_status"] == 0
    assert report["commands"] == {"applied": 1, "refused": 0, "scheduled": 0}
    capacities = [
        r["value"] for r in published(tmp_path) if "lathe.capacity" in r.get("path_id", "")
    ]
    assert capacities[-1] == 3
