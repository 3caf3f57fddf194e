"""SerializerSuite: the flags and fixtures of the tests of a serializer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeAlias, TypeVar

import pytest

from despatch.interfaces import Serializer, Unencodable
from despatch.plugins import Kind
from despatch.testing.conformance import Conformance
from despatch.testing.samples import Sample, records_of, shapes_of

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
    """

    kind = Kind.SERIALIZERS
    decodes_records: ClassVar[bool] = True
    keeps_types: ClassVar[bool] = False
    refuses_some: ClassVar[bool] = True

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

    async def try_out(self, plugin: Any) -> None:
        """Prepare a serializer and look at it, and close it."""
        try:
            await self.in_time(plugin.prepare([], "conformance"))
            await self.in_time(plugin.check(["conformance"]))
        finally:
            await self.in_time(plugin.close())

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
