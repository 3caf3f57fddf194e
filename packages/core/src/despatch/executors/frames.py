"""How the executor `local` and its workers talk: over a pair of sockets, in frames.

A frame is its length in eight bytes, and then its content. First the worker is told where modules
are found (``sys.path`` as JSON), and says that it is ready. A task is the name of its function, a
line feed, and what the function is given; the frame that follows is the answer.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LENGTH_BYTES", "READY", "SEPARATOR"]

LENGTH_BYTES: Final = 8
READY: Final = b"ready"
SEPARATOR: Final = b"\n"
