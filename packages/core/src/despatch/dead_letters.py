"""Dead letters: the records that a sink would not take, to be looked at and sent again."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from despatch.account import accounts_of
from despatch.concealment import Concealer
from despatch.courier.assembly import Assembly
from despatch.courier.backoff import describe
from despatch.courier.ledger import DeadLetter, Ledger
from despatch.courier.resending import Resending, Resent, obstacle
from despatch.courier.stopping import Stopping
from despatch.courier.tasks import cancel_all
from despatch.errors import RunError
from despatch.history import settings_of
from despatch.journal import JournalReader, end_position
from despatch.runs import RunFolder
from despatch.settings import EgressSettings, Settings
from despatch.value_types import ValueType
from despatch.values import unpack

__all__ = ["Letter", "letters_in", "resend"]


class Letter(msgspec.Struct, kw_only=True):
    """A dead letter, as it is shown.

    Attributes:
        run_id: The run that published the record.
        name: The simulation's name.
        sink: The sink that would not take it.
        seq: Its position in the run's journal.
        sink_seq: Its number for this sink.
        reason: Why the sink would not.
        attempt: At which attempt that was known.
        wall_time: When, ISO 8601, UTC.
        obstacle: Why it cannot be sent again; empty where it can.
        record: The record, as JSON can say it: a Decimal, a UUID or a date is text, a set a
            list, bytes are base64, and so are the digits of an integer beyond 64 bits text.
    """

    run_id: str
    name: str
    sink: str
    seq: int
    sink_seq: int
    reason: str
    attempt: int
    wall_time: str
    obstacle: str
    record: dict[str, Any]


def letters_in(folder: RunFolder, sinks: Collection[str] = ()) -> Iterator[Letter]:
    """The dead letters of a run, sink by sink, in the order of the journal.

    Args:
        folder: The run.
        sinks: Of these sinks alone; empty means all.
    """
    if not folder.ledger.exists():
        return
    ledger = Ledger(folder.ledger)
    try:
        for sink in ledger.sinks_with_dead_letters():
            if not sinks or sink in sinks:
                for letter in ledger.dead_letters(sink):
                    yield _shown(folder, sink, letter)
    finally:
        ledger.close()


def resend(
    folder: RunFolder,
    sinks: Collection[str] = (),
    seqs: Collection[int] = (),
    *,
    grace: timedelta | None = None,
    stopping: Stopping | None = None,
    conceal: Concealer | None = None,
) -> list[Resent]:
    """Send dead letters to their sinks again, within the run's grace time.

    What a sink confirms counts as delivered from then on. It gets these records after those that
    follow them in the journal.

    Args:
        folder: The run.
        sinks: To these sinks alone; empty means all.
        seqs: The positions of those that are meant; empty means all.
        grace: How long it may take, in wall time; by default as the run's settings say.
        stopping: What ends it before.
        conceal: Learns the secrets of the connectors.

    Returns:
        What became of them, for each sink that had any.

    Raises:
        RunError: The run is under way, a sink is still owed records, or there is no such sink.
        SettingsError: The run's settings cannot be resolved.
        AccountError: The accounts do not add up afterwards.
    """
    settings = settings_of(folder)
    known = [sink.name for sink in settings.egress]
    for name in sinks:
        if name not in known:
            raise RunError(f"{folder.path}: no sink {name!r}; it has {', '.join(known) or 'none'}")
    limit = settings.courier.grace if grace is None else grace
    folder.lock()
    try:
        results = asyncio.run(
            _resend(folder, settings, sinks, seqs, limit.total_seconds(), stopping, conceal)
        )
        accounts_of(folder, settings.egress)
        return results
    finally:
        folder.unlock()


async def _resend(
    folder: RunFolder,
    settings: Settings,
    sinks: Collection[str],
    seqs: Collection[int],
    grace_s: float,
    stopping: Stopping | None,
    conceal: Concealer | None,
) -> list[Resent]:
    if not folder.ledger.exists():
        return []
    ledger = Ledger(folder.ledger)
    try:
        chosen = _chosen(ledger, settings.egress, sinks, seqs)
        _see_that_nothing_is_owed(folder, ledger, [sink.name for sink, _ in chosen])
        types = _types_in(folder)
        assembly = Assembly(settings, conceal)
        duties: list[Resending] = []
        results: list[Resent] = []
        for sink, meant in chosen:
            try:
                connector, serializer = assembly.egress(sink)
            except Exception as error:
                # The boundary to the plugin: it cannot be made, and hinders no other sink.
                reason = assembly.conceal(describe(error))
                results.append(Resent(sink.name, left=len(meant), reason=reason))
            else:
                duty = Resending(
                    sink, connector, serializer, ledger, types, meant, assembly.conceal
                )
                duties.append(duty)
                results.append(duty.result)
        await _conduct(duties, grace_s, stopping)
        return results
    finally:
        ledger.close()


async def _conduct(duties: Sequence[Resending], grace_s: float, stopping: Stopping | None) -> None:
    tasks = [asyncio.create_task(duty.run()) for duty in duties]
    if not tasks:
        return
    stopped = asyncio.Event()
    ending = asyncio.create_task(stopped.wait())
    done = asyncio.create_task(_all_of(tasks))
    try:
        if stopping is None:
            await asyncio.wait([done], timeout=grace_s)
        else:
            with stopping.reaching(stopped.set):
                await asyncio.wait(
                    [done, ending], timeout=grace_s, return_when=asyncio.FIRST_COMPLETED
                )
    finally:
        await cancel_all([done, ending])
        await cancel_all(tasks)


async def _all_of(tasks: Sequence[asyncio.Task[None]]) -> None:
    # One that failed is no reason to cut the others short; `cancel_all` reports it.
    await asyncio.wait(tasks)


def _chosen(
    ledger: Ledger, egress: Sequence[EgressSettings], sinks: Collection[str], seqs: Collection[int]
) -> list[tuple[EgressSettings, set[int]]]:
    """The sinks that have any of the dead letters that are meant, and their positions."""
    chosen = []
    for sink in egress:
        if not sinks or sink.name in sinks:
            present = {letter.seq for letter in ledger.dead_letters(sink.name)}
            meant = present.intersection(seqs) if seqs else present
            if meant:
                chosen.append((sink, meant))
    return chosen


def _see_that_nothing_is_owed(folder: RunFolder, ledger: Ledger, sinks: Sequence[str]) -> None:
    end = end_position(folder.records)
    for name in sinks:
        if ledger.cursor(name).position < end or ledger.attempt(name) is not None:
            raise RunError(
                f"{folder.path}: sink {name} is still owed records, which come first; deliver "
                f"them with: despatch runs deliver {folder.path}"
            )


def _types_in(folder: RunFolder) -> dict[str, ValueType]:
    """The value types that the journal knows: all of them are in its last segment."""
    with JournalReader(folder.records, end_position(folder.records)) as reader:
        reader.finish()
        while reader.read() is not None:
            pass
        return {each.name: each for each in reader.types.values()}


def _shown(folder: RunFolder, sink: str, letter: DeadLetter) -> Letter:
    content = unpack(letter.record)
    return Letter(
        run_id=folder.info.run_id,
        name=folder.info.name,
        sink=sink,
        seq=letter.seq,
        sink_seq=letter.sink_seq,
        reason=letter.reason,
        attempt=letter.attempt,
        wall_time=letter.wall_time,
        obstacle=obstacle(content),
        record=_as_json(content),
    )


def _as_json(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {
                key if isinstance(key, str) else _text(key): _as_json(each)
                for key, each in value.items()
            }
        case list() | tuple() | AbstractSet():
            return [_as_json(each) for each in value]
        case _:
            return _text(value)


def _text(value: Any) -> str:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            text: str = msgspec.to_builtins(value)
            return text
        case _:
            return str(value)
