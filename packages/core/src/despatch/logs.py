"""Logs: what a run says of itself while it goes on, on standard error.

The command line and the courier's process set this up, from `logs` in the settings. A program
that uses `Run` keeps its own logging.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from despatch.settings import LogsSettings

__all__ = ["JsonFormat", "TextFormat", "logging_as"]

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every log record has; all else was given with `extra`."""


class TextFormat(logging.Formatter):
    """Lines for people."""

    def __init__(self) -> None:
        super().__init__("despatch: %(message)s")


class JsonFormat(logging.Formatter):
    """A JSON object a line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and fields.

    A field says which `sink`, `ingress` or `plugin` it is about, where that is known; `exception`
    is a traceback.

    Args:
        fields: What every line has besides, such as the run's id.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._fields,
        }
        for name, value in vars(record).items():
            if name not in _OWN:
                told.setdefault(name, value)
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told, enc_hook=str).decode()


class _StandardError(logging.Handler):
    """Writes to what standard error is at the moment."""

    def __init__(self, conceal: Callable[[str], str]) -> None:
        super().__init__()
        self._conceal = conceal

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self._conceal(self.format(record)) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


@contextmanager
def logging_as(
    settings: LogsSettings, conceal: Callable[[str], str] = str, **fields: str
) -> Iterator[None]:
    """Log to standard error as the settings say, and afterwards as before.

    What despatch says is shown from the level of the settings on; what libraries say of their own
    accord is theirs, unless it is a warning.

    Args:
        settings: How.
        conceal: Takes secrets out of a line.
        **fields: What every line has in JSON.
    """
    handler = _StandardError(conceal)
    handler.setFormatter(JsonFormat(fields) if settings.format == "json" else TextFormat())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    root, own = logging.getLogger(), logging.getLogger("despatch")
    before = root.level, own.level
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    own.setLevel(level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        own.setLevel(before[1])
