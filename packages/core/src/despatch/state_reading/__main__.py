"""``python -m despatch.state_reading``: the process in which a state source lives.

It takes a request on standard input and gives an answer on standard output. What the source
itself prints goes to standard error.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from typing import Final

from despatch.concealment import Concealer
from despatch.courier.backoff import describe
from despatch.interfaces import StateSource
from despatch.plugins import Kind, Plugins
from despatch.snapshots import Snapshot
from despatch.state_reading.messages import Answer, Request

_CLOSE_S: Final = 1.5
_ORPHANED_S: Final = 30.0


def main() -> None:
    """Read the state once, and say what came of it."""
    # Whoever started it ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)
    request = Request.model_validate_json(sys.stdin.buffer.read())
    # Its own end, whatever it does, where nobody is left to end it.
    faulthandler.dump_traceback_later(request.timeout_s + _ORPHANED_S, exit=True)
    answer = asyncio.Runner().run(_answered(request))
    sys.stdout.flush()
    with os.fdopen(answers, "wb") as pipe:
        pipe.write(answer.model_dump_json().encode())
    sys.stderr.flush()
    # Not by way of the interpreter's end, which waits for threads that may never end.
    os._exit(0)


async def _answered(request: Request) -> Answer:
    conceal, limit = Concealer(), asyncio.timeout(request.timeout_s)
    try:
        source = _source(request, conceal)
        async with limit:
            snapshot = await _read(source)
        return Answer(snapshot=_whole(snapshot), place=source.place)
    except TimeoutError as error:
        # It may be one of the source's own.
        is_late = limit.expired()
        told = f"no answer within {request.timeout_s:g} s" if is_late else describe(error)
        return Answer(fault=conceal(told))
    except (Exception, SystemExit) as error:
        # The boundary to the plugin: whatever it raises is the reason why there is no state.
        return Answer(fault=conceal(describe(error)))


def _source(request: Request, conceal: Concealer) -> StateSource:
    cls: type[StateSource] = Plugins(allowed=request.plugins).load(Kind.STATES, request.source)
    settings = cls.Settings.model_validate(request.plugin_settings)
    conceal.learn(settings)
    return cls(settings, simulation=request.simulation)


async def _read(source: StateSource) -> Snapshot:
    try:
        await source.open()
        return await source.read()
    finally:
        await _close(source)


async def _close(source: StateSource) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await source.close()
    except Exception as error:
        # The state was had, or the reason why not is on its way: neither is held up.
        print(f"close raised {describe(error)}", file=sys.stderr)


def _whole(snapshot: object) -> Snapshot:
    """The snapshot, looked at once more: a plugin may have made it without validation."""
    if not isinstance(snapshot, Snapshot):
        raise TypeError(f"read gave a {type(snapshot).__name__}, not a Snapshot")
    return Snapshot.model_validate(snapshot.model_dump(warnings=False))


if __name__ == "__main__":
    main()
