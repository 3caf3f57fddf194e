from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from despatch.connectors.jsonl import JsonlEgress, JsonlSettings
from despatch.interfaces import Batch, Guarantee, Lines, Receipt
from despatch.records import Event, Record, Telemetry
from despatch.serializers.json import JsonSerializer, JsonSettings

NOON = "2026-01-05T12:00:00.000000+00:00"
RUN = "0198c000000070008000000000000001"
LATER_RUN = "0198c000000170008000000000000002"


def event(seq: int, value: Any = "x", *, key: str = "k", run_id: str = RUN) -> Event:
    return Event("line_a", key, None, value, 0.0, NOON, run_id, seq, seq)


def sink_to(path: Path | str, **settings: Any) -> JsonlEgress:
    return JsonlEgress(JsonlSettings.model_validate({"path": str(path), **settings}))


def batch_of(sink: JsonlEgress, records: Sequence[Record]) -> Batch:
    payloads = JsonSerializer(JsonSettings()).encode(records)
    assert all(isinstance(payload, bytes) for payload in payloads)
    targets = [sink.target(record) for record in records]
    return Batch(0, len(records), records, payloads, targets)  # type: ignore[arg-type]


def deliver(sink: JsonlEgress, *batches: Sequence[Record]) -> list[Receipt]:
    async def run() -> list[Receipt]:
        await sink.open()
        try:
            return [await sink.deliver(batch_of(sink, records)) for records in batches]
        finally:
            await sink.close()

    return asyncio.run(run())


def seqs(path: Path) -> list[int]:
    return [json.loads(line)["seq"] for line in path.read_text().splitlines()]


