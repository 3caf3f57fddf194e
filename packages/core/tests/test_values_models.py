from __future__ import annotations

import enum
import functools
import warnings
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from despatch.errors import UnencodableError
from despatch.values import OPTIONS, pack, packb, plain_fields_of, unpack
from despatch.values.models import plain_model
from despatch.values.walking import pack_walking

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BOTH = ("red", 1)


class Level(enum.IntEnum):
    HIGH = 3


class ListEnum(list, enum.Enum):
    """An enum that is a list too, of something else than its value."""

    PAIR = "pair"

    def __new__(cls, value):
        member = super().__new__(cls)
        member._value_ = value
        return member

    def __init__(self, _value):
        super().__init__(["another"])

    __hash__ = enum.Enum.__hash__
    __repr__ = object.__repr__


class Text(str):
    pass


@pydantic.dataclasses.dataclass
class Shouting:
    """A dataclass that pydantic dumps otherwise than by its fields."""

    word: str

    @pydantic.field_serializer("word")
    def shout(self, word: str) -> str:
        return f"{word}!"


class Flat(BaseModel):
    status: str
    number: int = 0
    at: float = 0.0
    ok: bool = True
    price: Decimal = Decimal("1.50")


class Leaves(BaseModel):
    when: datetime
    day: date
    hour: time
    took: timedelta
    id: UUID
    raw: bytes
    colour: Colour
    level: Level
    nothing: None
    word: Literal["a", "b", 3]
    anything: Any


class Containers(BaseModel):
    list_of: list[int | str]
    dict_of: dict[str, float | None]
    by_number: dict[int, str]
    set_of: set[str]
    frozen: frozenset[int]
    pair: tuple[int, str]
    many: tuple[float, ...]
    deep: dict[str, list[tuple[int, dict[str, set[int]]]]]


class Constrained(BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(max_length=40, alias="theName")] = "x"
    share: float = Field(0.5, ge=0, le=1)
    items: list[Annotated[int, Field(gt=0)]] = Field(default_factory=list)

    @pydantic.field_validator("share")
    @classmethod
    def _checked(cls, share: float) -> float:
        return share

    @pydantic.model_validator(mode="before")
    @classmethod
    def _before(cls, data: Any) -> Any:
        return data

    @pydantic.model_validator(mode="after")
    def _after(self) -> Constrained:
        return self


class Private(BaseModel):
    seen: int
    _cache: dict[str, int] = pydantic.PrivateAttr(default_factory=dict)


class Cached(BaseModel):
    seen: int

    @functools.cached_property
    def double(self) -> int:
        return 2 * self.seen


class Line(BaseModel):
    item: str
    price: Decimal = Decimal(1)


class SpecialLine(Line):
    secret: str = "hush"


class Order(BaseModel):
    number: int
    first: Line
    lines: list[Line] = []
    by_name: dict[str, Line] = {}
    other: Line | None = None


class Tree(BaseModel):
    name: str
    parts: list[Tree] = []


class Box(BaseModel, Generic[T]):
    content: T


PLAIN = [
    Flat,
    Leaves,
    Containers,
    Constrained,
    Private,
    Cached,
    Line,
    SpecialLine,
    Order,
    Tree,
    Box[int],
    Box[list[str]],
    Box[Line],
]


class Serialized(BaseModel):
    word: str

    @pydantic.field_serializer("word")
    def _shout(self, word: str) -> str:
        return f"{word}!"


class SerializedWhole(BaseModel):
    word: str

    @pydantic.model_serializer
    def _shout(self) -> dict[str, str]:
        return {"loud": self.word}


class SerializedType(BaseModel):
    word: Annotated[str, pydantic.PlainSerializer(lambda word: f"{word}!")]


class Computed(BaseModel):
    word: str

    @pydantic.computed_field
    def length(self) -> int:
        return len(self.word)


class Excluding(BaseModel):
    word: str
    secret: str = Field("hush", exclude=True)


