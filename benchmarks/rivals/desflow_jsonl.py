"""M/M/4 on desflow, its events to JSONL files; prints how fast as JSON.

    desflow_jsonl.py FOLDER CUSTOMERS

It gets batches as large as despatch's, and the end is when the last batch was written, without
the fixed waits of its teardown.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from desflow import DynamicRealtimeEnvironment, JsonlStorageEgress
from mm4 import mm4

BATCH_RECORDS = 5000


class TimedJsonl(JsonlStorageEgress):
    """Notes when the last batch was written."""

    written_at = 0.0

    def _write_batch(self, batch: list[Any]) -> None:
        super()._write_batch(batch)
        self.written_at = time.monotonic()


def main(folder: Path, customers: int) -> None:
    logging.disable(logging.WARNING)
    sink = TimedJsonl(default_path=str(folder / "records.jsonl"))
    env = DynamicRealtimeEnvironment(factor=0.0)
    env.setup_egress([sink], batch_size=BATCH_RECORDS)
    mm4(env, env.publish_event, customers)
    began = time.monotonic()
    env.run()
    simulated = time.monotonic()
    env.teardown()
    ended = max(simulated, sink.written_at)
    records = sum(path.read_bytes().count(b"\n") for path in folder.glob("*.jsonl"))
    print(json.dumps({"records": records, "seconds": ended - began}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
