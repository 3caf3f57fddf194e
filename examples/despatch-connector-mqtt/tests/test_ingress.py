from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest
from despatch.commands import Change, Refusal, Update

from brokers import Mosquitto
from despatch_connector_mqtt import MqttIngress, MqttIngressSettings
from despatch_connector_mqtt.publishing import RefusedError
from listeners import Stranger

CHANGE = Change(updates=(Update("lathe.capacity", 1, 3),), sim_time=2.5, source="mqtt", id="c-1")


def ingress_from(url, topic, **settings):
    given = {"url": url, "topic": topic, **settings}
    return MqttIngress(MqttIngressSettings.model_validate(given), simulation="line")


def command(value, **more):
    return json.dumps({"path": "lathe.capacity", "value": value, **more}).encode()


@pytest.fixture
def topic(root):
    return f"{root}/commands"


@pytest.fixture
def client_id(root):
    return f"client-{root}"


@pytest.fixture
def ingress(broker_url, topic, client_id):
    """An ingress with a session of its own, which is forgotten with the client."""
    return ingress_from(broker_url, topic, client_id=client_id, session_expiry="1m")


async def opened(ingress):
    await ingress.open()
    return ingress.commands()


def in_session(ingress, work):
    """Open, do something with the commands, and close."""

    async def whole():
        commands = await opened(ingress)
        try:
            return await work(commands)
        finally:
            await commands.aclose()
            await ingress.close()

    return asyncio.run(whole())


async def publish(stranger, *messages, **more):
    for topic, payload in messages:
        await asyncio.to_thread(stranger.publish, topic, payload, **more)


def values_of(commands):
    return [each.updates["lathe.capacity"] for each in commands]


async def taken(commands, count):
    return [await anext(commands) for _ in range(count)]


def test_messages_become_commands_in_order(ingress, stranger, topic):
    async def work(commands):
        await publish(stranger, *((topic, command(n, id=f"c-{n}")) for n in range(20)))
        return await taken(commands, 20)

    brought = in_session(ingress, work)
    assert values_of(brought) == list(range(20))
    assert [each.id for each in brought] == [f"c-{n}" for n in range(20)]
    assert not any(each.fault for each in brought)


def test_a_filter_brings_the_commands_of_many_topics(broker_url, stranger, root, client_id):
    async def work(commands):
        await publish(stranger, (f"{root}/a/set", command(1)), (f"{root}/b/set", command(2)))
        await publish(stranger, (f"{root}/b/get", command(3)), (f"{root}/c/set", command(4)))
        return await taken(commands, 3)

    ingress = ingress_from(broker_url, f"{root}/+/set", client_id=client_id, session_expiry="0s")
    assert values_of(in_session(ingress, work)) == [1, 2, 4]


def test_what_is_not_acknowledged_comes_again_with_the_id_that_it_had(ingress, stranger, topic):
    async def first(commands):
        await publish(stranger, *((topic, command(n)) for n in range(4)))
        brought = await taken(commands, 4)
        await ingress.acknowledge(brought[0], CHANGE)
        return brought

    async def second(commands):
        await publish(stranger, (topic, command(9)))
        return await taken(commands, 4)

    brought = in_session(ingress, first)
    again = in_session(ingress, second)
    assert values_of(again) == [1, 2, 3, 9]
    assert [each.id for each in again[:3]] == [each.id for each in brought[1:]]
    assert len({each.id for each in (*brought, again[-1])}) == 5


def test_what_comes_while_nobody_is_connected_waits(ingress, stranger, topic):
    async def nothing(commands):
        return None

    in_session(ingress, nothing)
    stranger.publish(topic, command(1))
    assert values_of(in_session(ingress, lambda commands: taken(commands, 1))) == [1]


