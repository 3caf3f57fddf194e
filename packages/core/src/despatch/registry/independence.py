"""Independence: which fields of a model can be validated alone, with the same verdict.

A change makes a new model, and pydantic validates all its fields, and then every model that it
is nested in. Where no class among them has code of its own, that is much work for nothing: what
was valid is valid still, and the changed field's own validator gives the verdict of the whole.
So the question is asked once for each class, and anything that is not known to be harmless
makes the class one that is validated as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin

from pydantic import Field, TypeAdapter
from pydantic.fields import FieldInfo

from despatch.distributions import FAMILIES
from despatch.parameters import SimParameter

__all__ = ["is_independent", "validator_of"]

_SCALARS: Final = frozenset({bool, int, float, str, NoneType, None})
_FAMILY_TYPES: Final = frozenset(FAMILIES.values())

_CONSTRAINTS: Final = frozenset(
    type(constraint)
    for constraint in Field(
        gt=0, ge=0, lt=1, le=1, multiple_of=1, min_length=0, max_length=1,
        strict=True, allow_inf_nan=False, pattern="",
    ).metadata
)  # fmt: skip
"""What pydantic makes of the limits that `Field` takes; none of it runs anybody's code."""

_HOOKS: Final = (
    "__init__",
    "__new__",
    "__setattr__",
    "__get_pydantic_core_schema__",
    "model_post_init",
)


@lru_cache(maxsize=1024)
def is_independent(kind: type[SimParameter]) -> bool:
    """Whether each field of the class is valid or not whatever the others are.

    So it is where the class has no validators, no hooks and no settings of its own, and its
    fields are of plain types within limits.
    """
    decorators = kind.__pydantic_decorators__
    has_validators = any(
        (
            decorators.validators,
            decorators.field_validators,
            decorators.root_validators,
            decorators.model_validators,
        )
    )
    settings = {name: value for name, value in kind.model_config.items() if name != "title"}
    return (
        not has_validators
        and settings == SimParameter.model_config
        and all(_own(kind, hook) is _own(SimParameter, hook) for hook in _HOOKS)
        and all(
            _is_plain(info.annotation) and _is_limit(info) for info in kind.model_fields.values()
        )
    )


@lru_cache(maxsize=16_384)
def validator_of(kind: type[SimParameter], name: str) -> Callable[..., Any]:
    """The validator of one field of an independent class: `validate(value, strict=True)`.

    It raises pydantic's ValidationError.
    """
    info = kind.model_fields[name]
    limits = [*info.metadata]
    if info.discriminator is not None:
        limits.append(Field(discriminator=info.discriminator))
    annotation: Any = info.annotation
    if annotation in _FAMILY_TYPES:
        # A model brings its own settings, and pydantic refuses to be given others.
        return TypeAdapter(annotation).validator.validate_python
    if limits:
        annotation = Annotated[annotation, *limits]
    return TypeAdapter(annotation, config=SimParameter.model_config).validator.validate_python


def _own(kind: type[Any], name: str) -> object:
    hook = getattr(kind, name)
    return getattr(hook, "__func__", hook)


def _is_limit(metadata: object) -> bool:
    if isinstance(metadata, FieldInfo):
        return all(map(_is_limit, metadata.metadata))
    return type(metadata) in _CONSTRAINTS


def _is_plain(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        return all(map(_is_limit, metadata)) and _is_plain(inner)
    if origin is Union or origin is UnionType:
        return all(map(_is_plain, get_args(annotation)))
    if origin is tuple:
        item, *rest = get_args(annotation)
        return rest == [...] and _is_plain(item)
    if isinstance(annotation, NewType):
        return _is_plain(annotation.__supertype__)
    if origin is Literal or annotation in _SCALARS or annotation in _FAMILY_TYPES:
        return True
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, Enum):
        return not hasattr(annotation, "__get_pydantic_core_schema__")
    return issubclass(annotation, SimParameter)
