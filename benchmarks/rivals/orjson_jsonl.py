"""Records encoded with orjson and written through a buffer; prints how fast as JSON.

    orjson_jsonl.py RECORDS FILE

Each record has what one of despatch's has, in the same order. What does not change from one record
to the next is there beforehand, the text of the timestamp included: simulated time stands still,
so that there is one. Making it for each record would only flatter despatch.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import orjson

START = "2026-01-05T06:00:00.000000+00:00"
RUN_ID = "019aba1c0de07f3c8d3f6a5b4c3d2e1f"


def write(path: Path, records: int) -> float:
    """Write the file; how many seconds that took."""
    dumps, newline = orjson.dumps, orjson.OPT_APPEND_NEWLINE
    began = time.perf_counter()
    with path.open("wb") as file:
        for number in range(records):
            value = {"status": "done", "line": "A", "number": number, "at": 1.5, "ok": True}
            record = {
                "stream_type": "event",
                "sim": "egress",
                "key": "part-17",
                "type": None,
                "value": value,
                "sim_ts": 0.0,
                "timestamp": START,
                "run_id": RUN_ID,
                "seq": number,
                "sink_seq": number,
            }
            file.write(dumps(record, option=newline))
    return time.perf_counter() - began


def main(records: int, path: Path) -> None:
    seconds = write(path, records)
    with path.open("rb") as lines:
        count = sum(1 for _ in lines)
    print(json.dumps({"records": count, "seconds": seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
