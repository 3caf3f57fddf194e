"""Names: what simulations, sources, sinks and plugins may be called.

A name becomes part of the names of files, topics and streams, and stands on a command line.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["NAME_IN_WORDS", "NAME_PATTERN", "is_name"]

NAME_PATTERN: Final = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"
"""What `is_name` matches, for JSON Schema."""
NAME_IN_WORDS: Final = "a name of at most 64 letters, digits, _, - and ., not - or . first"
"""What `is_name` expects."""


def is_name(text: str) -> bool:
    """Whether a text can be a name."""
    return re.fullmatch(NAME_PATTERN, text) is not None
