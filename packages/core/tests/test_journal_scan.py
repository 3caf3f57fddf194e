from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

from despatch.errors import JournalError
from despatch.journal.format import (
    FRAME_MAGIC,
    HEADER_BYTES,
    FrameKind,
    pack_frame,
    pack_segment_head,
    segment_name,
)
from despatch.journal.scan import Broken, Found, SegmentScan
from despatch.values import pack

HEAD = pack_segment_head(10, {"kind": "test"})


def entries(first: int, count: int = 2, size: int = 10) -> bytes:
    return pack_frame(FrameKind.ENTRIES, first, count, pack([["x" * size]] * count))


def segment_of(folder: Path, *parts: bytes) -> Path:
    path = folder / segment_name(10)
    path.write_bytes(b"".join(parts))
    return path


def steps(scan: SegmentScan, wanted: int = 0, *, is_complete: bool = True) -> list[Found | Broken]:
    found = []
    while (step := scan.step(wanted, is_complete=is_complete)) is not None:
        found.append(step)
    return found


def shown(found: list[Found | Broken]) -> list[object]:
    """Frames as their range, broken places as what is lost there."""
    return [
        (step.header.first, step.header.end)
        if isinstance(step, Found)
        else [step.at, step.end, step.is_open]
        for step in found
    ]


def test_frames_come_in_order_with_their_payloads(tmp_path):
    scan = SegmentScan(segment_of(tmp_path, HEAD, entries(10), entries(12)))
    found = steps(scan)
    assert shown(found) == [(10, 12), (12, 14)]
    assert all(isinstance(step, Found) and step.payload for step in found)
    assert scan.meta == {"kind": "test"}


def test_frames_before_the_wanted_position_are_passed_over_unread(tmp_path):
    path = segment_of(tmp_path, HEAD, entries(10), entries(12), entries(14))
    found = steps(SegmentScan(path), 13)
    assert [isinstance(step, Found) and step.payload is not None for step in found] == [
        False,
        True,
        True,
    ]


def test_types_are_read_wherever_they_stand(tmp_path):
    types = pack_frame(FrameKind.TYPES, 10, 0, pack([]))
    (found,) = steps(SegmentScan(segment_of(tmp_path, HEAD, types)), sys.maxsize)
    assert isinstance(found, Found)
    assert found.payload == pack([])


def test_what_grows_is_followed(tmp_path):
    path = segment_of(tmp_path, HEAD, entries(10))
    scan = SegmentScan(path)
    assert shown(steps(scan, is_complete=False)) == [(10, 12)]
    with path.open("ab") as file:
        file.write(entries(12))
    assert shown(steps(scan, is_complete=False)) == [(12, 14)]


@pytest.mark.parametrize("length", [0, 1, 8, 20, 27, len(HEAD) - 1])
def test_a_head_that_is_not_there_yet_is_waited_for(tmp_path, length):
    path = segment_of(tmp_path, HEAD[:length])
    scan = SegmentScan(path)
    assert scan.step(0, is_complete=False) is None
    path.write_bytes(HEAD + entries(10))
    assert shown(steps(scan, is_complete=False)) == [(10, 12)]


def test_junk_between_frames_is_stepped_over(tmp_path):
    junk = b"\0junk" * 20 + FRAME_MAGIC * 9
    scan = SegmentScan(segment_of(tmp_path, HEAD, entries(10), junk, entries(12)))
    assert shown(steps(scan)) == [(10, 12), [12, 12, True], (12, 14)]


def test_a_broken_frame_is_stepped_over_wherever_the_next_one_lies(tmp_path):
    # The next frame's header lies across two of the chunks that are searched.
    for size in (262_144 - HEADER_BYTES - 8 + shift for shift in range(0, 48, 7)):
        broken = bytearray(entries(10, 1, size))
        broken[0] ^= 1
        scan = SegmentScan(segment_of(tmp_path, HEAD, broken, entries(11)))
        assert shown(steps(scan)) == [[10, 10, True], (11, 13)]


