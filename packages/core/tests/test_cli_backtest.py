"""``despatch backtest``, and the picture and the table that it makes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from despatch import PluginError, backtest
from despatch.backtesting.delivery import deliver
from despatch.backtesting.picture import draw, save
from despatch.backtesting.table import summary, table
from despatch.cli import app
from random_walks import Walks
from test_backtest import INLINE, SETTINGS

YAML = """
name: walk
model: random_walks:build
seed: 42
forecast:
  horizon: 5s
  every: 2s
  replications: 10
  watch:
    - {telemetry: Walk.place, name: place}
backtest:
  history: random_walks:history
executor: inline
"""


@pytest.fixture
def folder(tmp_path: Path, install: Callable[..., Any]) -> Path:
    points = "[despatch.executors]\ninline = inline_executor:Inline\n"
    install("acme-inline", points, modules={"inline_executor": INLINE})
    shutil.copy(Path(__file__).with_name("random_walks.py"), tmp_path)
    (tmp_path / "walk.yaml").write_text(YAML)
    return tmp_path


def run(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["backtest", str(folder / "walk.yaml"), *options])


class TestCommand:
    def test_says_how_good_the_forecasts_were(self, folder: Path) -> None:
        done = run(folder)
        assert done.exit_code == 0, done.output
        first, head, *rows = done.stdout.splitlines()
        assert first == (
            "walk: 12 instants, 2026-01-05T06:00:00+00:00 to 2026-01-05T06:11:00+00:00, "
            "10 replications each, seed 42"
        )
        assert "in the 90 % band (95 %)" in head
        assert [row.split()[:3] for row in rows] == [
            ["place", ahead, "12"] for ahead in ("2s", "4s", "5s")
        ]

    def test_says_the_same_as_python(self, folder: Path) -> None:
        settings = {
            **SETTINGS,
            "forecast": {**SETTINGS["forecast"], "replications": 10},
            "backtest": {"history": "random_walks:history"},
        }
        done = run(folder, "--json")
        assert json.loads(done.stdout) == json.loads(backtest(settings).to_json())

    def test_options_take_the_place_of_the_file(self, folder: Path) -> None:
        done = run(
            folder, "--replications", "4", "--horizon", "2s", "--every", "1s", "--sample", "3",
            "--seed", "7", "--executor", "inline", "--history", "random_walks:history", "--json",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert (found["replications"], found["instants"], found["seed"]) == (4, 3, 7)
        assert [each["ahead_s"] for each in found["scores"]] == [1.0, 2.0]

    def test_writes_a_report_and_a_picture(self, folder: Path) -> None:
        out = folder / "new" / "out"
        done = run(folder, "--out", str(out), "--png", "--html")
        assert done.exit_code == 0, done.output
        assert {each.name for each in out.iterdir()} == {
            "backtest.json",
            "backtest.html",
            "backtest.png",
        }
        assert json.loads((out / "backtest.json").read_bytes())["instants"] == 12
        assert (out / "backtest.png").read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--history", "nowhere:history"), "there is no module 'nowhere'"),
            (("--replications", "1"), "forecast.replications"),
            (("--sample", "0"), "backtest.sample"),
            (("--png",), "say with --out FOLDER where to"),
            (("--out", "/dev/null/here"), "--out /dev/null/here: cannot be made"),
            (("--out", ".", "--parquet"), 'install it: pip install "despatch[parquet]"'),
            (("--seed", "-1"), "seed"),
        ],
    )
    def test_what_is_wrong_is_said_with_exit_status_2(
        self, folder: Path, options: tuple[str, ...], message: str
    ) -> None:
        done = run(folder, *options)
        assert done.exit_code == 2
        assert message in done.stderr.replace("\n", " ")
        assert not done.stdout

    def test_a_model_that_raises_is_exit_status_1(self, folder: Path) -> None:
        file = folder / "walk.yaml"
        file.write_text(YAML.replace("random_walks:build", "random_walks:raises"))
        done = run(folder)
        assert done.exit_code == 1
        assert "no such way" in done.stderr

    def test_a_file_that_cannot_be_written_is_exit_status_1_and_the_scores_are_printed(
        self, folder: Path
    ) -> None:
        (folder / "backtest.json").mkdir()
        done = run(folder, "--sample", "1", "--out", str(folder))
        assert done.exit_code == 1
        assert "backtest.json" in done.stderr.replace("\n", "")
        assert done.stdout.startswith("walk: 1 instant, ")

    def test_is_among_the_commands_and_imports_nothing_for_the_help(self) -> None:
        assert "backtest" in CliRunner().invoke(app, ["--help"]).stdout


class TestPicture:
    @pytest.fixture
    def found(self, folder: Path) -> Any:
        return backtest(SETTINGS, Walks(20), replications=8)

    def test_has_all_forecasts_and_some_as_fans(self, found: Any) -> None:
        fans, every, reliability = draw(found, shown=4).axes
        assert fans.get_title(loc="left") == "4 of them in the middle"
        # A fan has a band for each level, and what came is a line.
        assert (len(fans.collections), len(fans.lines)) == (12, 4)
        score = found.score("place")
        widest = score.coverage[-1]
        missed = widest.count - widest.covered
        assert every.get_title(loc="left") == f"all 20, 5 s ahead; {missed} beyond the 90 % band"
        held, beyond = (len(each.get_offsets()) for each in every.collections[-2:])
        assert (held, beyond) == (widest.covered, missed)
        points = [line.get_xydata()[0] for line in reliability.lines if line.get_marker() == "o"]
        assert [tuple(each) for each in points] == [
            (each.level, each.share) for each in score.coverage
        ]

    def test_of_the_same_is_the_same_file(self, found: Any, tmp_path: Path) -> None:
        for name in ("one.svg", "two.svg"):
            save(found, tmp_path / name)
        assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()

    def test_a_page_has_the_picture_and_the_table(self, found: Any, tmp_path: Path) -> None:
        save(found, tmp_path / "walk.html")
        page = (tmp_path / "walk.html").read_text(encoding="utf-8")
        assert page.count("<svg") == 1
        assert page.count("<tr>") == 1 + len(found.scores)
        assert summary(found) in page
        assert "src=" not in page

    def test_needs_matplotlib(self, found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(PluginError, match=r'pip install "despatch\[pictures\]"'):
            draw(found)

    def test_a_file_of_another_kind_is_refused(self, found: Any, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"walk\.gif: expected a file that ends with"):
            save(found, tmp_path / "walk.gif")


class TestTable:
    def test_without_anybody_who_has_no_model_there_is_no_skill(self, folder: Path) -> None:
        class Silent(Walks):
            def naive(self, *_: Any) -> Any:
                return {}

        found = table(backtest(SETTINGS, Silent(3), replications=5))
        assert [*found.columns[-1].cells] == ["", "", ""]


class TestDelivery:
    def test_each_forecast_is_an_event_at_its_instant(self, folder: Path) -> None:
        found = backtest(SETTINGS, Walks(3), replications=5)
        path = folder / "backtest.jsonl"
        report = deliver(
            found,
            [{"connector": "jsonl", "path": str(path)}],
            settings={"runs": str(folder / "runs"), "courier": {"host": "thread"}},
        )
        assert report.exit_status == 0
        records = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(records) == len(found.forecasts) == 9
        assert {each["sim"] for each in records} == {"walk.backtest"}
        assert {each["type"] for each in records} == {"ScoredForecast"}
        for record, each in zip(records, found.forecasts, strict=True):
            assert record["key"] == "place"
            assert record["value"]["crps"] == each.crps
            assert record["value"]["low"] == each.low
            assert datetime.fromisoformat(record["timestamp"]) == each.instant
