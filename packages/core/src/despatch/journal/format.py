"""Version 2 of the journal's format.

A journal is a folder of segments. A segment is named by the position of its first entry, in 20
digits: ``00000000000000051234.journal``. It begins with a head, and frames follow without gaps.
Numbers are unsigned and big-endian; checksums are CRC-32 as in zlib.

Segment head, 28 bytes and the meta:

======  =====  ==================================================================================
offset  bytes  content
======  =====  ==================================================================================
0       8      magic, ``DESPATCH``
8       4      version of the format, 2; the head's own layout is the same in every version
12      4      length of the meta, at most 64 KiB
16      8      position of the segment's first entry
24      n      meta: a msgpack map, such as ``{"kind": "records", "run_id": …}``, the same in
               every segment
24 + n  4      checksum of all before
======  =====  ==================================================================================

Frame header, 40 bytes, and after it the payload:

======  =====  ==================================================================================
offset  bytes  content
======  =====  ==================================================================================
0       4      magic, ``F5 44 46 0A``
4       4      kind
8       4      length of the payload, at most 64 MiB
12      4      count
16      8      position of the first entry
24      8      wall time of writing, nanoseconds since 1970-01-01 UTC; 0 where it is not known
32      4      checksum of the payload
36      4      checksum of the 36 bytes before: so the header can be trusted before the payload
               is there, and both together are one checksum of the whole frame
======  =====  ==================================================================================

====  =======  ==================================================================================
kind  name     payload
====  =======  ==================================================================================
1     ENTRIES  a msgpack array 32 of `count` entries, each an array; the only kind that takes up
               positions
2     TYPES    a msgpack array of `count` pairs [id, value type]; before the entries that use
               them, and all that are known once more at the start of each segment, so that each
               segment can be read alone
3     END      nothing: the journal was closed in good order, and this is its last frame
====  =======  ==================================================================================

A value within an entry is what `despatch.values` makes of it. A segment is only ever appended to,
and is complete as soon as there is a next one. A frame that was not written whole is written
again in the same place.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from despatch.errors import JournalError
from despatch.values import pack, unpack

__all__ = [
    "ARRAY32",
    "ARRAY32_MARK",
    "FRAME_MAGIC",
    "HEADER_BYTES",
    "MAX_ENTRY_BYTES",
    "MAX_HEAD_BYTES",
    "MAX_PAYLOAD_BYTES",
    "FrameHeader",
    "FrameKind",
    "first_position",
    "pack_frame",
    "pack_segment_head",
    "parse_frame_header",
    "parse_segment_head",
    "remove_segments",
    "segment_first",
    "segment_name",
    "segments",
]

SEGMENT_MAGIC: Final = b"DESPATCH"
FORMAT_VERSION: Final = 2
# The first byte is none that UTF-8 has, so that text in a payload never looks like a frame.
FRAME_MAGIC: Final = b"\xf5DF\n"

MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024
"""No length beyond this is believed."""
_MAX_META_BYTES: Final = 64 * 1024

_SEGMENT_HEAD: Final = struct.Struct(">8sIIQ")
_FRAME_HEADER: Final = struct.Struct(">4sIIIQQI")
_CHECKSUM: Final = struct.Struct(">I")
HEADER_BYTES: Final = _FRAME_HEADER.size + _CHECKSUM.size
MAX_HEAD_BYTES: Final = _SEGMENT_HEAD.size + _MAX_META_BYTES + _CHECKSUM.size

ARRAY32: Final = struct.Struct(">BI")
"""How the payload of ENTRIES begins: this mark, and how many follow."""
ARRAY32_MARK: Final = 0xDD

MAX_ENTRY_BYTES: Final = MAX_PAYLOAD_BYTES // 2 - ARRAY32.size
"""A buffer of less than this and one more entry are still one frame."""

_SEGMENT_NAME: Final = re.compile(r"\d{20}\.journal", re.ASCII)


class FrameKind(IntEnum):
    """What a frame holds."""

    ENTRIES = 1
    TYPES = 2
    END = 3


_KINDS: Final = frozenset(FrameKind)


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a frame says of itself."""

    kind: FrameKind
    length: int
    count: int
    first: int
    checksum: int
    written_ns: int = 0

    @property
    def end(self) -> int:
        """The position after the frame's last entry."""
        return self.first + self.count if self.kind is FrameKind.ENTRIES else self.first

    def pack(self) -> bytes:
        """The header's bytes."""
        packed = _FRAME_HEADER.pack(
            FRAME_MAGIC,
            self.kind,
            self.length,
            self.count,
            self.first,
            self.written_ns,
            self.checksum,
        )
        return packed + _CHECKSUM.pack(zlib.crc32(packed))


