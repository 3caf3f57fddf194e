"""``python -m despatch.courier FD``: the courier as a process, started by the simulator."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Final

from despatch.courier.courier import Courier
from despatch.courier.progress import ProgressView
from despatch.link import Configure, Link
from despatch.runs import RunFolder
from despatch.settings import Settings

_NEW_OBJECTS: Final = 50_000


def main() -> None:
    """Take the wire, wait for the settings, and serve."""
    # The simulator decides when to end, and says so over the wire.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    # What client libraries tell of their own accord is theirs, unless it is a warning.
    logging.basicConfig(format="despatch: %(message)s", level=logging.WARNING)
    logging.getLogger("despatch").setLevel(logging.INFO)
    link = Link(socket.socket(fileno=int(sys.argv[1])))
    configure = _configure(link)
    if configure is None:
        return
    folder = RunFolder.open(Path(configure.folder))
    settings = Settings.model_validate(configure.settings)
    _relax_collector()
    progress = ProgressView.of(configure.progress, settings.name)
    asyncio.run(Courier(folder, settings, link, progress).run())
    sys.stdout.flush()
    # A connector's thread may still be blocked, in a terminal that is paused for instance. The
    # ledger is closed: nothing is left that such a thread could still confirm.
    os._exit(0)


def _relax_collector() -> None:
    """Let the garbage collector look for cycles less often, and not among what stays anyway.

    Records are many, live for a batch and have no cycles; by default they make the collector walk
    through all of them, and through all modules, for a third of the courier's time.
    """
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


def _configure(link: Link) -> Configure | None:
    """The first message; None when the simulator has died before it sent one."""
    while not link.is_closed:
        select.select([link.fileno()], [], [])
        for message in link.receive(at_most=1):
            if isinstance(message, Configure):
                return message
    return None


if __name__ == "__main__":
    main()
