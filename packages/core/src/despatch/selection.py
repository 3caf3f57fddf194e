"""Selection: which records a sink is given.

    select:
      stream_type: event
      key: "part-*"
      where: {status: [finished, scrapped], size.mm: {ge: 10}}

Everything that is given must hold; ``any`` and ``all`` nest selections. A selection is data, so
that it can be read from a settings file and handed to another process; `Selection.matches` is
the function made of it.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, model_validator

from despatch.mistakes import mistake

__all__ = ["Matches", "Selection"]

Matches: TypeAlias = Callable[[str, str, str | None, Any], bool]
"""``matches(stream_type, name, type_name, value)``: `name` is an event's key or a telemetry's
path, `type_name` the name of the value's type or None, `value` the value, or None where it
cannot be decoded."""

_Test: TypeAlias = Callable[[Any], bool]

_Scalar: TypeAlias = bool | int | float | str | None
_Comparison: TypeAlias = dict[Literal["lt", "le", "gt", "ge"], Any]
_COMPARISON: TypeAdapter[_Comparison] = TypeAdapter(_Comparison)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_ABSENT = object()


def _condition(value: Any) -> Any:
    if isinstance(value, Mapping):
        bounds = _COMPARISON.validate_python(dict(value))
        if not bounds or not all(_is_bound(bound) for bound in bounds.values()):
            raise mistake("lt, le, gt or ge with a number or a text each")
        return bounds
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(each, _Scalar) for each in value):
            raise mistake("a list of at least one number, text, true, false or null")
        return list(value)
    if not isinstance(value, _Scalar):
        raise mistake("a value, a list of values, or a mapping of lt, le, gt, ge")
    return value


def _is_bound(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


class Selection(BaseModel):
    """Which records a sink is given; an empty one is all of them.

    Attributes:
        stream_type: ``event`` or ``telemetry``.
        key: A glob (``*``, ``?``, ``[…]``; upper and lower case differ) for an event's key; a
            telemetry has no key and does not match.
        path: A glob for a telemetry's path; an event has no path and does not match.
        type: The name of the value's type.
        where: Conditions on the value's fields, by name; a dotted name leads into nested
            fields. A condition is a value, a list of values, or bounds (lt, le, gt, ge).
            A field that is absent or of another type than the condition does not match.
        any: Selections of which at least one must match.
        all: Selections that must all match.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    stream_type: Literal["event", "telemetry"] | None = None
    key: str | None = None
    path: str | None = None
    type: str | None = None
    where: dict[str, Annotated[Any, PlainValidator(_condition)]] = Field(default_factory=dict)
    any: Annotated[list[Selection], Field(min_length=1)] | None = None
    all: Annotated[list[Selection], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _refuse_what_never_matches(self) -> Selection:
        if self.key is not None and (self.path is not None or self.stream_type == "telemetry"):
            raise mistake("`key` for events or `path` for telemetry, not both")
        if self.path is not None and self.stream_type == "event":
            raise mistake("`key` to select events by: only telemetry has a path")
        return self

    @property
    def reads_value(self) -> bool:
        """Whether the value matters at all: where not, it need not be decoded."""
        nested = [*(self.any or ()), *(self.all or ())]
        return bool(self.where) or any(each.reads_value for each in nested)

    def may_select(self, stream_type: Literal["event", "telemetry"]) -> bool:
        """Whether a record of this stream could be selected at all."""
        if self.stream_type not in (None, stream_type):
            return False
        if (self.path if stream_type == "event" else self.key) is not None:
            return False
        return all(each.may_select(stream_type) for each in self.all or ()) and (
            self.any is None or any(each.may_select(stream_type) for each in self.any)
        )

    @cached_property
    def matches(self) -> Matches:
        """The function that says whether a record is selected; it never raises."""
        checks = [*self._own_checks(), *(each.matches for each in self.all or ())]
        if self.any is not None:
            checks.append(_one_of([each.matches for each in self.any]))
        if not checks:
            return lambda stream_type, name, type_name, value: True
        if len(checks) == 1:
            return checks[0]
        return _all_of(checks)

    def _own_checks(self) -> list[Matches]:
        checks: list[Matches] = []
        if self.stream_type is not None:
            checks.append(_of_stream(self.stream_type))
        if self.type is not None:
            checks.append(_of_type(self.type))
        if self.key is not None:
            checks.append(_named("event", self.key))
        if self.path is not None:
            checks.append(_named("telemetry", self.path))
        checks.extend(_where(field, condition) for field, condition in self.where.items())
        return checks


def _of_stream(expected: str) -> Matches:
    return lambda stream_type, name, type_name, value: stream_type == expected


def _of_type(expected: str) -> Matches:
    return lambda stream_type, name, type_name, value: type_name == expected


def _named(expected: str, glob: str) -> Matches:
    is_match = re.compile(fnmatch.translate(glob)).match

    def matches(stream_type: str, name: str, type_name: str | None, value: Any) -> bool:
        return stream_type == expected and is_match(name) is not None

    return matches


def _where(field: str, condition: Any) -> Matches:
    steps = field.split(".")
    test = _test(condition)
    if len(steps) == 1:

        def matches_flat(stream_type: str, name: str, type_name: str | None, value: Any) -> bool:
            # Nearly all values are of this kind, and no look at what a Mapping is is cheap.
            if type(value) is not dict and not isinstance(value, Mapping):
                return False
            value = value.get(field, _ABSENT)
            return value is not _ABSENT and test(value)

        return matches_flat

    def matches(stream_type: str, name: str, type_name: str | None, value: Any) -> bool:
        for step in steps:
            if not isinstance(value, Mapping):
                return False
            value = value.get(step, _ABSENT)
        return value is not _ABSENT and test(value)

    return matches


def _test(condition: Any) -> _Test:
    if isinstance(condition, dict):
        bounds = [(_OPERATORS[name], bound) for name, bound in condition.items()]
        return lambda value: all(_holds(compare, value, bound) for compare, bound in bounds)
    if isinstance(condition, list):
        return lambda value: any(_holds(operator.eq, value, each) for each in condition)
    kind = type(condition)

    def equals(value: Any) -> bool:
        return value == condition if type(value) is kind else _holds(operator.eq, value, condition)

    return equals


def _holds(compare: Callable[[Any, Any], bool], value: Any, bound: Any) -> bool:
    # For Python True is 1; for whoever writes `where: {count: 1}` it is not.
    if isinstance(value, bool) is not isinstance(bound, bool):
        return False
    try:
        return bool(compare(value, bound))
    except (TypeError, ValueError, ArithmeticError):  # ArithmeticError: Decimal("NaN") < 1
        return False


def _one_of(alternatives: list[Matches]) -> Matches:
    def matches(stream_type: str, name: str, type_name: str | None, value: Any) -> bool:
        return any(each(stream_type, name, type_name, value) for each in alternatives)

    return matches


def _all_of(checks: list[Matches]) -> Matches:
    def matches(stream_type: str, name: str, type_name: str | None, value: Any) -> bool:
        return all(check(stream_type, name, type_name, value) for check in checks)

    return matches
