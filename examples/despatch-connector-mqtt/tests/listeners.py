"""A stranger at the broker: reads what is published, publishes, by paho and its own thread."""

from __future__ import annotations

import queue
import threading

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from brokers import place_of

__all__ = ["Stranger", "user_properties"]

WITHIN_S = 30.0


class Stranger:
    """A client that is connected, and hears what it has subscribed to.

    With a `session` it hears also what came since another one of this session was there.
    """

    def __init__(self, url, *, username=None, password=None, session=None):
        self._heard = queue.Queue()
        self._subscribed = queue.Queue()
        self._gone = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            protocol=MQTTv5,
            client_id=session,
            reconnect_on_failure=False,
        )
        self._client.on_disconnect = lambda *args: self._gone.set()
        self._client.max_inflight_messages_set(0)
        self._client.username_pw_set(username, password)
        self._client.on_message = lambda client, userdata, message: self._heard.put(message)
        self._client.on_subscribe = lambda *args: self._subscribed.put(args)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600 if session else 0
        self._client.connect(*place_of(url), clean_start=session is None, properties=properties)
        self._client.loop_start()

    def listen(self, topic_filter):
        """Subscribe, and return once that is granted."""
        self._client.subscribe(topic_filter, options=SubscribeOptions(qos=1))
        self._subscribed.get(timeout=WITHIN_S)
        return self

    def publish(self, topic, payload, *, qos=1, retain=False, **properties):
        """Publish, and return once the broker has it."""
        given = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(given, name, value)
        sent = self._client.publish(topic, payload, qos=qos, retain=retain, properties=given)
        sent.wait_for_publish(WITHIN_S)
        assert sent.is_published()

    def heard(self, count):
        """The next messages, once there are so many."""
        return [self._heard.get(timeout=WITHIN_S) for _ in range(count)]

    def rest(self):
        """What was heard before it was closed, and not asked for."""
        return [self._heard.get() for _ in range(self._heard.qsize())]

    def close(self):
        self._client.disconnect()
        # Its thread may otherwise end before it has closed the socket.
        self._gone.wait(WITHIN_S)
        self._client.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


def user_properties(message):
    return dict(message.properties.UserProperty)
