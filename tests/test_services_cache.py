"""The user's cache for what tests download and make, in a folder of the test's own."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from services import cache_folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "despatch-tests"


def test_a_folder_belongs_to_its_recipe(cache):
    with cache_folder("thing", b"one") as one, cache_folder("thing", b"two") as two:
        assert one != two
        assert one.parent == two.parent == cache


HOLD = """
import sys
from services import cache_folder
with cache_folder("thing", b"recipe") as folder:
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_has_the_folder(cache):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parent), "XDG_CACHE_HOME": str(cache.parent)},
    )
    assert holder.stdin
    assert holder.stdout
    entered = threading.Event()

    def enter():
        with cache_folder("thing", b"recipe"):
            entered.set()

    waiting = threading.Thread(target=enter)
    try:
        assert holder.stdout.readline() == "held\n"
        waiting.start()
        assert not entered.wait(0.2)
    finally:
        holder.communicate("")
    assert entered.wait(30)
    waiting.join()