class Open(BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    word: str


class ByAlias(BaseModel):
    model_config = pydantic.ConfigDict(serialize_by_alias=True)
    word: str = Field(serialization_alias="loud")


class Dumping(BaseModel):
    word: str

    def model_dump(self, **options: Any) -> dict[str, Any]:
        return {"mine": self.word}


class Root(pydantic.RootModel[list[int]]):
    pass


class WithDataclass(BaseModel):
    part: Shouting


class AsAny(BaseModel):
    line: pydantic.SerializeAsAny[Line]


class WithTypedDict(BaseModel):
    class Size(TypedDict):
        width: int

    size: Size


class WithSequence(BaseModel):
    some: Sequence[int]


class WithUrl(BaseModel):
    url: pydantic.AnyUrl


class WithSecret(BaseModel):
    secret: pydantic.SecretStr


class WithEnumLiteral(BaseModel):
    word: Literal[Colour.RED] | int


class TwoNested(BaseModel):
    line: Line
    flat: Flat


class NestedSerialized(BaseModel):
    inner: Serialized


NOT_PLAIN = [
    AsAny,
    Box,
    ByAlias,
    Computed,
    Dumping,
    Excluding,
    NestedSerialized,
    Open,
    Root,
    Serialized,
    SerializedType,
    SerializedWhole,
    Shouting,
    TwoNested,
    WithDataclass,
    WithEnumLiteral,
    WithSecret,
    WithSequence,
    WithTypedDict,
    WithUrl,
    dict,
    type("NoModel", (), {"model_dump": lambda self, mode: {}}),
]


@pytest.mark.parametrize("cls", PLAIN, ids=lambda cls: cls.__name__)
def test_a_model_of_plain_fields_is_taken_from_them(cls):
    assert plain_model(cls).names == list(cls.model_fields)


@pytest.mark.parametrize("cls", NOT_PLAIN, ids=lambda cls: cls.__name__)
def test_a_model_that_may_dump_otherwise_is_dumped(cls):
    if cls is Box:
        return  # of no type yet, its field is of any
    assert plain_model(cls) is None


def test_a_class_that_is_not_complete_is_dumped():
    incomplete = pydantic.create_model("Incomplete", part=("Unknown", ...))
    assert plain_model(incomplete) is None


def test_a_model_with_a_field_named_as_its_dump_is_dumped():
    with warnings.catch_warnings(action="ignore"):
        open_minded = pydantic.ConfigDict(protected_namespaces=())
        cls = pydantic.create_model("Odd", __config__=open_minded, model_dump=(int, ...))
    assert plain_model(cls) is None


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.decimals()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([*Colour, *Level, *ListEnum, Text("t"), bytearray(b"ab")])
    | st.sampled_from([Fraction(1, 3), Path("a"), 1j, object(), "\ud800", Line, Ellipsis])
    | st.builds(Shouting, st.just("hey"))
)
hashable = st.text(max_size=3) | st.integers() | st.dates() | st.tuples(st.text(max_size=3))


def instances(inner):
    """Models of every kind, with any values in any field, as `model_construct` allows."""

    def of(cls):
        fields = st.fixed_dictionaries({}, optional=dict.fromkeys(cls.model_fields, inner))
        return fields.map(lambda values: cls.model_construct(**values))

    return st.sampled_from(
        [
            cls
            for cls in [*PLAIN, *NOT_PLAIN]
            if issubclass(cls, BaseModel) and not issubclass(cls, pydantic.RootModel)
        ]
    ).flatmap(of)


