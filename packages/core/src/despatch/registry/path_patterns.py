"""Path patterns: names of many paths at once, such as ``Line_A.*.capacity``.

A pattern is one of `fnmatch`'s, with case: ``*`` is any text, dots included, ``?`` one
character, ``[ab]`` one of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Final

__all__ = ["PathPatterns"]

_LONGEST_KEPT: Final = 200
_KEPT: Final = 10_000


class PathPatterns:
    """Some patterns, and whether a path matches one of them.

    Verdicts are kept, for the same paths are asked for again and again.

    Args:
        patterns: The patterns; with none, no path matches.
    """

    __slots__ = ("_match", "_verdicts", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._match = re.compile("|".join(map(translate, self.patterns)) or r"(?!)").match
        self._verdicts: dict[str, bool] = {}

    def __contains__(self, path: str) -> bool:
        verdict = self._verdicts.get(path)
        return self._judge(path) if verdict is None else verdict

    def _judge(self, path: str) -> bool:
        verdict = self._match(path) is not None
        # Anybody may ask about paths that do not exist: neither their number nor their length
        # may fill the memory.
        if len(path) <= _LONGEST_KEPT:
            if len(self._verdicts) >= _KEPT:
                self._verdicts.clear()
            self._verdicts[path] = verdict
        return verdict
