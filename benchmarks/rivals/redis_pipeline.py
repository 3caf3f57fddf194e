"""Records encoded with orjson and added to a stream by a pipeline; prints how fast as JSON.

    redis_pipeline.py RECORDS URL

Each record has what one of despatch's has, and goes into an entry as one of despatch's does.
"""

from __future__ import annotations

import json
import sys
import time

import orjson
import redis

STREAM = "egress.event"
START = "2026-01-05T06:00:00.000000+00:00"
RUN_ID = "019aba1c0de07f3c8d3f6a5b4c3d2e1f"
AT_ONCE = 1_000


def add(client: redis.Redis, first: int, end: int) -> None:
    """Add records, and wait until the server has confirmed each."""
    with client.pipeline(transaction=False) as pipeline:
        for number in range(first, end):
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
            pipeline.xadd(STREAM, {"record": orjson.dumps(record)}, id=f"1767592800000-{number}")
        pipeline.execute()


def main(records: int, url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.ping()
        began = time.perf_counter()
        for first in range(0, records, AT_ONCE):
            add(client, first, min(first + AT_ONCE, records))
        seconds = time.perf_counter() - began
        print(json.dumps({"records": client.xlen(STREAM), "seconds": seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