def test_a_frame_with_a_wrong_checksum_is_known_to_be_lost(tmp_path):
    broken = bytearray(entries(12))
    broken[-1] ^= 1
    scan = SegmentScan(segment_of(tmp_path, HEAD, entries(10), broken, entries(14)))
    assert shown(steps(scan)) == [(10, 12), [12, 14, False], (14, 16)]


def test_a_frame_that_lost_bytes_does_not_take_the_next_one_with_it(tmp_path):
    scan = SegmentScan(segment_of(tmp_path, HEAD, entries(10)[:-5], entries(12), entries(14)))
    assert shown(steps(scan)) == [[10, 12, False], (12, 14), (14, 16)]


def test_a_frame_that_was_passed_over_and_lost_bytes_does_not_either(tmp_path):
    scan = SegmentScan(segment_of(tmp_path, HEAD, entries(10)[:-5], entries(12), entries(14)))
    assert shown(steps(scan, 12))[-2:] == [(12, 14), (14, 16)]


def test_a_frame_that_was_passed_over_and_lost_more_than_what_follows_does_not_either(tmp_path):
    path = segment_of(tmp_path, HEAD, entries(10, 2, 1000)[:-1500], entries(12))
    assert shown(steps(SegmentScan(path), 12)) == [[10, 12, False], (12, 14)]


def test_a_frame_that_comes_again_is_not_given_again(tmp_path):
    scan = SegmentScan(segment_of(tmp_path, HEAD, entries(10), entries(10), entries(12)))
    assert shown(steps(scan)) == [(10, 12), [12, 12, True], (12, 14)]


def test_a_head_that_is_gone_is_a_broken_place(tmp_path):
    scan = SegmentScan(segment_of(tmp_path, entries(10), entries(12)))
    assert shown(steps(scan)) == [[10, 10, True], (10, 12), (12, 14)]
    assert scan.meta == {}


@pytest.mark.parametrize("cut", [1, 5, HEADER_BYTES, HEADER_BYTES + 3])
def test_a_tail_is_broken_only_in_a_segment_that_is_complete(tmp_path, cut):
    torn = entries(12)[:-cut]
    scan = SegmentScan(segment_of(tmp_path, HEAD, entries(10), torn))
    assert shown(steps(scan, is_complete=False)) == [(10, 12)]
    is_open = len(torn) < HEADER_BYTES
    assert shown(steps(scan)) == [[12, 12 if is_open else 14, is_open]]
    assert scan.step(0, is_complete=True) is None


def test_a_tail_without_sense_is_searched_once_until_it_grows(tmp_path):
    path = segment_of(tmp_path, HEAD, b"\xff" * 100)
    scan = SegmentScan(path)
    assert scan.step(0, is_complete=False) is None
    # Were it searched again, this would be found.
    content = path.read_bytes()
    path.write_bytes(content[: -len(entries(10))] + entries(10))
    assert scan.step(0, is_complete=False) is None
    with path.open("ab") as file:
        file.write(entries(12))
    assert shown(steps(scan, is_complete=False)) == [[10, 10, True], (10, 12), (12, 14)]


def test_a_broken_place_names_file_and_byte(tmp_path):
    path = segment_of(tmp_path, HEAD, b"\0" * 40, entries(10))
    broken = steps(SegmentScan(path))[0]
    assert isinstance(broken, Broken)
    assert broken.segment == path
    assert broken.reason == f"at byte {len(HEAD)}: no frame begins here"


def test_a_scan_that_was_closed_reads_no_more(tmp_path):
    scan = SegmentScan(segment_of(tmp_path, HEAD))
    scan.close()
    scan.close()
    with pytest.raises(JournalError, match="read after it was closed"):
        scan.step(0, is_complete=True)


def test_a_scan_that_is_dropped_leaves_no_file_open(tmp_path):
    segment = segment_of(tmp_path, HEAD)
    scan = SegmentScan(segment)
    assert is_open(segment)
    del scan
    gc.collect()
    assert not is_open(segment)


def is_open(path):
    """Whether this process has a descriptor of the file."""
    descriptors = Path("/proc/self/fd").iterdir()
    return any(os.path.realpath(descriptor) == str(path) for descriptor in descriptors)
