"""A run in this process, played step by step: publish so many, hurt, wait, mend, go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from despatch.courier.ledger import Cursor
from despatch.testing.played_run import PlayedRun
from faults.publishing import PER_S, publish_steadily
from faults.sinks import Sink
from processes import DEADLINE_S, wait_until


class Play(PlayedRun):
    """A run of the publishing model.

    Args:
        folder: Where the runs' folders go.
        sinks: The run's sinks.
        entries: Their entries in the settings; by default as the sinks give them.
        **settings: Other settings.
    """

    def __init__(
        self,
        folder: Path,
        sinks: Sequence[Sink],
        entries: Sequence[dict[str, Any]] | None = None,
        **settings: Any,
    ) -> None:
        given = {
            "name": "faults",
            "runs": folder / "runs",
            "courier": {"grace": "60s"},
            "journal": {"flush": {"interval": "10ms"}},
            "egress": [sink.entry() for sink in sinks] if entries is None else list(entries),
        }
        super().__init__({**given, **settings}, publish_steadily, DEADLINE_S)
        self.sinks = sinks
        self.published = 0

    def publish(self, count: int) -> None:
        """Publish so many records more; a multiple of `PER_S`."""
        self.published += count
        self.run.env.run(until=self.published // PER_S - 0.5)

    def state(self, sink: Sink) -> str:
        """How a sink fares, as the simulator knows it."""
        return self.sink_state(sink.connector).state

    def reason(self, sink: Sink) -> str:
        """Why a sink does not fare well, as the simulator knows it; empty where it does."""
        return self.sink_state(sink.connector).reason

    def cursor(self, sink: Sink) -> Cursor:
        """How far a sink has come."""
        return self.sink_cursor(sink.connector)

    def publish_while(self, count: int, then: Callable[[], object]) -> None:
        """Publish so many records more, while another thread does something else."""
        thread = threading.Thread(target=then, name="meanwhile")
        thread.start()
        self.publish(count)
        thread.join()

    def wait_delivered(self, *sinks: Sink) -> None:
        """Wait until sinks, or all of them, have accounted for all that was published."""
        for sink in sinks or self.sinks:
            self.until(
                lambda sink=sink: self.cursor(sink).position >= self.published,
                f"record {self.published} at {sink.connector}",
            )

    @contextmanager
    def leaving(self, fault: AbstractContextManager[object]) -> Iterator[None]:
        """Enters a fault, and mends it once the run is draining, from another thread."""
        is_mended = threading.Event()

        def mend() -> None:
            try:
                wait_until(self._is_draining, "draining")
            finally:
                fault.__exit__(None, None, None)
                is_mended.set()

        fault.__enter__()
        yield
        threading.Thread(target=mend, name="mend").start()
        self.__exit__(None, None, None)
        assert is_mended.wait(60)

    def _is_draining(self) -> bool:
        info = msgspec.json.decode((self.folder / "run.json").read_bytes())
        return bool(info["state"] in ("draining", "finished", "failed"))
