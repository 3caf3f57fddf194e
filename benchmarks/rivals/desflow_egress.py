"""M/M/4 on desflow, its events to JSONL or Parquet files; prints how fast as JSON.

    desflow_egress.py jsonl|parquet own|simpy CUSTOMERS FOLDER

`own` has desflow's resource with a path in its registry, `simpy` SimPy's own. It gets batches as
large as despatch's, which its examples for files have too, and which were faster here than a tenth
and than ten times of that. The end is when the last batch was written, without the fixed waits of
its teardown.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from desflow import DynamicRealtimeEnvironment, JsonlStorageEgress, ParquetStorageEgress
from kernel_side import SimPy
from mm4 import mm4
from rival_kernel_side import desflow

BATCH_RECORDS = 5000


class TimedJsonl(JsonlStorageEgress):
    """Notes when the last batch was written."""

    written_at = 0.0

    def _write_batch(self, batch: list[Any]) -> None:
        super()._write_batch(batch)
        self.written_at = time.monotonic()


class TimedParquet(ParquetStorageEgress):
    """The same."""

    written_at = 0.0

    def _write_batch(self, batch: list[Any], pa: Any, pq: Any) -> int:
        written: int = super()._write_batch(batch, pa, pq)
        self.written_at = time.monotonic()
        return written


def count_lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*.jsonl"))


def count_rows(folder: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))


def main(kind: str, resource: str, customers: int, folder: Path) -> None:
    logging.disable(logging.WARNING)
    timed = TimedParquet if kind == "parquet" else TimedJsonl
    sink = timed(default_path=str(folder / f"records.{kind}"))
    env = DynamicRealtimeEnvironment(factor=0.0)
    env.setup_egress([sink], batch_size=BATCH_RECORDS)
    mm4(desflow() if resource == "own" else SimPy(), env, env.publish_event, customers)
    gc.collect()
    gc.freeze()
    began = time.monotonic()
    env.run()
    simulated = time.monotonic()
    env.teardown()
    ended = max(simulated, sink.written_at)
    count = count_rows if kind == "parquet" else count_lines
    print(json.dumps({"records": count(folder), "seconds": ended - began}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
