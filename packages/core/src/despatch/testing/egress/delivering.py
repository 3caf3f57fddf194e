"""Delivering: what is confirmed is there, as it was published, in its order, and nothing else."""

from __future__ import annotations

import copy
from typing import Any, Final

from despatch.interfaces import Batch, Guarantee, Receipt
from despatch.testing.conformance import applies_if
from despatch.testing.egress.arrivals import check_once
from despatch.testing.egress.batches import Batches
from despatch.testing.egress.sink import EgressSink
from despatch.testing.egress.suite import EgressSuite, MakeEgress
from despatch.testing.samples import DOUBTFUL, SAMPLES

__all__ = ["DeliveringTests"]

_SIZES: Final = (1, 2, 40, 1, 7, 100, 3)
_ANY_BYTES: Final = (b"\x00", b"a\nb\r\n", bytes(range(256)), b"\xff\xfe{", b" ")


class DeliveringTests(EgressSuite):
    """What is confirmed is there, as it was published, in its order, and nothing else."""

    def test_records_arrive_as_they_were_published(
        self, sink: EgressSink, make_egress: MakeEgress, batches: Batches
    ) -> None:
        """Text of any script, large numbers, nested and empty values arrive unchanged.

        If it fails: write a payload as the bytes that it is. Where the connector has a form of
        its own, see what it makes of the value that is shown.
        """

        async def work() -> Batch:
            async with self.opened(make_egress()) as egress:
                batch = batches.next(egress, self.values)
                await self.deliver(egress, batch)
            return batch

        batch = self.wait_for(work())
        found = {each.seq: each for each in sink.read() if each.run_id == batches.run_id}
        for record in batch.records:
            arrived = found.get(record.seq)
            assert arrived is not None, f"seq {record.seq} is missing: {record.value}"
            assert arrived.sink_seq == record.sink_seq
            assert arrived.value == record.value

    def test_a_value_of_any_type_arrives_or_is_rejected_alone(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """Whatever a model may publish is delivered, or is in the receipt; it stops nothing.

        A batch has dates, decimals, bytes, UUIDs and sets at any depth, NaN, whole numbers of 70
        bits, values that are not what their model declares, and plain ones between them. A
        connector that uses a serializer gets those that have a JSON.

        If it fails: where it raises, the same batch would come again for ever. What the sink has
        no room for goes into ``Receipt.rejected``, with a reason.
        """
        samples = {**SAMPLES, **DOUBTFUL}
        del samples["an object that is no data"]  # it is in no journal

        async def work() -> tuple[Batch, Receipt]:
            async with self.opened(make_egress()) as egress:
                batch = batches.next_of_types(egress, samples.values())
                receipt = await self.in_time(egress.deliver(batch))
                await self.deliver(egress, batches.next(egress, [{"status": "made"}]))
            return batch, receipt

        batch, receipt = self.wait_for(work())
        assert all(receipt.rejected.values()), "rejected without a reason"
        rejected = {batch.records[index].seq for index in receipt.rejected}
        self.check_sink(sink, batches, {*range(batches.end)} - rejected, guarantee)

    def test_the_receipt_says_how_much_was_sent(
        self, make_egress: MakeEgress, batches: Batches
    ) -> None:
        """The report shows how many bytes each sink was sent: `Receipt.bytes`.

        If it fails: give the receipt the size of what was sent, or of the payloads. A connector
        that does not use a serializer may send nothing that has a size.
        """

        async def work() -> Receipt:
            async with self.opened(make_egress()) as egress:
                return await self.deliver(egress, batches.next(egress, range(3)))

        sent = self.wait_for(work()).bytes
        assert sent > 0 if self.uses_serializer else sent >= 0

    def test_what_is_confirmed_is_there_at_once(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """When `deliver` returns, a reader gets the batch, before `close` and before the next one.

        The core counts a batch as delivered then, and forgets it.

        If it fails: `deliver` has left something in a buffer, of yours or of the client library.
        Flush it, and wait for the server's answer to the last record, before you return.
        """

        async def work() -> None:
            async with self.opened(make_egress()) as egress:
                for size in _SIZES:
                    await self.deliver(egress, batches.next(egress, range(size)))
                    self.check_sink(sink, batches, range(batches.end), guarantee)

        self.wait_for(work())
        self.check_sink(sink, batches, range(batches.end), guarantee)

    @applies_if("keeps_order")
    def test_records_arrive_in_their_order(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """Records come to a reader in the order of publishing, within a batch and across batches.

        If it fails: send one after the other on one connection, or let the server put them in
        order. Where readers get them in another order by the nature of the sink,
        ``keeps_order = False``.
        """

        async def work() -> None:
            for _ in range(2):
                async with self.opened(make_egress()) as egress:
                    for size in (250, 1, 250):
                        await self.deliver(egress, batches.next(egress, range(size)))
                if not self.is_lasting:
                    break

        self.wait_for(work())
        arrivals = self.check_sink(sink, batches, range(batches.end), guarantee)
        seqs = [each.seq for each in arrivals]
        assert seqs == sorted(seqs)

    def test_a_large_batch_and_a_large_record_arrive(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """A batch of 5,000 records arrives, and one with a record of `largest_value_bytes`.

        If it fails: the client library or the server may have a limit on the size of a request;
        cut the batch into several. Say in `largest_value_bytes` what a single record may have.
        """

        async def work() -> None:
            async with self.opened(make_egress()) as egress:
                await self.deliver(egress, batches.next(egress, [{"text": "x"}] * 5000))
                texts = "x", "x" * self.largest_value_bytes, "x"
                await self.deliver(egress, batches.next(egress, [{"text": t} for t in texts]))

        self.wait_for(work())
        arrivals = self.check_sink(sink, batches, range(batches.end), guarantee)
        large = next(each for each in arrivals if each.seq == 5001)
        assert len(large.value["text"]) == self.largest_value_bytes

    @applies_if("uses_serializer", "carries_any_bytes")
    def test_payloads_of_any_bytes_arrive(
        self, sink: EgressSink, make_egress: MakeEgress, batches: Batches
    ) -> None:
        """What a binary serializer makes arrives to the byte.

        If it fails: do not decode payloads, and do not put them between line breaks. Where the
        sink is one of lines or of text, ``carries_any_bytes = False``.
        """

        async def work() -> None:
            async with self.opened(make_egress()) as egress:
                values = range(len(_ANY_BYTES))
                bad = {index: {"payload": each} for index, each in enumerate(_ANY_BYTES)}
                await self.deliver(egress, batches.next(egress, values, bad=bad))

        self.wait_for(work())
        found = list(sink.read_payloads())
        assert sorted(found) == sorted(_ANY_BYTES)
        if self.keeps_order:
            assert found == list(_ANY_BYTES)

    @applies_if("rejects_records")
    def test_a_bad_record_is_rejected_alone(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """A record that the sink will never take is in the receipt, and its neighbours arrive.

        It goes to the dead letters. If it raises instead, the same batch comes again for ever.

        If it fails: find out which record was refused, put its index and the reason into
        ``Receipt.rejected``, and deliver the others.
        """
        bad = sink.bad_record()

        async def work() -> None:
            async with self.opened(make_egress()) as egress:
                batch = batches.next(egress, range(7), bad={0: bad, 3: bad})
                receipt = await self.in_time(egress.deliver(batch))
                assert sorted(receipt.rejected) == [0, 3]
                assert all(receipt.rejected.values()), "rejected without a reason"
                await self.deliver(egress, batches.next(egress, range(2)))

        self.wait_for(work())
        self.check_sink(sink, batches, {*range(9)} - {0, 3}, guarantee)

    def test_a_batch_that_comes_again_is_no_other(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """A batch that is delivered twice, also by a connector that starts anew, does no harm.

        The confirmation may be lost with the courier. At least once: it is all there. Effectively
        once: it is there once.

        If it fails: a connector that says `EFFECTIVELY_ONCE` has to let the sink recognise a
        record by its `run_id` and `seq`, or a batch by its range. If it cannot, declare
        `AT_LEAST_ONCE`.
        """

        async def work() -> None:
            egress = make_egress()
            async with self.opened(egress):
                first = batches.next(egress, range(5))
                await self.deliver(egress, first)
                await self.deliver(egress, batches.of(egress, first.records, first=0, attempt=2))
                second = batches.next(egress, range(5))
                await self.deliver(egress, second)
            again = make_egress() if self.is_lasting else egress
            async with self.opened(again):
                batch = batches.of(again, second.records, first=second.first, attempt=2)
                await self.deliver(again, batch)
                await self.deliver(again, batches.next(again, range(5)))

        self.wait_for(work())
        self.check_sink(sink, batches, range(15), guarantee)

    def test_dead_letters_can_be_sent_again(
        self, sink: EgressSink, make_egress: MakeEgress, batches: Batches, guarantee: Guarantee
    ) -> None:
        """Records that were left out arrive after those that were published later, as often.

        The batch says so: ``is_late``. Its positions lie between others that were delivered, and
        it may come again like any other.

        If it fails: a connector that names records by their position, and whose sink refuses a
        position that is smaller than the last, has to look at `Batch.is_late`. Where records are
        there too often, the sink recognises a batch only while it is the last.
        """

        async def work() -> None:
            async with self.opened(make_egress()) as egress:
                whole = batches.next(egress, range(9))
                early, left, late = whole.records[:3], whole.records[3:6], whole.records[6:]
                await self.deliver(egress, batches.of(egress, early, first=0))
                await self.deliver(egress, batches.of(egress, late, first=6))
                for attempt in (1, 2):
                    batch = batches.of(egress, left, first=3, attempt=attempt, is_late=True)
                    await self.deliver(egress, batch)

        self.wait_for(work())
        arrivals = [each for each in sink.read() if each.run_id == batches.run_id]
        check_once(arrivals, range(9), guarantee)

    def test_a_batch_is_not_changed(self, make_egress: MakeEgress, batches: Batches) -> None:
        """Records are shared with other sinks and with the second attempt: they stay as they are.

        If it fails: copy what you want to change.
        """

        async def work() -> None:
            async with self.opened(make_egress()) as egress:
                batch = batches.next(egress, self.values)
                before = copy.deepcopy(batch)
                await self.deliver(egress, batch)
                for name in ("first", "end", "records", "payloads", "targets", "types"):
                    was, is_now = getattr(before, name), getattr(batch, name)
                    assert _plain(is_now) == _plain(was), f"batch.{name} was changed"

        self.wait_for(work())

    def test_records_have_targets(self, make_egress: MakeEgress, batches: Batches) -> None:
        """`targets_of` says of each record what `target` says, and it says the same each time.

        If it fails: leave `targets_of` out; where it is there to be quick, it has to agree.
        """
        egress = make_egress()
        records = batches.next(egress, self.values).records
        targets = [egress.target(record) for record in records]
        assert all(isinstance(target, str) for target in targets)
        assert list(egress.targets_of(records)) == targets
        assert [make_egress().target(record) for record in records] == targets


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
