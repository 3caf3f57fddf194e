"""Batches: what a test delivers, cut and encoded as the core does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from despatch.interfaces import Batch, EgressConnector, Unencodable
from despatch.records import Event, Record, Telemetry
from despatch.serializers.json import JsonSerializer, JsonSettings, find_unencodable
from despatch.testing.samples import Sample

__all__ = ["PLAIN_VALUES", "Batches"]

_START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)

PLAIN_VALUES: Final[tuple[Any, ...]] = (
    {"status": "made", "count": 3, "ratio": -0.5, "ok": False, "by": None},
    {"größe": 'Größe 雪 \N{SNOWMAN} \U0001f3ed \\ " \n \r \u2028', "": ""},
    {"a": {"b": [1, "two", [3.5, {"c": []}]], "d": {}}},
    {"large": 2**63 - 1, "small": -(2**63), "ratio": 1.7976931348623157e308},
    {},
)
"""Values that every sink takes."""


class Batches:
    """Makes the batches of one run, one after the other.

    Args:
        run_id: The run's id.

    Attributes:
        end: The position after the last record that was made.
        unconfirmed: Position to how many attempts at that record were not confirmed.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.end = 0
        self.unconfirmed: Counter[int] = Counter()

    def doubt(self, batch: Batch) -> None:
        """An attempt at a batch was not confirmed: it comes again."""
        batch.attempt += 1
        self.unconfirmed.update(record.seq for record in batch.records)

    def next(
        self,
        connector: EgressConnector,
        values: Iterable[Any],
        *,
        bad: Mapping[int, Mapping[str, Any]] | None = None,
        is_late: bool = False,
    ) -> Batch:
        """The next batch: one record for each value, events and, each fifth, telemetry.

        Args:
            connector: The connector that it is for; it says where records go.
            values: The values of the records.
            bad: Index in the batch to what is otherwise of that record: ``key``, ``value``,
                ``payload``.
            is_late: Whether these are dead letters that are sent again.
        """
        bad = bad or {}
        first = self.end
        records = [
            self._record(seq, bad.get(seq - first, {}).get("value", value), bad.get(seq - first))
            for seq, value in enumerate(values, start=first)
        ]
        self.end += len(records)
        return self.of(connector, records, first=first, bad=bad, is_late=is_late)

    def next_of_types(self, connector: EgressConnector, samples: Iterable[Sample]) -> Batch:
        """The next batch: one record for each sample, but for those that JSON has no word for.

        Args:
            connector: The connector that it is for.
            samples: The values of the records, with their types.
        """
        records = []
        types = {}
        for value, type_ in samples:
            record = self._record(self.end, value, None)
            if type_ is not None:
                record.type = type_.name
                types[type_.name] = type_
            if connector.uses_serializer and find_unencodable(value) is not None:
                continue
            records.append(record)
            self.end += 1
        batch = self.of(connector, records, first=self.end - len(records))
        batch.types = types
        return batch

    def of(
        self,
        connector: EgressConnector,
        records: Sequence[Record],
        *,
        first: int,
        bad: Mapping[int, Mapping[str, Any]] | None = None,
        is_late: bool = False,
        attempt: int = 1,
    ) -> Batch:
        """A batch of these records, encoded as JSON where the connector uses a serializer."""
        batch = Batch(first, first + len(records), records, attempt=attempt, is_late=is_late)
        if connector.uses_serializer:
            encoded = JsonSerializer(JsonSettings()).encode(records)
            batch.payloads = [each for each in encoded if not isinstance(each, Unencodable)]
            for index, otherwise in (bad or {}).items():
                if "payload" in otherwise:
                    batch.payloads[index] = otherwise["payload"]
            batch.targets = connector.targets_of(records)
        return batch

    def _record(self, seq: int, value: Any, otherwise: Mapping[str, Any] | None) -> Record:
        wall_time = (_START + timedelta(seconds=seq)).isoformat(timespec="microseconds")
        rest = (None, value, seq + 0.5, wall_time, self.run_id, seq, seq)
        if seq % 5 == 4 and otherwise is None:
            return Telemetry("conformance", "Line_A.lathe.utilization", *rest)
        key = (otherwise or {}).get("key", f"part-{seq % 7}")
        return Event("conformance", key, *rest)
