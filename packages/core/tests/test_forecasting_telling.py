"""A forecast as a report, a page, a picture, rows and records."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from despatch import PluginError
from despatch.connectors.memory import MemoryEgress
from despatch.forecasting.chart import axis_of_time, chart, extent, pairs
from despatch.forecasting.figures import Figure
from despatch.forecasting.forecast import Forecast
from despatch.forecasting.grid import Grid
from despatch.forecasting.report import ForecastReport, report_of
from despatch.forecasting.telling import differences, headline, legend, rows

START = datetime(2026, 1, 5, 6, tzinfo=UTC)


def made(*, starts=START, nothing=False, scenarios=("base", "two <lathes>"), is_exact=None):
    random = np.random.default_rng(3)
    figures = [
        Figure(name="queue", kind="telemetry", of="Line.queue", unit="parts & bits", above=12.0),
        Figure(name="done", kind="count", select={}),
    ]
    values = []
    for number, _ in enumerate(scenarios):
        matrix = random.uniform(0, 10 + number, size=(40, 2, 9))
        matrix[:, 0, 0] = np.nan
        if nothing:
            matrix[:] = np.nan
        values.append(matrix)
    return Forecast(
        name="line",
        seed=7,
        grid=Grid(begins=0.0, began_at=starts, elapsed=[900.0 * i for i in range(9)]),
        figures=figures,
        scenarios={name: {} if name == "base" else {"Line.lathes": 2} for name in scenarios},
        values=values,
        quantiles=[0.05, 0.5, 0.95],
        confidence=0.9,
        is_exact=is_exact,
    )


def test_the_report_says_what_the_forecast_says():
    found = made()
    report = msgspec.json.decode(found.to_json(), type=ForecastReport)
    assert (report.version, report.name, report.seed, report.replications) == (1, "line", 7, 40)
    assert report.digest == found.digest
    assert report.grid.wall_times == found.wall_times
    queue, done = report.scenarios[1].figures
    outlook = found.scenarios["two <lathes>"]["queue"]
    assert queue.mean == [None, *outlook.mean[1:].tolist()]
    assert queue.count[0] == 0
    assert [each.quantile for each in done.quantiles] == [0.05, 0.5, 0.95]
    # 40 replications do not tell how low the lower end of 5 % is.
    assert done.quantiles[0].low[0] is None
    assert queue.limits[0].by.value[1:] == outlook.crossings["above"].value[1:].tolist()
    (difference, _) = report.scenarios[1].differences
    compared = found.compare("two <lathes>", "queue").estimates[1:]
    assert difference.mean[1:] == [each.mean for each in compared]
    assert report.scenarios[0].differences == []


def test_the_report_is_json_and_has_a_schema():
    shown = json.loads(made(nothing=True).to_json())
    assert shown["scenarios"][0]["figures"][0]["mean"] == [None] * 9
    schema = msgspec.json.schema(ForecastReport)
    assert schema["$defs"]["ForecastReport"]["properties"]["version"] == {"enum": [1]}
    assert report_of(made()).is_exact is None


@pytest.mark.parametrize("given", [{}, {"starts": None}, {"nothing": True}])
def test_a_chart_is_well_formed_and_stays_on_its_paper(given):
    found = made(**given)
    for figure in ("queue", "done"):
        outlook = found[figure]
        svg = ElementTree.fromstring(chart(found, outlook, *extent([outlook])))
        _, _, width, height = map(float, svg.attrib["viewBox"].split())
        points = [
            tuple(map(float, point.split(",")))
            for each in svg.iter()
            if "points" in each.attrib
            for point in each.attrib["points"].split()
        ]
        assert bool(points) is not bool(given.get("nothing"))
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
        assert len([e for e in svg.iter() if e.attrib.get("class") == "hover"]) == 9


def test_a_chart_tells_its_numbers_to_whoever_points_at_them():
    found = made()
    svg = chart(found, found["done"], 0, 10)
    assert f"06:15:00\nmean {found['done'].mean[1]:.4g}" in svg
    assert "15:00" not in chart(made(starts=None), found["done"], 0, 10)


def test_the_limit_is_in_the_chart():
    found = made()
    assert "not above 12" in chart(found, found["queue"], 0, 13)
    assert "not above" not in chart(found, found["done"], 0, 13)


def test_bands_are_of_quantiles_that_belong_together():
    assert pairs(made()["queue"]) == [(0.05, 0.95)]


def test_axes_go_as_far_as_they_have_to():
    low, high = extent([made()["queue"]])
    assert low == 0.0
    assert 12.0 < high < 13.0
    assert extent([made(nothing=True)["done"]]) == (0.0, 1.0)


def test_the_axis_of_time_says_what_it_is():
    assert axis_of_time(made())[1] == "5 January 2026, UTC"
    assert axis_of_time(made(starts=None))[1] == "hours ahead"
    east = datetime.fromisoformat("2026-01-05T06:00:00+01:00")
    assert axis_of_time(made(starts=east))[1] == "5 January 2026, UTC+01:00"


def test_the_page_needs_nothing_else_and_hides_nothing():
    page = made().to_html()
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "two &lt;lathes&gt;" in page
    assert "two <lathes>" not in page
    assert "parts &amp; bits" in page
    assert page.count("<svg") == 4
    assert "prefers-color-scheme: dark" in page
    assert made().digest in page
    assert "Compared with the base" not in made(scenarios=("base",)).to_html()
    made(nothing=True).to_html()


def test_the_picture_is_a_png(tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "forecast.png"
    made().draw(file)
    assert file.read_bytes().startswith(b"\x89PNG")
    made(nothing=True, starts=None, scenarios=("base",)).draw(file)


def test_without_matplotlib_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PluginError, match=r'pip install "despatch\[pictures\]"'):
        made().draw(tmp_path / "forecast.png")
    assert list(tmp_path.iterdir()) == []


def test_it_is_told_in_rows():
    found = made(is_exact=True)
    assert headline(found) == (
        "line, 2h ahead · 40 replications of 2 scenarios · intervals at 90 % · seed 7 · "
        "as exact as asked for"
    )
    assert legend(found) == "line: median; bands: 5 % to 95 % of the replications"
    first, second, *_ = rows(found)
    assert first[:2] == ["queue [parts & bits]", "base"]
    assert second[:2] == ["queue [parts & bits]", "two <lathes>"]
    assert len(first) == 3 + 3
    compared = differences(found)
    assert [row[:2] for row in compared] == [["queue", "two <lathes>"], ["done", "two <lathes>"]]
    assert "±" in compared[0][2]
    assert rows(made(nothing=True))[0][2] == "-"


def test_its_records_go_to_sinks_like_any_other(tmp_path):
    found, sink = made(), MemoryEgress()
    settings = {"runs": str(tmp_path), "courier": {"host": "thread"}}
    report = found.deliver([{"connector": sink}], settings=settings)
    assert (report.state, report.owed, report.name) == ("finished", 0, "line.forecast")
    kinds = [record.type for record in sink.records]
    # 9 grid points, 2 figures, 2 scenarios.
    assert kinds.count("ForecastMean") == 36
    assert kinds.count("ForecastQuantile") == 3 * 36
    assert kinds.count("ForecastCrossing") == 18
    assert kinds.count("ForecastDifference") == 18
    assert kinds.count("ForecastValue") == 40 * 36 - 2 * 40
    last = [each for each in sink.records if each.type == "ForecastMean"][-1]
    assert (last.key, last.sim_ts) == ("done", 7200.0)
    assert last.timestamp == "2026-01-05T08:00:00.000000+00:00"
    assert last.value["mean"] == found.scenarios["two <lathes>"]["done"].mean[-1]


def test_the_digest_is_of_all_that_was_read_and_of_no_wall_time():
    found = made()
    assert made().digest == found.digest
    assert made(starts=None).digest == found.digest
    found.scenarios["base"].values[3, 1, 4] += 1e-12
    del found.__dict__["digest"]
    assert made().digest != found.digest
