"""What the page for users of dynamic-des and desflow says of this side of the table is so."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path

import pytest

from despatch import Change, Command, DynamicEnvironment, LogNormal, Refusal
from pages import ROOT, blocks, walk

PAGE = ROOT / "docs" / "from-dynamic-des-or-desflow.md"
BLOCKS = list(blocks(PAGE))
FILES = {block.title: block.code for block in BLOCKS if block.title}
CAPACITY = "Line_A.resources.lathe.current_cap"


@pytest.fixture
def env() -> DynamicEnvironment:
    """An environment with the page's model."""
    namespace: dict[str, object] = {"__name__": "line_a"}
    exec(compile(FILES["line_a.py"], "line_a.py", "exec", dont_inherit=True), namespace)
    env = DynamicEnvironment(seed=42)
    namespace["build"](env)  # type: ignore[operator]
    return env


def test_the_program_of_old_is_python():
    ast.parse(FILES["before.py"])


def test_the_model_runs_under_its_settings(tmp_path):
    walk([block for block in BLOCKS if block.title or block.language == "console"], tmp_path)

    lines = (tmp_path / "out" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]

    assert len(records) > 10
    assert sum(record["sim_ts"] < 10 for record in records) <= 8, "one lathe until 10 s"
    assert {record["stream_type"] for record in records} == {"event"}
    assert {record["value"]["status"] for record in records} == {"finished"}


@pytest.mark.parametrize(
    "message",
    [
        b'{"path_id": "Line_A.resources.lathe.current_cap", "value": 3}',
        b'{"path": "Line_A.resources.lathe.current_cap", "value": 3}',
        b'{"path": "Line_A.resources.lathe.current_cap", "value": "3"}',
    ],
)
def test_the_messages_of_both_change_the_capacity(env, message):
    outcome = env.registry.apply(Command.parse(message))
    assert isinstance(outcome, Change)
    assert env.registry[CAPACITY] == 3


@pytest.mark.parametrize(
    "message",
    [
        b'{"param_path": "Line_A.resources.lathe.current_cap", "param_value": 3}',
        b'{"path": "Line_A.resources.lathe.current_cap", "value": 3, "sent_at": 1}',
        b'{"path": ["Line_A"], "value": 3}',
    ],
)
def test_other_messages_are_no_commands(message):
    assert Command.parse(message).fault


@pytest.mark.parametrize("path", ["Line_A.arrival.parts.rate", "Line_A.service.milling.mean"])
def test_the_paths_of_distributions_are_those_of_old(env, path):
    assert isinstance(env.registry.apply(Command(updates={path: 0.5})), Change)
    assert env.registry[path] == 0.5


@pytest.mark.parametrize("value", [-5, 999, 2.7, math.nan, math.inf, True])
def test_a_capacity_that_both_would_have_bent_is_refused(env, value):
    assert isinstance(env.registry.apply(Command(updates={CAPACITY: value})), Refusal)
    assert env.registry[CAPACITY] == 1


def test_an_unknown_path_is_refused_with_the_nearest(env):
    outcome = env.registry.apply(Command(updates={CAPACITY + "p": 3}))
    assert isinstance(outcome, Refusal)
    assert CAPACITY in outcome.reason


def test_the_lognormal_has_the_mean_and_deviation_of_old():
    numpy = pytest.importorskip("numpy")
    mean, std = 3.0, 1.5
    sigma = math.sqrt(math.log(1 + std**2 / mean**2))
    family = LogNormal(mu=math.log(mean) - sigma**2 / 2, sigma=sigma)
    generator = numpy.random.default_rng(1)
    draws = [family.sample(generator) for _ in range(100_000)]
    assert numpy.mean(draws) == pytest.approx(mean, rel=0.02)
    assert numpy.std(draws) == pytest.approx(std, rel=0.05)


def test_no_reader_is_told_to_install_either():
    text = Path(PAGE).read_text(encoding="utf-8")
    assert "pip install" not in text
