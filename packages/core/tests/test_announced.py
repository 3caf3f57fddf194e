from __future__ import annotations

import inspect

import pytest
import typer
from typer.testing import CliRunner

from despatch.cli import app
from despatch.cli.announced import Announced

GROUP = typer.main.get_group(app)
ANNOUNCED = list(GROUP.commands.values())


@pytest.mark.parametrize("announced", ANNOUNCED, ids=lambda each: each.name)
def test_what_is_announced_is_what_the_command_says_of_itself(announced):
    assert isinstance(announced, Announced)
    says = inspect.cleandoc(announced.load().help)
    assert announced.help == says.partition("\n\n")[0].replace("\n", " ")


@pytest.mark.parametrize("announced", ANNOUNCED, ids=lambda each: each.name)
def test_a_command_shows_its_own_help_under_its_own_name(announced):
    result = CliRunner().invoke(app, [announced.name, "--help"])
    assert result.exit_code == 0
    assert f"despatch {announced.name} " in result.output
    assert "completion" not in result.output


def test_a_command_that_is_not_there_is_status_2_and_a_near_one_is_named():
    result = CliRunner().invoke(app, ["rnus"])
    assert result.exit_code == 2
    assert "'runs'" in result.output