def test_another_process_goes_on_with_the_session(broker_url, stranger, topic, client_id):
    def make():
        return ingress_from(broker_url, topic, client_id=client_id, session_expiry="1m")

    async def first(commands):
        await publish(stranger, (topic, command(1, id="one")), (topic, command(2, id="two")))
        (one, _) = await taken(commands, 2)
        await ingress.acknowledge(one, CHANGE)

    ingress = make()
    in_session(ingress, first)
    (again,) = in_session(make(), lambda commands: taken(commands, 1))
    assert (again.id, again.updates) == ("two", {"lathe.capacity": 2})


def test_a_lost_connection_brings_everything_again_that_was_not_acknowledged():
    async def work():
        commands = await opened(ingress)
        await publish(stranger, *(("t", command(n)) for n in range(3)))
        before = await taken(commands, 3)
        await asyncio.to_thread(broker.stop)
        with pytest.raises(ConnectionError, match="the connection is lost"):
            await anext(commands)
        with pytest.raises(ConnectionError):
            await ingress.acknowledge(before[0], CHANGE)
        await ingress.close()
        with pytest.raises(ConnectionError, match="comes again"):
            await ingress.acknowledge(before[0], CHANGE)
        await asyncio.to_thread(broker.start)
        commands = await opened(ingress)
        again = await taken(commands, 3)
        assert [each.id for each in again] == [each.id for each in before]
        for each in again:
            await ingress.acknowledge(each, CHANGE)
        await ingress.close()

    with Mosquitto("persistence true") as broker:
        ingress = ingress_from(broker.url, "t")
        with Stranger(broker.url) as stranger:
            asyncio.run(work())


def test_acknowledgements_go_out_in_the_order_of_the_messages(ingress, stranger, topic):
    async def first(commands):
        await publish(stranger, *((topic, command(n)) for n in range(3)))
        brought = await taken(commands, 3)
        await ingress.acknowledge(brought[2], CHANGE)
        await ingress.acknowledge(brought[1], CHANGE)

    in_session(ingress, first)
    # The first was not acknowledged, so none of those behind it may be.
    assert values_of(in_session(ingress, lambda commands: taken(commands, 3))) == [0, 1, 2]


def test_closing_waits_until_the_broker_has_read_all_acknowledgements(broker):
    async def close_and_open(ingress):
        await ingress.close()
        await ingress.open()

    async def work(stranger):
        ingress = ingress_from(broker.url, "t")
        commands = await opened(ingress)
        await publish(stranger, *(("t", command(n)) for n in range(20)))
        brought = await taken(commands, 20)
        # A broker that is slow finds a new connection before it has read all of the old one.
        broker.pause()
        for each in brought:
            await ingress.acknowledge(each, CHANGE)
        reopening = asyncio.ensure_future(close_and_open(ingress))
        await asyncio.sleep(0.1)
        broker.resume()
        await reopening
        await publish(stranger, ("t", command(99)))
        assert values_of(await taken(ingress.commands(), 1)) == [99]
        await ingress.close()

    with Stranger(broker.url) as stranger:
        asyncio.run(work(stranger))


def test_no_more_wait_for_their_outcome_than_was_said(broker_url, stranger, topic, client_id):
    async def work(commands):
        await publish(stranger, *((topic, command(n)) for n in range(3)))
        brought = await taken(commands, 2)
        third = asyncio.ensure_future(anext(commands))
        await asyncio.wait({third}, timeout=0.2)
        assert not third.done()
        await ingress.acknowledge(brought[0], CHANGE)
        assert (await third).updates == {"lathe.capacity": 2}

    ingress = ingress_from(
        broker_url, topic, client_id=client_id, receive_maximum=2, session_expiry="0s"
    )
    in_session(ingress, work)


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"", "expected a command in JSON"),
        (b"\xff\x00", "expected a command in JSON"),
        (b"[1, 2]", "an object in JSON"),
        (b'{"path": "a", "valeu": 1}', "expected no key but"),
        (b'{"path": "a", "value": "' + b"x" * 2**20 + b'"}', "at most 1048576 bytes"),
    ],
    ids=["empty", "binary", "list", "slip", "oversized"],
)
def test_what_is_no_command_is_brought_with_its_fault(ingress, stranger, topic, payload, fault):
    async def work(commands):
        await publish(stranger, (topic, payload), (topic, command(1)))
        wrong, right = await taken(commands, 2)
        assert fault in wrong.fault
        assert right.fault is None
        refusal = Refusal(reason=wrong.fault, sim_time=0.0, source="mqtt", is_final=False)
        await ingress.acknowledge(wrong, refusal)
        await ingress.acknowledge(right, CHANGE)

    in_session(ingress, work)


