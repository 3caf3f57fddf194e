"""A system whose state is asked for by TCP: a line for each thing that it has, and a last one."""

from __future__ import annotations

import json

from despatch.snapshots import Snapshot
from mutants.serving import Server, Talk

END = "end"
LONGEST_LINE = 1024 * 1024


class StateServer(Server):
    """Answers each line that comes with what it is now: a part, a name and a value a line, as JSON.

    Attributes:
        state: What it is.
    """

    def __init__(self) -> None:
        super().__init__(_Answering)
        self.state = Snapshot.model_validate({"taken_at": "2025-01-06T06:00:00Z"})


class _Answering(Talk):
    server: StateServer

    def talk(self) -> None:
        while self.rfile.readline():
            told = [
                [part, name, value]
                for part, whole in self.server.state.model_dump(mode="json").items()
                for name, value in (whole.items() if isinstance(whole, dict) else [(None, whole)])
            ]
            lines = [json.dumps(each) for each in (*told, [END, None, None])]
            self.wfile.write("".join(f"{line}\n" for line in lines).encode())
