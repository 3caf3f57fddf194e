"""Trying: whether plugins can be imported, found out in a process that may come to harm.

A plugin may do anything when it is imported: raise, write to the terminal, end the process, hang.
Another process imports one after the other and tells of each; where it ends or takes too long,
the plugin that it was at is broken, and a new one goes on with the next.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib import metadata
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from despatch.errors import PluginError
from despatch.plugins import loading
from despatch.plugins.kinds import Kind
from despatch.plugins.plugin import Plugin

__all__ = ["IMPORT_S", "serve", "tried"]

IMPORT_S: Final = 60.0
"""How long an import may take, in wall seconds."""

_SERVE: Final = "from despatch.plugins.trying import serve; serve()"
_HERE: Final = b"here\n"
_LONGEST_WORDS: Final = 300


class _Order(msgspec.Struct, array_like=True):
    kind: str
    name: str
    target: str


class _Harm(Exception):
    """What became of the process."""


def tried(plugins: Sequence[Plugin], *, timeout_s: float = IMPORT_S) -> list[Plugin]:
    """The plugins, broken where one is ready and importing it fails.

    Args:
        plugins: The plugins.
        timeout_s: How long an import may take, in wall seconds.

    Raises:
        PluginError: The process cannot be had, and nothing is known of any plugin.
    """
    ready = [plugin for plugin in plugins if plugin.is_ready]
    faults: list[str] = []
    while len(faults) < len(ready):
        faults += _told_of(ready[len(faults) :], timeout_s)
    found = dict(zip(map(id, ready), faults, strict=True))
    return [each.broken(found[id(each)]) if found.get(id(each)) else each for each in plugins]


def serve() -> None:
    """Import what standard input names, and tell of each on standard output. In the process."""
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=list[_Order])
    # What a plugin says is not to be mixed with what is told of it.
    told = os.dup(1)
    os.dup2(2, 1)
    os.write(told, _HERE)
    for order in orders:
        kind = Kind(order.kind)
        point = metadata.EntryPoint(order.name, order.target, kind.group)
        plugin = Plugin(kind, order.name, target=order.target, entry_point=point)
        os.write(told, msgspec.json.encode(loading.checked(plugin).reason) + b"\n")
    os._exit(0)


def _told_of(plugins: Sequence[Plugin], timeout_s: float) -> list[str]:
    """What is wrong with plugins, up to the one that the process came to harm with."""
    faults: list[str] = []
    with _Process(plugins) as process:
        try:
            process.line(IMPORT_S)
        except _Harm as harm:
            raise PluginError(f"plugins cannot be tried: the process that was to {harm}") from None
        try:
            for _ in plugins:
                faults.append(msgspec.json.decode(process.line(timeout_s), type=str))
        except _Harm as harm:
            faults.append(f"importing {plugins[len(faults)].target} {harm}")
    return faults


class _Process:
    """Imports plugins, one after the other. A context manager, at whose end there is none left."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._orders = [_Order(each.kind, each.name, each.target) for each in plugins]
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self._words = TemporaryFile()
        with TemporaryFile() as orders:
            orders.write(msgspec.json.encode(self._orders))
            orders.seek(0)
            self._child = subprocess.Popen(
                # -P: a file of the user's own folder must not shadow what a plugin imports.
                [sys.executable, "-P", "-c", _SERVE],
                stdin=orders,
                stdout=subprocess.PIPE,
                stderr=self._words,
            )
        assert self._child.stdout is not None
        threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait()
        self._words.close()

    def line(self, timeout_s: float) -> bytes:
        """The next line that it tells.

        Raises:
            _Harm: It has ended, or takes longer.
        """
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise _Harm(f"took longer than {timeout_s:g} s") from None
        if not line:
            raise _Harm(f"ended its process: {_how(self._child.wait())}{self._last_words()}")
        return line

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line)
        self._lines.put(b"")

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"; it said last: {said[-1][:_LONGEST_WORDS]}" if said else ""


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