def test_a_message_of_qos_0_is_a_command_that_does_not_come_again(ingress, stranger, topic):
    async def work(commands):
        await publish(stranger, (topic, command(1)), qos=0)
        (brought,) = await taken(commands, 1)
        await ingress.acknowledge(brought, CHANGE)
        return brought

    assert in_session(ingress, work).id


def test_each_run_begins_with_what_is_retained(broker_url, stranger, topic, client_id):
    def make(**settings):
        return ingress_from(broker_url, topic, client_id=client_id, session_expiry="1m", **settings)

    async def first_of(ingress, commands):
        await publish(stranger, (topic, command(99, id="end")))
        (first,) = await taken(commands, 1)
        while first.id != "end":
            await ingress.acknowledge(first, CHANGE)
            return first.id
        await ingress.acknowledge(first, CHANGE)
        return first.id

    stranger.publish(topic, command(7, id="kept"), retain=True)
    ingress = make()
    assert in_session(ingress, lambda commands: first_of(ingress, commands)) == "kept"
    # In the same run it is not brought again.
    assert in_session(ingress, lambda commands: first_of(ingress, commands)) == "end"
    ingress = make(retained=False)
    assert in_session(ingress, lambda commands: first_of(ingress, commands)) == "end"
    stranger.publish(topic, b"", retain=True)


def test_those_who_share_a_subscription_get_a_command_once(broker_url, stranger, root):
    async def work():
        both = [
            ingress_from(
                broker_url,
                f"$share/group-{root}/{root}",
                client_id=f"{root}-{number}",
                session_expiry="0s",
            )
            for number in range(2)
        ]
        commands = [await opened(each) for each in both]
        await publish(stranger, *((root, command(n)) for n in range(10)))
        got = []

        async def read(ingress, source):
            async for each in source:
                got.append(each.updates["lathe.capacity"])
                await ingress.acknowledge(each, CHANGE)

        reading = [asyncio.ensure_future(read(*each)) for each in zip(both, commands, strict=True)]
        async with asyncio.timeout(30):
            while len(got) < 10:
                await asyncio.sleep(0.01)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        assert sorted(got) == list(range(10))
        for each in both:
            await each.close()

    asyncio.run(work())


def test_an_outcome_goes_where_the_message_asks_for_it(ingress, stranger, topic, root):
    stranger.listen(f"{root}/answers")

    async def work(commands):
        asked = {"ResponseTopic": f"{root}/answers", "CorrelationData": b"\x00\x01"}
        await publish(stranger, (topic, command(3)), **asked)
        (brought,) = await taken(commands, 1)
        await ingress.acknowledge(brought, CHANGE)

    in_session(ingress, work)
    (answer,) = stranger.heard(1)
    assert json.loads(answer.payload) == {
        "type": "change",
        "updates": [{"path": "lathe.capacity", "old": 1, "new": 3}],
        "sim_time": 2.5,
        "source": "mqtt",
        "id": "c-1",
    }
    assert answer.properties.CorrelationData == b"\x00\x01"
    assert answer.properties.ContentType == "application/json"


def test_no_outcome_is_published_where_that_is_switched_off(broker_url, stranger, topic, root):
    stranger.listen(f"{root}/answers")
    ingress = ingress_from(broker_url, topic, client_id=root, session_expiry="0s", respond=False)

    async def work(commands):
        await publish(stranger, (topic, command(3)), ResponseTopic=f"{root}/answers")
        (brought,) = await taken(commands, 1)
        await ingress.acknowledge(brought, CHANGE)

    in_session(ingress, work)
    stranger.publish(f"{root}/answers", b"end")
    assert [each.payload for each in stranger.heard(1)] == [b"end"]


