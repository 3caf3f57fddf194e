"""The parameter tree: the present values of all live parameters, and how they change together.

Most parameters can be validated alone (`despatch.registry.independence`), and
`ParameterTree.values` is all that there is of them. The others are fields of frozen models: a
change makes new ones, from the model that owns the changed field up to the topmost that has a say.
Models that no change concerns are kept as the objects they are, so that what changed is found by
identity, and no step looks at the rest of the tree.

`ParameterTree.plan` makes and validates what comes and touches nothing; `commit` puts it in
place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from pydantic import ValidationError

from despatch.commands import Update
from despatch.errors import InvalidUpdateError, RegistryError, UnknownPathError
from despatch.parameters import SimParameter
from despatch.registry.coercion import PARTS, Coercion
from despatch.registry.parameter_nodes import Group, Parameter, Part, grown
from despatch.registry.rebuilding import (
    Levels,
    changes_of,
    compare,
    reasons_of,
    rebuilt,
    rebuilt_tops,
)
from despatch.registry.unknown_paths import unknown_path
from despatch.renderings import excerpt, plain

__all__ = ["ParameterTree", "Plan"]


class Plan:
    """A change that was validated and not yet made; void once another is.

    Attributes:
        models: The guarded groups that get a new model.
        values: The parameters that get a new value, other than the present one.
        updates: What was asked for, in its order, and then what nobody asked for: validators set
            it.
    """

    __slots__ = ("models", "updates", "values")

    def __init__(self) -> None:
        self.models: list[tuple[Group, SimParameter]] = []
        self.values: list[tuple[Parameter, Any]] = []
        self.updates: list[Update] = []


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

    def wholes(self) -> Iterator[tuple[str, Any]]:
        """Path and value of all but the parts of distributions, in the order of `paths`."""
        for path in self.paths():
            if isinstance(self._targets[path], Parameter):
                yield path, self.values[path]

    def may_have(self, path: object) -> bool:
        """Whether there is such a path, or would be if a distribution changed its family."""
        if not isinstance(path, str):
            return False
        whole, _, name = path.rpartition(".")
        target = self._targets.get(whole)
        return path in self.values or (
            isinstance(target, Parameter)
            and target.coerce.is_distribution
            and any(name in parts for parts in PARTS.values())
        )

    def check_possible(self, updates: Mapping[str, Any]) -> None:
        """Check what can be known of updates long before they are made.

        Raises:
            UnknownPathError: A path is not there and no family of distributions would bring it.
            InvalidUpdateError: A value is one that its parameter can never have.
        """
        for path, value in updates.items():
            if not self.may_have(path):
                raise self.unknown(path)
            if isinstance(self._targets.get(path), Parameter):
                target, read = self._read(path, value)
                if target.validate is not None:
                    _validated(path, target.validate, read)

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
        except ValueError as error:
            raise InvalidUpdateError(reasons_of(path, error)) from error

    def plan(self, updates: Mapping[str, Any]) -> Plan:
        """Validate updates as a whole, without making them.

        Raises:
            UnknownPathError: A path is not there.
            InvalidUpdateError: A value cannot be read, or its model refuses it.
        """
        targets, values = self._targets, self.values
        plan = Plan()
        reasons: list[str] = []
        for path, value in updates.items():
            target = targets.get(path)
            if target is None:
                raise self.unknown(path)
            validate = target.validate
            if validate is None:
                return self._plan_together(updates)
            try:
                new = validate(
                    value if type(value) in target.types else target.coerce(value), strict=True
                )
            except ValueError as error:
                reasons.append(reasons_of(path, error))
                continue
            old = values[path]
            if new is not old and not _is_same(old, new):
                plan.values.append((target, new))  # type: ignore[arg-type]  # no Part validates
            plan.updates.append(Update(path, plain(old), plain(new)))
        if reasons:
            raise InvalidUpdateError("; ".join(reasons))
        return plan

    def sift(self, updates: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Tell updates that can be planned from those that cannot.

        Those that are validated together are taken together or not at all.

        Returns:
            The updates that can be planned, all at once, and the reasons against the others.
        """
        sets: dict[Group | Parameter, dict[str, Any]] = {}
        reasons: dict[str, str] = {}
        for path, value in updates.items():
            target = self._targets.get(path)
            if target is None:
                reasons[path] = str(self.unknown(path))
            else:
                parameter = target.whole if isinstance(target, Part) else target
                sets.setdefault(_top(parameter), {})[path] = value
        for each in sets.values():
            try:
                self.plan(each)
            except RegistryError as error:
                reasons.update(dict.fromkeys(each, str(error)))
        return {path: updates[path] for path in updates if path not in reasons}, reasons

    def _plan_together(self, updates: Mapping[str, Any]) -> Plan:
        levels: Levels = {}
        named: dict[str, Parameter | Part] = {}
        parts: dict[Parameter, dict[str, Any]] = {}
        news: dict[Parameter, Any] = {}
        for path, value in updates.items():
            target, read = self._read(path, value)
            named[path] = target
            if isinstance(target, Part):
                parts.setdefault(target.whole, {})[target.name] = read
            else:
                self._put(target, read, levels, news)
        for whole, changes in parts.items():
            if whole.path in named:
                raise InvalidUpdateError(
                    f"{whole.path}: set either as a whole or by its parameters, not both at once"
                )
            self._put(whole, rebuilt(whole.path, self.values[whole.path], changes), levels, news)
        plan = Plan()
        for top, model in rebuilt_tops(levels):
            compare(top, model, plan.models, news)
        for path, target in named.items():
            coming = self._coming(target, news)
            plan.updates.append(Update(path, plain(self.values[path]), plain(coming)))
        # In the order in which they were asked for, and then what nobody asked for.
        asked = dict.fromkeys(t.whole if isinstance(t, Part) else t for t in named.values())
        for parameter in {**asked, **dict.fromkeys(news)}:
            old = self.values[parameter.path]
            new = news.get(parameter, old)
            if _is_same(old, new):
                continue
            plan.values.append((parameter, new))
            if parameter not in asked:
                plan.updates.append(Update(parameter.path, plain(old), plain(new)))
        return plan

    def _put(
        self, parameter: Parameter, read: Any, levels: Levels, news: dict[Parameter, Any]
    ) -> None:
        if parameter.validate is None:
            changes_of(levels, parameter.group)[parameter.name] = read
        else:
            news[parameter] = _validated(parameter.path, parameter.validate, read)

    def _coming(self, target: Parameter | Part, news: Mapping[Parameter, Any]) -> Any:
        if not isinstance(target, Part):
            return news.get(target, self.values[target.path])
        whole = news.get(target.whole, self.values[target.whole.path])
        # A validator may have chosen another family, which has no such parameter.
        return getattr(whole, target.name, None)

    def commit(self, plan: Plan) -> list[tuple[str, Any]]:
        """Make a planned change.

        Returns:
            Path and new value of all that really changed, parts of distributions included.
        """
        for group, model in plan.models:
            group.model = model
        values = self.values
        changed: list[tuple[str, Any]] = []
        for parameter, value in plan.values:
            path = parameter.path
            old = values[path]
            values[path] = value
            changed.append((path, value))
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
            self._targets[path] = Part(path, name, parameter, coerce, coerce.types)
            self.values[path] = getattr(value, name)
            added.append((path, self.values[path]))
        return added

    def unknown(self, path: object) -> UnknownPathError:
        """Why there is nothing to read or set at `path`, with what may have been meant."""
        return unknown_path(path, self.values, self._groups)


def _is_dotted_name(name: object) -> bool:
    return isinstance(name, str) and all(map(str.isidentifier, name.split(".")))


def _validated(path: str, validate: Callable[..., Any], read: Any) -> Any:
    try:
        return validate(read, strict=True)
    except ValidationError as error:
        raise InvalidUpdateError(reasons_of(path, error)) from error


def _top(parameter: Parameter) -> Group | Parameter:
    """What is validated together with a parameter: the topmost guarded group, or it alone."""
    top: Group | Parameter = parameter
    group: Group | None = parameter.group
    while group is not None and group.is_guarded:
        top, group = group, group.parent
    return top


def _is_same(old: Any, new: Any) -> bool:
    return type(old) is type(new) and bool(old == new)


def _parts(value: Any) -> Mapping[str, Coercion]:
    return PARTS.get(type(value), {})
