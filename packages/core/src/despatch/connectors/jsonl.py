"""Egress to local files of JSON lines: one record a line, appended.

A file's own end says what is in it, so nothing else needs to be remembered: a line that a crash
tore apart is cut off, and a record that comes again is recognised by `run_id` and `seq`.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import sys
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import compress, repeat
from operator import contains
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote

import msgspec
from pydantic import BaseModel, ConfigDict

from despatch.interfaces.egress import Batch, EgressConnector, Guarantee, Receipt
from despatch.interfaces.health import Health
from despatch.interfaces.serializer import Lines
from despatch.records import Record
from despatch.templates import Template

if sys.platform != "win32":
    import fcntl

__all__ = ["JsonlEgress", "JsonlSettings"]

_MAX_OPEN = 64
_BLOCK = 64 * 1024
_JOINED_BYTES = 32_000
_MAX_NAME = 120
_OUR_LINES = b'{"stream_type":'
_BROKEN = "the serializer's output has a line break: not JSON lines"


class JsonlSettings(BaseModel):
    """The settings of a JSON lines sink.

    Attributes:
        path: The file, as a template; relative to the working directory. What a record fills
            in is escaped, so that it names one file or folder and cannot lead out of it.
        sync: Whether each batch is on the disk, not only in the system's cache, before it
            counts as delivered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Template
    sync: bool = False


class JsonlEgress(EgressConnector):
    """Appends records to files, and makes files and folders as they are needed.

    A batch that comes again adds nothing, as long as no other run wrote to the same file in
    between. One sink writes to a file at a time: the file is locked.
    """

    Settings: ClassVar[type[BaseModel]] = JsonlSettings
    guarantee: ClassVar[Guarantee] = Guarantee.EFFECTIVELY_ONCE

    settings: JsonlSettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._files: OrderedDict[str, _JsonlFile] = OrderedDict()
        # A thread of its own: a disk that hangs keeps none of those that all sinks share. A
        # delivery that was cancelled goes on in it; the next one waits for that.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="despatch-jsonl")

    def target(self, record: Record) -> str:
        """The path of the record's file."""
        return self.settings.path.render(record, escape=_as_one_name)

    def targets_of(self, records: Sequence[Record]) -> Sequence[str]:
        """The paths of the records' files."""
        return self.settings.path.render_all(records, escape=_as_one_name)

    async def open(self) -> None:
        """Do nothing: files are opened when the first record for them comes."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Append the batch to its files.

        Raises:
            OSError: A file cannot be opened or written, is locked by another sink, or does not
                end in JSON lines.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._deliver, batch)

    async def close(self) -> None:
        """Close the files, and with that unlock them."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """See that the files can be written, or made. None is made.

        Raises:
            OSError: One cannot.
        """
        # Where each record has a file of its own, all are below what comes before the first `{`.
        paths = targets or [f"{self.settings.path.text.partition('{')[0]}…"]
        return Health([await asyncio.to_thread(_writable, Path(path)) for path in paths])

    def _deliver(self, batch: Batch) -> Receipt:
        records, payloads = batch.records, batch.payloads
        targets = batch.targets or self.targets_of(records)
        rejected: dict[int, str] = {}
        if not isinstance(payloads, Lines) and any(map(contains, payloads, repeat(b"\n"))):
            broken = [index for index, payload in enumerate(payloads) if b"\n" in payload]
            rejected = dict.fromkeys(broken, _BROKEN)
        if not rejected and targets.count(targets[0]) == len(targets):
            return Receipt(bytes=self._append(targets[0], records, payloads))
        written = 0
        for target, indexes in _grouped(targets, rejected).items():
            written += self._append(
                target, [records[i] for i in indexes], [payloads[i] for i in indexes]
            )
        return Receipt(rejected, bytes=written)

    def _append(self, target: str, records: Sequence[Record], payloads: Sequence[bytes]) -> int:
        file = self._files.get(target)
        if file is not None and file.was_replaced():
            self._files.pop(target).close()
            file = None
        if file is None:
            while len(self._files) >= _MAX_OPEN:
                self._files.popitem(last=False)[1].close()
            file = self._files[target] = _JsonlFile(Path(target))
        self._files.move_to_end(target)
        return file.append(records, payloads, sync=self.settings.sync)

    def _close(self) -> None:
        while self._files:
            self._files.popitem()[1].close()


def _writable(path: Path) -> str:
    """Where a file is or would be; an OSError where it cannot be written or made."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected a file, found a folder", str(path))
    if path.exists():
        found = path
    else:
        found = next(folder for folder in path.absolute().parents if folder.exists())
        if not found.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "expected a folder", str(found))
    if not os.access(found, os.W_OK):
        raise PermissionError(errno.EACCES, "may not be written", str(found))
    return f"{found} may be written"


