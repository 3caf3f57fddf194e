"""The state of a system that something else has written into a file."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from despatch.interfaces import Health, StateSource
from despatch.snapshots import Snapshot

__all__ = ["FileState", "FileStateSettings"]


class FileStateSettings(BaseModel):
    """Settings of the state source `file`."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Field(description="The file, a snapshot as JSON in UTF-8; it is read as a whole.")


class FileState(StateSource):
    """Reads a snapshot from a JSON file.

    The file says when the system was in this state, and what its parameters are:
    ``{"taken_at": "2026-01-05T06:00:00Z", "parameters": {"Line_A.lathe.capacity": 2}}``. Whoever
    writes it writes another one and renames it: of a file that is half written nothing is taken.
    """

    Settings = FileStateSettings
    settings: FileStateSettings

    @property
    def place(self) -> str:
        """The path."""
        return str(self.settings.path)

    async def open(self) -> None:
        """See that the file is there and may be read."""
        await asyncio.to_thread(_see_that_readable, self.settings.path)

    async def read(self) -> Snapshot:
        """Read the file as it is now.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no snapshot; with the line, where that can be told.
        """
        content = await asyncio.to_thread(self.settings.path.read_bytes)
        return await asyncio.to_thread(_snapshot, content, self.place)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def check(self) -> Health:
        """Read the file, and say what is in it."""
        await self.open()
        snapshot = await self.read()
        taken_at = snapshot.taken_at.isoformat()
        return Health([f"{self.place}: {snapshot.contents}, as of {taken_at}"])


def _see_that_readable(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file, found a folder")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"{path}: may not be read")


def _snapshot(content: bytes, place: str) -> Snapshot:
    try:
        data = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_without_doubles)
    except UnicodeDecodeError as error:
        raise ValueError(f"{place}: expected UTF-8 text: byte {error.start} is none") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{place}:{error.lineno}: expected JSON: {error.msg}") from error
    except RecursionError as error:
        raise ValueError(f"{place}: expected fewer levels of nesting") from error
    except _DoubleKey as error:
        raise ValueError(f"{place}: the key {error} is there twice") from error
    try:
        return Snapshot.model_validate(data)
    except ValidationError as error:
        told = "; ".join(_told(each) for each in error.errors(include_url=False))
        raise ValueError(f"{place}: expected a snapshot: {told}") from error


class _DoubleKey(Exception):
    """A key that an object has twice."""


def _without_doubles(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DoubleKey(repr(key))
        found[key] = value
    return found


def _told(error: Any) -> str:
    where = ".".join(str(step) for step in error["loc"])
    return f"{where}: {error['msg']}" if where else str(error["msg"])
