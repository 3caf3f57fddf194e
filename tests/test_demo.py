"""The demo, where the Parquet plugin is installed: what it prints is run as it stands there."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess

from processes import CommandLines


def test_the_demo_writes_parquet_too_and_says_how_to_read_it(tmp_path):
    lines = CommandLines(tmp_path)
    try:
        status, out, err = lines.run("demo", "--factor", "0")
        assert status == 0, err
    finally:
        lines.close()
    (command,) = (line for line in out.splitlines() if "pyarrow" in line)
    read = subprocess.check_output(shlex.split(command), cwd=tmp_path, text=True)
    (written,) = (tmp_path / "despatch-demo").glob("*.jsonl")
    records = map(json.loads, written.read_text().splitlines())
    finished = [record for record in records if record["type"] == "PartDone"]
    # `eval` of a row needs datetime and zoneinfo; the values alone are literals.
    values = [
        ast.literal_eval(f"{{{part.split('}')[0]}}}") for part in read.split("'value': {")[1:]
    ]
    assert values == [record["value"] for record in finished[:2]]
