from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from despatch.testing.serializer.likeness import difference

NAN = float("nan")


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ({"a": [1, "b"]}, {"a": (1, "b")}),
        ({"a": ["x", "y"]}, {"a": {"y", "x"}}),
        (NAN, NAN),
        (Decimal("1.50"), Decimal("1.50")),
        (None, None),
    ],
)
@pytest.mark.parametrize("keeps_types", [False, True])
def test_what_is_the_same_does_not_differ(found: Any, value: Any, keeps_types: bool) -> None:
    assert difference(found, value, keeps_types=keeps_types) is None


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ("1.50", Decimal("1.50")),
        ("00000000-0000-0000-0000-000000000001", UUID(int=1)),
        ("2026-01-05", date(2026, 1, 5)),
        ("2026-01-05T00:00:00Z", datetime(2026, 1, 5, tzinfo=UTC)),
        ("P1DT0.5S", timedelta(days=1, seconds=0.5)),
        ("AP8=", b"\x00\xff"),
        ({"7": "a"}, {7: "a"}),
    ],
)
def test_text_may_stand_for_what_json_does_not_know(found: Any, value: Any) -> None:
    assert difference(found, value, keeps_types=False) is None
    assert difference(found, value, keeps_types=True) is not None


@pytest.mark.parametrize(
    ("found", "value", "where"),
    [
        (1.0, 1, "value"),
        (1, True, "value"),
        ("1", 1, "value"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "value.a.b[1]"),
        ({"a": [1]}, {"a": [1, 2]}, "value.a"),
        ({}, {"a": None}, "value"),
        ({"a": 1, "b": 2}, {"a": 1}, "value"),
        ("1.5", Decimal("1.50"), "value"),
        ("soon", date(2026, 1, 5), "value"),
        (None, NAN, "value"),
        (datetime(2026, 1, 5), datetime(2026, 1, 5, tzinfo=UTC), "value"),
        (["x", "x"], {"x"}, "value"),
        ("xy", ["x", "y"], "value"),
    ],
)
def test_what_differs_is_told_with_its_place(found: Any, value: Any, where: str) -> None:
    said = difference(found, value, keeps_types=False)
    assert said is not None
    assert said.startswith(f"{where}: expected ")
