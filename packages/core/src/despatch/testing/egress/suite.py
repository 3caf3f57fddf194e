"""EgressSuite: the flags and fixtures of the tests of an egress connector."""

from __future__ import annotations

from collections.abc import (
    Callable,
    Iterable,
    Sequence,
)
from typing import Any, ClassVar, TypeAlias

import pytest

from despatch.interfaces import Batch, EgressConnector, Guarantee, Receipt
from despatch.plugins import Kind
from despatch.runs import new_run_id
from despatch.testing.declared import Declared
from despatch.testing.egress.arrivals import Arrival, check_once, check_order
from despatch.testing.egress.batches import PLAIN_VALUES, Batches
from despatch.testing.egress.sink import EgressSink
from despatch.testing.reaching import ReachingSuite

__all__ = ["EgressSuite", "MakeEgress"]

MakeEgress: TypeAlias = Callable[[], EgressConnector]


class EgressSuite(ReachingSuite):
    """What the tests of an egress connector have in common.

    The author sets `plugin`, overrides the fixture `sink`, and sets the flags that hold or do not.
    `uses_serializer`, `needs_thread` and the guarantee are what the connector's class says.

    Attributes:
        connects_at_open: `open` raises where the sink is out of reach; otherwise `deliver` does.
        keeps_order: Readers get records in the order in which they were delivered.
        is_lasting: What one connector has delivered is there for readers when the connector is
            gone, and another one adds to it.
        rejects_records: The sink refuses some records for good; `EgressSink.bad_record` makes one.
        carries_any_bytes: A payload may be any bytes, line breaks and NUL among them;
            `EgressSink.read_payloads` gives them back.
        largest_value_bytes: A record of this size is taken.
        values: Values that the sink takes as they are, in one batch, and gives back equal.
        uses_serializer: As the connector's class says; not set by the author.
        needs_thread: Likewise.
        timeout_s: How long `open` and `deliver` may take under a fault, in wall seconds, before
            they are given up: the setting `timeout` of a sink.
    """

    kind = Kind.EGRESS
    connects_at_open: ClassVar[bool] = True
    keeps_order: ClassVar[bool] = True
    is_lasting: ClassVar[bool] = True
    rejects_records: ClassVar[bool] = False
    carries_any_bytes: ClassVar[bool] = False
    largest_value_bytes: ClassVar[int] = 500_000
    values: ClassVar[Sequence[Any]] = PLAIN_VALUES
    timeout_s: ClassVar[float] = 2.0

    uses_serializer = Declared("uses_serializer")
    needs_thread = Declared("needs_thread")

    @pytest.fixture
    def sink(self) -> EgressSink:
        """A new sink that holds nothing yet; overridden by the author."""
        raise NotImplementedError(f"{type(self).__name__} has no fixture `sink`")

    @pytest.fixture
    def counterpart(self, sink: EgressSink) -> EgressSink:
        """The author's sink."""
        return sink

    @pytest.fixture
    def batches(self) -> Batches:
        """The batches of a run of its own."""
        return Batches(new_run_id())

    @pytest.fixture
    def guarantee(self, plugin_class: Any) -> Guarantee:
        """What the connector's class declares."""
        declared: Guarantee = plugin_class.guarantee
        return declared

    @pytest.fixture
    def make_egress(self, plugin_class: Any, sink: EgressSink) -> MakeEgress:
        """Makes a connector to the sink, as each start of a courier does."""
        return self.maker(plugin_class, sink, sink.port)

    def maker(self, plugin_class: Any, sink: EgressSink, port: int) -> MakeEgress:
        """Makes connectors that reach the sink at a port."""

        def make() -> EgressConnector:
            settings = plugin_class.Settings.model_validate(sink.settings(port))
            made: EgressConnector = plugin_class(settings)
            sink.connects(made)
            return made

        return make

    async def deliver(self, egress: EgressConnector, batch: Batch) -> Receipt:
        """Deliver a batch of good records on an open connector."""
        receipt = await self.in_time(egress.deliver(batch))
        assert not receipt.rejected, f"good records were rejected: {dict(receipt.rejected)}"
        return receipt

    def check_sink(
        self, sink: EgressSink, batches: Batches, wanted: Iterable[int], guarantee: Guarantee
    ) -> list[Arrival]:
        """Check that what was confirmed is there, as often as the guarantee allows, in order."""
        arrivals = [each for each in sink.read() if each.run_id == batches.run_id]
        check_once(arrivals, wanted, guarantee, batches.unconfirmed)
        if self.keeps_order:
            # At most once, what is not repeated may come late, on a connection that was given up.
            is_sent_once = guarantee is Guarantee.AT_MOST_ONCE
            leave_out = batches.unconfirmed if is_sent_once else ()
            check_order([each for each in arrivals if each.seq not in leave_out])
        return arrivals
