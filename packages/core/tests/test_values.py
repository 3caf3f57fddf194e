from __future__ import annotations

import array
import collections
import contextlib
import dataclasses
import enum
import math
import subprocess
import sys
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from traceback import walk_stack
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from any_values import same, values
from despatch.errors import DespatchError
from despatch.values import OPTIONS, UnencodableError, default, pack, packb, unpack

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@given(values)
def test_every_supported_value_comes_back_equal_and_of_the_same_type(value):
    assert same(unpack(pack(value)), value)


@given(values)
def test_equal_values_are_packed_to_equal_bytes(value):
    assert pack(unpack(pack(value))) == pack(value)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_value_are_a_value_error(junk):
    with contextlib.suppress(ValueError):
        unpack(junk)


@pytest.mark.parametrize(
    "number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**1000, -(10**1000)]
)
def test_an_integer_of_any_size_is_exact(number):
    assert unpack(pack([number])) == [number]


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-0", "1E+100000", "1.2300"])
def test_a_decimal_keeps_its_digits_and_its_sign(text):
    assert str(unpack(pack(Decimal(text)))) == text


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, -0.0, 5e-324, 0.1])
def test_a_float_keeps_its_bits(number):
    assert unpack(pack(number)).hex() == number.hex()


def test_nothing_is_coerced_between_numbers_and_booleans():
    assert [type(x) for x in unpack(pack([1, 1.0, True, Decimal(1)]))] == [
        int,
        float,
        bool,
        Decimal,
    ]


class TestDatetime:
    def test_a_naive_one_stays_naive(self):
        assert unpack(pack(datetime(2026, 1, 5, 6, 2, 5, 1))).tzinfo is None

    def test_utc_stays_utc(self):
        assert unpack(pack(datetime(2026, 1, 5, tzinfo=UTC))).tzinfo is UTC

    @pytest.mark.parametrize("microseconds", [1, -1, 999_999, -(10**6), 10**6 + 1])
    def test_an_offset_of_less_than_a_second_stays_as_it_is(self, microseconds):
        zone = timezone(timedelta(microseconds=microseconds))
        assert unpack(pack(datetime(2026, 1, 5, tzinfo=zone))).tzinfo == zone
        assert unpack(pack(time(6, 2, tzinfo=zone))).tzinfo == zone

    def test_a_named_zone_stays_that_zone(self):
        moment = unpack(pack(datetime(2026, 1, 5, tzinfo=BERLIN)))
        assert moment.tzinfo is BERLIN

    @pytest.mark.parametrize("fold", [0, 1])
    def test_the_hour_that_comes_twice_keeps_its_offset(self, fold):
        moment = datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN)
        assert unpack(pack(moment)).utcoffset() == timedelta(hours=2 - fold)

    def test_a_zone_that_this_machine_does_not_know_leaves_the_offset(self):
        packed = pack(datetime(2026, 1, 5, tzinfo=BERLIN))
        moment = unpack(packed.replace(b"Europe/Berlin", b"Europe/Nowher"))
        assert moment.tzinfo == timezone(timedelta(hours=1))

    def test_a_zone_whose_rules_were_changed_leaves_the_instant(self):
        packed = pack(datetime(2026, 1, 5, tzinfo=BERLIN))
        moment = unpack(packed.replace(b"+01:00", b"+05:00"))
        assert moment == datetime(2026, 1, 4, 20, tzinfo=UTC) - timedelta(hours=1)

    def test_a_zone_of_another_library_leaves_its_offset(self):
        class Zone(tzinfo):
            def utcoffset(self, moment):
                return timedelta(minutes=17)

        moment = unpack(pack(datetime(2026, 1, 5, tzinfo=Zone())))
        assert moment.utcoffset() == timedelta(minutes=17)

    def test_a_time_keeps_its_named_zone(self):
        assert unpack(pack(time(6, 2, tzinfo=BERLIN))).tzinfo is BERLIN


