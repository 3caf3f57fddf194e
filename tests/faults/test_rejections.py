"""Sinks that fail now and then, and sinks that will not have some of the records."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from despatch.courier.ledger import DeadLetter, Ledger
from faults.checks import check_run
from faults.playing import Play
from faults.servers import Stands
from faults.sinks import FaultySink, LinesSink, RedisSink, Sink
from processes import wait_until

COUNT = 900


def letters_of(play: Play, sink: Sink) -> list[DeadLetter]:
    ledger = Ledger(play.run.folder.ledger)
    try:
        return list(ledger.dead_letters(sink.connector))
    finally:
        ledger.close()


@pytest.mark.parametrize("every", [2, 3, 7])
def test_a_server_that_fails_every_nth_write_has_everything_in_the_end(
    stands: Stands, tmp_path: Path, every: int
):
    stand = stands.of("lines")
    assert isinstance(stand.sink, LinesSink)
    stand.sink.server.fail_every = every
    entry = stand.sink.entry(batch={"records": 20, "interval": "5ms"})
    with Play(tmp_path, [stand.sink], [entry]) as play:
        play.publish(COUNT)
    assert play.report.exit_status == 0
    account = check_run(play.folder, [stand.sink])["lines"]
    assert account.retries == stand.sink.server.failed > 0


@pytest.mark.parametrize("every", [2, 3, 7])
def test_a_write_whose_answer_is_lost_every_nth_time_is_repeated(tmp_path: Path, every: int):
    sink = FaultySink(tmp_path / "file", fail_every=every)
    entry = sink.entry(batch={"records": 20, "interval": "5ms"})
    with Play(tmp_path, [sink], [entry]) as play:
        play.publish(COUNT)
    assert play.report.exit_status == 0
    account = check_run(play.folder, [sink])["faulty"]
    assert account.repeats > 0
    assert len(list(sink.contents())) == COUNT + account.repeats


def test_records_that_a_server_rejects_go_to_the_dead_letters_alone(stands: Stands, tmp_path: Path):
    stand = stands.of("lines")
    assert isinstance(stand.sink, LinesSink)
    server = stand.sink.server
    unwanted = {0, 5, 99, 100, 101, COUNT - 2}

    def reject(record):
        number = record["value"]["number"]
        return f"{number} is not wanted" if number in unwanted else None

    server.reject, server.fail_every = reject, 3
    with Play(tmp_path, [stand.sink]) as play:
        play.publish(COUNT)
    assert play.report.exit_status == 3
    check_run(play.folder, [stand.sink])
    letters = letters_of(play, stand.sink)
    assert {letter.seq: letter.reason for letter in letters} == {
        number: f"{number} is not wanted" for number in sorted(unwanted)
    }


def test_a_server_that_rejects_everything_leaves_nothing_owed(stands: Stands, tmp_path: Path):
    stand = stands.of("lines")
    assert isinstance(stand.sink, LinesSink)
    stand.sink.server.reject = lambda _: "no"
    with Play(tmp_path, [stand.sink]) as play:
        play.publish(COUNT)
    account = check_run(play.folder, [stand.sink])["lines"]
    assert (account.delivered, account.dead_lettered) == (0, account.given)


def test_a_message_that_kafka_finds_too_large_goes_to_the_dead_letters_alone(
    stands: Stands, tmp_path: Path
):
    sink = stands.of("kafka").sink
    # Of the model's texts, some are long enough to make a message of more bytes than this.
    config = {"max.message.bytes": 450}
    entry = sink.entry()
    entry["create_topics"] = {**entry["create_topics"], "config": config}
    with Play(tmp_path, [sink], [entry]) as play:
        play.publish(120)
    assert play.report.exit_status == 3
    account = check_run(play.folder, [sink])["kafka"]
    assert 0 < account.dead_lettered < 120
    reasons = {letter.reason.partition(" is ")[2] for letter in letters_of(play, sink)}
    assert reasons == {
        "larger than the broker takes (message.max.bytes, or the topic's max.message.bytes)"
    }


def test_a_redis_that_has_no_memory_left_gets_everything_once_it_has(
    stands: Stands, tmp_path: Path
):
    sink = stands.of("redis").sink
    assert isinstance(sink, RedisSink)
    with redis.Redis(port=sink.reader_port) as client, Play(tmp_path, [sink]) as play:
        play.publish(300)
        play.wait_delivered()
        client.config_set("maxmemory", 1)
        try:
            play.publish(300)
            wait_until(lambda: play.state(sink) == "retrying", "a refusal")
        finally:
            client.config_set("maxmemory", 0)
        play.publish(300)
    assert play.report.exit_status == 0
    check_run(play.folder, [sink])
