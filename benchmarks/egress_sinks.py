"""The sinks that records are written to, and what is read back from them.

A figure counts only where all records are there: each has its `sink_seq`, from 0 without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq
import redis

__all__ = ["SINKS", "Sink", "expect"]


ENTRIES_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Sink:
    """A kind of sink.

    Attributes:
        settings: The entry of the settings file for a sink at a place: a path, or a server's URL.
        count: How many records are there; ends where they are not numbered without gaps.
    """

    settings: Callable[[str], dict[str, Any]]
    count: Callable[[str], int]


class Line(msgspec.Struct):
    """What of a record in JSON is read back."""

    sink_seq: int


def count_lines(path: str) -> int:
    with Path(path).open("rb") as lines:
        return count_in_order(path, lines)


def count_entries(url: str) -> int:
    return count_in_order(url, entries(url))


def count_in_order(place: str, payloads: Iterable[bytes]) -> int:
    decode: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode
    count = 0
    for payload in payloads:
        if decode(payload).sink_seq != count:
            raise SystemExit(f"{place}: {payload!r} is where record {count} should be")
        count += 1
    return count


def entries(url: str) -> Iterator[bytes]:
    """The payloads of the stream, in order."""
    after = "-"
    with redis.Redis.from_url(url) as client:
        while found := client.xrange("egress.event", min=after, count=ENTRIES_AT_ONCE):
            yield from (fields[b"record"] for _, fields in found)
            after = f"({found[-1][0].decode()}"


def count_rows(path: str) -> int:
    numbers = pq.read_table(path, columns=["sink_seq"])["sink_seq"]
    # The files of a data set are in no order that counts; the numbers must be 0, 1, 2 …
    distinct = pc.count_distinct(numbers).as_py()
    if numbers.null_count or distinct != len(numbers) or pc.max(numbers).as_py() != distinct - 1:
        raise SystemExit(f"{path}: {distinct} of {len(numbers)} rows have a sink_seq of their own")
    return len(numbers)


SINKS: Mapping[str, Sink] = {
    "jsonl": Sink(lambda path: {"connector": "jsonl", "path": path}, count_lines),
    "parquet": Sink(lambda path: {"connector": "parquet", "uri": path}, count_rows),
    "redis": Sink(lambda url: {"connector": "redis", "url": url}, count_entries),
}
"""By the name of the connector."""


def expect(found: int, wanted: int, what: str) -> None:
    """End where records are missing: a figure without them is none."""
    if found != wanted:
        raise SystemExit(f"{what}: {found:,} of {wanted:,} records")
