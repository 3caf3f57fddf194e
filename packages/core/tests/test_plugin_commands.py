from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from despatch.cli import app
from despatch.plugins import Kind

APP = """
import typer
app = typer.Typer(help="Ships parts.")
@app.command()
def pack(number: int):
    "Pack a part."
    print(f"packed {number}")
@app.command()
def send():
    "Send it."

def weigh(part: str, kilograms: bool = False):
    "Weigh a part."
    print("weighed", part)

async def later(): ...
def untyped(what: int | str): ...
class Command: ...
empty = typer.Typer()
number = 7
"""


@pytest.fixture
def add(install):
    def add(target="acme_commands:app", name="ship", distribution="acme-commands", **given):
        given.setdefault("modules", {"acme_commands": APP})
        install(distribution, f"[despatch.commands]\n{name} = {target}\n", **given)

    return add


def despatch(*arguments):
    return CliRunner().invoke(app, arguments)


def told(result):
    return " ".join(result.output.replace("│", " ").split())


def test_an_app_of_a_plugin_is_a_command_with_its_own(add):
    add()
    assert despatch("ship", "pack", "7").output == "packed 7\n"
    assert "Pack a part." in despatch("ship", "--help").output


def test_a_function_of_a_plugin_is_a_command(add):
    add("acme_commands:weigh", "weigh")
    assert despatch("weigh", "bolt", "--kilograms").output == "weighed bolt\n"
    assert "Weigh a part." in despatch("weigh", "--help").output


def test_the_help_lists_commands_by_their_metadata_alone(add):
    add(version="2.1")
    shown = told(despatch("--help"))
    assert "ship From acme-commands 2.1." in shown
    assert "acme_commands" not in sys.modules


def test_the_help_marks_a_command_that_cannot_be_used(add):
    add(requires=["despatch>=99"])
    assert "From acme-commands 1.0 (incompatible: see `despatch plugins list`)" in told(
        despatch("--help")
    )


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("acme_missing:app", "ModuleNotFoundError: No module named 'acme_missing'"),
        ("acme_commands:number", "acme_commands:number is not a Typer app, nor a function"),
        ("acme_commands:Command", "is not a Typer app, nor a function"),
        ("acme_commands:later", "is an async function"),
        ("acme_commands:empty", "is a Typer app without commands"),
        ("acme_commands:untyped", "is no command to Typer: AssertionError"),
    ],
)
def test_a_command_that_is_broken_is_reported_and_harms_nothing_else(add, target, reason):
    add(target)
    result = despatch("ship")
    assert result.exit_code == 2
    assert "command 'ship' (acme-commands 1.0) is broken" in told(result)
    assert reason in told(result)
    assert "pip install" in told(result)
    assert despatch("--help").exit_code == 0
    assert despatch("plugins", "list", "--no-check").exit_code == 0


def test_a_name_of_a_command_of_despatchs_own_is_refused(add):
    add(name="run")
    assert "acme-commands" not in despatch("--help").output
    rows = json.loads(despatch("plugins", "list", "--no-check", "--json").stdout)
    (row,) = (each for each in rows if each["kind"] == "commands")
    assert (row["status"], row["reason"]) == (
        "duplicate",
        "despatch has a command of the same name",
    )


def test_the_names_that_are_despatchs_own_are_those_of_its_commands():
    assert Kind.COMMANDS.reserved == {*typer.main.get_group(app).commands}


def test_two_commands_of_one_name_are_refused_by_naming_both(add):
    add()
    add(distribution="acme-rival", version="3.0")
    result = despatch("ship")
    assert result.exit_code == 2
    assert "acme-commands 1.0" in told(result)
    assert "acme-rival 3.0" in told(result)


def test_the_allow_list_of_the_environment_holds_for_commands(add, monkeypatch):
    add()
    monkeypatch.setenv("DESPATCH_PLUGINS", "other")
    result = despatch("ship")
    assert result.exit_code == 2
    assert "'ship' (acme-commands 1.0) is not allowed" in told(result)
    assert "acme_commands" not in sys.modules
    monkeypatch.setenv("DESPATCH_PLUGINS", "ship")
    assert despatch("ship", "pack", "1").exit_code == 0


def test_a_misspelt_command_of_a_plugin_is_met_with_the_nearest(add):
    add()
    result = despatch("shpi")
    assert result.exit_code == 2
    assert "'ship'" in result.output


def test_a_command_is_described(add):
    add()
    shown = told(despatch("plugins", "describe", "ship"))
    assert "ship, command, of acme-commands 1.0" in shown
    assert "Ships parts." in shown
    assert "despatch ship" in shown


def test_a_command_of_despatchs_own_looks_for_no_plugin(add):
    program = (
        "import sys; from despatch.cli import app; from despatch.plugins import catalogue\n"
        "def never(): raise AssertionError('looked for plugins')\n"
        "catalogue.plugin_distributions = never\n"
        "app(['runs', 'list', '--runs', 'nowhere'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
