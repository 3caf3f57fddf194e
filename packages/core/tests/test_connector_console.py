from __future__ import annotations

import asyncio
import io
import json
import math
import os
import sys
from typing import Any

import pytest

from despatch.connectors.console import ConsoleEgress, ConsoleSettings
from despatch.interfaces import Batch, Receipt
from despatch.records import Event, Record, Telemetry

NOON = "2026-01-05T12:00:00.000000+00:00"


def event(value: Any, seq: int = 0, **changes: Any) -> Event:
    fields = {"sim": "line_a", "key": "part-17", "type": "PartDone", "sim_ts": 125.0}
    rest = {"timestamp": NOON, "run_id": "r", "seq": seq, "sink_seq": seq}
    return Event(**({"value": value} | fields | rest | changes))


def console(form: str = "text") -> ConsoleEgress:
    return ConsoleEgress(ConsoleSettings.model_validate({"format": form}))


def deliver(sink: ConsoleEgress, *records: Record) -> Receipt:
    async def run() -> Receipt:
        await sink.open()
        receipt = await sink.deliver(Batch(0, len(records), records))
        await sink.close()
        return receipt

    return asyncio.run(run())


def test_text_is_one_compact_line_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    deliver(
        console(),
        event({"status": "finished", "n": 3}),
        event("queued", type=None),
        Telemetry("line_a", "Line_A.lathe.utilization", None, 0.855, 1 / 3, NOON, "r", 2, 2),
    )
    assert capsys.readouterr().out.splitlines() == [
        '[125.000] line_a PartDone part-17 {"status":"finished","n":3}',
        "[125.000] line_a event part-17 queued",
        "[0.333] line_a telemetry Line_A.lathe.utilization 0.855",
    ]


def test_json_is_the_whole_record(capsys: pytest.CaptureFixture[str]) -> None:
    receipt = deliver(console("json"), event({"status": "finished"}))
    line = capsys.readouterr().out
    assert json.loads(line)["value"] == {"status": "finished"}
    assert receipt == Receipt(bytes=len(line))


def test_what_is_no_json_is_rejected_alone_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    receipt = deliver(console("json"), event(1), event({"a": math.nan}), event(3))
    assert [json.loads(line)["value"] for line in capsys.readouterr().out.splitlines()] == [1, 3]
    assert receipt.rejected == {1: "value.a: nan is not JSON"}


@pytest.mark.parametrize("value", [{"a": math.nan}, {(1, 2): 3}, 1j])
def test_what_is_no_json_is_shown_all_the_same_as_text(
    value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = deliver(console(), event(value))
    assert capsys.readouterr().out == f"[125.000] line_a PartDone part-17 {value!r}\n"
    assert not receipt.rejected


HOSTILE = "a\x1b]0;owned\x07\x9b2J\r\nfake\x7f\u202e\u2028\U000e0041z"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("place", ["key", "sim", "type", "value"])
def test_no_character_reaches_the_terminal_that_it_would_obey(
    form: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(console(form), event(**({"value": 1} | {place: HOSTILE})))
    out = capsys.readouterr().out
    assert out.endswith("\n")
    assert out[:-1].isprintable()


@pytest.mark.parametrize("value", [HOSTILE, {"a": HOSTILE}])
def test_escaped_json_still_says_the_same(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(console("json"), event(value))
    assert json.loads(capsys.readouterr().out)["value"] == value


def test_a_terminal_without_the_character_gets_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    deliver(console(), event("Lärm"))
    assert raw.getvalue() == b"[125.000] line_a PartDone part-17 L\\xe4rm\n"


def test_standard_output_is_looked_up_when_it_is_written_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = console()
    for _ in range(2):
        out = io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        deliver(sink, event("x"))
        assert out.getvalue().endswith(" x\n")


def test_a_failed_write_is_the_connectors_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        with pytest.raises(BrokenPipeError):
            deliver(console(), event("x"))
        monkeypatch.undo()
        # What could not be written is still in the file's buffer, and close would try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_a_paused_terminal_holds_up_nobody_and_a_retry_writes_nothing_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    big = "x" * 200_000
    batch = Batch(0, 1, [event(big)])

    os.set_blocking(reading, False)

    def available() -> int:
        try:
            return len(os.read(reading, 1_000_000))
        except BlockingIOError:
            return 0

    async def run(sink: ConsoleEgress) -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await sink.deliver(batch)
        await sink.close()
        # The loop's own threads are free for others meanwhile.
        assert await asyncio.to_thread(lambda: 42) == 42
        await sink.open()
        again = asyncio.create_task(sink.deliver(batch))
        size = 0
        while not again.done():
            size += available()
            await asyncio.sleep(0)
        assert (await again).bytes == size + available()
        return (await again).bytes

    with open(writing, "w", encoding="utf-8") as paused, open(reading, "rb"):
        monkeypatch.setattr(sys, "stdout", paused)
        size = asyncio.run(run(console()))
        assert size == len(f"[125.000] line_a PartDone part-17 {big}\n")


def test_the_settings_name_the_formats() -> None:
    with pytest.raises(ValueError, match="'text' or 'json'"):
        console("xml")
