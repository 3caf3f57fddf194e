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

from despatch.concealment import Concealer
from despatch.courier.courier import Courier
from despatch.courier.progress import ProgressView
from despatch.link import Configure, Link
from despatch.logs import logging_as
from despatch.runs import RunFolder
from despatch.settings import Settings

_NEW_OBJECTS: Final = 50_000


def main() -> None:
    """Take the wire, wait for the settings, and serve."""
    # The simulator decides when to end, and says so over the wire.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    link = Link(socket.socket(fileno=int(sys.argv[1])))
    configure = _configure(link)
    if configure is None:
        return
    folder = RunFolder.open(Path(configure.folder))
    settings = Settings.model_validate(configure.settings)
    _relax_collector()
    progress = ProgressView.of(configure.progress, settings.name)
    conceal = Concealer()
    status = 0
    with logging_as(settings.logs, conceal, sim=settings.name, run_id=folder.info.run_id):
        try:
            # Not `asyncio.run`, which waits at its end for every task and thread. A connector's
            # may never end, in a terminal that is paused for instance. The ledger is closed:
            # nothing is left that such a one could still confirm.
            courier = Courier(
                folder,
                settings,
                link,
                progress,
                conceal=conceal,
                started_ns=configure.started_ns,
            )
            asyncio.Runner().run(courier.run())
        except Exception:
            # The boundary of the process: the simulator sees it die, and starts another one.
            logging.getLogger("despatch.courier").exception("the courier failed")
            status = 1
    sys.stdout.flush()
    os._exit(status)


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
