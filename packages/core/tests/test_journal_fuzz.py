"""What no writer has written, or what became of it on a bad disk, before a reader."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from despatch.journal import JournalReader, JournalWriter, end_position, segments
from despatch.journal.format import (
    FRAME_MAGIC,
    HEADER_BYTES,
    SEGMENT_MAGIC,
    FrameKind,
    pack_frame,
    pack_segment_head,
    parse_frame_header,
    parse_segment_head,
    segment_name,
)
from despatch.values import pack, unpack

ENTRIES = 24


def entry(position: int) -> list[Any]:
    return [position, f"part-{position}", {"size": position * 1.5}]


def write(folder: Path) -> list[Path]:
    """A journal whose frames have three entries each, and its segments some frames."""
    with JournalWriter(folder, {"kind": "records"}, segment_bytes=300) as writer:
        for position in range(ENTRIES):
            writer.append(entry(position))
            if position % 3 == 2:
                writer.flush()
    return segments(folder)


def frames_of(segment: bytes) -> list[bytes]:
    """A segment's head and its frames, in order."""
    head = parse_segment_head(segment)
    assert head is not None
    parts, offset = [segment[: head[0]]], head[0]
    while offset < len(segment):
        header = parse_frame_header(segment[offset : offset + HEADER_BYTES])
        assert header is not None
        end = offset + HEADER_BYTES + header.length
        parts.append(segment[offset:end])
        offset = end
    return parts


def check(folder: Path, position: int) -> int:
    """Read it all, as one who follows and then as one who knows that the writer is dead.

    What is given was written at that position, it comes once and in order, and each position up to
    where the reader ends is given or known to be lost.
    """
    reader = JournalReader(folder, position)
    packed = JournalReader(folder, position, packed=True)
    given: dict[int, Any] = {}
    lost: list[int] = []
    is_open = False
    # There is no more to read than there is: each step takes some of it, or is the last.
    steps = sum(path.stat().st_size for path in segments(folder)) + 100
    for is_final in (False, True):
        if is_final:
            reader.finish()
            packed.finish()
        for _ in range(steps):
            frame, other = reader.read(), packed.read()
            assert (frame is None) == (other is None)
            if frame is None or other is None:
                break
            assert [unpack(each) for each in other.entries] == frame.entries
            if frame.damage is not None:
                is_open = is_open or frame.damage.end is None
                lost += range(frame.damage.first, frame.damage.end or frame.damage.first)
            for at, each in enumerate(frame.entries, frame.first):
                assert at not in given
                given[at] = each
        else:
            pytest.fail("the reader gives more than the journal has")
    assert given == {at: entry(at) for at in given}
    assert list(given) == sorted(given)
    assert min(given, default=position) >= position
    if not is_open:
        assert sorted([*given, *lost]) == [*range(position, reader.position)]
    reader.close()
    packed.close()
    assert reader.position >= end_position(folder)
    return reader.position


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1, exclude_max=True)), max_size=12),
    st.integers(0, ENTRIES),
)
def test_bits_that_flip_cost_frames_and_invent_nothing(flips, position):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        present = write(folder)
        for index, where in flips:
            path = present[index % len(present)]
            content = bytearray(path.read_bytes())
            bit = int(where * len(content) * 8)
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)
        assert check(folder, position) == max(position, end_position(folder))


@given(st.data(), st.integers(0, ENTRIES))
def test_frames_in_other_places_are_given_once_and_in_order(data, position):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        present = write(folder)
        parts = [frames_of(path.read_bytes()) for path in present]
        every = [frame for head, *frames in parts for frame in frames]
        piece = st.one_of(
            st.sampled_from(every),
            # A part of one frame, and another right after it.
            st.builds(lambda a, b, n: a[:n] + b, *[st.sampled_from(every)] * 2, st.integers(0, 99)),
        )
        for path, (head, *_) in zip(present, parts, strict=True):
            frames = data.draw(st.lists(piece, max_size=8))
            path.write_bytes(head + b"".join(frames))
        check(folder, position)


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=3), st.integers(0, ENTRIES))
def test_segments_under_each_others_names_invent_nothing(order, missing, position):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        present = write(folder)[:4]
        contents = [path.read_bytes() for path in present]
        for path, source in zip(present, order, strict=True):
            path.write_bytes(contents[source])
        for index in missing:
            present[index].unlink(missing_ok=True)
        check(folder, position)


def pieces(folder: Path) -> st.SearchStrategy[bytes]:
    """What looks more or less like parts of a journal."""
    whole = [part for path in write(folder) for part in frames_of(path.read_bytes())]
    return st.one_of(
        st.binary(max_size=80),
        st.sampled_from([FRAME_MAGIC, SEGMENT_MAGIC, FRAME_MAGIC * 3, bytes(64), b"\xff" * 64]),
        st.sampled_from(whole),
        st.builds(lambda part, n: part[:n], st.sampled_from(whole), st.integers(0, 200)),
        st.builds(lambda part, n: part[n:], st.sampled_from(whole), st.integers(0, 200)),
        # A header that can be trusted, with anything but its payload after it.
        st.builds(lambda part: part[:HEADER_BYTES], st.sampled_from(whole)),
    )


with tempfile.TemporaryDirectory() as _name:
    PIECES = pieces(Path(_name))


@given(
    st.dictionaries(st.integers(0, ENTRIES), st.lists(PIECES, max_size=8), max_size=4),
    st.integers(0, ENTRIES),
)
def test_random_bytes_are_no_records(files, position):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for first, content in files.items():
            (folder / segment_name(first)).write_bytes(b"".join(content))
        check(folder, position)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(FrameKind),
            st.integers(0, 9),
            st.integers(0, 2**32 - 1) | st.integers(0, 3),
            st.one_of(
                st.binary(max_size=60),
                st.lists(st.lists(st.integers()), max_size=4).map(pack),
                # An extension of each number, with anything in it.
                st.builds(
                    lambda code, text: b"\xdd\0\0\0\1\x91\xc7" + bytes([len(text), code]) + text,
                    st.integers(0, 255),
                    st.binary(max_size=30),
                ),
                st.integers(1, 2000).map(lambda depth: b"\x91" * depth),
                st.integers(0, 2**32 - 1).map(lambda n: b"\xdd" + n.to_bytes(4, "big")),
            ),
        ),
        max_size=6,
    )
)
@example([(FrameKind.ENTRIES, 0, 1, b"\xdd\0\0\0\1" + b"\x91" * 100_000)])
@example([(FrameKind.TYPES, 0, 1, b"\x91" * 5000)])
def test_payloads_that_nobody_wrote_are_damage_however_sound_their_frames(frames):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = b"".join(pack_frame(*frame) for frame in frames)
        (folder / segment_name(0)).write_bytes(pack_segment_head(0, {}) + content)
        reader = JournalReader(folder)
        reader.finish()
        read = list(iter(reader.read, None))
        assert all(len(frame.entries) <= 4 for frame in read)
        assert all(before.end <= after.first for before, after in pairwise(read))
        end_position(folder)
