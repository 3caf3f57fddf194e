"""aiokafka's log while a broker is away: what it says ten times a second is said once in a while.

What matters is raised by the connectors, and shown as the state of the source or sink. aiokafka
logs beside that, as an error, each attempt to connect: a flood that hides everything else.
"""

from __future__ import annotations

import logging
import time
from typing import Final

__all__ = ["RepeatsFilter", "calm_logs"]

SAID_AGAIN_AFTER_S: Final = 30.0

_MOST_REMEMBERED = 256
_LOGGERS = (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)


class RepeatsFilter(logging.Filter):
    """Lets a warning or an error pass once in half a minute, with how often it came meanwhile.

    Messages are alike when they come from one logger and one template. An error without a
    traceback becomes a warning: aiokafka tries again by itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be logged; it may be changed."""
        if record.levelno < logging.WARNING:
            return True
        key = (record.name, str(record.msg))
        now = time.monotonic()
        said_at, unsaid = self._said.get(key, (None, 0))
        if said_at is not None and now - said_at < SAID_AGAIN_AFTER_S:
            self._said[key] = (said_at, unsaid + 1)
            return False
        if len(self._said) >= _MOST_REMEMBERED:
            self._said.clear()
        self._said[key] = (now, 0)
        if unsaid:
            record.msg = f"{record.msg} (and {unsaid} times in between)"
        if record.levelno == logging.ERROR and not record.exc_info:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


_filter = RepeatsFilter()


def calm_logs() -> None:
    """Put the filter before aiokafka's loggers, once in a process."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _filter not in logger.filters:
            logger.addFilter(_filter)
