"""The benchmarks compare like with like, and give the figures that are asked of them."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import egress
import egress_end_to_end
import egress_runs
import egress_starting
import forecast
import harness
import kernel
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import steering
import steering_updates
from egress_side import Took, publish
from egress_sinks import SINKS, entries, expect
from kernel_models import MODELS, SMALLEST
from kernel_side import Despatch, SimPy, run
from mm4 import EVENTS_PER_CUSTOMER

from despatch import Run
from services import unavailable

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


def test_branches_are_made_of_a_run_with_many_processes():
    measured = harness.run_here("forecast_branches_side.py", "100", "3")
    assert 0 < measured["p50_ms"] <= measured["p95_ms"]
    assert measured["cpu_p95_ms"] > 0


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


def test_egress_has_every_figure_that_is_asked_of_it():
    assert set(egress.MEASUREMENTS) == {
        "publish_cost",
        "publish_cost_model",
        "sim_phase_jsonl",
        "sim_phase_parquet",
        "three_sinks",
        "end_to_end_jsonl_vs_desflow",
        "end_to_end_parquet_vs_desflow",
        "end_to_end_jsonl_vs_raw",
        "end_to_end_redis",
        "startup_cli",
        "startup_import",
        "exit_s",
    }


@pytest.mark.parametrize(("name", "target"), [("publish_cost", 2.5), ("publish_cost_model", 11)])
def test_publishing_takes_longer_than_appending(name, target):
    figure = figures_of("egress.py", name)[name]
    assert (figure["unit"], figure["better"], figure["target"]) == ("ratio", "lower", target)
    assert len(figure["pairs"]) >= harness.PAIRS
    assert figure["value"] > 1


@pytest.mark.parametrize("sinks", [["jsonl"], ["parquet"], ["jsonl", "jsonl", "jsonl"]])
@pytest.mark.parametrize("resource", ["simpy", "own"])
def test_a_run_says_what_it_took_and_all_of_it_is_read_back(resource, sinks):
    took = Took(**harness.run_here("egress_side.py", str(SMALL), "sinks", resource, *sinks))
    assert took.records == SMALL * EVENTS_PER_CUSTOMER
    assert 0 <= took.spilled <= took.records
    assert 0 < took.simulating_s <= took.end_to_end_s


@pytest.mark.parametrize("resource", ["simpy", "own"])
def test_all_that_is_published_into_lists_is_counted(resource):
    customers = 5 * SMALL
    took = Took(**harness.run_here("egress_side.py", str(customers), "list", resource))
    assert took.records == customers * EVENTS_PER_CUSTOMER
    assert took.spilled == 0


def test_a_phase_says_what_was_spilled():
    found = figures_of("egress.py", "three_sinks")
    assert set(found) == {"three_sinks", "three_sinks_cpu"}
    figure = found["three_sinks"]
    assert len(figure["spilled"]) == len(figure["pairs"]) == egress_runs.QUICK_PAIRS


def test_enough_is_what_ours_takes_half_a_minute_for(monkeypatch):
    took = Took(records=30, simulating_s=2.0, simulating_cpu_s=2.0, end_to_end_s=3.0, spilled=5)
    runs = egress_runs.Runs(("sinks", "simpy", "jsonl"))
    monkeypatch.setattr(egress_runs, "run_here", lambda *_: dataclasses.asdict(took))
    count = egress_runs.enough(runs, lambda run: run.simulating_s, is_quick=False, short=1000)
    assert count == 1000 * egress_runs.LONG_S / took.simulating_s
    assert not runs.spilled


@pytest.mark.parametrize("numbers", [[0, 2], [0, 0], [1, 2], [0, None]])
def test_records_that_are_not_numbered_without_gaps_give_no_figure(tmp_path, numbers):
    lines = tmp_path / "records.jsonl"
    lines.write_text("".join(f"{json.dumps({'sink_seq': number})}\n" for number in numbers))
    with pytest.raises((SystemExit, ValueError)):
        SINKS["jsonl"].count(str(lines))
    rows = tmp_path / "rows"
    rows.mkdir()
    table = pa.table({"sink_seq": pa.array(numbers, pa.int64())})
    pq.write_table(table, rows / "records.parquet")
    with pytest.raises(SystemExit):
        SINKS["parquet"].count(str(rows))


def test_rows_are_counted_over_all_files(tmp_path):
    for first in (3, 0):
        table = pa.table({"sink_seq": pa.array(range(first, first + 3), pa.int64())})
        pq.write_table(table, tmp_path / f"{first}.parquet")
    assert SINKS["parquet"].count(str(tmp_path)) == 6


def test_missing_records_give_no_figure():
    expect(3, 3, "read back")
    with pytest.raises(SystemExit, match="read back: 2 of 3 records"):
        expect(2, 3, "read back")


def test_what_is_held_against_a_loop_writes_the_same_records(tmp_path):
    make_sure_of("orjson")
    theirs = tmp_path / "theirs.jsonl"
    answer = harness.run_rival("orjson", "orjson_jsonl.py", str(SMALL), str(theirs))
    assert answer["records"] == SMALL
    ours = tmp_path / "ours.jsonl"
    settings = {
        "name": "egress",
        "runs": tmp_path / "runs",
        "clock": {"start": "2026-01-05T06:00:00+00:00"},
        "egress": [SINKS["jsonl"].settings(str(ours))],
    }
    with Run(settings) as run:
        publish(run.env, SMALL)
    with theirs.open() as lines:
        their_run_id = json.loads(next(lines))["run_id"]
    assert ours.read_text() == theirs.read_text().replace(their_run_id, run.report.run_id)


def test_what_is_held_against_redis_adds_the_same_records(redis_url, tmp_path):
    make_sure_of("orjson")
    make_sure_of("redis")
    answer = harness.run_rival("redis", "redis_pipeline.py", str(SMALL), redis_url)
    assert answer["records"] == SINKS["redis"].count(redis_url) == SMALL
    theirs = tmp_path / "theirs.jsonl"
    harness.run_rival("orjson", "orjson_jsonl.py", str(SMALL), str(theirs))
    assert b"".join(payload + b"\n" for payload in entries(redis_url)) == theirs.read_bytes()


def test_a_run_into_redis_is_read_back(redis_url):
    took = Took(**harness.run_here("egress_side.py", str(SMALL), "loop", redis_url))
    assert took.records == SINKS["redis"].count(redis_url) == SMALL


def make_sure_of(rival):
    try:
        harness.rival_python(rival)
    except subprocess.CalledProcessError as error:
        unavailable(f"{rival}, which pip was to install for the benchmarks: {error}")


def test_an_end_to_end_figure_counts_the_records_of_the_whole_run(monkeypatch):
    took = Took(records=30, simulating_s=2.0, simulating_cpu_s=2.0, end_to_end_s=3.0, spilled=5)
    monkeypatch.setattr(egress_runs, "run_here", lambda *_: dataclasses.asdict(took))
    runs = egress_runs.Runs(("loop", "jsonl"))
    assert egress_end_to_end.speed(runs, 30) == 10.0
    assert runs.spilled == [5]


def test_the_end_is_measured_from_the_last_event():
    assert 0 < egress_starting.exit_once(0.3) < 60


def test_a_process_that_fails_has_not_started():
    command = [sys.executable, "-c", egress_starting.THEIRS]
    wall_s, processor_s = egress_starting.taken(command)
    assert wall_s > 0
    assert processor_s > 0
    with pytest.raises(subprocess.CalledProcessError):
        egress_starting.taken([sys.executable, "-c", "raise SystemExit(1)"])


def test_the_table_shows_what_was_spilled(capsys):
    figure = harness.Figure("speed", 2.0, "ratio", "higher", 1.0, [[2.0, 1.0]], [7, 9, 8])
    harness.show([figure, dataclasses.replace(figure, name="other", spilled=())], {})
    head, first, second, *_ = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in (head, first, second)] == ["spilled", "8", "yes"]


def test_forecasts_have_every_figure_that_the_issue_asks_for():
    asked = {"two_cores", "vs_nagasim", "ensemble_overhead", "inject", "branches"}
    assert set(forecast.MEASUREMENTS) == asked
    found = figures_of("forecast.py", "inject")
    assert found["inject_100k_s"]["target"] == 1.0
    assert len(found["inject_100k_s"]["pairs"]) == harness.PAIRS


def test_one_worker_and_two_come_to_the_same_desk():
    one, two = (harness.run_here("forecast_side.py", "ensemble", "4", each) for each in "12")
    assert one["digest"] == two["digest"]
    forecast.expect_busy("ours", one["busy"])
    with pytest.raises(SystemExit, match=r"theirs: expected 3\.61 busy servers"):
        forecast.expect_busy("theirs", 3.0)


def test_nagasim_plays_the_same_desk():
    make_sure_of("nagasim")
    answer = harness.run_rival("nagasim", "nagasim_forecast.py", "1", "1")
    forecast.expect_busy("nagasim", answer["busy"])


def test_all_that_is_injected_is_in_its_place():
    placed = harness.run_here("forecast_side.py", "inject", "1000")
    assert (placed["in_service"], placed["waiting"]) == (500, 500)
