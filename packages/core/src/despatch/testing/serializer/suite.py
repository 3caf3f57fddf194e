"""SerializerSuite: the flags and fixtures of the tests of a serializer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeAlias, TypeVar

import pytest

from despatch.interfaces import Serializer, Unencodable
from despatch.plugins import Kind
from despatch.testing.conformance import Conformance
from despatch.testing.loops import run_to_end
from despatch.testing.serializer.samples import Sample, records_of, shapes_of

__all__ = ["MakeSerializer", "SerializerSuite"]

MakeSerializer: TypeAlias = Callable[[], Serializer]

_T = TypeVar("_T")


class SerializerSuite(Conformance):
    """What the tests of a serializer have in common.

    Attributes:
        decodes_records: `decode` reads what `encode` makes. Otherwise it reads commands alone,
            and the author overrides `read`, with a reader of the format.
        keeps_types: What is read back has the types that were written. Otherwise those that
            JSON does not know may come back as text: ISO 8601 for dates and times, base64 for
            bytes.
        refuses_some: There are values that the format has no room for, which are refused.
        patience_s: How long the tests wait for what has to come, in wall seconds.
    """

    kind = Kind.SERIALIZERS
    decodes_records: ClassVar[bool] = True
    keeps_types: ClassVar[bool] = False
    refuses_some: ClassVar[bool] = True
    patience_s: ClassVar[float] = 30.0

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        """The serializer's own settings; none, unless the author overrides this."""
        return {}

    @pytest.fixture
    def target(self) -> str:
        """Where the records go, which is the target of no other test."""
        return f"conformance-{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def make_serializer(self, plugin_class: Any, settings: Mapping[str, Any]) -> MakeSerializer:
        """Makes a serializer, as each start of a courier does."""

        def make() -> Serializer:
            made: Serializer = plugin_class(plugin_class.Settings.model_validate(settings))
            return made

        return make

    async def read(self, serializer: Serializer, payload: bytes) -> Mapping[str, Any]:
        """Read a record back: its fields by their names, such as ``key`` and ``value``.

        Overridden where another reader of the format is to say what is there, or where a record's
        fields go by other names.
        """
        return await serializer.decode(payload)

    def wait_for(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on a watched loop to its end."""
        return run_to_end(work, 4 * self.patience_s)

    @asynccontextmanager
    async def prepared(
        self, make: MakeSerializer, samples: Sequence[Sample], target: str
    ) -> AsyncIterator[Serializer]:
        """A serializer that is ready to encode these samples; closed at the end."""
        serializer = make()
        try:
            async with asyncio.timeout(self.patience_s):
                await serializer.prepare(shapes_of(samples), target)
            yield serializer
        finally:
            await serializer.close()

    def encoded(
        self, make: MakeSerializer, samples: Sequence[Sample], target: str
    ) -> list[bytes | Unencodable]:
        """What a new serializer makes of samples."""

        async def work() -> list[bytes | Unencodable]:
            async with self.prepared(make, samples, target) as serializer:
                return list(serializer.encode(records_of(samples), target))

        return self.wait_for(work())
