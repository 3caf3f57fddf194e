from __future__ import annotations

from enum import Enum, IntEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch import Empirical, Normal
from despatch.registry.coercion import Coercion
from despatch.renderings import counted, excerpt, plain, span, volume


class Shift(Enum):
    EARLY = "early"


class Level(IntEnum):
    HIGH = 3


class Unshowable:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (119.4, "119 s"), (120, "2 min"), (7199, "120 min"),
     (19_800, "5.5 h"), (172_800, "2.0 d")],
)  # fmt: skip
def test_a_span_is_told_in_a_few_characters(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (3.2e12, "3,200.0 GB")],
)
def test_a_volume_is_told_in_a_few_characters(size: float, text: str) -> None:
    assert volume(size) == text


def test_one_is_counted_without_an_s() -> None:
    assert (counted(1, "run"), counted(0, "run"), counted(2000, "run")) == (
        "1 run", "0 runs", "2,000 runs",
    )  # fmt: skip


def test_an_excerpt_is_the_repr_of_what_is_short() -> None:
    assert excerpt({"a": [1, "x"]}) == "{'a': [1, 'x']}"


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000, list(range(10_000)), b"x" * 10_000, 10**10_000, Unshowable(), float("nan")],
    ids=["text", "list", "bytes", "int", "unshowable", "nan"],
)
def test_an_excerpt_is_short_whatever_it_is_of(value) -> None:
    assert 0 < len(excerpt(value)) <= 80


def test_an_excerpt_of_what_is_nested_deep_or_contains_itself_ends() -> None:
    loop: list[object] = []
    loop.append(loop)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert len(excerpt(loop)) <= 80
    assert len(excerpt(deep)) <= 80
    while deep:  # freed level by level
        (deep,) = deep


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_plain_data_stays_as_it_is(value) -> None:
    assert plain(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Normal(mean=3, std=1), {"family": "normal", "mean": 3.0, "std": 1.0}),
        (Empirical(values=(1.0, 2.0)), {"family": "empirical", "values": [1.0, 2.0]}),
        ({"a": Normal(mean=3, std=1)}, {"a": {"family": "normal", "mean": 3.0, "std": 1.0}}),
        (Shift.EARLY, "early"),
        (Level.HIGH, 3),
        ((1, (2,)), [1, [2]]),
        ({1: "x"}, {"1": "x"}),
        (b"x", "b'x'"),
    ],
)
def test_what_json_does_not_know_becomes_what_it_does(value, expected) -> None:
    result = plain(value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**4_000])
def test_an_int_that_no_encoder_takes_becomes_a_text_that_reads_as_it_does(number) -> None:
    assert plain(number) == str(number)
    assert plain([number]) == [str(number)]
    assert Coercion.of(int)(plain(number)) == number


def test_an_int_longer_than_python_prints_becomes_its_excerpt() -> None:
    assert "cannot be shown" in plain(10**5_000)


def test_a_text_of_a_subclass_becomes_the_plain_text() -> None:
    class Name(str):
        __slots__ = ()

    assert plain(Name("A")) == "A"
    assert type(plain(Name("A"))) is str


def test_a_number_of_a_subclass_becomes_the_plain_number() -> None:
    class Seconds(float):
        pass

    assert type(plain(Seconds(2.5))) is float


def test_plain_data_of_what_contains_itself_ends() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert "again" in plain(loop)
