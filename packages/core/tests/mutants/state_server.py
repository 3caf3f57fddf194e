"""A system whose state is asked for by TCP: a line for each value, and a last one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mutants.serving import Server, Talk

END = "end"
LONGEST_LINE = 1024 * 1024


class StateServer(Server):
    """Answers each line that comes with what it is now: a path and a value a line, as JSON.

    Attributes:
        values: What it is, by path.
    """

    def __init__(self) -> None:
        super().__init__(_Answering)
        self.values: Mapping[str, Any] = {}


class _Answering(Talk):
    server: StateServer

    def talk(self) -> None:
        while self.rfile.readline():
            told = [["taken_at", datetime.now(UTC).isoformat()], *self.server.values.items()]
            lines = [*map(json.dumps, told), json.dumps([END, len(self.server.values)])]
            self.wfile.write("".join(f"{line}\n" for line in lines).encode())
