"""Rebuilding: new models from changed fields, validated as wholes, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from despatch.errors import InvalidUpdateError
from despatch.parameters import SimParameter
from despatch.registry.parameter_nodes import Group, Parameter
from despatch.renderings import excerpt

__all__ = ["Levels", "changes_of", "compare", "reasons_of", "rebuilt", "rebuilt_tops"]

Levels: TypeAlias = dict[int, dict[Group, dict[str, Any]]]
"""The changed fields of each group, by the groups' depth."""


def changes_of(levels: Levels, group: Group) -> dict[str, Any]:
    """The changed fields of a group, to be added to."""
    return levels.setdefault(group.depth, {}).setdefault(group, {})


def rebuilt_tops(levels: Levels) -> Iterator[tuple[Group, SimParameter]]:
    """New models from the changed groups up: those of the topmost guarded groups."""
    for depth in range(max(levels, default=-1), -1, -1):
        for group, changes in levels.get(depth, {}).items():
            model = rebuilt(group.path, group.model, changes)
            if group.parent is None or not group.parent.is_guarded:
                yield group, model
            else:
                changes_of(levels, group.parent)[group.name] = model


def rebuilt(path: str, model: Any, changes: Mapping[str, Any]) -> Any:
    """A model with some fields changed, validated; `path` is what a reason begins with.

    Raises:
        InvalidUpdateError: It is not valid.
    """
    kind = type(model)
    # Not the whole __dict__: a cached property is there too.
    attributes = model.__dict__
    fields = {name: attributes[name] for name in kind.model_fields}
    fields.update(changes)
    try:
        return kind.__pydantic_validator__.validate_python(fields, strict=True)
    except ValidationError as error:
        raise InvalidUpdateError(reasons_of(path, error)) from error
    except Exception as error:
        # The author's own validators may fail in any way over what comes from outside; that is
        # the command's end and not the run's.
        raise InvalidUpdateError(
            f"{path}: a validator of {kind.__qualname__} failed: {type(error).__name__}: {error}"
        ) from error


def reasons_of(path: str, error: ValueError) -> str:
    """What is wrong with a value that was meant for a path, in words."""
    if not isinstance(error, ValidationError):
        return f"{path}: {error}"
    reasons = []
    for mistake in error.errors(include_url=False, include_context=False):
        where = ".".join([path, *map(str, mistake["loc"])])
        # What a model as a whole has against its fields is not made clearer by showing them all.
        is_whole = not mistake["loc"] and isinstance(mistake["input"], Mapping | BaseModel)
        came = "" if is_whole else f", not {excerpt(mistake['input'])}"
        reasons.append(f"{where}: {mistake['msg'].removeprefix('Value error, ')}{came}")
    return "; ".join(reasons)


def compare(
    group: Group,
    model: SimParameter,
    models: list[tuple[Group, SimParameter]],
    news: dict[Parameter, Any],
) -> None:
    """Find what a new model and those nested in it have that may not be there already.

    Args:
        group: Where the model is to go.
        model: The new model.
        models: Gets it and those nested in it, with their groups.
        news: Gets the values.

    Raises:
        InvalidUpdateError: A model is of another class than before.
    """
    if type(model) is not type(group.model):
        raise InvalidUpdateError(
            f"{group.path}: a validator made a {type(model).__qualname__} of it; "
            f"a {type(group.model).__qualname__} must remain"
        )
    models.append((group, model))
    present, coming = group.model.__dict__, model.__dict__
    for name, child in group.children.items():
        old, new = present[name], coming[name]
        if new is old:
            continue
        if isinstance(child, Group):
            compare(child, new, models, news)
        else:
            news[child] = new
