"""Egress to standard output: one line a record, for people who watch a run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from despatch.interfaces.egress import Batch, EgressConnector, Guarantee, Receipt
from despatch.records import Event, Record
from despatch.serializers.json import JsonSerializer, JsonSettings, find_unencodable

__all__ = ["ConsoleEgress", "ConsoleSettings"]

_VALUES = msgspec.json.Encoder()


class ConsoleSettings(BaseModel):
    """The settings of the console.

    Attributes:
        format: ``text`` for ``[sim_ts] sim event key value``, ``json`` for the whole record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["text", "json"] = "text"


class ConsoleEgress(EgressConnector):
    """Writes readable lines to `sys.stdout`, whatever that is at the time.

    Characters that a terminal would obey instead of showing (escape sequences, line breaks,
    changes of the writing direction) are written as escapes. A terminal that is paused holds up
    this sink alone: the lines are written by a thread of its own.
    """

    Settings: ClassVar[type[BaseModel]] = ConsoleSettings
    guarantee: ClassVar[Guarantee] = Guarantee.AT_LEAST_ONCE
    uses_serializer: ClassVar[bool] = False

    settings: ConsoleSettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        # Not asyncio.to_thread: its few threads are everyone's, and a paused terminal would
        # take one of them at each attempt.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="despatch-console")
        self._unfinished: tuple[range, asyncio.Future[Receipt]] | None = None

    async def open(self) -> None:
        """Do nothing: standard output is there."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Write the batch, and return when standard output has taken it.

        A second attempt whose first is still being written waits for the first.
        """
        positions = range(batch.first, batch.end)
        if self._unfinished is not None:
            before, writing = self._unfinished
            receipt = await self._result(writing)
            if before == positions:
                return receipt
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(self._thread, self._write, batch)
        self._unfinished = positions, writing
        return await self._result(writing)

    async def close(self) -> None:
        """Do nothing: standard output is not the connector's to close."""

    async def _result(self, writing: asyncio.Future[Receipt]) -> Receipt:
        try:
            return await asyncio.shield(writing)
        finally:
            if writing.done():
                self._unfinished = None

    def _write(self, batch: Batch) -> Receipt:
        if self.settings.format == "json":
            lines, rejected = _json_lines(batch)
        else:
            lines, rejected = [_text_line(record) for record in batch.records], {}
        text = "".join(f"{line}\n" for line in lines)
        encoding = sys.stdout.encoding or "utf-8"
        encoded = text.encode(encoding, "backslashreplace")
        sys.stdout.write(encoded.decode(encoding))
        sys.stdout.flush()
        return Receipt(rejected, bytes=len(encoded))


def _json_lines(batch: Batch) -> tuple[list[str], dict[int, str]]:
    lines: list[str] = []
    rejected: dict[int, str] = {}
    for index, line in enumerate(JsonSerializer(JsonSettings()).encode(batch.records)):
        if isinstance(line, bytes):
            lines.append(_visible(line.decode(), _escape_for_json))
        else:
            rejected[index] = line.reason
    return lines, rejected


def _text_line(record: Record) -> str:
    name = record.key if isinstance(record, Event) else record.path_id
    what = record.type or record.stream_type
    line = f"[{record.sim_ts:.3f}] {record.sim} {what} {name} {_readable(record.value)}"
    return _visible(line, _escape)


def _readable(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        encoded = _VALUES.encode(value)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
    if b"null" in encoded and find_unencodable(value) is not None:
        return repr(value)
    return encoded.decode()


def _visible(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _escape_for_json(char: str) -> str:
    # Outside of strings JSON is ASCII, so what is not printable stands inside of one, where
    # this is another spelling of the same character.
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
