"""What the README shows is done here, with SQLite."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from despatch_connector_sql import SqlEgressSettings, SqlStateSettings

README = Path(__file__).parents[1] / "README.md"
FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
TEXT = README.read_text(encoding="utf-8")
BLOCKS = [match.groupdict() for match in FENCE.finditer(TEXT)]
NOT_RUN = ("pip", "psql")


def commands():
    """What is typed, and what the README says that it prints."""
    for block in BLOCKS:
        if block["language"] == "console":
            for each in re.split(r"^\$ ", block["code"], flags=re.MULTILINE)[1:]:
                command, _, output = each.partition("\n")
                if not command.startswith(NOT_RUN):
                    yield command, output


def test_the_commands_print_what_is_shown(tmp_path):
    for block in BLOCKS:
        if block["title"]:
            (tmp_path / block["title"]).write_text(block["code"], encoding="utf-8")
    shown = list(commands())
    assert [command.split()[:2] for command, _ in shown] == [
        ["python", "plan.py"],
        ["despatch", "doctor"],
        ["despatch", "run"],
        ["python", "look.py"],
    ]
    for command, expected in shown:
        program, *arguments = shlex.split(command)
        line = [sys.executable, *(["-m", "despatch"] if program == "despatch" else []), *arguments]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert doctest.OutputChecker().check_output(expected, done.stdout, flags), done.stdout


@pytest.mark.parametrize("model", [SqlEgressSettings, SqlStateSettings])
def test_each_setting_is_in_a_table(model):
    for name in model.model_fields:
        assert f"\n| `{name}` |" in TEXT


def test_the_settings_that_are_shown_are_accepted():
    for block in BLOCKS:
        if block["language"] == "yaml":
            shown = YAML(typ="safe").load(block["code"])
            for entry in shown.get("egress", []):
                SqlEgressSettings.model_validate(without(entry, "connector"))
            if "state" in shown:
                SqlStateSettings.model_validate(without(shown["state"], "source"))


def without(entry, name):
    return {key: value for key, value in entry.items() if key != name}
