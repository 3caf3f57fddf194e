from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from despatch.courier.ledger import Cursor, Ledger
from despatch.courier.states import States
from despatch.entries import ENTRY_FIELDS
from despatch.journal import JournalWriter
from despatch.link import IngressState, Progress, SinkState
from despatch.metrics.collector import RunCollector
from despatch.metrics.latencies import Latencies
from despatch.runs import RunFolder, RunInfo


@pytest.fixture
def folder(tmp_path):
    now = datetime.now(UTC)
    info = RunInfo(run_id="1", name="desk", start=now, created=now, seed=1, factor=0, version="0")
    made = RunFolder.create(tmp_path, info, {})
    yield made
    made.unlock()


@pytest.fixture
def ledger(folder):
    made = Ledger(folder.ledger)
    yield made
    made.close()


@pytest.fixture
def journal(folder):
    """A journal of two frames of three entries."""
    made = JournalWriter(folder.records, {"kind": "records"}, fields=ENTRY_FIELDS)
    for _ in range(2):
        for number in range(3):
            made.append([0, float(number), "part", 0, number])
        made.flush()
    yield made
    made.close()


@pytest.fixture
def states():
    return States(lambda state: None)


@pytest.fixture
def collector(folder, ledger, states):
    ledger.open_sink("a")
    return RunCollector(folder, states, {"a": Latencies()})


@pytest.fixture
def value(collector):
    """What a metric is, as Prometheus would have it."""

    def value(name, **labels):
        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        return registry.get_sample_value(name, labels)

    return value


def test_before_the_simulation_has_said_anything_all_is_nought(value):
    assert value("despatch_published_records_total") == 0
    assert value("despatch_sink_behind_records", sink="a") == 0
    assert value("despatch_sink_behind_seconds", sink="a") == 0


def test_where_the_simulation_stands_is_told(collector, value):
    collector.progress = Progress(12.5, None, 0.25, 7, {"redis": (3, 1)}, 2)
    assert value("despatch_sim_time_seconds") == 12.5
    assert value("despatch_lag_seconds") == 0.25
    assert value("despatch_published_records_total") == 7
    assert value("despatch_commands_total", source="redis", outcome="applied") == 3
    assert value("despatch_commands_total", source="redis", outcome="refused") == 1
    assert value("despatch_courier_restarts_total") == 2


def test_the_counts_of_a_sink_are_the_ledgers(collector, ledger, value):
    cursor = Cursor(
        position=21,
        delivered=5,
        dead_lettered=4,
        dropped=3,
        not_selected=7,
        damaged=2,
        bytes=99,
    )
    ledger.begin("a", 21, 5)
    ledger.begin("a", 21, 5)
    ledger.advance("a", cursor)
    for outcome in ("delivered", "dead_lettered", "dropped", "not_selected", "damaged"):
        counted = value("despatch_sink_records_total", sink="a", outcome=outcome)
        assert counted == getattr(cursor, outcome), outcome
    assert value("despatch_sink_bytes_total", sink="a") == 99
    assert value("despatch_sink_retries_total", sink="a") == 1


def test_how_far_behind_a_sink_is_goes_by_its_cursor(collector, ledger, journal, value):
    collector.progress = Progress(0.0, None, 0.0, journal.end)
    assert value("despatch_sink_behind_records", sink="a") == 6
    cursor = Cursor(position=4, delivered=4)
    ledger.advance("a", cursor)
    assert value("despatch_sink_behind_records", sink="a") == 2
    assert value("despatch_sink_behind_seconds", sink="a") > 0
    ledger.advance("a", replace(cursor, position=6, delivered=6))
    assert value("despatch_sink_behind_records", sink="a") == 0
    assert value("despatch_sink_behind_seconds", sink="a") == 0


def test_how_long_behind_a_sink_is_goes_by_when_its_next_record_was_written(
    monkeypatch, folder, ledger, collector, value
):
    written = {0: 1_000_000_000_000, 1: 1_030_000_000_000}
    with monkeypatch.context() as then:
        journal = JournalWriter(folder.records, {"kind": "records"}, fields=ENTRY_FIELDS)
        for position, now in written.items():
            then.setattr(time, "time_ns", lambda now=now: now)
            journal.append([0, 0.0, "part", 0, position])
            journal.flush()
    monkeypatch.setattr(time, "time_ns", lambda: 1_100_000_000_000)
    assert value("despatch_sink_behind_seconds", sink="a") == 100
    ledger.advance("a", Cursor(position=1, delivered=1))
    assert value("despatch_sink_behind_seconds", sink="a") == 70
    journal.close()


def test_a_sink_whose_segments_are_gone_is_not_behind(folder, journal, value):
    shutil.rmtree(folder.records)
    assert value("despatch_sink_behind_seconds", sink="a") == 0


def test_a_state_is_one_and_the_others_nought(states, value):
    states.sink(SinkState("a", "retrying", "down"))
    states.source(IngressState("b", "caught up"))
    assert value("despatch_sink_state", sink="a", state="retrying") == 1
    assert value("despatch_sink_state", sink="a", state="healthy") == 0
    assert value("despatch_source_state", source="b", state="caught_up") == 1
    assert value("despatch_source_state", source="b", state="connecting") == 0


def test_which_run_and_which_version_it_is_is_told(value):
    from despatch import __version__

    assert value("despatch_run_info", sim="desk", run_id="1") == 1
    assert value("despatch_build_info", version=__version__) == 1
