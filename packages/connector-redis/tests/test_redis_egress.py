from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis
from redis.exceptions import RedisError

from despatch.interfaces import Batch, Guarantee
from despatch.records import Event, Telemetry
from despatch_connector_redis import RedisEgress, RedisEgressSettings
from services import RedisServer

NOON = "2026-01-05T12:00:00.000000+00:00"
EPOCH_MS = 0x0198C0000000
RUN = f"{EPOCH_MS:012x}70008000000000000001"
LATER_RUN = f"{EPOCH_MS + 1000:012x}70008000000000000002"
STREAM = "line_a.event"
PASSWORD = "hunter2"


def sink_at(url: str, **settings: Any) -> RedisEgress:
    return RedisEgress(RedisEgressSettings.model_validate({"url": url, **settings}))


def event(seq: int, run_id: str = RUN) -> Event:
    return Event("line_a", "k", None, seq, 0.0, NOON, run_id, seq, seq)


def batch_of(sink: RedisEgress, records: Sequence[Event | Telemetry]) -> Batch:
    payloads = [f"{record.run_id}/{record.seq}".encode() for record in records]
    return Batch(0, len(records), records, payloads, [sink.target(record) for record in records])


def events(*seqs: int, run_id: str = RUN) -> list[Event | Telemetry]:
    return [event(seq, run_id) for seq in seqs]


def deliver(sink: RedisEgress, *batches: Sequence[Event | Telemetry]) -> None:
    async def run() -> None:
        await sink.open()
        try:
            for records in batches:
                receipt = await sink.deliver(batch_of(sink, records))
                assert not receipt.rejected
        finally:
            await sink.close()

    asyncio.run(run())


def entries(url: str, stream: str = STREAM) -> list[tuple[str, str]]:
    with redis.Redis.from_url(url, protocol=2) as client:
        found: Any = client.xrange(stream)
    return [(entry_id.decode(), fields[b"record"].decode()) for entry_id, fields in found]


def seqs(url: str, run_id: str = RUN) -> list[int]:
    records = (record.split("/") for _, record in entries(url))
    return [int(seq) for run, seq in records if run == run_id]


def test_records_become_entries_with_ids_of_the_run_and_their_seq(redis_url: str) -> None:
    deliver(sink_at(redis_url), events(0, 1), events(7))
    assert entries(redis_url) == [(f"{EPOCH_MS}-{seq}", f"{RUN}/{seq}") for seq in (0, 1, 7)]


def test_records_are_split_by_the_template(redis_url: str) -> None:
    telemetry = Telemetry("line_a", "a.b", None, 1, 0.0, NOON, RUN, 1, 1)
    deliver(sink_at(redis_url), [event(0), telemetry, event(2)])
    assert seqs(redis_url) == [0, 2]
    assert entries(redis_url, "line_a.telemetry") == [(f"{EPOCH_MS}-1", f"{RUN}/1")]


def test_the_receipt_counts_the_bytes_of_the_payloads(redis_url: str) -> None:
    sink = sink_at(redis_url)

    async def run() -> int:
        await sink.open()
        receipt = await sink.deliver(batch_of(sink, events(0, 1)))
        await sink.close()
        return receipt.bytes

    assert asyncio.run(run()) == 2 * len(f"{RUN}/0")


def test_a_large_batch_arrives_in_order(redis_url: str) -> None:
    deliver(sink_at(redis_url), events(*range(5000)))
    assert seqs(redis_url) == list(range(5000))


def test_a_repeated_batch_adds_nothing(redis_url: str) -> None:
    deliver(sink_at(redis_url), events(*range(1000)), events(*range(1000)))
    deliver(sink_at(redis_url), events(*range(600, 1600)))
    assert seqs(redis_url) == list(range(1600))


def test_a_repeated_batch_adds_nothing_where_the_first_was_trimmed(redis_url: str) -> None:
    sink = sink_at(redis_url, maxlen=10)
    deliver(sink, events(*range(1000)), events(*range(1000)), events(1000))
    found = seqs(redis_url)
    assert found == list(range(found[0], 1001))
    # Redis trims by whole nodes of its tree, of 100 entries each.
    assert len(found) <= 200


