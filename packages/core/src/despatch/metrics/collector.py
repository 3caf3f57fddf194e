"""What Prometheus is told: everything is looked up when it asks, and costs nothing in between.

The counts of a sink are those of the ledger, so they go on where a courier that died had them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Final, get_args, get_type_hints

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from despatch.courier.ledger import Cursor, Ledger
from despatch.courier.states import States
from despatch.errors import JournalError
from despatch.journal import JournalReader
from despatch.link import IngressState, Progress, SinkState
from despatch.metrics.latencies import Latencies
from despatch.runs import RunFolder

__all__ = ["RunCollector"]

_OUTCOMES: Final = ("delivered", "dead_lettered", "dropped", "not_selected", "damaged")


class RunCollector(Collector):
    """Collects the metrics of one run; in any thread.

    Args:
        folder: The run's folder.
        states: How the connectors fare.
        latencies: How long records waited, by the names of the sinks: all of them.

    Attributes:
        progress: Where the simulation stands; None before it has said so.
    """

    def __init__(
        self,
        folder: RunFolder,
        states: States,
        latencies: Mapping[str, Latencies],
    ) -> None:
        self._folder = folder
        self._states = states
        self._latencies = latencies
        self.progress: Progress | None = None

    def collect(self) -> Iterable[Metric]:
        """All metrics, as they are now."""
        # Looked at once, so that what is told fits together.
        progress = self.progress or Progress(0.0, None, 0.0, 0)
        yield from self._run()
        yield from _simulation(progress)
        yield from self._accounts(progress.published)
        yield self._delays()
        yield _states("sink", SinkState, dict(self._states.sinks))
        yield _states("source", IngressState, dict(self._states.ingress))

    def _run(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "despatch_build", "The version of despatch.", {"version": version("despatch")}
        )
        yield InfoMetricFamily(
            "despatch_run",
            "Which run it is.",
            {"sim": self._folder.info.name, "run_id": self._folder.info.run_id},
        )

    def _accounts(self, published: int) -> Iterator[Metric]:
        records = CounterMetricFamily(
            "despatch_sink_records",
            "Records of the journal that the sink has accounted for, by what became of them.",
            labels=["sink", "outcome"],
        )
        sent = CounterMetricFamily(
            "despatch_sink_bytes", "What the sink was sent and has confirmed.", labels=["sink"]
        )
        retries = CounterMetricFamily(
            "despatch_sink_retries", "Attempts to deliver a batch again.", labels=["sink"]
        )
        behind = GaugeMetricFamily(
            "despatch_sink_behind_records",
            "Records of the journal that the sink has yet to account for.",
            labels=["sink"],
        )
        behind_s = GaugeMetricFamily(
            "despatch_sink_behind_seconds",
            "How long ago the oldest of them was written; 0 where there is none.",
            labels=["sink"],
        )
        for sink, cursor in self._cursors():
            for outcome in _OUTCOMES:
                records.add_metric([sink, outcome], getattr(cursor, outcome))
            sent.add_metric([sink], cursor.bytes)
            retries.add_metric([sink], cursor.retries)
            behind.add_metric([sink], max(0, published - cursor.position))
            behind_s.add_metric([sink], self._waiting_s(cursor.position))
        yield from (records, sent, retries, behind, behind_s)

    def _cursors(self) -> list[tuple[str, Cursor]]:
        # A connection of its own: SQLite's belong to one thread, and the courier's is the loop's.
        ledger = Ledger(self._folder.ledger)
        try:
            return [(sink, ledger.cursor(sink)) for sink in self._latencies]
        finally:
            ledger.close()

    def _waiting_s(self, position: int) -> float:
        """How long ago what is at this position was written; 0 where it is not there."""
        try:
            with JournalReader(self._folder.records, position, packed=True) as reader:
                while (frame := reader.read()) is not None:
                    if frame.written_ns:
                        return max(0.0, (time.time_ns() - frame.written_ns) / 1e9)
        except JournalError:
            # The sink has passed it by now, and its segment is gone; or a journal is unreadable,
            # which its delivery will say.
            return 0.0
        return 0.0

    def _delays(self) -> Metric:
        delays = HistogramMetricFamily(
            "despatch_delivery_latency_seconds",
            "How long records were in the journal until the sink had confirmed them.",
            labels=["sink"],
        )
        for sink, latencies in self._latencies.items():
            buckets, sum_s = latencies.read()
            delays.add_metric([sink], buckets, sum_s)
        return delays


def _simulation(progress: Progress) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "despatch_sim_time_seconds", "Simulated time, in simulated seconds.", progress.sim_time
    )
    yield GaugeMetricFamily(
        "despatch_lag_seconds",
        "How late the simulation is against the wall clock; 0 at factor 0.",
        progress.lag_s,
    )
    yield CounterMetricFamily(
        "despatch_published_records", "Records in the journal: its end.", progress.published
    )
    commands = CounterMetricFamily(
        "despatch_commands",
        "Commands, and updates of the model's own, by what became of them.",
        labels=["source", "outcome"],
    )
    for source, (applied, refused) in sorted(progress.commands.items()):
        commands.add_metric([source, "applied"], applied)
        commands.add_metric([source, "refused"], refused)
    yield commands
    yield CounterMetricFamily(
        "despatch_courier_restarts",
        "How often a courier died and was started again.",
        progress.courier_restarts,
    )


def _states(
    what: str,
    kind: type[SinkState | IngressState],
    states: Mapping[str, SinkState | IngressState],
) -> Metric:
    told = GaugeMetricFamily(
        f"despatch_{what}_state",
        f"Whether the {what} is in this state: 1 for one of them, 0 for the others.",
        labels=[what, "state"],
    )
    for name, now in sorted(states.items()):
        for state in get_args(get_type_hints(kind)["state"]):
            told.add_metric([name, state.replace(" ", "_")], now.state == state)
    return told
