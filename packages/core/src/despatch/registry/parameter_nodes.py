"""The nodes of the parameter tree: groups, their parameters, and the parts of distributions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from despatch.parameters import SimParameter
from despatch.registry.coercion import Coercion, alternatives
from despatch.registry.independence import is_independent, validator_of

__all__ = ["Group", "Parameter", "Part", "grown"]


@dataclass(slots=True, eq=False)
class Group:
    """A `SimParameter`: a node of the tree.

    Attributes:
        model: The present model, where `is_guarded`; elsewhere it is the first one for ever,
            and nobody asks for it.
        is_guarded: Whether a change in it is validated with all else that is in it, and in the
            groups that it is in, up to the topmost guarded one: their classes, or one of them,
            have validators of their own.
    """

    path: str
    name: str
    parent: Group | None
    depth: int
    model: SimParameter
    is_guarded: bool
    children: dict[str, Group | Parameter] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Parameter:
    """A field that holds one value; a distribution has parts.

    Attributes:
        coerce: How what comes is read.
        types: The types that need no reading.
        validate: What validates a value that was read, alone, as `validate(value, strict=True)`;
            None where the group is guarded.
    """

    path: str
    name: str
    group: Group
    coerce: Coercion
    types: frozenset[type]
    validate: Callable[..., Any] | None


@dataclass(slots=True, eq=False)
class Part:
    """A parameter of a distribution, which is validated with the whole of it."""

    validate: ClassVar[None] = None

    path: str
    name: str
    whole: Parameter
    coerce: Coercion
    types: frozenset[type]


def grown(path: str, name: str, parent: Group | None, model: SimParameter) -> Group:
    """The tree of a model and those nested in it.

    Raises:
        TypeError: A model is not frozen, or a field cannot be a live parameter.
    """
    kind = type(model)
    if not model.model_config.get("frozen"):
        raise TypeError(f"{kind.__qualname__}: a SimParameter must stay frozen")
    is_guarded = (parent is not None and parent.is_guarded) or not is_independent(kind)
    depth = 0 if parent is None else parent.depth + 1
    group = Group(path, name, parent, depth, model, is_guarded)
    for field_name, info in kind.model_fields.items():
        child_path = f"{path}.{field_name}"
        (first, *others) = alternatives(info.annotation)
        if isinstance(first, type) and issubclass(first, SimParameter) and not others:
            nested = getattr(model, field_name)
            group.children[field_name] = grown(child_path, field_name, group, nested)
            continue
        try:
            coerce = Coercion.of(info.annotation)
        except TypeError as error:
            raise TypeError(f"{kind.__qualname__}.{field_name}: {error}") from None
        validate = None if is_guarded else validator_of(kind, field_name)
        group.children[field_name] = Parameter(
            child_path, field_name, group, coerce, coerce.types, validate
        )
    return group
