"""Values in msgpack, exactly: what goes in comes out equal and of the same type, at any depth.

msgpack knows nil, bool, int of 64 bits, float, str, bytes, list and map with text keys. What it
does not know travels as an extension type, so that nothing becomes text on the way:

====  ==================  ==================================================================
tag   type                payload
====  ==================  ==================================================================
1     Decimal             its text
2     int beyond 64 bits  two's complement, big-endian
3     datetime            ISO 8601; with its offset if it has one, and then, for a zoneinfo
                          zone, the zone's key in brackets (RFC 9557):
                          ``2026-01-05T07:02:05+01:00[Europe/Berlin]``
4     date                ISO 8601
5     time                ISO 8601, as for datetime
6     timedelta           days, seconds, microseconds: three signed 32-bit ints, big-endian
7     UUID                its 16 bytes
8     tuple               a msgpack list
9     set                 a msgpack list, in the order of the packed items, so that two
10    frozenset           equal runs write equal bytes
11    dict                a msgpack list of key, value, key, value …, where not all keys are
                          text
====  ==================  ==================================================================

Some values are written as what they stand for: an enum member as its value; a pydantic model as
its ``model_dump(mode="python")`` and a dataclass as its fields, both as a dict; an object of a
subclass of str, int, dict and the like as the plain base; a bytearray or memoryview as bytes; a
numpy number as a Python one.

The usual value is packed in C alone. Only what `ormsgpack` cannot pack at once is walked in
Python, which packs the rarer shapes and, where a value cannot be packed at all, names the leaf.
"""

from __future__ import annotations

from ormsgpack import packb

from despatch.errors import UnencodableError
from despatch.values.packing import OPTIONS, Hook, PlainFields, default, pack, plain_fields_of
from despatch.values.unpacking import unpack

__all__ = [
    "OPTIONS",
    "Hook",
    "PlainFields",
    "UnencodableError",
    "default",
    "pack",
    "packb",
    "plain_fields_of",
    "unpack",
]
