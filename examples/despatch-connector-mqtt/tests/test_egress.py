from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from batches import batch_of, event
from brokers import Mosquitto, free_port
from despatch_connector_mqtt import MqttEgress, MqttEgressSettings
from despatch_connector_mqtt.publishing import RefusedError
from listeners import Stranger, user_properties
from scripted import ScriptedBroker


def egress_to(url, **settings):
    return MqttEgress(MqttEgressSettings.model_validate({"url": url, **settings}))


def deliver(egress, *batches):
    """Open, deliver and close."""

    async def work():
        try:
            await egress.open()
            return [await egress.deliver(batch) for batch in batches]
        finally:
            await egress.close()

    return asyncio.run(work())


def test_each_record_is_a_message_in_order(broker_url, stranger, root):
    stranger.listen(f"{root}/#")
    egress = egress_to(broker_url, topic=root + "/{sim}/{stream_type}/{key}")
    records = [event(seq, f"part-{seq % 7}") for seq in range(500)]
    (receipt,) = deliver(egress, batch_of(egress, records))
    assert not receipt.rejected
    assert receipt.bytes == sum(len(f'{{"n": {seq}}}') for seq in range(500))
    messages = stranger.heard(500)
    assert [user_properties(each) for each in messages] == [
        {"run_id": "run-1", "seq": str(seq)} for seq in range(500)
    ]
    assert [each.topic for each in messages[:8]] == [
        f"{root}/line/event/part-{seq % 7}" for seq in range(8)
    ]
    assert messages[3].payload == b'{"n": 3}'
    assert {each.qos for each in messages} == {1}
    assert not any(each.retain for each in messages)


def test_a_key_is_one_level_whatever_is_in_it(broker_url, stranger, root):
    stranger.listen(f"{root}/+")
    egress = egress_to(broker_url, topic=root + "/{key}")
    keys = ["a/b", "+", "#", "nul\x00", "\x07", "$SYS", "50 %", "é \U0001f600", "\ufdd0", ""]
    (receipt,) = deliver(egress, batch_of(egress, [event(n, key) for n, key in enumerate(keys)]))
    assert not receipt.rejected
    assert [each.topic.removeprefix(f"{root}/") for each in stranger.heard(len(keys))] == [
        "a%2Fb",
        "%2B",
        "%23",
        "nul%00",
        "%07",
        "%24SYS",
        "50 %25",
        "é \U0001f600",
        "%EF%B7%90",
        "",
    ]


def test_a_record_without_a_legal_topic_is_rejected_alone(broker_url, stranger, root):
    stranger.listen(root)
    egress = egress_to(broker_url, topic="{key}")
    keys = [root, "", "x" * 65536, root]
    (receipt,) = deliver(egress, batch_of(egress, [event(n, key) for n, key in enumerate(keys)]))
    assert receipt.rejected == {
        1: "a topic that is empty",
        2: "a topic of 65536 bytes: MQTT allows 65535",
    }
    assert [user_properties(each)["seq"] for each in stranger.heard(2)] == ["0", "3"]


@pytest.mark.parametrize("excess", [0, 1])
def test_a_message_of_just_the_brokers_size_passes_and_a_larger_one_is_rejected_alone(excess):
    # 1 + 2 for the header, 2 + 5 for the topic, 2 for the packet id; of the properties 1 for their
    # length, 5 + 6 + 5 and 5 + 3 + 1 for the two.
    payload = b"x" * (1000 - 3 - 7 - 2 - 26 + excess)
    with Mosquitto("max_packet_size 1000") as broker, Stranger(broker.url) as stranger:
        stranger.listen("topic")
        egress = egress_to(broker.url, topic="topic")
        batch = batch_of(egress, [event(0), event(1), event(2)], [b"a", payload, b"c"])
        (receipt,) = deliver(egress, batch)
        assert receipt.rejected == (
            {1: "a packet of 1001 bytes: at most 1000 are allowed"} if excess else {}
        )
        assert [each.payload for each in stranger.heard(3 - excess)] == (
            [b"a", b"c"] if excess else [b"a", payload, b"c"]
        )


def test_a_limit_that_the_broker_does_not_tell_is_a_setting():
    with Mosquitto("message_size_limit 1000") as broker, Stranger(broker.url) as stranger:
        stranger.listen("topic")
        batch = [event(0), event(1)], [b"a", b"x" * 1001]
        egress = egress_to(broker.url, topic="topic")
        with pytest.raises(ConnectionError):
            deliver(egress, batch_of(egress, *batch))
        egress = egress_to(broker.url, topic="topic", max_packet_bytes=1000)
        (receipt,) = deliver(egress, batch_of(egress, *batch))
        assert list(receipt.rejected) == [1]
        assert [each.payload for each in stranger.heard(2)] == [b"a", b"a"]


