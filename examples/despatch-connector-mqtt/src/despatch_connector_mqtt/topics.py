"""Topics: what a name and a filter may be, and how a value becomes part of a name.

The rules are those of MQTT 5.0, sections 1.5.4 (strings), 4.7 (topic names and filters) and 4.8.2
(shared subscriptions): https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html
"""

from __future__ import annotations

import re

__all__ = ["LONGEST_TOPIC_BYTES", "escape", "fault_of_filter", "fault_of_name", "unshared"]

LONGEST_TOPIC_BYTES = 65535

# Control characters, surrogates and what Unicode says is no character: a broker may close the
# connection for one of them.
_NO_TEXT = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
_IS_NO_TEXT = re.compile(f"[{_NO_TEXT}]")
# The separator, the wildcards, the sign of a broker's own topics, and the sign of escapes.
_TO_ESCAPE = re.compile(f"[{_NO_TEXT}/+#$%]")


def escape(value: str) -> str:
    """Make a value one level of a topic: what means something to MQTT becomes ``%2F`` and so on.

    Different values stay different, and `urllib.parse.unquote` undoes it.

        >>> escape("rack 1/slot+2")
        'rack 1%2Fslot%2B2'
    """
    return _TO_ESCAPE.sub(_percent, value)


def fault_of_name(topic: str) -> str | None:
    """Why nothing can be published to a topic; None where something can."""
    if not topic:
        return "a topic that is empty"
    if "+" in topic or "#" in topic:
        return f"a topic with a wildcard, + or #: {topic[:100]!r}"
    return _fault_of_text(topic)


def fault_of_filter(topic_filter: str) -> str | None:
    """Why a filter cannot be subscribed to; None where it can."""
    if topic_filter.startswith("$share/"):
        group, _, topic_filter = topic_filter.removeprefix("$share/").partition("/")
        if not group or "+" in group or "#" in group:
            return "a shared subscription without the name of its group, or with a wildcard in it"
    if not topic_filter:
        return "a filter that is empty"
    *levels, last = topic_filter.split("/")
    if any("#" in level for level in levels) or ("#" in last and last != "#"):
        return "a # that is not the whole of the last level"
    if any("+" in level and level != "+" for level in (*levels, last)):
        return "a + that is not the whole of a level"
    return _fault_of_text(topic_filter)


def unshared(topic_filter: str) -> str:
    """The filter of a shared subscription (``$share/group/filter``), or the filter itself."""
    if not topic_filter.startswith("$share/"):
        return topic_filter
    return topic_filter.split("/", 2)[2]


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _fault_of_text(text: str) -> str | None:
    if match := _IS_NO_TEXT.search(text):
        return f"a topic with the character U+{ord(match[0]):04X}, which MQTT does not allow"
    length = len(text.encode())
    if length > LONGEST_TOPIC_BYTES:
        return f"a topic of {length} bytes: MQTT allows {LONGEST_TOPIC_BYTES}"
    return None
