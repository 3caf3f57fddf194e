"""The journal: append-only segment files between one writer and readers that follow it.

`format` says what the files hold, byte by byte.
"""

from despatch.journal.format import first_position, remove_segments, segments
from despatch.journal.packing import pack_entry
from despatch.journal.reader import Damage, Frame, JournalReader, end_position
from despatch.journal.shared import SharedFrames
from despatch.journal.writer import JournalWriter

__all__ = [
    "Damage",
    "Frame",
    "JournalReader",
    "JournalWriter",
    "SharedFrames",
    "end_position",
    "first_position",
    "pack_entry",
    "remove_segments",
    "segments",
]
