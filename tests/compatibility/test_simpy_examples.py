"""The examples of SimPy's documentation print on despatch's classes what SimPy's manual shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compatibility.rebinding import PARTS

EXAMPLES = [
    "bank_renege",
    "carwash",
    "gas_station_refuel",
    "latency",
    "machine_shop",
    "movie_renege",
    "process_communication",
]

TESTS = Path(__file__).parents[1]


def run_rebound(program, parts):
    return subprocess.run(
        [sys.executable, "-m", "compatibility.rebinding", parts, program],
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
    )


def test_every_example_of_simpys_documentation_is_run(simpy_source):
    found = (simpy_source / "docs" / "examples" / "code").glob("*.py")
    assert sorted(path.stem for path in found) == EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("parts", PARTS)
def test_an_example_prints_what_simpys_manual_shows(simpy_source, parts, example):
    program = simpy_source / "docs" / "examples" / "code" / f"{example}.py"
    process = run_rebound(program, parts)
    assert process.stderr == b""
    assert process.returncode == 0
    assert process.stdout == program.with_suffix(".out").read_bytes()
