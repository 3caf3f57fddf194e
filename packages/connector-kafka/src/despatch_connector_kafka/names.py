"""Names of topics: what is legal in them, and how any text is made so.

Legal are letters and digits of ASCII, ``.``, ``_`` and ``-``, at most 249 of them
(``org.apache.kafka.common.internals.Topic``).
"""

from __future__ import annotations

import re
import string
from typing import Final

__all__ = ["LONGEST_TOPIC", "as_topic_text", "fault_of_template", "fault_of_topic"]

LONGEST_TOPIC: Final = 249

_LEGAL = re.compile(r"[A-Za-z0-9._-]*")
# An underscore stays one, unless what follows would make it look like an escape.
_TO_ESCAPE = re.compile(r"[^A-Za-z0-9._-]|_(?=x)")


def as_topic_text(text: str) -> str:
    """Write any text in the characters that are legal in a topic.

    What is not legal becomes ``_x`` and two hex digits for each of its bytes in UTF-8. Different
    texts give different results.

        >>> as_topic_text("line_a"), as_topic_text("Mühle 7"), as_topic_text("_x20")
        ('line_a', 'M_xc3_xbchle_x207', '_x5fx20')
    """
    if _LEGAL.fullmatch(text) and "_x" not in text:
        return text
    return _TO_ESCAPE.sub(_escaped, text)


def fault_of_topic(name: str) -> str | None:
    """Say why this can be no topic's name; None where it can."""
    if not name:
        return "a topic without a name"
    if name in (".", ".."):
        return f"topic {name!r}: Kafka does not take this name"
    if len(name) > LONGEST_TOPIC:
        return (
            f"topic {name[:40]}…: a name of {len(name)} characters, "
            f"and Kafka takes {LONGEST_TOPIC} at the most"
        )
    if not _LEGAL.fullmatch(name):
        return f"topic {name!r}: expected letters and digits of ASCII, '.', '_' and '-'"
    return None


def fault_of_template(template: str) -> str | None:
    """Say what in a template's own text is illegal in a topic; None where nothing is."""
    for literal, *_ in string.Formatter().parse(template):
        if not _LEGAL.fullmatch(literal):
            return literal
    return None


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"_x{byte:02x}" for byte in match.group().encode(errors="surrogatepass"))
