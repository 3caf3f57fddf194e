"""The README's example is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from despatch.settings.file import load_settings
from despatch_executor_ray import RaySettings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'```\w+ title="(.*?)"\n(.*?)```', README, re.DOTALL))
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
EXECUTORS = re.findall(r"```yaml\n(executor:.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.timeout(300)
def test_the_example_gives_the_same_on_ray_as_here(folder):
    (program,) = PROGRAMS
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_settings_are_taken(folder):
    (text,) = EXECUTORS
    (folder / "cluster.yaml").write_text(f"model: line_b:build\n{text}", encoding="utf-8")
    given = load_settings(folder / "cluster.yaml").executor
    taken = RaySettings.model_validate(given.plugin_settings)
    assert taken.address == "ray://head.plant.example:10001"
    assert taken.runtime_env.working_dir == "."


def test_every_setting_is_there():
    rows = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    assert rows >= RaySettings.model_fields.keys() - {"address"}
