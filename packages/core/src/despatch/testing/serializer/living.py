"""Living with others: a serializer says what it makes, and is closed whenever a courier ends."""

from __future__ import annotations

import re
from typing import Any

from despatch.interfaces import Health
from despatch.testing.samples import SAMPLES, records_of, shapes_of
from despatch.testing.serializer.suite import MakeSerializer, SerializerSuite

__all__ = ["LivingTests"]

# RFC 6838, section 4.2; parameters may follow.
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}(\s*;\s*[^;=\s]+=[^;]+)*")


class LivingTests(SerializerSuite):
    """A serializer says what it makes, and is closed whenever a courier ends."""

    def test_the_content_type_is_a_media_type(self, plugin_class: Any) -> None:
        """Connectors tell readers what the payloads are, by `content_type`.

        If it fails: set it to a media type, such as ``application/json`` or
        ``application/vnd.acme.part+cbor``.
        """
        assert _MEDIA_TYPE.fullmatch(plugin_class.content_type)

    def test_it_is_closed_at_any_time_and_goes_on(
        self, make_serializer: MakeSerializer, target: str
    ) -> None:
        """`close` may come before anything else, and twice; what comes after it works again.

        If it fails: make connections when they are needed first, and let `close` set back what
        it has closed. What was prepared stays prepared.
        """
        samples = [SAMPLES["a plain dict"]]

        async def work() -> list[Any]:
            serializer = make_serializer()
            await serializer.close()
            await serializer.prepare(shapes_of(samples), target)
            first = list(serializer.encode(records_of(samples), target))
            await serializer.close()
            await serializer.close()
            again = list(serializer.encode(records_of(samples), target))
            await serializer.prepare(shapes_of(samples), target)
            anew = list(serializer.encode(records_of(samples), target))
            await serializer.close()
            return [first, again, anew]

        first, again, anew = self.wait_for(work())
        assert first == again == anew

    def test_looking_finds_it_in_order(self, make_serializer: MakeSerializer, target: str) -> None:
        """`check` says what it found, for known targets and for none.

        If it fails: `check` raises only where a run could not encode or decode. A target that is
        not there yet, and would be made, is in order.
        """

        async def work() -> list[Health]:
            serializer = make_serializer()
            try:
                return [await serializer.check(), await serializer.check([target])]
            finally:
                await serializer.close()

        for health in self.wait_for(work()):
            assert all(isinstance(each, str) for each in (*health.findings, *health.warnings))