def test_a_repeated_batch_adds_nothing_where_all_was_trimmed(redis_url: str) -> None:
    sink = sink_at(redis_url)
    deliver(sink, events(0, 1))
    with redis.Redis.from_url(redis_url) as client:
        client.xtrim(STREAM, maxlen=0, approximate=False)
    deliver(sink, events(0, 1), events(2))
    assert seqs(redis_url) == [2]


def send_late(sink: RedisEgress, *batches: Sequence[Event | Telemetry]) -> None:
    """Send dead letters again."""

    async def run() -> None:
        await sink.open()
        for records in batches:
            await sink.deliver(replace(batch_of(sink, records), is_late=True))
        await sink.close()

    asyncio.run(run())


def test_dead_letters_from_before_the_first_entry_are_added_at_the_end(redis_url: str) -> None:
    sink = sink_at(redis_url)
    deliver(sink, events(2, 3, 5))
    # To a repeated batch, 0 would look as if it had been trimmed.
    send_late(sink, events(0, 4))
    assert seqs(redis_url) == [2, 3, 5, 0, 4]


def test_dead_letters_that_come_again_are_there_once(redis_url: str) -> None:
    sink = sink_at(redis_url)
    deliver(sink, events(2, 3, 5))
    send_late(sink, events(0, 4), events(0, 4))
    send_late(sink, events(0, 4))
    assert seqs(redis_url) == [2, 3, 5, 0, 4]


def test_a_later_run_follows(redis_url: str) -> None:
    deliver(sink_at(redis_url), events(0, 1, 2))
    deliver(sink_at(redis_url), events(0, 1, run_id=LATER_RUN))
    assert seqs(redis_url) == [0, 1, 2]
    assert seqs(redis_url, LATER_RUN) == [0, 1]


def test_an_older_run_that_comes_late_is_added_at_the_end(redis_url: str) -> None:
    deliver(sink_at(redis_url), events(0, 1))
    deliver(sink_at(redis_url), events(0, run_id=LATER_RUN))
    deliver(sink_at(redis_url), events(1, 2, 3))
    assert seqs(redis_url) == [0, 1, 2, 3]
    assert [record for _, record in entries(redis_url)][-2:] == [f"{RUN}/2", f"{RUN}/3"]


def test_late_records_that_come_again_are_found(redis_url: str) -> None:
    deliver(sink_at(redis_url), events(0, run_id=LATER_RUN))
    deliver(sink_at(redis_url), events(*range(700)), events(*range(700)))
    deliver(sink_at(redis_url), events(*range(700, 710)))
    assert seqs(redis_url) == list(range(710))


def test_a_run_goes_on_after_an_older_one_was_added_behind_it(redis_url: str) -> None:
    deliver(sink_at(redis_url), events(0, run_id=LATER_RUN))
    deliver(sink_at(redis_url), events(0, 1))
    sink = sink_at(redis_url)
    deliver(sink, events(1, 2, run_id=LATER_RUN), events(1, 2, run_id=LATER_RUN))
    assert seqs(redis_url, LATER_RUN) == [0, 1, 2]
    assert seqs(redis_url) == [0, 1]