def events(*numbers: int, **changes: Any) -> list[Record]:
    return [event(number, **changes) for number in numbers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "records.jsonl"


def test_records_are_appended_and_folders_made(path: Path) -> None:
    first, second = deliver(sink_to(path), events(0, 1), events(2))
    assert seqs(path) == [0, 1, 2]
    assert first.bytes + second.bytes == path.stat().st_size
    assert path.read_bytes().endswith(b"\n")


def test_a_second_run_appends(path: Path) -> None:
    deliver(sink_to(path), events(0, 1))
    deliver(sink_to(path), events(0, 1, run_id=LATER_RUN))
    assert seqs(path) == [0, 1, 0, 1]


def test_records_are_split_by_the_template(tmp_path: Path) -> None:
    sink = sink_to(tmp_path / "{sim}" / "{run_id}" / "{stream_type}.jsonl")
    telemetry = Telemetry("line_a", "a.b", None, 1, 0.0, NOON, RUN, 1, 1)
    deliver(sink, [event(0), telemetry, event(2)])
    assert seqs(tmp_path / "line_a" / RUN / "event.jsonl") == [0, 2]
    assert seqs(tmp_path / "line_a" / RUN / "telemetry.jsonl") == [1]


def test_more_files_than_may_be_open_at_once(tmp_path: Path) -> None:
    sink = sink_to(tmp_path / "{key}.jsonl")
    records = [event(seq, key=f"part-{seq % 100}") for seq in range(200)]
    deliver(sink, records[:100], records[100:])
    assert len(list(tmp_path.iterdir())) == 100
    assert all(seqs(file)[1] == seqs(file)[0] + 100 for file in tmp_path.iterdir())


@pytest.mark.parametrize("sync", [False, True])
def test_a_repeated_batch_adds_nothing(path: Path, sync: bool) -> None:
    sink = sink_to(path, sync=sync)
    (_, again) = deliver(sink, events(0, 1, 2), events(0, 1, 2))
    deliver(sink_to(path, sync=sync), events(0, 1, 2), events(3))
    assert seqs(path) == [0, 1, 2, 3]
    assert again.bytes == 0


def test_a_batch_cut_differently_after_a_crash_adds_only_what_is_new(path: Path) -> None:
    deliver(sink_to(path), events(*range(6)))
    deliver(sink_to(path), events(0, 1), events(2, 3, 4), events(5, 6, 7))
    assert seqs(path) == list(range(8))


def test_a_record_that_was_left_out_before_is_not_taken_for_a_repetition(path: Path) -> None:
    deliver(sink_to(path), events(0, 1, 3, 4))
    deliver(sink_to(path), events(2))
    assert seqs(path) == [0, 1, 3, 4, 2]


@given(st.lists(st.integers(1, 40), max_size=6), st.integers(0, 3000), st.data())
def test_whatever_a_crash_left_each_record_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cut: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("crash") / "records.jsonl"
    records = events(*range(60))
    deliver(sink_to(path), records)
    os.truncate(path, cut)
    # The cursor stands at or before what is left in the file.
    first = data.draw(st.integers(0, path.read_bytes().count(b"\n")))
    batches = []
    for size in sizes:
        batches.append(records[first : first + size])
        first += size
    deliver(sink_to(path), *(batch for batch in [*batches, records[first:]] if batch))
    assert seqs(path) == list(range(60))


@pytest.mark.parametrize("torn", [1, 10, 60, 5000])
def test_a_torn_last_line_is_cut(path: Path, torn: int) -> None:
    deliver(sink_to(path), events(0, 1), events(2, value="x" * 200_000))
    size = path.stat().st_size
    os.truncate(path, size - torn)
    deliver(sink_to(path), events(2, 3))
    assert seqs(path) == [0, 1, 2, 3]


def test_a_file_of_somebody_elses_is_not_cut(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"precious": 1}')
    with pytest.raises(OSError, match="choose another path"):
        deliver(sink_to(path), events(0))
    assert path.read_text() == '{"precious": 1}'


def test_lines_of_somebody_elses_are_appended_to(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"other": 1}\n\xff\n')
    deliver(sink_to(path), events(0), events(0))
    assert path.read_bytes().startswith(b'{"other": 1}\n\xff\n{"stream_type"')
    assert path.read_bytes().count(b"\n") == 3


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_half_way_leaves_whole_batches(path: Path) -> None:
    sink = sink_to(path)
    large = [event(seq, "y" * 20_000) for seq in range(1, 10)]

    async def run() -> None:
        await sink.deliver(batch_of(sink, events(0)))
        size = path.stat().st_size
        with file_size_limit(100_000), pytest.raises(OSError, match="too large"):
            await sink.deliver(batch_of(sink, large))
        assert path.stat().st_size == size
        await sink.close()
        await sink.open()
        await sink.deliver(batch_of(sink, large))
        await sink.close()

    asyncio.run(run())
    assert seqs(path) == list(range(10))


def test_two_sinks_on_one_file_are_refused(path: Path) -> None:
    one, other = sink_to(path), sink_to(path)

    async def run() -> None:
        await one.deliver(batch_of(one, events(0)))
        with pytest.raises(BlockingIOError, match="another sink or another process"):
            await other.deliver(batch_of(other, events(1)))
        await one.close()
        await other.deliver(batch_of(other, events(1)))
        await other.close()

    asyncio.run(run())
    assert seqs(path) == [0, 1]


def test_a_rotated_file_is_left_and_a_new_one_begun(path: Path) -> None:
    sink = sink_to(path)

    async def run() -> None:
        await sink.deliver(batch_of(sink, events(0)))
        path.rename(path.with_suffix(".1"))
        await sink.deliver(batch_of(sink, events(1)))
        path.unlink()
        await sink.deliver(batch_of(sink, events(2)))
        await sink.close()

    asyncio.run(run())
    assert seqs(path) == [2]
    assert seqs(path.with_suffix(".1")) == [0]


def test_a_payload_with_a_line_break_is_rejected_alone(path: Path) -> None:
    sink = sink_to(path)
    batch = batch_of(sink, events(0, 1, 2))
    batch.payloads = [batch.payloads[0], b"\0\n\1", batch.payloads[2]]

    async def run() -> Receipt:
        try:
            return await sink.deliver(batch)
        finally:
            await sink.close()

    assert list(asyncio.run(run()).rejected) == [1]
    assert seqs(path) == [0, 2]


@pytest.mark.parametrize(
    "key",
    ["../../etc/passwd", "..", ".", "/etc/passwd", "a/b", "a\\b", "", "a\0b", "\ud800", "%2F"],
)
def test_a_key_names_one_file_and_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    folder = tmp_path / "in" / "here"
    sink = sink_to(folder / "{key}")
    target = Path(sink.target(event(0, key=key)))
    target.parent.mkdir(parents=True)
    target.touch()
    assert [file.resolve().parent for file in folder.iterdir()] == [folder]
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [folder / target.name]


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_keys_are_different_files_that_any_file_system_takes(
    one: str, other: str
) -> None:
    sink = sink_to("{key}")
    names = [sink.target(event(0, key=key)) for key in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    assert all(0 < len(name.encode()) < 200 and "/" not in name for name in names)


def test_large_batches_arrive_whole(path: Path) -> None:
    records = [event(seq, "z" * (seq % 3000)) for seq in range(400)]
    (receipt,) = deliver(sink_to(path), records)
    assert seqs(path) == list(range(400))
    assert receipt.bytes == path.stat().st_size > 100_000


def test_a_delivery_that_was_cancelled_is_finished_before_the_next(path: Path) -> None:
    sink = sink_to(path)
    batch = batch_of(sink, [event(seq, "x" * 1000) for seq in range(1000)])

    async def run() -> None:
        first = asyncio.create_task(sink.deliver(batch))
        await asyncio.sleep(0)
        first.cancel()
        await sink.close()
        await sink.deliver(batch)
        await sink.close()

    asyncio.run(run())
    assert seqs(path) == list(range(1000))


WRITER = """
import asyncio, sys
from despatch.connectors.jsonl import JsonlEgress, JsonlSettings
from despatch.interfaces import Batch
from test_connector_jsonl import batch_of, events
async def run(sink):
    number = 0
    while True:
        await sink.deliver(batch_of(sink, events(*range(number, number + 500))))
        number += 500
        print(number, flush=True)
asyncio.run(run(JsonlEgress(JsonlSettings(path=sys.argv[1]))))
"""


def test_a_killed_writer_leaves_each_record_once(path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)]),
    }
    confirmed = 0
    for attempt in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert writer.stdout is not None
        for _ in range(3 + attempt):
            confirmed = max(confirmed, int(writer.stdout.readline()))
        writer.send_signal(signal.SIGKILL)
        writer.stdout.close()
        writer.wait()
    deliver(sink_to(path), events(*range(confirmed + 1000)))
    written = seqs(path)
    assert written == list(range(len(written)))
    assert len(written) >= confirmed


