"""SerializerConformance: what every serializer does, whatever its format.

    class TestCborSerializer(SerializerConformance):
        plugin = "cbor"
        keeps_types = True

Each test's docstring says what it proves, and where to look when it fails.
"""

from despatch.testing.serializer.decoding import DecodingTests
from despatch.testing.serializer.encoding import EncodingTests
from despatch.testing.serializer.living import LivingTests

__all__ = ["SerializerConformance"]


class SerializerConformance(EncodingTests, DecodingTests, LivingTests):
    """The tests that a serializer passes."""
