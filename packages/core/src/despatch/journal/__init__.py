"""The journal: append-only segment files between one writer and readers that follow it.

`format` says what the files hold, byte by byte.
"""

from despatch.journal.format import remove_segments, segments
from despatch.journal.reader import Damage, Frame, JournalReader, end_position
from despatch.journal.writer import JournalWriter

__all__ = [
    "Damage",
    "Frame",
    "JournalReader",
    "JournalWriter",
    "end_position",
    "remove_segments",
    "segments",
]