class Colour(enum.Enum):
    RED = "red"
    ONE = 1
    BOTH = ("red", 1)
    NOTHING_MUCH = object()


class Level(enum.IntEnum):
    HIGH = 3


class Inner(pydantic.BaseModel):
    size: Decimal
    when: datetime


class Outer(pydantic.BaseModel):
    inner: Inner
    tags: set[str] = set()
    by_number: dict[int, Inner] = {}


@dataclasses.dataclass
class Part:
    number: int
    owner: Any = None


class Pair(NamedTuple):
    a: int
    b: int


class Text(str):
    __slots__ = ()


class TestWhatStandsForSomethingElse:
    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (Colour.RED, "red"),
            (Colour.BOTH, ("red", 1)),
            (Level.HIGH, 3),
            (Text("a"), "a"),
            (Pair(1, 2), (1, 2)),
            (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
            (collections.defaultdict(list, a=[1]), {"a": [1]}),
            (collections.Counter("aab"), {"a": 2, "b": 1}),
            (bytearray(b"ab"), b"ab"),
            (memoryview(b"abcd")[::2], b"ac"),
            (Part(1, Part(2)), {"number": 1, "owner": {"number": 2, "owner": None}}),
            ({Text("k"): 1}, {"k": 1}),
            ({Colour.RED: 1, Level.HIGH: 2}, {"red": 1, 3: 2}),
        ],
    )
    def test_is_taken_as_that(self, value, plain):
        assert same(unpack(pack(value)), plain)
        assert same(unpack(pack([{"deep": value}, {1: value}])), [{"deep": plain}, {1: plain}])

    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (np.int64(7), 7),
            (np.uint8(7), 7),
            (np.float64(0.1), 0.1),
            (np.float32(0.5), 0.5),
            (np.bool_(True), True),
            (np.str_("a"), "a"),
            (np.array(7), 7),
        ],
    )
    def test_a_numpy_number_is_taken_as_a_number(self, value, plain):
        assert same(unpack(pack(value)), plain)

    def test_a_pydantic_model_is_taken_as_its_fields_with_exact_types(self):
        inner = Inner(size=Decimal("1.50"), when=datetime(2026, 1, 5, tzinfo=UTC))
        plain = {"size": Decimal("1.50"), "when": datetime(2026, 1, 5, tzinfo=UTC)}
        value = Outer(inner=inner, tags={"x"}, by_number={4: inner})
        assert same(unpack(pack(value)), {"inner": plain, "tags": {"x"}, "by_number": {4: plain}})

    def test_what_becomes_of_a_value_later_changes_nothing(self):
        value = {"parts": [Part(1)], "sizes": {1: [2]}}
        packed = pack(value)
        value["parts"][0].number = 9
        value["sizes"][1].append(9)
        assert unpack(packed) == {"parts": [{"number": 1, "owner": None}], "sizes": {1: [2]}}


class Socket:
    pass


class Broken(Part):
    @property
    def number(self):
        raise RuntimeError("the machine \ud800 is gone")

    @number.setter
    def number(self, value):
        pass


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def tuple_cycle() -> tuple[list[Any]]:
    value: tuple[list[Any]] = ([],)
    value[0].append(value)
    return value


def nested(levels: int, wrap: Any) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = wrap(value)
    return value


