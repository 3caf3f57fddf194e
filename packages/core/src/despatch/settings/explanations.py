"""What pydantic has against settings, in plain words, with secrets left out.

``egress[0].batch.records: expected a whole number of at least 1, got 0``

What came is shown where that helps. It is not shown where a secret might be in it: in a field
that holds a `SecretStr`, under an unknown key (perhaps a secret's, misspelt), and where it came
by a reference such as ``${PASSWORD}``. A message that somebody else's validator made may
repeat what came, so it is withheld in the same places.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Final, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from despatch.mistakes import MISTAKE
from despatch.settings.references import HIDDEN, SECRETS, Location, Referenced

__all__ = ["dotted", "explain", "hidden", "keys_of", "unknown_key"]

_Context: TypeAlias = Mapping[str, Any]

_LONGEST_SHOWN: Final = 60
_USER_IN_URL = re.compile(r"//[^/@\s]+@")
_DATE = "a date and time with its offset, such as 2026-01-05T06:00:00+00:00"


def explain(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    *,
    other_keys: Collection[str] = (),
) -> list[tuple[Location, str]]:
    """Say what is wrong with settings.

    Args:
        error: What pydantic found.
        model: The model that it held the data against.
        data: The data.
        other_keys: Keys besides the model's own that may stand at the top of the data, for
            suggestions.

    Returns:
        Where, and what: in the order in which pydantic found it, one for each place.
    """
    found: dict[Location, list[str]] = {}
    for each in error.errors(include_url=False):
        where = _place(each, data)
        message = _message(each, where, model, data, other_keys)
        messages = found.setdefault(where, [])
        if message not in messages:
            messages.append(message)
    # A place has several where several types were possible.
    return [(where, "; or ".join(messages)) for where, messages in found.items()]


def hidden(data: Any, model: type[BaseModel]) -> Any:
    """The data with asterisks for what came by a reference or is a secret of the model's."""
    return _hidden(data, (), model)


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a mapping for this model may have."""
    keys = []
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        keys.append(alias if isinstance(alias, str) else name)
    return keys


def unknown_key(key: str, known: Iterable[str]) -> str:
    """What to say of a key that nobody asked for."""
    keys = sorted(known)
    close = difflib.get_close_matches(key, keys, n=1)
    if close:
        return f"unknown setting: did you mean {close[0]!r}?"
    return f"unknown setting: expected one of {', '.join(keys)}" if keys else "unknown setting"


def dotted(where: Location) -> str:
    """A location as it is written: ``egress[1].batch.records``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return text.removeprefix(".")


def _place(error: ErrorDetails, data: Any) -> Location:
    """Where in the data: pydantic's location less what it adds, such as the members of a union."""
    where: list[str | int] = []
    for step in error["loc"]:
        if _has(data, step):
            data = data[step]
        elif error["type"] == "missing" and step == error["loc"][-1]:
            data = None
        else:
            continue
        where.append(step)
    return tuple(where)


def _at(data: Any, where: Location) -> Any:
    for step in where:
        if not _has(data, step):
            return None
        data = data[step]
    return data


def _has(data: Any, step: str | int) -> bool:
    if isinstance(data, list | tuple):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, Mapping) and step in data


def _message(
    error: ErrorDetails,
    where: Location,
    model: type[BaseModel],
    data: Any,
    other_keys: Collection[str],
) -> str:
    kind, came = error["type"], error["input"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        known = {key for parent in _models(model, where[:-1]) for key in keys_of(parent)}
        return unknown_key(str(where[-1]), known.union(other_keys) if len(where) == 1 else known)
    given = _at(data, where)
    if isinstance(given, Referenced):
        # A validator may have taken it apart, and a part of it does not hide itself.
        came = given
    is_hidden = isinstance(came, Referenced) or (_is_scalar(came) and _is_secret(model, where))
    words = _WORDS.get(kind)
    if words is not None:
        message = words(error.get("ctx", {}))
    elif is_hidden or _repeats_hidden(error["msg"], came, where, model):
        message = "expected another value (what is wrong with it might give it away)"
    else:
        message = _plain(error["msg"])
    return f"{message}, got {_shown(came, is_hidden)}"


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message.removesuffix(".")


def _shown(value: Any, is_hidden: bool) -> str:
    match value:
        case Referenced():
            return value.description
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
        case _ if is_hidden:
            return "a value that is not shown"
        case bool():
            return str(value).lower()
        case str():
            return repr(_USER_IN_URL.sub(f"//{HIDDEN}@", value[:_LONGEST_SHOWN]))
        case int() | float():
            return str(value)
    return f"an object of type {type(value).__name__}"


def _repeats_hidden(message: str, came: Any, where: Location, model: type[BaseModel]) -> bool:
    """Whether a message about a mapping or a list has a secret of it in it."""
    return any(
        text and text in message
        for path, text in _texts(came, where)
        if isinstance(text, Referenced) or _may_be_secret(model, path)
    )


def _texts(data: Any, where: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, (*where, key))
    elif isinstance(data, list | tuple):
        for i, value in enumerate(data):
            yield from _texts(value, (*where, i))
    elif isinstance(data, SECRETS):
        yield from _texts(data.get_secret_value(), where)
    elif isinstance(data, str | int | float) and not isinstance(data, bool):
        yield where, data if isinstance(data, str) else str(data)


def _hidden(data: Any, where: Location, model: type[BaseModel]) -> Any:
    if data is None:
        return None
    if any(_is_secret_type(each) for each in _annotations(model, where)):
        return HIDDEN
    if isinstance(data, Mapping):
        return {key: _hidden(data[key], (*where, key), model) for key in data}
    if isinstance(data, list | tuple):
        return [_hidden(each, (*where, i), model) for i, each in enumerate(data)]
    if isinstance(data, (Referenced, *SECRETS)) or _is_secret(model, where):
        return HIDDEN
    return data


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, Mapping | list | tuple)


