"""Room: what a sink is given up, so that the journal can go on.

The policy is the simulator's (`when_full`). Here the records are looked at once more, since only
the journal knows which of them the sink was to get, and counted as dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from despatch.courier.batches import Cutter
from despatch.courier.ledger import Ledger
from despatch.courier.persistence import persist

__all__ = ["give_up"]

_log = logging.getLogger("despatch.courier")

SLICE: Final = 2_000
"""So many positions are looked at before the others on the loop have their turn."""


async def give_up(
    name: str, cutter: Cutter, ledger: Ledger, before: int, tell: Callable[[str], None]
) -> None:
    """Drop all that a sink has not accounted for below a position, in one transaction.

    A batch that was attempted goes as a whole, though it reach further: the sink may have it, and
    could not tell a part of it for a repetition.

    Args:
        name: The sink's name.
        cutter: Reads the journal from the sink's cursor on.
        ledger: Where the cursor and the account are kept.
        before: The position.
        tell: Takes the reason when the ledger cannot be written.
    """
    cursor = begun = ledger.cursor(name)
    attempt = ledger.attempt(name)
    if attempt is not None and attempt.attempts:
        before = max(before, attempt.end)
    while cursor.position < before:
        cutter.gather(min(before, cursor.position + SLICE))
        draft = cutter.cut()
        if draft.is_empty:
            break
        dropped = cursor.dropped + draft.given
        cursor = replace(draft.settled(cursor, 0, 0), delivered=cursor.delivered, dropped=dropped)
        await asyncio.sleep(0)
    await persist(lambda: ledger.advance(name, cursor), tell)
    _log.error(
        "sink %s: dropped %s records, positions %d to %d: the journal is full, and the sink too "
        "far behind",
        name,
        f"{cursor.dropped - begun.dropped:,}",
        begun.position,
        cursor.position - 1,
    )
