"""Decoding: what is no message is refused with a ValueError, whatever bytes it has."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from despatch.testing.conformance import applies_if
from despatch.testing.samples import SAMPLES, records_of
from despatch.testing.serializer.suite import MakeSerializer, SerializerSuite

__all__ = ["DecodingTests"]

_DEEP = 100_000

RUBBISH: Mapping[str, bytes] = {
    "nothing": b"",
    "text": b"hello",
    "zeros": bytes(64),
    "all ones": b"\xff" * 64,
    "every byte": bytes(range(256)),
    "brackets without end": b"[" * _DEEP,
    "objects without end": b'{"a":' * _DEEP,
    "nested deep": b"[" * _DEEP + b"]" * _DEEP,
    "a mebibyte of one byte": b"\x02" * 2**20,
}
"""What is no message of any serializer, by what it is."""


class DecodingTests(SerializerSuite):
    """What is no message is refused with a ValueError, whatever bytes it has.

    Attributes:
        seed: What random bytes are drawn from.
    """

    seed: ClassVar[int] = 1

    @pytest.mark.parametrize("name", RUBBISH)
    def test_what_is_no_message_is_refused(
        self, make_serializer: MakeSerializer, name: str
    ) -> None:
        """Garbage gets a `ValueError` that says what is wrong; any other error is taken as passing.

        A message that makes `decode` raise anything else comes again for ever, and holds up all
        behind it.

        If it fails: turn what your library raises into a `ValueError` that says what was
        expected and what came. `RecursionError`, `MemoryError` and `OverflowError` are none.
        """

        async def work() -> None:
            serializer = make_serializer()
            try:
                with pytest.raises(ValueError, match=r"\S"):
                    await serializer.decode(RUBBISH[name])
            finally:
                await serializer.close()

        self.wait_for(work())

    @applies_if("decodes_records")
    def test_what_is_damaged_is_refused_or_read(
        self, make_serializer: MakeSerializer, target: str
    ) -> None:
        """Messages that are cut off, garbled or random end in a `ValueError` or in a mapping.

        What is wrong is drawn from `seed`, and is the same each time.

        If it fails: the message shows the payload. Bound what lengths and counts in it may ask
        for before you believe them.
        """
        samples = [SAMPLES["a field of each scalar kind"], SAMPLES["a plain dict of others"]]
        draw = random.Random(self.seed)

        async def work() -> None:
            async with self.prepared(make_serializer, samples, target) as serializer:
                encoded = serializer.encode(records_of(samples), target)
                payloads = [each for each in encoded if isinstance(each, bytes)]
                for _ in range(200):
                    damaged = _damaged(draw, draw.choice(payloads))
                    try:
                        found: Any = await serializer.decode(damaged)
                    except ValueError:
                        continue
                    except Exception as error:
                        raise AssertionError(
                            f"decode() raised {type(error).__name__} for {damaged!r}"
                        ) from error
                    assert isinstance(found, Mapping), damaged

        self.wait_for(work())


def _damaged(draw: random.Random, payload: bytes) -> bytes:
    match draw.randrange(4):
        case 0:
            return draw.randbytes(draw.randrange(200))
        case 1:
            return payload[: draw.randrange(len(payload))]
        case 2:
            # Its head is whole, so that the rest is looked at.
            head = draw.randrange(len(payload))
            return payload[:head] + draw.randbytes(draw.randrange(100))
        case _:
            garbled = bytearray(payload)
            for _ in range(draw.randrange(1, 5)):
                garbled[draw.randrange(len(garbled))] ^= 1 << draw.randrange(8)
            return bytes(garbled)