class TestWhatCannotBePacked:
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (Socket(), "value: object of type Socket"),
            (
                {"parts": [1, 2, 3, Part(1, Socket())]},
                "value.parts[3].owner: object of type Socket",
            ),
            ({"a b": Socket()}, "value['a b']: object of type Socket"),
            ({1: {"x": Socket()}}, "value[1].x: object of type Socket"),
            ({date(2026, 1, 5): Socket()}, "value[<date>]: object of type Socket"),
            ((1, (2, Socket())), "value[1][1]: object of type Socket"),
            ({"tags": {Socket()}}, "value.tags[*]: object of type Socket"),
            ({Socket(): 1}, "value: key <Socket>: object of type Socket"),
            (Colour.NOTHING_MUCH, "value: object of type object"),
            ([1j], "value[0]: object of type complex"),
            ([Socket], "value[0]: object of type type"),
            ([print], "value[0]: object of type builtin_function_or_method"),
            ([np.array([1, 2])], "value[0]: object of type ndarray"),
            ([np.datetime64("2026-01-05", "ns")], "value[0]: object of type datetime64"),
            ([np.complex64(1)], "value[0]: object of type complex64"),
            ([array.array("i")], "value[0]: object of type array"),
            (["\ud800"], "value[0]: text with a lone surrogate"),
            ({"\ud800": 1}, "value: key '\\ud800': text with a lone surrogate"),
            (cycle(), "value[0]: contains itself"),
            (tuple_cycle(), "value[0][0]: contains itself"),
            ({"a": {1, Level.HIGH, Colour.ONE}}, "value.a: set of what is equal once read again"),
            ({"a": {1: "x", Colour.ONE: "y"}}, "value.a: dict with keys of what is equal once"),
            ({"a": {"red": "x", Colour.RED: "y"}}, "value.a: dict with keys of what is equal once"),
            (
                {"secret": pydantic.SecretStr("hush")},
                "value.secret: object of type SecretStr",
            ),
            ([Broken(1)], "value[0]: Broken raised RuntimeError: the machine \\ud800 is gone"),
        ],
    )
    def test_is_refused_and_its_place_is_named(self, value, reason):
        with pytest.raises(UnencodableError) as caught:
            pack(value)
        assert caught.value.reason.startswith(reason)
        assert str(caught.value) == caught.value.reason
        assert unpack(pack(caught.value.reason)) == caught.value.reason

    def test_what_can_no_longer_be_hashed_is_no_key(self):
        frozen = dataclasses.make_dataclass("Frozen", ["x"], frozen=True)
        with pytest.raises(UnencodableError, match=r"value: set of what cannot be hashed"):
            pack({frozen(1)})
        with pytest.raises(UnencodableError, match=r"value: dict with keys of what cannot be h"):
            pack({frozen(1): 1})

    def test_the_root_may_have_another_name(self):
        with pytest.raises(UnencodableError, match=r"updates\.x: object of type Socket"):
            pack({"x": Socket()}, "updates")

    @pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"a": v}, lambda v: (v,), Part])
    def test_too_deep_is_refused_and_deep_is_not(self, wrap):
        deep = nested(60, wrap)
        assert pack(unpack(pack(deep))) == pack(deep)
        with pytest.raises(UnencodableError, match="nested more than 128 levels deep"):
            pack(nested(5000, wrap))

    def test_a_stack_that_is_nearly_full_refuses_the_value_and_raises_nothing_else(self):
        def deeper(levels: int) -> str:
            if levels:
                return deeper(levels - 1)
            with pytest.raises(UnencodableError) as caught:
                pack(nested(100, lambda inner: {1: inner}))
            return caught.value.reason

        used = sum(1 for _ in walk_stack(None))
        assert "nested too deep" in deeper(sys.getrecursionlimit() - used - 60)

    def test_it_is_an_error_of_despatch_and_a_value_error(self):
        assert issubclass(UnencodableError, DespatchError)
        assert issubclass(UnencodableError, ValueError)


def test_what_pack_does_in_c_is_the_bare_call_of_packb():
    value = {"status": "finished", "at": datetime(2026, 1, 5), "pair": (1, 2)}
    assert packb(value, default, OPTIONS) == pack(value)


def test_sets_are_packed_alike_whatever_the_hash_seed():
    program = "from despatch.values import pack; print(pack({str(i) for i in range(50)}).hex())"
    hashed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashed) == 1


def test_a_uuid_is_the_same_uuid():
    value = uuid4()
    assert unpack(pack({"id": value})) == {"id": UUID(value.hex)}
