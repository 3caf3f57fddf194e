"""The command ``forecast``."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from despatch.cli import app
from despatch.cli.forecast import _scenario, _state, _watched
from forecast_models import INLINE, MODELS

SETTINGS = """
name: desk
model: forecast_desk:MODEL
seed: 11
executor: inline
forecast:
  horizon: 40s
  every: 10s
  replications: 20
  watch:
    - {resource: desk, figure: queue_length, name: waiting, above: 5, unit: customers}
    - {count: {where: {status: served}}, name: served}
"""
STATE = {
    "taken_at": "2026-01-05T06:00:00Z",
    "resources": {"desk": {"queue": [{"key": "a"}, {"key": "b"}]}},
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, install):
    (tmp_path / "forecast_desk.py").write_text(MODELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    points = "[despatch.executors]\ninline = inline_forecasts:Inline\n"
    install("acme-inline", points, version="2.3", modules={"inline_forecasts": INLINE})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desk.yaml").write_text(SETTINGS.replace("MODEL", "build"))
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(app, ["forecast", "desk.yaml", *arguments])


def report(*arguments):
    found = call("--json", *arguments)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_it_prints_a_table():
    found = call("--what-if", "Desk.staff=3", "--what-if", "quiet: Desk.arrivals.rate=0.1")
    assert found.exit_code == 0, found.output
    assert "desk, 40s ahead · 20 replications of 3 scenarios · intervals at 95 %" in found.stdout
    assert "waiting [customers]" in found.stdout
    assert "base: waiting above 5 customers at some grid point: " in found.stdout
    assert "compared with the base, by the same seeds" in found.stdout


def test_options_take_the_place_of_settings():
    found = report(
        *("--horizon", "20s", "--every", "5s", "--replications", "4", "--seed", "3"),
        *("--watch", "desk.in_service", "--watch", "Desk.waiting"),
    )
    assert found["grid"]["elapsed_s"] == [0, 5, 10, 15, 20]
    assert (found["replications"], found["seed"]) == (4, 3)
    assert [each["name"] for each in found["figures"]] == ["desk.in_service", "Desk.waiting"]


def test_the_same_is_the_same_with_workers():
    assert report()["digest"] == report("--executor", "local", "--workers", "2")["digest"]
    assert report("--workers", "3")["digest"] == report()["digest"]


def test_a_state_is_a_file_or_a_source(folder):
    (folder / "state.json").write_text(json.dumps(STATE))
    found = report("--state", "state.json")
    assert found["grid"]["wall_times"][0] == "2026-01-05T06:00:00Z"
    assert _state("redis") == {"source": "redis"}
    assert _state("elsewhere/state") == {"source": "file", "path": "elsewhere/state"}


def test_it_stops_when_it_is_exact_enough():
    found = report("--precision", "waiting=3", "--replications", "300")
    assert found["replications"] < 300
    assert found["is_exact"] is True
    assert report("--precision", "0.1%")["is_exact"] is False


def test_files_are_written_where_they_are_asked_for(folder):
    found = call("--out", "there/it/is", "--html")
    assert found.exit_code == 0, found.output
    out = folder / "there" / "it" / "is"
    assert sorted(each.name for each in out.iterdir()) == ["forecast.html", "forecast.json"]
    assert json.loads((out / "forecast.json").read_bytes())["version"] == 1


def test_a_picture_is_drawn(folder):
    pytest.importorskip("matplotlib")
    assert call("--out", "out", "--png").exit_code == 0
    assert (folder / "out" / "forecast.png").read_bytes().startswith(b"\x89PNG")


def test_records_are_delivered_to_the_sinks_of_the_settings(folder):
    with (folder / "desk.yaml").open("a") as file:
        file.write("  egress:\n    - {connector: jsonl, path: records.jsonl}\n")
    found = call()
    assert found.exit_code == 0, found.output
    lines = (folder / "records.jsonl").read_text().splitlines()
    kinds = {json.loads(line)["type"] for line in lines}
    assert kinds == {"ForecastMean", "ForecastQuantile", "ForecastCrossing", "ForecastValue"}
    assert "desk.forecast finished" in found.stderr


def test_what_was_not_delivered_is_exit_status_3(folder):
    with (folder / "desk.yaml").open("a") as file:
        # A file cannot be made in a file.
        file.write("  egress:\n    - {connector: jsonl, path: desk.yaml/x.jsonl}\n")
        file.write("courier: {grace: 0s}\n")
    assert call().exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--html"], "say with --out FOLDER where to"),
        (["--what-if", "Desk.staff"], "--what-if Desk.staff: expected PATH=VALUE"),
        (["--what-if", "Desk.stuff=3"], "forecast.what_if.Desk.stuff=3: Desk.stuff: no such path"),
        (["--horizon", "soon"], "forecast.horizon: expected a duration"),
        (["--watch", "dsek.in_service"], "no such resource in the model; the nearest: desk"),
        (["--state", "nothing.json"], "there is no such file"),
        (["--state", "nothing"], "nothing"),
        (["--executor", "lokal"], "executor 'lokal' is not installed"),
        (["--seed", "-1"], "seed: expected at least 0"),
        (["--precision", "many"], "forecast.precision"),
        (["--out", "desk.yaml"], "--out desk.yaml: cannot be made"),
    ],
)
def test_what_is_wrong_is_exit_status_2(arguments, told):
    found = call(*arguments)
    assert found.exit_code == 2, found.output
    assert told in found.stderr.replace("\n", "")


def test_a_state_that_does_not_fit_is_exit_status_2(folder):
    (folder / "state.json").write_text(json.dumps(STATE).replace("desk", "dsek"))
    found = call("--state", "state.json")
    assert found.exit_code == 2
    assert "does not fit the model" in found.stderr


def test_a_model_that_raises_is_exit_status_1(folder):
    (folder / "desk.yaml").write_text(SETTINGS.replace("MODEL", "raises_late"))
    found = call()
    assert found.exit_code == 1
    assert "KeyError: 'part-7'" in found.stderr


def test_parquet_that_is_not_installed_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setenv("DESPATCH_PLUGINS", "local,inline,jsonl")
    found = call("--out", "out", "--parquet")
    assert found.exit_code == 2
    assert "parquet" in found.stderr


@pytest.mark.parametrize(
    ("given", "name", "changes"),
    [
        ("Line.capacity=3", "Line.capacity=3", {"Line.capacity": "3"}),
        ("three: Line.capacity=3", "three", {"Line.capacity": "3"}),
        ("a: b: X.y=1, X.z = 2", "a: b", {"X.y": "1", "X.z": "2"}),
        ("X.y=1,5", "X.y=1,5", {"X.y": "1,5"}),
        ("X.y=a:b", "X.y=a:b", {"X.y": "a:b"}),
    ],
)
def test_scenarios_are_read(given, name, changes):
    assert _scenario(given) == (name, changes)


def test_figures_of_resources_are_told_from_telemetry():
    assert _watched("A.lathe.queue_length") == {"resource": "A.lathe", "figure": "queue_length"}
    assert _watched("A.tank.puts.mean_wait") == {"resource": "A.tank", "figure": "puts.mean_wait"}
    assert _watched("A.lathe.parts") == {"telemetry": "A.lathe.parts"}