def test_an_answer_is_no_command_where_its_topic_matches(broker_url, stranger, root):
    ingress = ingress_from(broker_url, f"{root}/#", client_id=root, session_expiry="0s")

    async def work(commands):
        await publish(stranger, (f"{root}/set", command(3)), ResponseTopic=f"{root}/answers")
        (brought,) = await taken(commands, 1)
        await ingress.acknowledge(brought, CHANGE)
        await publish(stranger, (f"{root}/set", command(4)))
        return await taken(commands, 1)

    assert values_of(in_session(ingress, work)) == [4]


ACL = "user me\ntopic readwrite t\nuser reader\ntopic write t\ntopic readwrite secret\n"


def test_an_answer_that_cannot_be_given_is_logged_and_holds_nothing_up(caplog):
    async def work(commands):
        await publish(stranger, ("t", command(1)), ResponseTopic="secret")
        await publish(stranger, ("t", command(2)))
        for each in await taken(commands, 2):
            await ingress.acknowledge(each, CHANGE)

    with Mosquitto("acl_file acl", files={"acl": ACL}) as broker:
        ingress = ingress_from(broker.url, "t", username="me")
        with Stranger(broker.url, username="reader") as stranger, caplog.at_level(logging.WARNING):
            in_session(ingress, work)
    assert "no outcome is published to 'secret': refused by the broker: Not authorized" in (
        caplog.text
    )


def test_a_session_that_another_takes_over_says_so(broker):
    async def work():
        first, second = (ingress_from(broker.url, "t", client_id="me") for _ in range(2))
        commands = await opened(first)
        await second.open()
        with pytest.raises(ConnectionError, match="another client may have the client_id 'me'"):
            await anext(commands)
        await first.close()
        await second.close()

    asyncio.run(work())


def test_a_session_is_named_after_the_simulation():
    assert ingress_from("mqtt://x", "t").client_id == "despatch-line"
    assert ingress_from("mqtt://x", "t", client_id="other").client_id == "other"


SECURITY = next(Path("/usr").glob("lib*/**/mosquitto_dynamic_security.so"), None)
RIGHTS = {
    "defaultACLAccess": {
        "publishClientSend": True,
        "publishClientReceive": True,
        "subscribe": False,
        "unsubscribe": True,
    }
}


@pytest.mark.skipif(SECURITY is None, reason="Mosquitto's plugin for rights is not installed")
def test_a_subscription_that_is_refused_raises():
    # An acl_file lets everybody subscribe; nothing comes then.
    plugin = f"plugin {SECURITY}"
    options = (plugin, "plugin_opt_config_file rights.json")
    with Mosquitto(*options, files={"rights.json": json.dumps(RIGHTS)}) as broker:
        ingress = ingress_from(broker.url, "forbidden")
        for work in (ingress.open, ingress.check):
            with pytest.raises(RefusedError, match="subscribing to 'forbidden': Not authorized"):
                asyncio.run(work_and_close(ingress, work))


async def work_and_close(ingress, work):
    try:
        await work()
    finally:
        await ingress.close()


def test_reading_ends_when_the_broker_says_nothing_any_more(broker):
    async def work():
        ingress = ingress_from(broker.url, "t", keepalive="1s")
        commands = await opened(ingress)
        broker.pause()
        with pytest.raises(ConnectionError, match="the broker says nothing any more"):
            await anext(commands)
        await ingress.close()
        broker.resume()

    asyncio.run(work())


@pytest.mark.parametrize("prefix", ["", "$share/group/"])
def test_check_takes_nothing_from_the_source(ingress, broker_url, stranger, topic, prefix):
    async def work(commands):
        other = ingress_from(broker_url, prefix + topic, client_id=ingress.client_id)
        health = await other.check()
        assert health.findings == ("MQTT 5", f"{topic} may be subscribed to")
        await publish(stranger, (topic, command(1)))
        return await taken(commands, 1)

    assert values_of(in_session(ingress, work)) == [1]
