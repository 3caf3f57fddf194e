"""A forecast's records as Parquet, through the plugin, read back by a foreign reader."""

from __future__ import annotations

import json

import duckdb
import pytest
from typer.testing import CliRunner

from despatch.cli import app

MODEL = """
from despatch import Distribution, DynamicResource, Exponential, SimParameter


class Desk(SimParameter):
    staff: int = 1
    service: Distribution = Exponential(rate=1.2)


def build(env):
    env.registry.register("Desk", Desk())
    desk = DynamicResource(env, capacity="Desk.staff")

    def customer():
        with desk.request() as request:
            yield request
            yield env.timeout(env.sample("Desk.service"))

    def arrivals():
        while True:
            yield env.timeout(1)
            env.process(customer())

    env.process(arrivals())
"""

SETTINGS = {
    "name": "desk",
    "model": "desk_of_parquet:build",
    "seed": 5,
    "clock": {"start": "2026-01-05T06:00:00+00:00"},
    "executor": {"name": "local", "workers": 1},
    "forecast": {
        "horizon": "20s",
        "every": "10s",
        "replications": 10,
        "watch": [{"resource": "Desk.staff", "figure": "queue_length", "name": "q", "above": 2}],
        "what_if": {"two": {"Desk.staff": 2}},
    },
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "desk_of_parquet.py").write_text(MODEL)
    (tmp_path / "desk.yaml").write_text(json.dumps(SETTINGS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_was_forecast_is_in_the_files(folder):
    found = CliRunner().invoke(app, ["forecast", "desk.yaml", "--out", "out", "--parquet"])
    assert found.exit_code == 0, found.output
    report = json.loads((folder / "out" / "forecast.json").read_bytes())

    def rows(query):
        return duckdb.sql(query.format(folder / "out" / "event")).fetchall()

    last = report["scenarios"][0]["figures"][0]
    means = rows(
        "select value.mean, value.half_width from '{}/ForecastMean/**/*.parquet' "
        "where value.scenario = 'base' order by sim_ts"
    )
    assert means == list(zip(last["mean"], last["half_width"], strict=True))
    count = rows(
        "select count(*), count(distinct value.replication) from '{}/ForecastValue/**/*.parquet'"
    )
    assert count == [(2 * 10 * 3, 10)]
    differences = rows(
        "select value.mean from '{}/ForecastDifference/**/*.parquet' order by sim_ts"
    )
    assert [mean for (mean,) in differences] == report["scenarios"][1]["differences"][0]["mean"]
    times = rows(
        "select distinct cast(timestamp at time zone 'UTC' as varchar) from "
        "'{}/ForecastCrossing/**/*.parquet' order by 1"
    )
    assert [time for (time,) in times] == [f"2026-01-05 06:00:{s}" for s in ("00", "10", "20")]