def pack_frame(
    kind: FrameKind, first: int, count: int = 0, payload: bytes = b"", *, written_ns: int = 0
) -> bytes:
    """A whole frame."""
    checksum = zlib.crc32(payload)
    return FrameHeader(kind, len(payload), count, first, checksum, written_ns).pack() + payload


def parse_frame_header(packed: bytes) -> FrameHeader | None:
    """The header that these bytes are; None if they are none that can be trusted."""
    if len(packed) != HEADER_BYTES or not packed.startswith(FRAME_MAGIC):
        return None
    body, checksum = packed[: _FRAME_HEADER.size], packed[_FRAME_HEADER.size :]
    if checksum != _CHECKSUM.pack(zlib.crc32(body)):
        return None
    _, kind, length, count, first, written_ns, payload_checksum = _FRAME_HEADER.unpack(body)
    if length > MAX_PAYLOAD_BYTES or kind not in _KINDS:
        return None
    return FrameHeader(FrameKind(kind), length, count, first, payload_checksum, written_ns)


def pack_segment_head(first: int, meta: dict[str, Any]) -> bytes:
    """How a segment begins.

    Raises:
        JournalError: The meta are too long.
        UnencodableError: The meta have a value that cannot be packed.
    """
    packed = pack(meta, "meta")
    if len(packed) > _MAX_META_BYTES:
        raise JournalError(f"meta of {len(packed)} bytes; a journal takes {_MAX_META_BYTES}")
    body = _SEGMENT_HEAD.pack(SEGMENT_MAGIC, FORMAT_VERSION, len(packed), first) + packed
    return body + _CHECKSUM.pack(zlib.crc32(body))


def parse_segment_head(packed: bytes) -> tuple[int, dict[str, Any]] | None:
    """The length of a segment's head and the meta; None if it cannot be trusted.

    Args:
        packed: The first `MAX_HEAD_BYTES` of the segment, or all it has.

    Raises:
        JournalError: The segment is of another version of the format.
    """
    if len(packed) < _SEGMENT_HEAD.size:
        return None
    magic, version, length, _ = _SEGMENT_HEAD.unpack_from(packed)
    size = _SEGMENT_HEAD.size + length
    checksum = packed[size : size + _CHECKSUM.size]
    if magic != SEGMENT_MAGIC or checksum != _CHECKSUM.pack(zlib.crc32(packed[:size])):
        return None
    if version != FORMAT_VERSION:
        raise JournalError(
            f"format {version} where {FORMAT_VERSION} was expected; "
            "read this journal with the version of despatch that wrote it"
        )
    meta = unpack(packed[_SEGMENT_HEAD.size : size])
    return size + _CHECKSUM.size, meta


def segment_name(first: int) -> str:
    """The name of the segment whose first entry has this position."""
    return f"{first:020}.journal"


def segment_first(segment: Path) -> int:
    """The position of a segment's first entry, from its name."""
    return int(segment.stem)


def segments(folder: Path) -> list[Path]:
    """The segments of a journal, in their order; other files are passed over.

    Raises:
        JournalError: The folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if _SEGMENT_NAME.fullmatch(path.name))
    except OSError as error:
        raise JournalError(f"{folder}: the journal cannot be read: {error.strerror}") from error


def first_position(folder: Path) -> int:
    """The first position of which a journal still has the segment; 0 where it has none.

    Raises:
        JournalError: The folder cannot be read.
    """
    present = segments(folder)
    return segment_first(present[0]) if present else 0


def remove_segments(folder: Path, before: int, *, keep_s: float = 0.0) -> list[Path]:
    """Remove the segments that lie wholly before a position, but never the last one.

    Args:
        folder: Where the segments are.
        before: The position.
        keep_s: How long a segment is kept after it was last written to, in wall seconds.

    Returns:
        The segments that were removed.

    Raises:
        JournalError: A segment cannot be removed.
    """
    present = segments(folder)
    passed = [
        segment for segment, following in pairwise(present) if segment_first(following) <= before
    ]
    if keep_s > 0 and passed:
        passed = [segment for segment in passed if _age_s(segment) > keep_s]
    for segment in passed:
        try:
            segment.unlink(missing_ok=True)
        except OSError as error:
            raise JournalError(f"{segment}: cannot be removed: {error.strerror}") from error
    return passed


def _age_s(segment: Path) -> float:
    try:
        return time.time() - segment.stat().st_mtime
    except OSError as error:
        raise JournalError(f"{segment}: cannot be read: {error.strerror}") from error