@pytest.mark.parametrize(("maximum", "is_overrun"), [(1, False), (2, True)])
def test_no_more_are_on_their_way_than_the_broker_takes(maximum, is_overrun):
    with ScriptedBroker(connack=b"\x21\x00" + bytes([maximum]), answers=[0x00] * 5) as broker:
        egress = egress_to(broker.url, topic="{key}")
        deliver(egress, batch_of(egress, [event(seq, f"k{seq}") for seq in range(5)]))
    assert broker.published == ["k0", "k1", "k2", "k3", "k4"]
    assert broker.was_overrun == is_overrun


def test_what_another_attempt_would_be_told_again_is_rejected_alone():
    answers = [0x00, 0x10, (0x90, "no x"), 0x99, 0x00]
    with ScriptedBroker(answers=answers) as broker:
        egress = egress_to(broker.url, topic="{key}")
        batch = batch_of(egress, [event(seq, f"k{seq}") for seq in range(5)])
        (receipt,) = deliver(egress, batch)
    assert receipt.rejected == {
        2: "refused by the broker: Topic name invalid (reason code 0x90): no x",
        3: "refused by the broker: Payload format invalid (reason code 0x99)",
    }


@pytest.mark.parametrize("code", [0x80, 0x83, 0x87, 0x91, 0x97])
def test_a_refusal_that_may_pass_raises_and_no_more_is_sent(code):
    # The receive maximum is 1: the next message is not sent before the first is answered.
    with ScriptedBroker(connack=b"\x21\x00\x01", answers=[0x00, code]) as broker:
        egress = egress_to(broker.url, topic="{key}")
        batch = batch_of(egress, [event(seq, f"k{seq}") for seq in range(5)])
        with pytest.raises(RefusedError, match=f"reason code {code:#04x}"):
            deliver(egress, batch)
    assert broker.published == ["k0", "k1"]


def test_what_a_broker_says_when_it_ends_the_connection_is_told():
    with ScriptedBroker(goodbye=0x8E) as broker:
        egress = egress_to(broker.url, topic="t")
        with pytest.raises(
            ConnectionError,
            match=r"ended the connection: Session taken over \(reason code 0x8e\): by hand",
        ):
            deliver(egress, batch_of(egress, [event(0)]))


def test_a_broker_that_has_qos_0_only_is_refused():
    with (
        ScriptedBroker(connack=b"\x24\x00") as broker,
        pytest.raises(RefusedError, match="QoS 0 only"),
    ):
        deliver(egress_to(broker.url))


ACL = {"acl": "user me\ntopic readwrite free/#\nuser reader\ntopic read #\n"}


@pytest.fixture
def guarded_broker():
    with Mosquitto("acl_file acl", files=ACL) as broker:
        yield broker


def test_what_may_be_allowed_later_raises_and_rejects_nothing(guarded_broker):
    egress = egress_to(guarded_broker.url, username="me", topic="{key}")
    batch = batch_of(egress, [event(0, "free"), event(1, "forbidden"), event(2, "free")])
    with pytest.raises(RefusedError, match=r"Not authorized \(reason code 0x87\)"):
        deliver(egress, batch)


def test_a_broker_without_retained_messages_is_told_before_it_gets_any():
    with Mosquitto("retain_available false") as broker:
        egress = egress_to(broker.url, topic="t", retain=True)
        with pytest.raises(RefusedError, match="keeps no retained messages"):
            deliver(egress)
        with pytest.raises(RefusedError, match="keeps no retained messages"):
            asyncio.run(egress.check(["t"]))


def test_retained_messages_wait_for_those_who_come_later(broker_url, stranger, root):
    egress = egress_to(broker_url, topic=root, retain=True)
    deliver(egress, batch_of(egress, [event(0), event(1)]))
    stranger.listen(root)
    (last,) = stranger.heard(1)
    assert (last.retain, last.payload) == (True, b'{"n": 1}')
    stranger.publish(root, b"", retain=True)


def test_an_expiry_travels_with_the_message(broker_url, stranger, root):
    stranger.listen(root)
    egress = egress_to(broker_url, topic=root, expiry="1h")
    deliver(egress, batch_of(egress, [event(0)]))
    (message,) = stranger.heard(1)
    assert 3500 < message.properties.MessageExpiryInterval <= 3600