class _Position(msgspec.Struct):
    """Which record a line of a file holds."""

    run_id: str
    seq: int

    @classmethod
    def of(cls, line: bytes) -> Self | None:
        try:
            return msgspec.json.decode(line, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None


class _JsonlFile:
    """One file that is open for appending, and locked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o666)
        try:
            self._lock()
            self._cut_torn_line()
            self._last = self._read_last()
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, records: Sequence[Record], payloads: Sequence[bytes], *, sync: bool) -> int:
        """Append what is not there yet; returns the number of bytes."""
        present = self._already_there(records)
        if present:
            are_new = [(record.run_id, record.seq) not in present for record in records]
            records = list(compress(records, are_new))
            payloads = list(compress(payloads, are_new))
        end = self._size()
        try:
            written = sum(map(self._write, _texts(payloads)))
            if sync:
                os.fsync(self._fd)
        except BaseException:
            os.ftruncate(self._fd, end)
            raise
        if records:
            self._last = _Position(records[-1].run_id, records[-1].seq)
        return written

    def was_replaced(self) -> bool:
        """Whether the path leads elsewhere by now, as after a rotation of logs."""
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self._fd))
        except FileNotFoundError:
            return True

    def close(self) -> None:
        os.close(self._fd)

    def _lock(self) -> None:
        if sys.platform == "win32":
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                error.errno,
                f"{self.path}: another sink or another process writes to this file; "
                "give each sink a path of its own",
            ) from error

    def _size(self) -> int:
        return os.fstat(self._fd).st_size

    def _write(self, text: bytes) -> int:
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        return len(text)

    def _cut_torn_line(self) -> None:
        torn = next(self._lines_backwards())
        if not torn:
            return
        if not (torn.startswith(_OUR_LINES) or _OUR_LINES.startswith(torn)):
            raise OSError(
                f"{self.path}: expected JSON lines of records, but the file ends in something "
                "else, without a line break; choose another path, or end the file properly"
            )
        os.ftruncate(self._fd, self._size() - len(torn))

    def _read_last(self) -> _Position | None:
        lines = self._lines_backwards()
        next(lines)
        return _Position.of(next(lines, b""))

    def _already_there(self, records: Sequence[Record]) -> set[tuple[str, int]]:
        last, first = self._last, records[0]
        if last is None or first.run_id != last.run_id or first.seq > last.seq:
            return set()
        # The file may have many more that follow the first of these: dead letters come late.
        wanted = {(record.run_id, record.seq) for record in records}
        present = set()
        written = self._lines_backwards()
        next(written)
        for line in written:
            position = _Position.of(line)
            if position is None or position.run_id != first.run_id or position.seq < first.seq:
                break
            if (position.run_id, position.seq) in wanted:
                present.add((position.run_id, position.seq))
        return present

    def _lines_backwards(self) -> Iterator[bytes]:
        """The lines from the end; first of all what follows the last line break."""
        position, rest = self._size(), b""
        while position:
            start = max(0, position - _BLOCK)
            os.lseek(self._fd, start, os.SEEK_SET)
            block = os.read(self._fd, position - start) + rest
            rest, *lines = block.split(b"\n")
            yield from reversed(lines)
            position = start
        yield rest


def _grouped(targets: Sequence[str], left_out: Container[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index, target in enumerate(targets):
        if index not in left_out:
            groups.setdefault(target, []).append(index)
    return groups


def _texts(payloads: Sequence[bytes]) -> Iterable[bytes]:
    """The lines, many at a time."""
    if isinstance(payloads, Lines):
        return payloads.texts
    step = max(1, _JOINED_BYTES // (max(map(len, payloads), default=0) + 1))
    parts = (payloads[start : start + step] for start in range(0, len(payloads), step))
    return (b"\n".join([*part, b""]) for part in parts)


def _as_one_name(value: str) -> str:
    name = quote(value, safe=" !#$&'()+,;=@[]^`{}~", errors="surrogatepass")
    if not name.strip("."):
        name = name.replace(".", "%2E") or "%"
    if len(name) > _MAX_NAME:
        digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:16]
        name = f"{name[:_MAX_NAME]}~{digest}"
    return name
