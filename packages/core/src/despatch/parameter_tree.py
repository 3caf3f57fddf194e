"""The parameter tree: the present values of all live parameters, and how they change together.

Models are frozen, so a change makes new ones, from the model that owns the changed field up to
the root. `ParameterTree.plan` makes and validates them and touches nothing; `commit` puts them
in place. Models that no change concerns are kept as the objects they are, so that what changed
is found by identity, and neither step looks at the rest of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeAlias

from pydantic import ValidationError

from despatch.coercion import PARTS, Coercion
from despatch.errors import InvalidUpdateError, RegistryError, UnknownPathError
from despatch.parameter_nodes import Group, Parameter, Part, grown
from despatch.parameters import SimParameter
from despatch.renderings import excerpt
from despatch.unknown_paths import unknown_path

__all__ = ["ParameterTree", "Plan"]

_Levels: TypeAlias = dict[int, dict[Group, dict[str, Any]]]


@dataclass(slots=True)
class Plan:
    """A change that was validated and not yet made; void once another is.

    Attributes:
        models: The groups that get a new model.
        values: The parameters that get a new value, other than the present one.
        derived: The paths of those among `values` that nobody named: a validator set them.
    """

    models: list[tuple[Group, SimParameter]] = field(default_factory=list)
    values: list[tuple[Parameter, Any]] = field(default_factory=list)
    derived: list[str] = field(default_factory=list)


class ParameterTree:
    """All live parameters, by dotted path.

    Attributes:
        values: Path to present value, distributions as wholes and by their parts. To be read,
            not written.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._targets: dict[str, Parameter | Part] = {}
        self._groups: dict[str, Group] = {}
        self._roots: dict[str, Group] = {}
        self._namespaces: set[str] = set()

    def add(self, prefix: str, model: SimParameter) -> None:
        """Add a model's parameters under a prefix.

        Raises:
            RegistryError: The prefix is no dotted name, is taken, or is ambiguous with another.
            TypeError: This is no `SimParameter`, or a field of it cannot be a live parameter.
        """
        if not isinstance(model, SimParameter):
            raise TypeError(f"{prefix}: expected a SimParameter, not {excerpt(model)}")
        self._check_prefix(prefix, model)
        root = grown(prefix, prefix, None, model)
        self._roots[prefix] = root
        segments = prefix.split(".")
        self._namespaces.update(".".join(segments[:n]) for n in range(1, len(segments) + 1))
        self._adopt(root)

    def _check_prefix(self, prefix: str, model: SimParameter) -> None:
        if not _is_dotted_name(prefix):
            raise RegistryError(
                f"a prefix is made of names with dots between, such as Line_A.lathe; "
                f"not {excerpt(prefix)}"
            )
        if prefix in self._roots:
            raise RegistryError(f"{prefix}: there is a model under this prefix already")
        segments = prefix.split(".")
        for n in range(1, len(segments)):
            other = ".".join(segments[:n])
            if other in self._roots and segments[n] in self._roots[other].children:
                raise RegistryError(
                    f"{prefix}: ambiguous with the field {segments[n]} of the model under {other}"
                )
        for name in type(model).model_fields:
            if f"{prefix}.{name}" in self._namespaces:
                raise RegistryError(
                    f"{prefix}: its field {name} is ambiguous with the prefix {prefix}.{name}"
                )

    def _adopt(self, group: Group) -> None:
        self._groups[group.path] = group
        for name, child in group.children.items():
            if isinstance(child, Group):
                self._adopt(child)
            else:
                value = getattr(group.model, name)
                self._targets[child.path] = child
                self.values[child.path] = value
                self._add_parts(child, value)

    def paths(self) -> Iterator[str]:
        """All paths, in the order in which models were added and declare their fields."""
        return chain.from_iterable(map(self._paths_of, self._roots.values()))

    def _paths_of(self, group: Group) -> Iterator[str]:
        for child in group.children.values():
            if isinstance(child, Group):
                yield from self._paths_of(child)
            else:
                yield child.path
                yield from (f"{child.path}.{part}" for part in _parts(self.values[child.path]))

    def holds(self, path: str, value: Any) -> bool:
        """Whether the parameter at `path` has this value, read as an update's would be.

        Raises:
            UnknownPathError: There is no such path.
        """
        try:
            _, read = self._read(path, value)
        except InvalidUpdateError:
            return False
        return _is_same(self.values[path], read)

    def _read(self, path: str, value: Any) -> tuple[Parameter | Part, Any]:
        target = self._targets.get(path)
        if target is None:
            raise self.unknown(path)
        try:
            return target, target.coerce(value)
        except ValidationError as error:
            raise InvalidUpdateError(_reasons(path, error)) from error
        except ValueError as error:
            raise InvalidUpdateError(f"{path}: {error}") from error

    def plan(self, updates: Mapping[str, Any]) -> Plan:
        """Validate updates as a whole, without making them.

        Raises:
            UnknownPathError: A path is not there.
            InvalidUpdateError: A value cannot be read, or a model refuses its fields.
        """
        levels: _Levels = {}
        parts: dict[Parameter, dict[str, Any]] = {}
        named: set[Parameter] = set()
        for path, value in updates.items():
            target, read = self._read(path, value)
            if isinstance(target, Part):
                parts.setdefault(target.whole, {})[target.name] = read
                named.add(target.whole)
            else:
                _changes(levels, target.group)[target.name] = read
                named.add(target)
        for whole, changes in parts.items():
            fields = _changes(levels, whole.group)
            if whole.name in fields:
                raise InvalidUpdateError(
                    f"{whole.path}: set either as a whole or by its parameters, not both at once"
                )
            fields[whole.name] = _rebuilt(whole.path, self.values[whole.path], changes)
        plan = Plan()
        for root, model in _rebuilt_roots(levels):
            _compare(plan, root, model)
        plan.derived = [parameter.path for parameter, _ in plan.values if parameter not in named]
        return plan

    def commit(self, plan: Plan) -> list[tuple[str, Any]]:
        """Make a planned change.

        Returns:
            Path and new value of all that really changed, parts of distributions included.
        """
        for group, model in plan.models:
            group.model = model
        changed: list[tuple[str, Any]] = []
        for parameter, value in plan.values:
            old = self.values[parameter.path]
            self.values[parameter.path] = value
            changed.append((parameter.path, value))
            if parameter.coerce.is_distribution:
                changed += self._exchange_parts(parameter, old, value)
        return changed

    def _exchange_parts(self, parameter: Parameter, old: Any, new: Any) -> list[tuple[str, Any]]:
        if type(old) is not type(new):
            for name in _parts(old):
                del self._targets[f"{parameter.path}.{name}"]
                del self.values[f"{parameter.path}.{name}"]
            return self._add_parts(parameter, new)
        changed = []
        for name in _parts(new):
            value = getattr(new, name)
            if not _is_same(value, getattr(old, name)):
                path = f"{parameter.path}.{name}"
                self.values[path] = value
                changed.append((path, value))
        return changed

    def _add_parts(self, parameter: Parameter, value: Any) -> list[tuple[str, Any]]:
        added = []
        for name, coerce in _parts(value).items():
            path = f"{parameter.path}.{name}"
            self._targets[path] = Part(path, name, parameter, coerce)
            self.values[path] = getattr(value, name)
            added.append((path, self.values[path]))
        return added

    def unknown(self, path: object) -> UnknownPathError:
        """Why there is nothing to read or set at `path`, with what may have been meant."""
        return unknown_path(path, self.values, self._groups)


