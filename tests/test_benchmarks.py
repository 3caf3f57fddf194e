"""The benchmarks compare like with like, and give the figures that are asked of them."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import harness
import kernel
import pytest
import steering
import steering_updates
from kernel_models import MODELS, SMALLEST
from kernel_side import Despatch, SimPy, run

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

SMALL = 400


def figures_of(script, *arguments):
    command = [sys.executable, str(BENCHMARKS / script), "--quick", "--json", *arguments]
    completed = subprocess.run(
        command,
        env={"PYTHONPATH": str(BENCHMARKS.parent / "tests"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return {figure["name"]: figure for figure in json.loads(completed.stdout)["figures"]}


@pytest.mark.parametrize("model", MODELS)
def test_a_model_comes_to_the_same_on_both_sides(model):
    size = max(SMALL, SMALLEST.get(model, 0))
    ours, theirs = (run(library, model, size) for library in (Despatch(), SimPy()))
    assert ours["outcome"] == theirs["outcome"]
    assert ours["outcome"]["done"] > size / 2
    assert ours["outcome"]["waited"] > 0


def test_the_kernel_has_every_figure_that_has_a_target():
    assert set(kernel.TARGETS) < set(kernel.SIZES) == set(MODELS)
    rivals = {"mm4_desflow", "mm4_dynamic_des"}
    assert set(kernel.MEASUREMENTS) == {*MODELS, *rivals, "silent_ingress"}


def test_a_figure_has_its_pairs_and_their_median():
    found = figures_of("kernel.py", "ping")
    assert set(found) == {"ping"}
    figure = found["ping"]
    assert (figure["unit"], figure["better"], figure["target"]) == ("ratio", "higher", 1.15)
    assert len(figure["pairs"]) == harness.PAIRS
    ratios = sorted(ours / theirs for ours, theirs in figure["pairs"])
    assert figure["value"] == ratios[harness.PAIRS // 2]


def test_sides_that_did_different_things_give_no_figure():
    def side(model, size):
        outcomes.append({"now": 10.0, "waited": 2.0 + len(outcomes)})
        return {"cpu_s": 1.0, "outcome": outcomes[-1]}

    outcomes = []
    with pytest.raises(SystemExit, match="mm4: one side came to"):
        kernel.compare("mm4", 100, side, side)


def test_what_is_summed_up_in_another_order_is_the_same():
    kernel.expect_same("mm4", {"waited": 0.1 + 0.2 + 0.3}, {"waited": 0.3 + 0.2 + 0.1})


def test_a_silent_ingress_is_no_deaf_one(redis_server):
    answer = harness.run_here("kernel_silent.py", redis_server.url, "nobody.writes", "2")
    assert [len(row) for row in answer["slices"]] == [3, 3]
    assert answer["outcome"]["done"] > 0


@pytest.mark.parametrize("a_command", [1, 100])
def test_a_run_takes_in_every_update(a_command):
    way = steering_updates.feed_all
    assert steering_updates.measure(2_000, a_command, way) > 0


def test_a_command_that_is_refused_ends_the_measurement(monkeypatch):
    monkeypatch.setattr(steering_updates, "value", lambda path, number: -1)
    with pytest.raises(SystemExit, match="a command was not applied"):
        steering_updates.measure(100, 1, steering_updates.feed_all)


def test_a_run_is_steered_while_it_publishes(redis_server):
    steered = steering.steer(redis_server.url, 3, 0.1, is_loaded=True)
    assert len(steered.delays_ms) == 3
    assert min(steered.delays_ms) > 0
    assert steered.records_per_s > 0


def test_the_worst_of_several_shows_each():
    each = {"factor_1": [1.0, 2.0, 9.0], "factor_10": [3.0, 3.0, 3.0]}
    found = harness.worst_of("delay", each, unit="ms", target=2.5)
    assert [(figure.name, figure.value, figure.target) for figure in found] == [
        ("delay", 3.0, 2.5),
        ("delay_factor_1", 2.0, None),
        ("delay_factor_10", 3.0, None),
    ]
    assert not found[0].is_reached


@pytest.mark.parametrize(
    ("better", "value", "is_reached"),
    [("higher", 2.0, True), ("higher", 1.9, False), ("lower", 2.0, True), ("lower", 2.1, False)],
)
def test_the_table_says_which_targets_are_reached(capsys, better, value, is_reached):
    figure = harness.Figure("speed", value, "ratio", better, 2.0, [[value, 1.0]])
    assert figure.is_reached is is_reached
    harness.show([figure, dataclasses.replace(figure, name="other", target=None)], {})
    _, first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.split()[-1] == ("yes" if is_reached else "no")
    assert second.split() == ["other", f"{value:g}", f"{value:g}", f"{value:g}", "ratio"]


def test_a_figure_that_is_not_there_is_refused_with_those_that_are(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["kernel.py", "pong"])
    with pytest.raises(SystemExit) as refused:
        kernel.run_all()
    assert refused.value.code == 2
    assert "mm4, many_processes, ping" in capsys.readouterr().err
