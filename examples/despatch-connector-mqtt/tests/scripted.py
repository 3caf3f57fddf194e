"""A broker that says what Mosquitto never says: packets by hand, as MQTT 5.0 lays them out."""

from __future__ import annotations

import select
import socket
import threading

__all__ = ["ScriptedBroker"]

CONNECT, CONNACK, PUBLISH, PUBACK, DISCONNECT = 0x10, 0x20, 0x30, 0x40, 0xE0


class ScriptedBroker:
    """Accepts one client, and answers its messages with reason codes.

    Attributes:
        published: The topics of the messages that it has answered.
        was_overrun: Whether another message came before it had answered one.

    Args:
        connack: The properties of the CONNACK.
        answers: The reason codes of the PUBACKs, in order; a text is a reason string beside it.
        goodbye: The reason code of a DISCONNECT that follows them.
    """

    def __init__(self, *, connack=b"", answers=(), goodbye=None):
        self._connack = connack
        self._answers = answers
        self._goodbye = goodbye
        self.published = []
        self.was_overrun = False

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._thread.join()
        self._listener.close()

    def _serve(self):
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb", buffering=0) as stream:
            assert read_packet(stream)[0] == CONNECT
            connection.sendall(packet(CONNACK, bytes([0, 0, len(self._connack)]) + self._connack))
            for answer in self._answers:
                kind, body = read_packet(stream)
                assert kind & 0xF0 == PUBLISH
                self.was_overrun |= bool(select.select([connection], [], [], 0.05)[0])
                code, text = answer if isinstance(answer, tuple) else (answer, "")
                length = int.from_bytes(body[:2], "big")
                self.published.append(body[2 : 2 + length].decode())
                mid = body[2 + length : 4 + length]
                connection.sendall(packet(PUBACK, mid + bytes([code]) + reason_string(text)))
            if self._goodbye is not None:
                said = bytes([self._goodbye]) + reason_string("by hand")
                connection.sendall(packet(DISCONNECT, said))
            # Until the client has closed.
            while stream.read(1):
                pass


def reason_string(text):
    """The properties of a packet: a reason string, or none."""
    said = b"\x1f" + len(text).to_bytes(2, "big") + text.encode() if text else b""
    return bytes([len(said)]) + said


def packet(kind, body):
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def read_packet(stream):
    kind = stream.read(1)[0]
    length, shift = 0, 0
    while True:
        byte = stream.read(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    body = b""
    while len(body) < length:
        body += stream.read(length - len(body))
    return kind, body
