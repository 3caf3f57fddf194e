"""The nodes of the parameter tree: groups, their parameters, and the parts of distributions."""

from __future__ import annotations

from dataclasses import dataclass, field

from despatch.coercion import Coercion, alternatives
from despatch.parameters import SimParameter

__all__ = ["Group", "Parameter", "Part", "grown"]


@dataclass(slots=True, eq=False)
class Group:
    """A `SimParameter`: a node of the tree."""

    path: str
    name: str
    parent: Group | None
    depth: int
    model: SimParameter
    children: dict[str, Group | Parameter] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Parameter:
    """A field that holds one value; a distribution has parts."""

    path: str
    name: str
    group: Group
    coerce: Coercion


@dataclass(slots=True, eq=False)
class Part:
    """A parameter of a distribution."""

    path: str
    name: str
    whole: Parameter
    coerce: Coercion


def grown(path: str, name: str, parent: Group | None, model: SimParameter) -> Group:
    """The tree of a model and those nested in it.

    Raises:
        TypeError: A model is not frozen, or a field cannot be a live parameter.
    """
    if not model.model_config.get("frozen"):
        raise TypeError(f"{type(model).__qualname__}: a SimParameter must stay frozen")
    group = Group(path, name, parent, 0 if parent is None else parent.depth + 1, model)
    for field_name, info in type(model).model_fields.items():
        child_path = f"{path}.{field_name}"
        value = getattr(model, field_name)
        (first, *others) = alternatives(info.annotation)
        if isinstance(first, type) and issubclass(first, SimParameter) and not others:
            group.children[field_name] = grown(child_path, field_name, group, value)
            continue
        try:
            coercion = Coercion.of(info.annotation)
        except TypeError as error:
            raise TypeError(f"{type(model).__qualname__}.{field_name}: {error}") from None
        group.children[field_name] = Parameter(child_path, field_name, group, coercion)
    return group
