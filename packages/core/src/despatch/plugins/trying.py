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
from typing import IO, Final

import msgspec

from despatch.plugins import loading
from despatch.plugins.kinds import Kind
from despatch.plugins.plugin import Plugin

__all__ = ["serve", "tried"]

IMPORT_S: Final = 60.0
"""How long an import may take, in wall seconds."""

_SERVE: Final = "from despatch.plugins.trying import serve; serve()"


class _Order(msgspec.Struct, array_like=True):
    kind: str
    name: str
    target: str


def tried(plugins: Sequence[Plugin], *, timeout_s: float = IMPORT_S) -> list[Plugin]:
    """The plugins, broken where one is ready and importing it fails.

    Args:
        plugins: The plugins.
        timeout_s: How long an import may take, in wall seconds.
    """
    ready = [plugin for plugin in plugins if plugin.is_ready]
    faults: list[str] = []
    while len(faults) < len(ready):
        faults += _told_of(ready[len(faults) :], timeout_s)
    found = dict(zip(map(id, ready), faults, strict=True))
    return [each.broken(found[id(each)]) if found.get(id(each)) else each for each in plugins]


def serve() -> None:
    """Import what standard input names, and tell of each on standard output. In the child."""
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=list[_Order])
    # What a plugin says is not to be mixed with what is told of it.
    told = os.dup(1)
    os.dup2(2, 1)
    for order in orders:
        kind = Kind(order.kind)
        point = metadata.EntryPoint(order.name, order.target, kind.group)
        plugin = Plugin(kind, order.name, target=order.target, entry_point=point)
        fault = loading.checked(plugin).reason
        os.write(told, msgspec.json.encode(fault) + b"\n")
    os._exit(0)


def _told_of(plugins: Sequence[Plugin], timeout_s: float) -> list[str]:
    """What is wrong with plugins, up to the one that the process came to harm with."""
    orders = [_Order(each.kind, each.name, each.target) for each in plugins]
    # -P: a file of the user's own folder must not shadow what a plugin imports.
    command = [sys.executable, "-P", "-c", _SERVE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(child.stdout, lines), daemon=True).start()
        faults: list[str] = []
        harm = ""
        try:
            with child.stdin as pipe:
                pipe.write(msgspec.json.encode(orders))
            while len(faults) < len(plugins) and not harm:
                line = lines.get(timeout=timeout_s)
                if line:
                    faults.append(msgspec.json.decode(line, type=str))
                else:
                    harm = "ended its process"
        except queue.Empty:
            harm = f"took longer than {timeout_s:g} s"
        finally:
            child.kill()
    if harm == "ended its process":
        harm = f"{harm}: {_how(child.returncode)}"
    return [*faults, f"importing {plugins[len(faults)].target} {harm}"] if harm else faults


def _read(pipe: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Hand on each line, and an empty one at the end."""
    for line in pipe:
        lines.put(line)
    lines.put(b"")


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