def test_the_guarantee_is_effectively_once() -> None:
    assert JsonlEgress.guarantee is Guarantee.EFFECTIVELY_ONCE


@pytest.mark.parametrize(
    "settings", [{}, {"path": "{nonsense}"}, {"path": 3}, {"path": "a", "x": 1}]
)
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JsonlSettings.model_validate(settings)


def check(path: Path | str, *targets: str) -> list[str]:
    return list(asyncio.run(sink_to(path).check(targets)).findings)


def test_a_check_says_where_files_may_be_made_and_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    assert check(path, str(path)) == [f"{tmp_path} may be written"]
    assert list(tmp_path.iterdir()) == []


def test_a_check_looks_below_the_part_of_the_path_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert check(f"{tmp_path}/runs/{{run_id}}.jsonl") == [f"{tmp_path}/runs may be written"]


def test_a_check_of_a_file_that_is_there_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text("kept\n")
    assert check(path, str(path)) == [f"{path} may be written"]
    assert path.read_text() == "kept\n"


def test_a_check_refuses_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="expected a file, found a folder"):
        check(tmp_path, str(tmp_path))


def test_a_check_refuses_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    path = tmp_path / "lake" / "records.jsonl"
    with pytest.raises(NotADirectoryError, match="lake"):
        check(path, str(path))


@pytest.mark.parametrize("exists", [True, False])
def test_a_check_refuses_what_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    # root may write anything, so the system's answer has to be given for it.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    path = tmp_path / "records.jsonl"
    if exists:
        path.touch()
    with pytest.raises(PermissionError, match="may not be written"):
        check(path, str(path))


def test_a_disk_that_hangs_holds_neither_the_loop_nor_other_sinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, write = threading.Event(), os.write
    stuck = str(tmp_path / "stuck")

    def write_or_hang(fd: int, data: Any) -> int:
        if os.readlink(f"/proc/self/fd/{fd}").startswith(stuck):
            hangs.wait()
        return write(fd, data)

    monkeypatch.setattr(os, "write", write_or_hang)

    async def run() -> None:
        stuck_sinks = [sink_to(f"{stuck}-{n}.jsonl") for n in range(40)]
        for sink in stuck_sinks:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await sink.deliver(batch_of(sink, events(0)))
        other = sink_to(tmp_path / "other.jsonl")
        await asyncio.wait_for(other.deliver(batch_of(other, events(0))), timeout=10)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 5), timeout=10) == 5
        hangs.set()
        for sink in [*stuck_sinks, other]:
            await sink.close()

    try:
        asyncio.run(run())
    finally:
        hangs.set()
    assert seqs(tmp_path / "other.jsonl") == [0]


def test_lines_that_come_together_are_appended_as_they_are(path: Path) -> None:
    sink = sink_to(path)
    records = events(*range(10))
    lines = JsonSerializer(JsonSettings()).encode(records)
    assert isinstance(lines, Lines)
    targets = [str(path)] * 10

    async def run() -> None:
        await sink.deliver(Batch(0, 10, records, lines, targets))
        # Cut differently after a crash, and some of them are there already.
        await sink.deliver(Batch(5, 10, records[5:], Lines([*lines.texts], 10)[5:], targets[5:]))
        await sink.deliver(Batch(0, 10, records, lines, targets))
        await sink.close()

    asyncio.run(run())
    assert path.read_bytes() == b"".join(lines.texts)