def test_a_broker_that_dies_on_the_way_raises(broker):
    async def work():
        egress = egress_to(broker.url, topic="t")
        await egress.open()
        broker.pause()
        batch = batch_of(egress, [event(seq) for seq in range(100)])
        delivering = asyncio.ensure_future(egress.deliver(batch))
        await asyncio.sleep(0.05)
        assert not delivering.done()
        await asyncio.to_thread(broker.kill)
        with pytest.raises(ConnectionError, match=r"mqtt://127.0.0.1:\d+: the connection is lost"):
            await delivering
        with pytest.raises(ConnectionError):
            await egress.deliver(batch)
        await egress.close()
        await egress.close()

    asyncio.run(work())


def test_a_broker_that_says_nothing_any_more_raises(broker):
    async def work():
        egress = egress_to(broker.url, topic="t", keepalive="1s")
        await egress.open()
        broker.pause()
        with pytest.raises(ConnectionError, match="the broker says nothing any more"):
            await egress.deliver(batch_of(egress, [event(0)]))
        await egress.close()
        broker.resume()

    asyncio.run(work())


def test_a_delivery_can_be_cancelled_and_the_connector_used_again(broker):
    async def work():
        egress = egress_to(broker.url, topic="t")
        await egress.open()
        broker.pause()
        batch = batch_of(egress, [event(seq) for seq in range(100)])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(egress.deliver(batch), 0.1)
        await egress.close()
        broker.resume()
        await egress.open()
        assert not (await egress.deliver(batch)).rejected
        await egress.close()

    asyncio.run(work())


def test_opening_can_be_cancelled_and_leaves_nothing_behind(broker):
    async def work():
        egress = egress_to(broker.url, topic="t")
        broker.pause()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(egress.open(), 0.2)
        await egress.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        broker.resume()
        await egress.open()
        await egress.close()

    asyncio.run(work())


def test_opening_can_be_cancelled_while_a_thread_still_connects(monkeypatch, broker_url):
    connecting, going_on = threading.Event(), threading.Event()
    connect = socket.create_connection

    def slow(*arguments, **more):
        connecting.set()
        assert going_on.wait(30)
        opened.append(connect(*arguments, **more))
        return opened[0]

    async def work():
        egress = egress_to(broker_url, topic="t")
        opening = asyncio.ensure_future(egress.open())
        await asyncio.to_thread(connecting.wait, 30)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await egress.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        going_on.set()

    opened = []
    monkeypatch.setattr(socket, "create_connection", slow)
    # Waits for the thread.
    asyncio.run(work())
    assert opened[0].fileno() == -1


def test_a_broker_that_does_not_answer_is_given_up(broker):
    broker.pause()
    egress = egress_to(broker.url, topic="t", connect_timeout="200ms")
    with pytest.raises(ConnectionError, match="timed out"):
        deliver(egress)
    broker.resume()


def test_a_broker_that_is_not_there_is_named():
    url = f"mqtt://127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionError, match=rf"{url}: .*refused"):
        deliver(egress_to(url))


def test_a_broker_that_closes_without_a_word_is_not_waited_for(rude_server):
    with pytest.raises(ConnectionError, match="accepts no connection"):
        deliver(egress_to(rude_server, connect_timeout="1h"))


@pytest.fixture
def rude_server():
    """A server that reads a little and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(100)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_check_says_what_the_broker_takes_and_publishes_nothing(broker_url, stranger, root):
    stranger.listen(f"{root}/#")
    egress = egress_to(broker_url, topic=root + "/{sim}")
    health = asyncio.run(egress.check([f"{root}/line"]))
    assert health.findings[0].startswith("MQTT 5, takes ")
    assert health.findings[1] == f"topic {root}/line"
    stranger.publish(f"{root}/end", b"end")
    assert [each.payload for each in stranger.heard(1)] == [b"end"]


def test_check_does_not_put_out_a_client_at_work(broker):
    async def work():
        egress, other = (egress_to(broker.url, topic="t", client_id="me") for _ in range(2))
        await egress.open()
        await other.check()
        assert not (await egress.deliver(batch_of(egress, [event(0)]))).rejected
        await egress.close()

    asyncio.run(work())


def test_check_names_a_topic_that_no_broker_takes(broker_url):
    with pytest.raises(ValueError, match="nothing can be published to a topic that is empty"):
        asyncio.run(egress_to(broker_url, topic="{sim}").check([""]))
