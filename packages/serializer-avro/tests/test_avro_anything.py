from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from despatch_serializer_avro.anything import from_text, ordered, to_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (2**70, str(2**70)),
        ("é", '"é"'),
        (Decimal("1.50"), '{"$decimal":"1.50"}'),
        (datetime(2026, 1, 5, tzinfo=UTC), '{"$datetime":"2026-01-05T00:00:00+00:00"}'),
        (timedelta(seconds=1.5), '{"$timedelta":1500000}'),
        (UUID(int=1), '{"$uuid":"00000000-0000-0000-0000-000000000001"}'),
        (b"\x00\xff", '{"$bytes":"AP8="}'),
        (float("inf"), '{"$float":"inf"}'),
        ({"a": [1, {"b": 2}]}, '{"a":[1,{"b":2}]}'),
        ({1: "a"}, '{"$map":[[1,"a"]]}'),
        ({"$decimal": "1"}, '{"$map":[["$decimal","1"]]}'),
        ({"$decimal": "1", "b": 2}, '{"$decimal":"1","b":2}'),
    ],
)
def test_a_value_and_its_text(value: Any, text: str) -> None:
    assert to_text(value) == text
    assert from_text(text) == value
    assert type(from_text(text)) is type(value)


def test_a_tuple_and_a_set_are_lists() -> None:
    assert from_text(to_text({"a": (1, 2), "b": {3}})) == {"a": [1, 2], "b": [3]}
    assert from_text(to_text({(1, (2, 3)): 4})) == {(1, (2, 3)): 4}


def test_a_set_has_an_order_of_its_own() -> None:
    names = {f"part-{i:02}" for i in range(50)}
    assert ordered(names) == [f"part-{i:02}" for i in range(50)]
    assert ordered({frozenset({2, 1}), frozenset({0})}) == [frozenset({1, 2}), frozenset({0})]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        '{"$decimal": "one"}',
        '{"$decimal": []}',
        '{"$uuid": 5}',
        '{"$datetime": 5}',
        '{"$bytes": "%"}',
        '{"$timedelta": 1e300}',
        '{"$map": [1]}',
        '{"$map": [[{}, 1]]}',
        "[" * 100_000,
        "9" * 10_000,
    ],
)
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the reader of a datum says what it was
        from_text(text)


def test_the_text_is_json() -> None:
    assert json.loads(to_text({"a": float("nan")})) == {"a": {"$float": "nan"}}
    with pytest.raises(ValueError, match="digits"):
        to_text(10**5000)