def _is_dotted_name(name: object) -> bool:
    return isinstance(name, str) and all(map(str.isidentifier, name.split(".")))


def _changes(levels: _Levels, group: Group) -> dict[str, Any]:
    return levels.setdefault(group.depth, {}).setdefault(group, {})


def _rebuilt_roots(levels: _Levels) -> Iterator[tuple[Group, SimParameter]]:
    for depth in range(max(levels, default=-1), -1, -1):
        for group, changes in levels.get(depth, {}).items():
            model = _rebuilt(group.path, group.model, changes)
            if group.parent is None:
                yield group, model
            else:
                _changes(levels, group.parent)[group.name] = model


def _rebuilt(path: str, model: Any, changes: Mapping[str, Any]) -> Any:
    kind = type(model)
    # Not the whole __dict__: a cached property is there too.
    attributes = model.__dict__
    fields = {name: attributes[name] for name in kind.model_fields}
    fields.update(changes)
    try:
        return kind.__pydantic_validator__.validate_python(fields, strict=True)
    except ValidationError as error:
        raise InvalidUpdateError(_reasons(path, error)) from error
    except Exception as error:
        # The author's own validators may fail in any way over what comes from outside; that is
        # the command's end and not the run's.
        raise InvalidUpdateError(
            f"{path}: a validator of {kind.__qualname__} failed: {type(error).__name__}: {error}"
        ) from error


def _reasons(path: str, error: ValidationError) -> str:
    reasons = []
    for mistake in error.errors(include_url=False, include_context=False):
        where = ".".join([path, *map(str, mistake["loc"])])
        came = "" if not mistake["loc"] else f", not {excerpt(mistake['input'])}"
        reasons.append(f"{where}: {mistake['msg'].removeprefix('Value error, ')}{came}")
    return "; ".join(reasons)


def _compare(plan: Plan, group: Group, model: SimParameter) -> None:
    if type(model) is not type(group.model):
        raise InvalidUpdateError(
            f"{group.path}: a validator made a {type(model).__qualname__} of it; "
            f"a {type(group.model).__qualname__} must remain"
        )
    plan.models.append((group, model))
    present, coming = group.model.__dict__, model.__dict__
    for name, child in group.children.items():
        old, new = present[name], coming[name]
        if new is old:
            continue
        if isinstance(child, Group):
            _compare(plan, child, new)
        elif not _is_same(old, new):
            plan.values.append((child, new))


def _is_same(old: Any, new: Any) -> bool:
    return type(old) is type(new) and bool(old == new)


def _parts(value: Any) -> Mapping[str, Coercion]:
    return PARTS.get(type(value), {})
