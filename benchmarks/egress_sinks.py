"""The sinks that records are written to, and what is read back from them.

A figure counts only where all records are there: each has its `sink_seq`, from 0 without gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["SINKS", "Sink", "expect"]


@dataclass(frozen=True, slots=True)
class Sink:
    """A kind of sink.

    Attributes:
        settings: The entry of the settings file for a sink that writes to a path.
        count: How many records are at that path; ends where they are not numbered without gaps.
    """

    settings: Callable[[Path], dict[str, Any]]
    count: Callable[[Path], int]


class Line(msgspec.Struct):
    """What of a line is read back."""

    sink_seq: int


def count_lines(path: Path) -> int:
    decode: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode
    count = 0
    with path.open("rb") as lines:
        for line in lines:
            if decode(line).sink_seq != count:
                raise SystemExit(f"{path}: line {count + 1} is not record {count}: {line!r}")
            count += 1
    return count


def count_rows(path: Path) -> int:
    numbers = pq.read_table(path, columns=["sink_seq"])["sink_seq"]
    # The files of a data set are in no order that counts; the numbers must be 0, 1, 2 …
    distinct = pc.count_distinct(numbers).as_py()
    if numbers.null_count or distinct != len(numbers) or pc.max(numbers).as_py() != distinct - 1:
        raise SystemExit(f"{path}: {distinct} of {len(numbers)} rows have a sink_seq of their own")
    return len(numbers)


SINKS: Mapping[str, Sink] = {
    "jsonl": Sink(lambda path: {"connector": "jsonl", "path": str(path)}, count_lines),
    "parquet": Sink(lambda path: {"connector": "parquet", "uri": str(path)}, count_rows),
}


def expect(found: int, wanted: int, what: str) -> None:
    """End where records are missing: a figure without them is none."""
    if found != wanted:
        raise SystemExit(f"{what}: {found:,} of {wanted:,} records")
