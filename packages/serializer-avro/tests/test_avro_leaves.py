from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from despatch_serializer_avro.faults import Fault
from despatch_serializer_avro.leaves import lower_enum, lower_fixed, lower_json, lower_scalar


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("null", [None], [0, "", False]),
        ("boolean", [True, False], [1, 0, None, ""]),
        ("int", [2**31 - 1, -(2**31)], [2**31, 1.0, True, "1"]),
        ("long", [2**63 - 1, -(2**63)], [2**63, -(2**63) - 1, 1.0, 1.5, True, None, Decimal(1)]),
        ("double", [1.5, -0.0, float("inf"), 2**53, 2**70], [2**53 + 1, 10**400, True, "1.5"]),
        ("float", [1.5, float("inf"), 2**24], [0.1, 1e300, 2**24 + 1, True]),
        ("string", ["", "é"], [b"a", 1, None]),
        ("bytes", [b"", b"\xff"], ["a", 1, None, bytearray(b"a")]),
    ],
)
def test_a_primitive_takes_what_it_holds_exactly(
    kind: str, right: list[Any], wrong: list[Any]
) -> None:
    lower = lower_scalar({"type": kind})
    assert [lower(value) for value in right] == right
    for value in wrong:
        with pytest.raises(Fault, match="expected "):
            lower(value)


def test_not_a_number_is_a_number_of_floating_point() -> None:
    for kind in ("float", "double"):
        found = lower_scalar({"type": kind})(float("nan"))
        assert found != found


def test_an_unknown_logical_type_is_what_it_stands_on() -> None:
    assert lower_scalar({"type": "long", "logicalType": "of-my-own"})(5) == 5
    assert lower_scalar({"type": "bytes", "logicalType": "decimal"})(b"a") == b"a"
    assert lower_scalar({"type": "string", "despatch.type": "tuple"})("a") == "a"


def test_a_decimal_is_text_or_bytes() -> None:
    digits = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    assert lower_scalar(digits)(Decimal("1.5")) == b"\x00\x96"
    text = {"type": "string", "despatch.type": "decimal"}
    assert lower_scalar(text)(Decimal("1.50")) == "1.50"
    assert lower_scalar(text)(3) == "3"


def test_an_enum_takes_its_symbols() -> None:
    lower = lower_enum({"symbols": ["red", "blue"]})
    assert lower("red") == "red"
    for wrong in ("green", 0, None):
        with pytest.raises(Fault, match="expected one of red, blue, got"):
            lower(wrong)


def test_a_fixed_takes_its_size() -> None:
    assert lower_fixed({"size": 2})(b"ab") == b"ab"
    for wrong in (b"a", b"abc", "ab"):
        with pytest.raises(Fault, match="expected 2 bytes"):
            lower_fixed({"size": 2})(wrong)
    as_uuid = lower_fixed({"size": 16, "logicalType": "uuid"})
    assert as_uuid(UUID(int=1)) == UUID(int=1).bytes
    with pytest.raises(Fault, match="expected a UUID"):
        as_uuid(b"a" * 16)
    as_decimal = {"size": 2, "logicalType": "decimal", "precision": 3, "scale": 1}
    assert lower_fixed(as_decimal)(Decimal("1.5")) == b"\x00\x0f"


def test_any_value_is_text_but_for_numbers_that_python_does_not_print() -> None:
    assert lower_json("json")({"a": (1,)}) == {"json": '{"a":[1]}'}
    with pytest.raises(Fault, match="digits"):
        lower_json("json")(10**5000)