anything = st.recursive(
    scalars,
    lambda inner: (
        instances(inner)
        | st.lists(inner, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(hashable, max_size=3)
        | st.lists(inner, max_size=2).map(iter)
    ),
    max_leaves=12,
)
words = st.text(max_size=5)
lines = st.builds(Line, item=words, price=st.decimals(allow_nan=False, allow_infinity=False))
valid = st.one_of(
    st.builds(Flat, status=words, number=st.integers(), at=st.floats(), ok=st.booleans()),
    st.builds(
        Leaves,
        when=st.datetimes(timezones=st.none() | st.just(UTC)),
        colour=st.sampled_from(Colour),
        level=st.sampled_from(Level),
        word=st.sampled_from(["a", "b", 3]),
        anything=st.none() | st.lists(st.integers() | words | st.sets(st.uuids())),
    ),
    st.builds(
        Containers,
        list_of=st.lists(st.integers() | words),
        many=st.lists(st.floats(), max_size=3).map(tuple),
        deep=st.dictionaries(
            words, st.lists(st.tuples(st.integers(), st.just({"a": {1, 2}})), max_size=2)
        ),
    ),
    st.builds(Constrained, theName=words, share=st.floats(0, 1), items=st.just([1, 2])),
    st.builds(Private, seen=st.integers()),
    lines,
    st.builds(Order, number=st.integers(), first=lines, lines=st.lists(lines), other=lines),
    st.recursive(
        st.builds(Tree, name=words, parts=st.just([])),
        lambda inner: st.builds(Tree, name=words, parts=st.lists(inner, max_size=3)),
    ),
)


def dumped(model):
    """What packing the model's dump gives: bytes, or None where it is refused."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return pack_walking(model.model_dump(mode="python"), "value")
    except Exception:  # what a dump raises is not the point; it gives no bytes
        return None


def by_fields(model):
    """What the fields give; None where that is not the way."""
    plain = plain_fields_of(type(model))
    if plain is None or [*model.__dict__] != plain.names:
        return None
    try:
        return packb(model.__dict__, plain.hook, OPTIONS)
    except TypeError:
        return None


def packed(value):
    try:
        with warnings.catch_warnings(action="ignore"):
            return pack(value)
    except UnencodableError:
        return None


def with_cached_property_and_without_field():
    model = Cached(seen=2)
    assert model.double == 4
    del model.seen
    return model


def with_attribute_of_nobodys():
    model = Flat(status="done")
    model.__dict__["another"] = 1
    return model


@pytest.mark.parametrize(
    ("model", "dump"),
    [
        (with_cached_property_and_without_field(), {}),
        (with_attribute_of_nobodys(), Flat(status="done").model_dump()),
        (Flat.model_construct(status=1.5).model_copy(update={"number": "many"}), None),
        (Line.model_construct(item=Shouting("hey")), {"item": {"word": "hey!"}, "price": 1}),
        (Box[list[str]].model_construct(content=ListEnum.PAIR), {"content": ["another"]}),
        (
            Order(number=1, first=SpecialLine(item="a")),
            Order(number=1, first=Line(item="a")).model_dump(),
        ),
        (
            Order.model_construct(number=1, first=Colour.RED, other=Flat(status="x")),
            {
                "number": 1,
                "first": {},
                "lines": [],
                "by_name": {},
                "other": {"price": Decimal("1.50")},
            },
        ),
        (Order(number=1, first=Line.model_construct(price=2)), None),
        (TwoNested.model_construct(line=Flat(status="x"), flat=Line(item="x")), None),
    ],
)
def test_a_model_that_was_tampered_with_is_dumped(model, dump):
    with warnings.catch_warnings(action="ignore"):
        expected = model.model_dump(mode="python")
    if dump is not None:
        assert expected == dump
    assert packed(model) == pack(expected)


@settings(max_examples=200)
@given(valid)
def test_the_fields_of_a_valid_model_are_what_it_dumps(model):
    has_other_keys = isinstance(model, Containers) and model.by_number
    assert by_fields(model) == (None if has_other_keys else dumped(model))
    assert packed(model) == dumped(model)


@settings(max_examples=400)
@given(instances(anything))
def test_whatever_was_put_into_a_model_its_fields_are_what_it_dumps(model):
    dump = dumped(model)
    assert by_fields(model) in (None, dump)
    assert packed(model) == dump
    deep = packed([{"deep": (model,)}])
    assert deep == (None if dump is None else pack([{"deep": (unpack(dump),)}]))