def test_another_writers_entry_of_the_same_id_is_not_taken_for_ours(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(STREAM, {"record": "foreign"}, id=f"{EPOCH_MS}-5")
    deliver(sink_at(redis_url), events(5))
    assert [record for _, record in entries(redis_url)] == ["foreign", f"{RUN}/5"]


def failure(sink: RedisEgress, act: Callable[[RedisEgress], Awaitable[Any]]) -> str:
    async def run() -> str:
        with pytest.raises((RedisError, OSError)) as caught:
            await act(sink)
        await sink.close()
        return str(caught.value)

    return asyncio.run(run())


async def open_and_deliver(sink: RedisEgress) -> None:
    await sink.open()
    await sink.deliver(batch_of(sink, events(0, 1)))


def test_a_stream_of_the_wrong_type_is_named(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(STREAM, "not a stream")
    reason = failure(sink_at(redis_url), open_and_deliver)
    assert "line_a.event" in reason
    assert "WRONGTYPE" in reason


def test_a_server_out_of_memory_is_an_error_and_the_batch_comes_again(
    redis_server: RedisServer,
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("maxmemory", 1)
        reason = failure(sink_at(redis_server.url), open_and_deliver)
        assert "memory" in reason
        assert entries(redis_server.url) == []
        client.config_set("maxmemory", 0)
    deliver(sink_at(redis_server.url), events(0, 1))
    assert seqs(redis_server.url) == [0, 1]


def test_a_read_only_replica_is_an_error(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.replicaof("127.0.0.1", 1)
        assert "read only replica" in failure(sink_at(redis_server.url), open_and_deliver)


def test_the_password_is_in_no_error(redis_server: RedisServer) -> None:
    place = redis_server.url.removeprefix("redis://")
    sinks = {
        "wrong password": sink_at(f"redis://:{PASSWORD}@{place}"),
        "no password": sink_at(redis_server.url),
    }
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("requirepass", "another")
    reasons = {name: failure(sink, open_and_deliver) for name, sink in sinks.items()}
    redis_server.kill()
    reasons["no server"] = failure(sinks["wrong password"], open_and_deliver)
    assert all(reasons.values())
    assert all(PASSWORD not in reason and "another" not in reason for reason in reasons.values())


def test_records_reach_a_server_with_a_password(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("requirepass", PASSWORD)
    url = redis_server.url.replace("redis://", f"redis://:{PASSWORD}@")
    deliver(sink_at(url), events(0))
    assert seqs(url) == [0]


def test_a_frozen_server_is_noticed_and_each_record_is_there_once(
    redis_server: RedisServer,
) -> None:
    sink = sink_at(redis_server.url, socket_timeout="1s", connect_timeout="1s")

    async def run() -> None:
        await sink.open()
        await sink.deliver(batch_of(sink, events(0, 1)))
        redis_server.pause()
        with pytest.raises((RedisError, OSError)):
            await sink.deliver(batch_of(sink, events(2, 3)))
        await sink.close()
        with pytest.raises((RedisError, OSError)):
            await sink.open()
        await sink.close()
        redis_server.resume()
        await sink.open()
        await sink.deliver(batch_of(sink, events(2, 3)))
        await sink.deliver(batch_of(sink, events(4)))
        await sink.close()

    asyncio.run(run())
    assert seqs(redis_server.url) == [0, 1, 2, 3, 4]


def test_a_killed_server_that_keeps_its_data_has_each_record_once() -> None:
    with RedisServer(durable=True) as server:
        sink = sink_at(server.url)

        async def run() -> None:
            await sink.open()
            await sink.deliver(batch_of(sink, events(*range(500))))
            delivery = asyncio.create_task(sink.deliver(batch_of(sink, events(*range(500, 5000)))))
            while await asyncio.to_thread(lambda: len(seqs(server.url))) <= 500:
                pass
            server.kill()
            with pytest.raises((RedisError, OSError)):
                await delivery
            await sink.close()
            await asyncio.to_thread(server.start)
            await sink.open()
            await sink.deliver(batch_of(sink, events(*range(500, 5000))))
            await sink.close()

        asyncio.run(run())
        assert seqs(server.url) == list(range(5000))


def test_a_cancelled_delivery_can_be_repeated(redis_url: str) -> None:
    sink = sink_at(redis_url)

    async def run() -> None:
        await sink.open()
        delivery = asyncio.create_task(sink.deliver(batch_of(sink, events(*range(3000)))))
        await asyncio.sleep(0)
        delivery.cancel()
        await asyncio.wait([delivery])
        await sink.close()
        await sink.open()
        await sink.deliver(batch_of(sink, events(*range(3000))))
        await sink.close()

    asyncio.run(run())
    assert seqs(redis_url) == list(range(3000))


def test_close_may_be_called_at_any_time_and_open_again(redis_url: str) -> None:
    sink = sink_at(redis_url)

    async def run() -> None:
        await sink.close()
        await sink.open()
        await sink.open()
        await sink.close()
        await sink.close()
        with pytest.raises(RedisError, match="not connected"):
            await sink.deliver(batch_of(sink, events(0)))

    asyncio.run(run())


def test_the_guarantee_is_effectively_once() -> None:
    assert RedisEgress.guarantee is Guarantee.EFFECTIVELY_ONCE
