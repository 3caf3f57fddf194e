"""Arrivals: records as a sink has them, held against what was published and what was promised."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from despatch.interfaces import Guarantee

__all__ = ["Arrival", "check_once", "check_order", "check_repetitions", "seqs_of"]


class Arrival(NamedTuple):
    """A record as a sink has it.

    Attributes:
        run_id: The run that published it.
        seq: Its position in the run's journal.
        sink_seq: Its number among the records that the sink was given.
        value: Its value, as plain data.
    """

    run_id: str
    seq: int
    sink_seq: int
    value: Any

    @classmethod
    def from_json(cls, record: bytes | str | Mapping[str, Any]) -> Arrival:
        """An arrival out of a record in JSON, as the serializer `json` writes it, or as read."""
        fields = record if isinstance(record, Mapping) else json.loads(record)
        return cls(fields["run_id"], fields["seq"], fields["sink_seq"], fields["value"])


def seqs_of(arrivals: Iterable[Arrival]) -> list[int]:
    """The positions of what arrived, in the order of arriving."""
    return [arrival.seq for arrival in arrivals]


def check_once(
    arrivals: Sequence[Arrival],
    wanted: Iterable[int],
    guarantee: Guarantee,
    unconfirmed: Mapping[int, int] = MappingProxyType({}),
) -> None:
    """Check that all that was confirmed is there, and as often as the guarantee allows.

    Args:
        arrivals: What is there.
        wanted: What was confirmed.
        guarantee: What the connector declares.
        unconfirmed: Position to how many attempts at that record were not confirmed. At most once,
            it may be missing; at least once, it may be there again so many times.

    Raises:
        AssertionError: Something is missing, was never published, or is there too often.
    """
    wanted = set(wanted)
    found = set(seqs_of(arrivals))
    missing = wanted - found
    if guarantee is Guarantee.AT_MOST_ONCE:
        missing -= unconfirmed.keys()
    assert not missing, f"confirmed, and missing: {_some(missing)}"
    assert not found - wanted, f"there, and never delivered: {_some(found - wanted)}"
    check_repetitions(arrivals, guarantee)
    times = Counter(seqs_of(arrivals))
    too_often = {seq for seq, attempts in unconfirmed.items() if times[seq] > 1 + attempts}
    assert not too_often, f"there more often than they were sent: {_some(too_often)}"


def check_repetitions(
    arrivals: Sequence[Arrival], guarantee: Guarantee, most: int | None = None
) -> None:
    """Check that nothing is there twice, unless the guarantee allows it.

    Args:
        arrivals: What is there.
        guarantee: What the connector declares.
        most: So many records may be there again, as the account says; None sets no bound.
    """
    times = Counter(seqs_of(arrivals))
    twice = {seq for seq, count in times.items() if count > 1}
    if guarantee is not Guarantee.AT_LEAST_ONCE:
        assert not twice, f"{guarantee.value}, and there more than once: {_some(twice)}"
    repetitions = sum(times.values()) - len(times)
    assert most is None or repetitions <= most, (
        f"{repetitions} repetitions, and the account says {most} at the most: {_some(twice)}"
    )


def check_order(arrivals: Sequence[Arrival]) -> None:
    """Check that records came first in the order in which they were published."""
    firsts = list(dict.fromkeys(seqs_of(arrivals)))
    late = [after for before, after in pairwise(firsts) if after < before]
    assert not late, f"after records that were published later: {_some(late)}"


def _some(seqs: Iterable[int]) -> str:
    found = sorted(seqs)
    shown = ", ".join(map(str, found[:10]))
    return f"seq {shown}{', …' if len(found) > 10 else ''} ({len(found)})"
