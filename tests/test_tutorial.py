"""The tutorial is walked as a reader walks it: its files are written, and its commands are run."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import sys
from pathlib import Path

import redis
from ruamel.yaml import YAML

from despatch import demo
from pages import ENVIRONMENT, ROOT, blocks, commands, run, walk

PAGE = ROOT / "docs" / "tutorial.md"
OPTIONAL = PAGE.read_text(encoding="utf-8").partition("\n## Optional")[0].count("\n")
STEPS = [block for block in blocks(PAGE) if block.line < OPTIONAL]
LIVE = [block for block in blocks(PAGE) if block.line > OPTIONAL]
DEMO = Path(demo.__file__).parent


def final_file(name: str) -> str:
    return [block.code for block in STEPS if block.title == name][-1]


def without_docstrings(code: str) -> str:
    tree = ast.parse(code)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node):
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
    run(["despatch", "run", "factory.yaml", "--factor", "0"], tmp_path)

    lines = run([sys.executable, "read_back.py"], tmp_path).splitlines()

    queue = {int(line.partition(" s")[0]): line.count("#") for line in lines}
    assert queue[0] == 0
    assert queue[8] > 3
    assert queue[16] <= 1
    assert queue[22] == 0
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

    run(["despatch", "run", "factory.yaml", "--factor", "0"], ours)
    run(["despatch", "demo", "--factor", "0"], the_demo)

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
    assert report["commands"] == {"applied": 1, "refused": 0, "scheduled": 0, "dry_runs": 0}
    capacities = [
        r["value"] for r in published(tmp_path) if "lathe.capacity" in r.get("path_id", "")
    ]
    assert capacities[-1] == 3
