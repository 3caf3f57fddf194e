"""Cases that other systems get wrong. The README beside this file says where each is tested."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from despatch import Run
from despatch.courier.ledger import Ledger
from despatch.statistics_telemetry import LAG_PATH
from faults.checks import check_run
from faults.playing import Play
from faults.sinks import FaultySink, JsonlSink
from processes import wait_until

ROOT = Path(__file__).parents[2]


def test_two_sinks_on_one_environment_each_get_all_thousand_records(tmp_path):
    sinks = [JsonlSink(tmp_path / "jsonl"), FaultySink(tmp_path / "file")]
    with Play(tmp_path, sinks) as play:
        play.publish(1002)
    assert play.report.exit_status == 0
    accounts = check_run(play.folder, sinks)
    assert [account.delivered for account in accounts.values()] == [1002, 1002]


def test_a_write_to_a_file_that_fails_once_costs_nothing_and_stops_nothing(tmp_path):
    sink = JsonlSink(tmp_path / "jsonl")
    with Play(tmp_path, [sink]) as play:
        # Where its file is to be made there is a folder, for a while.
        in_the_way = sink.folder / f"{play.folder.name}.jsonl"
        in_the_way.mkdir(parents=True)
        play.publish(300)
        wait_until(lambda: play.state(sink) == "retrying", "a failed write")
        in_the_way.rmdir()
        play.wait_delivered()
        play.publish(300)
    assert play.report.exit_status == 0
    assert play.report.published == 600
    check_run(play.folder, [sink])


def test_of_a_thousand_records_two_that_cannot_be_encoded_are_missed_alone(tmp_path):
    def build(env):
        for number in range(1000):
            value = object() if number in (250, 750) else {"number": number}
            env.publish_event("part", value)

    path = tmp_path / "records.jsonl"
    sink = {"connector": "jsonl", "path": str(path), "batch": {"records": 100}}
    with Run({"runs": tmp_path / "runs", "egress": [sink]}, build) as run:
        run.run()
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    expected = [number for number in range(1000) if number not in (250, 750)]
    assert [record["seq"] for record in records] == expected
    assert [record["value"]["number"] for record in records] == expected
    (account,) = run.report.sinks
    assert (account.delivered, account.dead_lettered, run.report.exit_status) == (998, 2, 3)
    ledger = Ledger(run.folder.ledger)
    assert [letter.seq for letter in ledger.dead_letters("jsonl")] == [250, 750]
    ledger.close()


def test_seven_days_of_backfill_are_no_lag(tmp_path):
    """A week as fast as the machine allows, then live: no figure says 604,800 seconds."""
    week_s = 7 * 24 * 3600

    def build(env):
        def go_live():
            yield env.timeout(week_s)
            env.factor = 0.001
            yield env.timeout(50)
            env.stop("the end")

        env.process(go_live())

    path = tmp_path / "records.jsonl"
    settings = {
        "runs": tmp_path / "runs",
        "statistics": {"interval": 10},
        "egress": [{"connector": "jsonl", "path": str(path)}],
    }
    with Run(settings, build) as run:
        run.run()
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    lags = {r["sim_ts"]: r["value"] for r in records if r.get("path_id") == LAG_PATH}
    live = [lag for sim_ts, lag in lags.items() if sim_ts > week_s]
    assert len(live) >= 4
    # It cannot be later than what the whole run took.
    assert max(lags.values()) <= run.report.max_lag_s <= run.report.wall_s < week_s


def table() -> list[tuple[str, list[str]]]:
    """The rows of the README's table: what other systems get wrong, and the tests."""
    text = (Path(__file__).parent / "README.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (`tests/.*|`packages/.*) \|$", text, re.MULTILINE)
    return [(case, re.findall(r"`([^`]+::[^`]+)`", tests)) for case, tests in rows]


@pytest.mark.parametrize(("case", "tests"), table(), ids=lambda value: str(value)[:40])
def test_the_tests_that_the_readme_names_are_there(case, tests):
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        module = ast.parse((ROOT / path).read_text())
        assert name in {n.name for n in ast.walk(module) if isinstance(n, ast.FunctionDef)}, test