def _is_secret(model: type[BaseModel], where: Location) -> bool:
    return any(_holds_secret(each, ()) for each in _annotations(model, where))


def _may_be_secret(model: type[BaseModel], where: Location) -> bool:
    # What the model knows nothing of may be a secret's key misspelt.
    return _is_secret(model, where) or not any(_annotations(model, where))


def _is_secret_type(part: Any) -> bool:
    origin = get_origin(part) or part
    return isinstance(origin, type) and issubclass(origin, SECRETS)


def _holds_secret(annotation: Any, seen: tuple[type, ...]) -> bool:
    """Whether something of this type is a secret or has one in it."""
    for part in _alternatives(annotation):
        if _is_secret_type(part):
            return True
        if _is_model(part) and part not in seen:
            fields = part.model_fields.values()
            if any(_holds_secret(field.annotation, (*seen, part)) for field in fields):
                return True
        if any(_holds_secret(argument, seen) for argument in get_args(part)):
            return True
    return False


def _models(model: type[BaseModel], where: Location) -> list[type[BaseModel]]:
    """The models that may stand at this place."""
    return [each for each in _annotations(model, where) if _is_model(each)]


def _annotations(annotation: Any, where: Location) -> Iterator[Any]:
    """The types that may stand at this place."""
    for part in _alternatives(annotation):
        if not where:
            yield part
        elif _is_model(part):
            for name, info in part.model_fields.items():
                if where[0] in (name, info.validation_alias):
                    yield from _annotations(info.annotation, where[1:])
        elif _is_mapping(get_origin(part)):
            yield from _annotations(get_args(part)[1], where[1:])
        else:
            for argument in get_args(part):
                yield from _annotations(argument, where[1:])


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if hasattr(annotation, "__value__"):
        yield from _alternatives(annotation.__value__)
    elif origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _alternatives(part)
    else:
        yield annotation


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and get_origin(part) is None and issubclass(part, BaseModel)


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _always(message: str) -> Callable[[_Context], str]:
    return lambda context: f"expected {message}"


def _bound(name: str, words: str) -> Callable[[_Context], str]:
    def message(context: _Context) -> str:
        bound = context[name]
        if isinstance(bound, int):
            return f"expected a whole number of {words} {bound}"
        if isinstance(bound, float):
            return f"expected a number of {words} {bound:g}"
        return f"expected a value of {words} {bound}"

    return message


def _length(name: str, words: str, unit: str) -> Callable[[_Context], str]:
    def message(context: _Context) -> str:
        count = context[name]
        return f"expected {words} {count} {unit}{'' if count == 1 else 's'}"

    return message


def _own(context: _Context) -> str:
    """For the error types that despatch's own validators raise, whose words are in the context."""
    return f"expected {context['expected']}"


_WORDS: dict[str, Callable[[_Context], str]] = {
    **dict.fromkeys(["int_type", "int_parsing", "int_from_float"], _always("a whole number")),
    "int_parsing_size": _always("a whole number of fewer digits"),
    **dict.fromkeys(["float_type", "float_parsing", "decimal_type"], _always("a number")),
    "decimal_parsing": _always("a number"),
    "finite_number": _always("a finite number"),
    **dict.fromkeys(["bool_type", "bool_parsing"], _always("true or false")),
    **dict.fromkeys(["string_type", "string_sub_type", "string_unicode"], _always("text")),
    "string_too_short": _length("min_length", "text of at least", "character"),
    "string_too_long": _length("max_length", "text of at most", "character"),
    "string_pattern_mismatch": lambda context: f"expected text like {context['pattern']}",
    **dict.fromkeys(["literal_error", "enum"], _own),
    **dict.fromkeys(["list_type", "tuple_type", "set_type"], _always("a list")),
    **dict.fromkeys(
        ["dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"],
        _always("a mapping"),
    ),
    "too_short": _length("min_length", "at least", "item"),
    "too_long": _length("max_length", "at most", "item"),
    "greater_than": _bound("gt", "more than"),
    "greater_than_equal": _bound("ge", "at least"),
    "less_than": _bound("lt", "less than"),
    "less_than_equal": _bound("le", "at most"),
    **dict.fromkeys(
        ["datetime_type", "datetime_parsing", "datetime_from_date_parsing", "timezone_aware"],
        _always(_DATE),
    ),
    **dict.fromkeys(
        ["date_type", "date_parsing", "date_from_datetime_parsing"],
        _always("a date such as 2026-01-05"),
    ),
    "path_type": _always("a path"),
    **dict.fromkeys(["url_type", "url_parsing", "url_syntax_violation"], _always("a URL")),
    "url_scheme": lambda context: f"expected a URL that begins with {context['expected_schemes']}",
    **dict.fromkeys(
        ["byte_size", "byte_size_unit"], _always("a number of bytes, such as 65536, 256KiB or 4MiB")
    ),
    "uuid_parsing": _always("a UUID"),
    "is_instance_of": lambda context: f"expected an object of type {context['class']}",
    "union_tag_invalid": lambda context: f"expected one of {context['expected_tags']}",
    "union_tag_not_found": lambda context: f"expected {context['discriminator']} to say which",
    MISTAKE: _own,
}
