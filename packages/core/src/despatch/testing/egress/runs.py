"""Runs: the declared guarantee is held against what is read back, whatever happens on the way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import pytest

from despatch.interfaces import EgressConnector, Guarantee
from despatch.testing.conformance import applies_if
from despatch.testing.egress.arrivals import check_once, check_order, check_repetitions
from despatch.testing.egress.faults import FaultTests
from despatch.testing.egress.publishing_run import PublishingRun, value_of
from despatch.testing.egress.sink import EgressSink
from despatch.testing.egress.suite import MakeEgress
from despatch.testing.proxy import Proxy

__all__ = ["RunTests"]

_MOST_BYTES: Final = 8000
_SECONDS: Final = 20
_SECONDS_AT_A_KILL: Final = 100

_Fault: TypeAlias = Callable[[], None]


class RunTests(FaultTests):
    """The declared guarantee is held against what is read back, whatever happens on the way.

    Attributes:
        faults_in_a_run: How many faults there are in a run at the most. There is one of each
            kind, and the courier is killed twice.
    """

    faults_in_a_run: ClassVar[int] = 8

    def test_a_run_delivers_all_that_it_publishes(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        guarantee: Guarantee,
        tmp_path: Path,
    ) -> None:
        """A model publishes, the courier delivers, and the account and the sink say the same.

        If it fails: the log says what the courier thought of the connector.
        """
        with self._played(sink, sink.port, make_egress, tmp_path) as played:
            played.publish(_SECONDS)
            played.until_confirmed()
            played.publish(_SECONDS)
        self._check_run(played, sink, guarantee)

    @applies_if("is_lasting")
    def test_the_guarantee_holds_under_faults(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        guarantee: Guarantee,
        tmp_path: Path,
        request: pytest.FixtureRequest,
    ) -> None:
        """Couriers die and connections are lost, and every record is there, as often as declared.

        The order and the moments are drawn from `seed`, and are the same each time. The courier is
        killed in the midst of delivering; and where the connector reaches its sink by TCP, the
        server goes away, stalls, is slow, forgets its connections, has its answers lost, and has
        connections reset after so many bytes.

        If it fails: a record that is missing was confirmed too early. One that is there twice
        though the guarantee says that it is not was not recognised by the sink. The tests of
        single faults say more.
        """
        proxy: Proxy | None = request.getfixturevalue("proxy") if self.is_networked else None
        port = sink.port if proxy is None else proxy.port
        draw = random.Random(self.seed)
        with self._played(sink, port, make_egress, tmp_path) as played:
            played.publish(_SECONDS)
            faults = list(self._faults(played, proxy, draw))
            draw.shuffle(faults)
            for fault in faults[: self.faults_in_a_run]:
                fault()
                played.publish(_SECONDS)
                played.until_confirmed()
        self._check_run(played, sink, guarantee)

    def _played(
        self, sink: EgressSink, port: int, make_egress: MakeEgress, folder: Path
    ) -> PublishingRun:
        """A run with the connector as its only egress."""
        entry: Mapping[str, Any] = {"connector": self.plugin, **sink.settings(port)}
        host = "process"
        if self.needs_thread:
            live: EgressConnector = make_egress()
            entry, host = {"connector": live}, "thread"
        entry = {"timeout": f"{self.timeout_s:g}s", **entry}
        return PublishingRun("conformance", entry, host, folder, 2 * self.patience_s)

    def _check_run(self, played: PublishingRun, sink: EgressSink, guarantee: Guarantee) -> None:
        """Check what a sink has of a run against what was published, and against its account."""
        (account,) = played.report.sinks
        assert account.delivered == account.given == played.published, account
        arrivals = [each for each in sink.read() if each.run_id == played.run_id]
        missing = {*range(played.published)} - {each.seq for each in arrivals}
        # At most once, what was on its way at a fault may be missing, and no more than that.
        unconfirmed = dict.fromkeys(missing if len(missing) <= account.repeats else (), 1)
        check_once(arrivals, range(played.published), guarantee, unconfirmed)
        check_repetitions(arrivals, guarantee, account.duplicates_possible)
        if self.keeps_order and (guarantee is not Guarantee.AT_MOST_ONCE or not account.repeats):
            check_order(arrivals)
        for arrival in arrivals:
            assert arrival.sink_seq == arrival.seq
            assert arrival.value == value_of(arrival.seq), f"seq {arrival.seq} is another's"

    def _faults(
        self, played: PublishingRun, proxy: Proxy | None, draw: random.Random
    ) -> Iterator[_Fault]:
        """What may happen to this connector."""

        def is_killed() -> None:
            before = played.confirmed
            played.publish(_SECONDS_AT_A_KILL)
            after = draw.randrange((played.published - before) // 2)
            played.until(lambda: played.confirmed >= before + after, f"record {before + after}")
            played.kill_courier()

        if not self.needs_thread:
            yield from (is_killed, is_killed)
        if proxy is None:
            return

        def goes_away() -> None:
            with proxy.refusing():
                played.publish(_SECONDS)
                played.until(lambda: played.state == "retrying", "an error of the connector")

        def stalls() -> None:
            self._strike(played, lambda: proxy.struck, proxy.stalling)

        def is_slow() -> None:
            self._strike(played, lambda: proxy.struck, lambda: proxy.slow(100_000))

        def resets() -> None:
            self._strike(
                played,
                lambda: proxy.struck,
                lambda: proxy.resetting(lambda: draw.randrange(_MOST_BYTES)),
            )

        def forgets() -> None:
            self._strike(played, lambda: proxy.given_up + played.retries, proxy.half_open)

        def loses_answers() -> None:
            self._strike(played, lambda: proxy.given_up + played.retries, proxy.deaf)

        yield from (goes_away, stalls, is_slow, resets, forgets, loses_answers)

    def _strike(
        self,
        played: PublishingRun,
        count: Callable[[], int],
        fault: Callable[[], Any],
    ) -> None:
        """Publish under a fault until it has met something."""
        before = count()

        def is_struck() -> bool:
            played.publish(1)
            return count() > before

        with fault():
            played.until(is_struck, "that the fault is met")
