"""The section `forecast` of settings, and what is wrong in it, with its line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from despatch import SettingsError
from despatch.forecasting.figures import Figure
from despatch.settings import ForecastSettings
from despatch.settings.file import load_settings, settings_from
from despatch.settings.forecast import share_of


def section(**given):
    return settings_from({"forecast": given}).forecast


def test_by_default_it_watches_nothing():
    assert section() == ForecastSettings()
    assert (section().replications, section().confidence) == (200, 0.95)
    assert section().quantiles == [0.05, 0.25, 0.5, 0.75, 0.95]


def test_it_is_read_as_it_is_written():
    found = section(
        horizon="8h",
        every="15m",
        watch=[
            {"telemetry": "Line.queue", "above": 20, "unit": "parts"},
            {"resource": "Line.lathe", "figure": "queue_length", "name": "waiting"},
            {"count": {"type": "Done", "where": {"status": "ok"}}},
            {"parameter": "Line.lathe.capacity"},
        ],
        precision="5%",
        what_if={"two lathes": {"Line.lathe.capacity": 2}},
    )
    assert (found.horizon, found.every) == (timedelta(hours=8), timedelta(minutes=15))
    called = ["Line.queue", "waiting", "Done", "Line.lathe.capacity"]
    assert [each.called for each in found.watch] == called
    assert found.precision.mean == "5%"
    first, second, third, fourth = map(Figure.watched, found.watch)
    assert (first.kind, first.of, first.limits) == ("telemetry", "Line.queue", {"above": 20.0})
    assert (second.kind, second.of, second.figure) == ("resource", "Line.lathe", "queue_length")
    assert third.select == {"type": "Done", "where": {"status": "ok"}}
    assert (fourth.kind, fourth.of) == ("parameter", "Line.lathe.capacity")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"horizon": "0s"}, "forecast.horizon: expected a duration of more than 0s"),
        ({"replications": 1}, "forecast.replications"),
        ({"confidence": 1}, "forecast.confidence"),
        ({"quantiles": [0.5, 0.1]}, "expected quantiles in growing order, each once"),
        ({"quantiles": []}, "forecast.quantiles"),
        ({"watch": [{}]}, "expected one of telemetry, resource, count, parameter"),
        ({"watch": [{"telemetry": "a", "parameter": "b"}]}, "expected one of telemetry"),
        ({"watch": [{"resource": "a"}]}, "expected `resource` and `figure` together"),
        ({"watch": [{"telemetry": "a", "figure": "level"}]}, "`resource` and `figure` together"),
        ({"watch": [{"resource": "a", "figure": "length"}]}, "forecast.watch[0].figure"),
        ({"watch": [{"parameter": "a", "initial": 1}]}, "expected `initial` for a telemetry"),
        ({"watch": [{"count": {"path": "a"}}]}, "expected `count` to select events"),
        ({"watch": [{"count": {"tpye": "a"}}]}, "did you mean 'type'?"),
        ({"watch": [{"telemetry": "a"}] * 2}, "expected another `name` for [1] than that of [0]"),
        ({"what_if": {"base": {"a": 1}}}, "expected another name for a scenario than 'base'"),
        ({"what_if": {"x": {}}}, "expected something that is otherwise in scenario 'x'"),
        ({"precision": {}}, "expected `mean` or `probability`"),
        ({"precision": 0}, "expected a half width of more than 0, such as 0.5"),
        ({"precision": "many"}, "or a share of the mean, such as 5%"),
        (
            {"watch": [{"telemetry": "a"}], "precision": {"mean": {"b": 1}}},
            "expected `precision.mean` to name watched figures, which are a, not 'b'",
        ),
        ({"egress": [{"connector": "jsonk"}]}, "forecast.egress[0].connector"),
        ({"egress": [{"connector": "jsonl", "pth": "x"}]}, "forecast.egress[0].pth: unknown"),
        ({"egress": [{"connector": "jsonl"}]}, "forecast.egress[0].path: is required"),
    ],
)
def test_what_is_wrong_is_told(given, told):
    with pytest.raises(SettingsError) as caught:
        section(**given)
    assert told in str(caught.value)


def test_a_mistake_is_told_with_its_line(tmp_path):
    file = tmp_path / "line.yaml"
    file.write_text(
        "forecast:\n"
        "  horizon: 8h\n"
        "  watch:\n"
        "    - telemetry: Line.queue\n"
        "    - {resource: Line.lathe, figure: queue_lenght}\n"
        "  egress:\n"
        "    - connector: jsonl\n"
        "      path: x.jsonl\n"
        "      colour: red\n"
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    lines = {problem.where: problem.line for problem in caught.value.problems}
    assert lines == {"forecast.watch[1].figure": 5, "forecast.egress[0].colour": 9}


def test_the_secrets_of_its_sinks_are_hidden(monkeypatch):
    monkeypatch.setenv("WHERE", "/secret/place.jsonl")
    found = section(egress=[{"connector": "jsonl", "path": "${WHERE}"}])
    assert "/secret" not in repr(found)
    assert "/secret" not in str(found.model_dump())
    assert str(found.egress[0].plugin_settings["path"]) == "/secret/place.jsonl"


@pytest.mark.parametrize(
    ("target", "share"), [("5%", 0.05), (" 2.5 % ", 0.025), (0.5, None), (3.0, None)]
)
def test_a_share_is_told_from_a_number(target, share):
    assert share_of(target) == share
