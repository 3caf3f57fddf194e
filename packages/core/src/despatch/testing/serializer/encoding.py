"""Encoding: as many payloads as records, which hold what was published or are refused alone."""

from __future__ import annotations

import itertools
from typing import Any, Final

import pytest

from despatch.interfaces import Lines, Unencodable
from despatch.testing.conformance import applies_if
from despatch.testing.samples import DOUBTFUL, SAMPLES, Sample, records_of, shapes_of
from despatch.testing.serializer.likeness import difference
from despatch.testing.serializer.suite import MakeSerializer, SerializerSuite

__all__ = ["EncodingTests"]

_MANY: Final = 300
_BESIDE: Final = ("stream_type", "sim", "type", "sim_ts", "run_id", "seq", "sink_seq")


class EncodingTests(SerializerSuite):
    """As many payloads as records, which hold what was published or are refused alone."""

    @pytest.mark.parametrize("count", [0, 1, _MANY])
    def test_there_is_a_payload_for_each_record_in_their_order(
        self, make_serializer: MakeSerializer, target: str, count: int
    ) -> None:
        """The core tells by its place which payload is whose, in a batch of records of any kinds.

        If it fails: give one item for each record, a `bytes` or an `Unencodable`, and do not
        sort or group what you are given; or put it back into its order.
        """
        samples = list(itertools.islice(itertools.cycle(SAMPLES.values()), count))

        async def work() -> list[Any]:
            async with self.prepared(make_serializer, samples, target) as serializer:
                payloads = serializer.encode(records_of(samples), target)
                assert len(payloads) == count
                found = []
                for payload in payloads:
                    assert isinstance(payload, bytes), payload
                    found.append((await self.read(serializer, payload))["seq"])
                return found

        assert self.wait_for(work()) == list(range(count))

    @pytest.mark.parametrize("name", SAMPLES)
    def test_what_was_published_is_read_back(
        self, make_serializer: MakeSerializer, target: str, name: str
    ) -> None:
        """A value comes back whole, and so does what the record says beside it.

        If it fails: the message says where, what was written and what was read. A reader that
        gives records another form overrides `read`; a format that gives back types says
        ``keeps_types = True``.
        """
        samples = [SAMPLES[name]] * 3

        async def work() -> None:
            async with self.prepared(make_serializer, samples, target) as serializer:
                records = records_of(samples)
                payloads = serializer.encode(records, target)
                for record, payload in zip(records, payloads, strict=True):
                    assert isinstance(payload, bytes), payload
                    found = await self.read(serializer, payload)
                    said = difference(found["value"], record.value, keeps_types=self.keeps_types)
                    assert said is None, said
                    for field in _BESIDE:
                        assert found[field] == getattr(record, field), field
                    key = "key" if record.stream_type == "event" else "path_id"
                    assert found[key] == getattr(record, key)

        self.wait_for(work())

    @pytest.mark.parametrize("name", DOUBTFUL)
    def test_a_value_is_kept_exactly_or_refused(
        self, make_serializer: MakeSerializer, target: str, name: str
    ) -> None:
        """What the format has no room for is refused, and never rounded, cut or left out.

        `encode` raises for no value. One that it refuses goes to the dead letters, where it is
        found; a wrong figure in a sink is not.

        If it fails: look up what your library makes of such a value. Where it raises, give
        `Unencodable` with its reason; where it is lenient, look for it yourself.
        """
        samples = [DOUBTFUL[name]]

        async def work() -> None:
            async with self.prepared(make_serializer, samples, target) as serializer:
                (payload,) = serializer.encode(records_of(samples), target)
                if isinstance(payload, Unencodable):
                    assert payload.reason
                    return
                found = await self.read(serializer, payload)
                said = difference(found["value"], samples[0].value, keeps_types=self.keeps_types)
                assert said is None, said

        self.wait_for(work())

    @applies_if("refuses_some")
    def test_a_record_that_is_refused_takes_no_other_with_it(
        self, make_serializer: MakeSerializer, target: str
    ) -> None:
        """One bad record in a batch is refused alone, and its neighbours are as without it.

        If it fails: encode record by record where the whole batch cannot be encoded at once.
        Where your format takes every value there is, ``refuses_some = False``.
        """
        good = [SAMPLES["a field of each scalar kind"], SAMPLES["a plain dict"]]
        samples = [good[0], *(each for bad in DOUBTFUL.values() for each in (bad, *good))]

        async def work() -> None:
            async with self.prepared(make_serializer, samples, target) as serializer:
                records = records_of(samples)
                found = serializer.encode(records, target)
                refused = [isinstance(each, Unencodable) for each in found]
                assert any(refused), "none of the doubtful values is refused"
                are_good = [sample in good for sample in samples]
                assert not any(one and two for one, two in zip(refused, are_good, strict=True))
                alone = serializer.encode(list(itertools.compress(records, are_good)), target)
                assert list(itertools.compress(found, are_good)) == list(alone)

        self.wait_for(work())

    def test_encoding_again_gives_the_same_bytes(
        self, make_serializer: MakeSerializer, target: str
    ) -> None:
        """A batch whose confirmation was lost is sent again byte for byte, also by a new courier.

        If it fails: look for the time of day, random numbers, counters, or names made anew at
        each start in what you write.
        """
        samples = list(SAMPLES.values())

        async def work() -> tuple[list[Any], list[Any]]:
            async with self.prepared(make_serializer, samples, target) as serializer:
                first = list(serializer.encode(records_of(samples), target))
                return first, list(serializer.encode(records_of(samples), target))

        first, again = self.wait_for(work())
        assert again == first
        assert self.encoded(make_serializer, samples, target) == first

    def test_a_set_has_an_order_of_its_own(
        self, make_serializer: MakeSerializer, target: str
    ) -> None:
        """A set gives the same bytes in every process, though Python orders it differently.

        If it fails: sort the items of a set before you write them, such as by their own bytes.
        """
        one, other = {0, 8}, {8, 0}
        assert list(one) != list(other), "Python orders these two alike"
        found = [
            self.encoded(make_serializer, [Sample({"tags": tags})], target) for tags in (one, other)
        ]
        assert found[0] == found[1]

    def test_records_are_not_changed(self, make_serializer: MakeSerializer, target: str) -> None:
        """Other sinks, and the next attempt, are given the same records.

        If it fails: copy a value before you change it, at every depth that you change.
        """
        samples = [*SAMPLES.values(), *DOUBTFUL.values()]
        records = records_of(samples)
        before = [repr(record) for record in records]

        async def work() -> None:
            async with self.prepared(make_serializer, samples, target) as serializer:
                serializer.encode(records, target)

        self.wait_for(work())
        assert [repr(record) for record in records] == before

    def test_lines_are_lines(self, make_serializer: MakeSerializer, target: str) -> None:
        """`Lines` are what they say: so many, without a line break in any.

        If it fails: each text ends in a line break, and has one for each payload; a format whose
        payloads may have line breaks in them gives a list.
        """
        samples = list(SAMPLES.values())

        async def work() -> Any:
            async with self.prepared(make_serializer, samples, target) as serializer:
                return serializer.encode(records_of(samples), target)

        payloads = self.wait_for(work())
        if isinstance(payloads, Lines):
            assert len(list(payloads)) == len(payloads) == len(samples)
            assert all(text.endswith(b"\n") for text in payloads.texts)

    def test_preparing_again_is_harmless(
        self, make_serializer: MakeSerializer, target: str
    ) -> None:
        """`prepare` comes again after a failure, for other targets, and for types that are new.

        If it fails: what is prepared already is found, not made anew; what belongs to a target
        is kept by the target.
        """
        samples = [SAMPLES["a field of each scalar kind"], SAMPLES["a plain dict"]]
        later = SAMPLES["a field of each kind that holds others"]

        async def work() -> list[list[Any]]:
            async with self.prepared(make_serializer, samples, target) as serializer:
                found = [list(serializer.encode(records_of(samples), target))]
                await serializer.prepare(shapes_of([later]), target)
                await serializer.prepare(shapes_of(samples), f"{target}-other")
                await serializer.prepare(shapes_of(samples), target)
                await serializer.prepare([], target)
                found.append(list(serializer.encode(records_of(samples), target)))
                other = serializer.encode(records_of([*samples, later][:2]), f"{target}-other")
                assert [type(each) for each in other] == [bytes, bytes]
                assert isinstance(serializer.encode(records_of([later]), target)[0], bytes)
            return found

        first, again = self.wait_for(work())
        assert again == first
