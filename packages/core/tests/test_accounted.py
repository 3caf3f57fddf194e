"""The check that every test that makes a run goes through can fail."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from accounted import faults_below
from despatch import Run
from despatch.courier.ledger import Ledger


@pytest.fixture
def folder(tmp_path):
    """The folder of a run with a sink that has got three records."""
    settings = {
        "runs": tmp_path / "runs",
        "courier": {"host": "thread"},
        "egress": [{"connector": "jsonl", "path": str(tmp_path / "a.jsonl")}],
    }
    with Run(settings, lambda env: [env.publish_event("a", n) for n in range(3)]) as run:
        run.run()
    return run.folder


def test_a_run_whose_accounts_add_up_passes(tmp_path, folder):
    assert list(faults_below(tmp_path)) == []


@pytest.mark.unaccounted
def test_a_ledger_that_has_lost_a_record_is_found(tmp_path, folder):
    ledger = Ledger(folder.ledger)
    cursor = ledger.cursor("jsonl")
    ledger.advance("jsonl", replace(cursor, delivered=2))
    ledger.close()
    (fault,) = faults_below(tmp_path)
    assert "3 were published, but given 2" in fault


@pytest.mark.unaccounted
def test_a_report_that_has_lost_a_record_is_found(tmp_path, folder):
    report = msgspec.json.decode(folder.report.read_bytes())
    report["sinks"][0]["delivered"] = 2
    folder.save_report(msgspec.json.encode(report))
    (fault,) = faults_below(tmp_path)
    assert "report.json" in fault
    assert "delivered 2" in fault
