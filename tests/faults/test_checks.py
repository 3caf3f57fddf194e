"""The checks notice what they are there for: each is shown a sink in which just that is wrong."""

from __future__ import annotations

from dataclasses import replace as replaced
from pathlib import Path

import pytest

from despatch.courier.ledger import Ledger
from despatch.errors import AccountError
from despatch.testing import Arrival
from faults.checks import check_run
from faults.playing import Play
from faults.publishing import value_of
from faults.sinks import FaultySink, JsonlSink

COUNT = 300


class Doctored(JsonlSink):
    """A sink of which a reader is told something else than what it holds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.doctor = lambda arrivals: arrivals

    def contents(self):
        return self.doctor(list(super().contents()))


def played(folder: Path) -> tuple[Play, Doctored]:
    sink = Doctored(folder / "jsonl")
    with Play(folder, [sink]) as play:
        play.publish(COUNT)
    return play, sink


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that went well, for tests that leave it as it is."""
    return played(tmp_path_factory.mktemp("run"))


def exchanged(arrivals: list[Arrival], **values: object) -> list[Arrival]:
    """The arrivals with something else in record 7."""
    return [*arrivals[:7], arrivals[7]._replace(**values), *arrivals[8:]]


def test_a_sink_that_has_everything_passes(run):
    play, sink = run
    account = check_run(play.folder, [sink])["jsonl"]
    assert (account.given, account.delivered, account.owed) == (COUNT, COUNT, 0)


@pytest.mark.parametrize(
    ("doctor", "complaint"),
    [
        (lambda arrivals: arrivals[:-1], r"lacks seq 299 \(1\) of 300"),
        (lambda arrivals: arrivals[:5] + arrivals[10:], r"lacks seq 5, 6, 7, 8, 9 \(5\)"),
        (lambda arrivals: [], r"lacks .* \(300\) of 300"),
        (lambda arrivals: arrivals + arrivals[-1:], "effectively-once, .* once: seq 299"),
        (lambda arrivals: arrivals[1:] + arrivals[:1], r"published later: seq 0 \(1\)"),
        (lambda arrivals: exchanged(arrivals, value=value_of(8)), "'number': 8"),
        (lambda arrivals: exchanged(arrivals, sink_seq=8), "sink_seq=8"),
        (lambda arrivals: exchanged(arrivals, seq=999), "lacks seq 7 "),
        (
            lambda arrivals: [*arrivals, arrivals[-1]._replace(seq=300, sink_seq=300)],
            "has seq 300 .*, which it was not to have",
        ),
    ],
    ids=[
        "the last is missing",
        "some are missing",
        "all are missing",
        "one is there twice",
        "the first comes last",
        "another value",
        "another number in the sink",
        "another position",
        "one that was never published",
    ],
)
def test_what_is_wrong_in_a_sink_is_noticed(run, monkeypatch, doctor, complaint):
    play, sink = run
    monkeypatch.setattr(sink, "doctor", doctor)
    with pytest.raises(AssertionError, match=complaint):
        check_run(play.folder, [sink])


def test_a_debt_is_noticed_and_so_is_one_that_is_not_there(tmp_path):
    (tmp_path / "down").touch()
    sink = FaultySink(tmp_path / "file", down_while=str(tmp_path / "down"))
    with Play(tmp_path, [sink], courier={"grace": "0s"}) as play:
        play.publish(COUNT)
    check_run(play.folder, [sink], owed=["faulty"])
    with pytest.raises(AssertionError, match=f"owed={COUNT}"):
        check_run(play.folder, [sink])


def test_more_repetitions_than_the_account_says_are_noticed(tmp_path):
    sink = FaultySink(tmp_path / "file", fail_every=2)
    with Play(tmp_path, [sink]) as play:
        play.publish(COUNT)
    check_run(play.folder, [sink])
    lines = sink.path.read_bytes().splitlines(keepends=True)
    sink.path.write_bytes(b"".join([*lines, lines[-1]]))
    with pytest.raises(AssertionError, match="repetitions"):
        check_run(play.folder, [sink])


@pytest.mark.unaccounted
def test_a_ledger_that_does_not_add_up_is_noticed(tmp_path):
    play, sink = played(tmp_path)
    ledger = Ledger(play.run.folder.ledger)
    cursor = ledger.cursor("jsonl")
    ledger.advance("jsonl", replaced(cursor, delivered=cursor.delivered - 1))
    ledger.close()
    with pytest.raises(AccountError):
        check_run(play.folder, [sink])


@pytest.mark.unaccounted
def test_a_report_that_says_something_else_than_the_ledger_is_noticed(tmp_path):
    play, sink = played(tmp_path)
    report = play.folder / "report.json"
    report.write_bytes(report.read_bytes().replace(b'"retries":0', b'"retries":1'))
    with pytest.raises(AssertionError):
        check_run(play.folder, [sink])
