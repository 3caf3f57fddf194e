"""What the settings page shows of ``despatch doctor`` is what the doctor says."""

from __future__ import annotations

import doctest
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pages import ENVIRONMENT, ROOT, blocks, commands

PAGE = ROOT / "docs" / "settings.md"
README = ROOT / "README.md"
LOCAL_REDIS = "localhost:6379"
FOLDER = "/srv/line_a"
SHOWN = [
    shown
    for block in blocks(PAGE)
    if block.language == "console"
    for command, shown in commands(block)
    if command.startswith("despatch doctor")
]


@pytest.fixture
def line_a(tmp_path: Path) -> Path:
    """A folder with the model and the settings of the README."""
    for block in blocks(README):
        if block.title:
            (tmp_path / block.title).write_text(block.code, encoding="utf-8")
    return tmp_path


def doctor(folder: Path, redis: str) -> tuple[int, str]:
    file = folder / "line_a.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(LOCAL_REDIS, redis), encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-m", "despatch", "doctor", file.name],
        cwd=folder,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
    )
    return answer.returncode, answer.stdout


def looks_like(printed: str, shown: str, folder: Path, redis: str) -> bool:
    expected = shown.replace(FOLDER, str(folder)).replace(LOCAL_REDIS, redis)
    expected = re.sub(r"Redis [\d.]+", "Redis ...", expected)
    return doctest.OutputChecker().check_output(expected + "\n", printed, doctest.ELLIPSIS)


def test_the_settings_of_the_page_are_those_of_the_readme():
    page = next(block.code for block in blocks(PAGE) if block.language == "yaml")
    readme = next(block.code for block in blocks(README) if block.title == "line_a.yaml")
    assert page == readme


def test_the_doctor_finds_all_in_order_as_the_page_shows(line_a, redis_url):
    redis = redis_url.removeprefix("redis://").partition("/")[0]
    status, printed = doctor(line_a, redis)
    assert status == 0
    assert looks_like(printed, SHOWN[0], line_a, redis), printed


def test_the_doctor_says_what_is_away_as_the_page_shows(line_a):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens there
        redis = f"localhost:{taken.getsockname()[1]}"
        status, printed = doctor(line_a, redis)
    assert status == 1
    assert looks_like(printed, SHOWN[1], line_a, redis), printed
