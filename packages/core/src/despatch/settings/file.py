"""Reading settings: from a YAML file or a mapping, with every mistake found at once.

    settings = load_settings("line_a.yaml", overrides={"clock.factor": 0.1})

Looked at are the form of the YAML, the references such as ``${PASSWORD}``, the core's own
settings, and what each plugin that is named says of its part. Only those plugins are imported,
and nothing is connected to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from despatch.errors import Problem, SettingsError
from despatch.models import ModelError, find_model
from despatch.plugins import Plugins
from despatch.settings import FIT_TOGETHER, Settings
from despatch.settings.explanations import dotted, explain
from despatch.settings.plugin_parts import PluginParts
from despatch.settings.references import Location, Referenced, substitute
from despatch.settings.yaml_document import Document, read_yaml

__all__ = ["check_model", "load_settings", "raw_settings", "resolve", "settings_from"]

_MAXIMUM_BYTES: Final = 1024 * 1024
_FILE: Final = "file"
_PARAMETERS: Final = "parameters"
_METRICS_LIBRARY: Final = "prometheus_client"
_NO_METRICS: Final = (
    'needs prometheus-client, which is not installed; install it: pip install "despatch[metrics]"'
)


def load_settings(
    path: str | Path,
    *,
    plugins: Plugins | None = None,
    overrides: Mapping[str, object] | None = None,
    import_model: bool = False,
    make_plugins: bool = False,
) -> Settings:
    """Read a settings file.

    Args:
        path: The YAML file, UTF-8, of at most 1 MiB.
        plugins: Where plugins are found; by default those installed that the file's own
            ``plugins`` allows.
        overrides: Dotted path to a value that takes the place of the file's, such as
            ``{"clock.factor": 0.1, "parameters.Line_A.lathe.capacity": "3"}``. A mapping as a
            value is merged. What stands here is taken as it is, ``${…}`` included.
        import_model: Whether to import the model too, and report it if that fails.
        make_plugins: Whether to make an object of each plugin too, as a run does, and report it if
            its constructor raises.

    Raises:
        SettingsError: It has mistakes, or cannot be read; with all of them, in the order of
            the file.
    """
    reading = _Reading(_document(path), str(path), plugins, overrides or {})
    return reading.settings(import_model=import_model, make_plugins=make_plugins)


def settings_from(
    data: Mapping[str, Any],
    *,
    plugins: Plugins | None = None,
    overrides: Mapping[str, object] | None = None,
    source: str = "settings",
    import_model: bool = False,
    make_plugins: bool = False,
) -> Settings:
    """Make settings of a mapping that says what a settings file would, references included.

    The mapping may be what `raw_settings` gave, as a run's folder keeps it, or made in Python,
    with live connectors in it.

    Args:
        data: The settings, unresolved.
        plugins: As for `load_settings`.
        overrides: As for `load_settings`.
        source: What messages call the mapping.
        import_model: As for `load_settings`.
        make_plugins: As for `load_settings`.

    Raises:
        SettingsError: It has mistakes; with all of them.
    """
    reading = _Reading(Document(data), source, plugins, overrides or {})
    return reading.settings(import_model=import_model, make_plugins=make_plugins)


def raw_settings(
    path: str | Path, *, overrides: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """What a settings file says, with its references as they stand there.

    Args:
        path: The file.
        overrides: As for `load_settings`.

    Raises:
        SettingsError: It cannot be read as YAML.
    """
    document = _document(path)
    if document.faults:
        raise SettingsError(
            [_problem(where, message, line) for where, line, message in document.faults], str(path)
        )
    data: dict[str, Any] = document.data or {}
    for where, value in _flat(overrides or {}):
        _put(data, where, value)
    return data


def resolve(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Put values in the place of references; `settings_from` does so by itself.

    Raises:
        SettingsError: A variable is not set, or a file cannot be read.
    """
    data, problems = substitute(raw)
    if problems:
        raise SettingsError([_problem(where, message, None) for where, message in problems])
    resolved: dict[str, Any] = data
    return resolved


def check_model(settings: Settings) -> Problem | None:
    """Import the model that the settings name; what is wrong with it, or None.

    `load_settings` does so by itself when told to, and then knows the line.
    """
    if settings.model is None:
        return Problem("model", "is required: expected module:callable, such as line_a:build")
    try:
        find_model(settings.model)
    except ModelError as error:
        return Problem("model", str(error))
    return None


class _Reading:
    """One reading of settings, and the mistakes found on the way."""

    def __init__(
        self,
        document: Document,
        source: str,
        plugins: Plugins | None,
        overrides: Mapping[str, object],
    ) -> None:
        self._lines = document.lines
        self._source = source
        self._problems = [
            _problem(where, message, line) for where, line, message in document.faults
        ]
        self._settled = {where for where, _, _ in document.faults}
        self._overridden: set[Location] = set()
        raw = {} if document.data is None else document.data
        if not isinstance(raw, Mapping):
            self._problems.append(_problem((), "expected a mapping of settings", 1))
            raise self._error()
        if () in self._settled:
            raise self._error()
        self._data = self._resolved(raw, overrides)
        self._plugins = plugins or Plugins(allowed=_allowed(self._data))

    def settings(self, *, import_model: bool, make_plugins: bool) -> Settings:
        """The settings.

        Raises:
            SettingsError: There were mistakes.
        """
        settings = self._validated()
        parts = PluginParts(self._data, self._plugins, is_making=make_plugins)
        for where, message in parts.problems:
            self._note(where, message)
        if self._data.get("metrics") is not None and find_spec(_METRICS_LIBRARY) is None:
            self._note(("metrics",), _NO_METRICS)
        if import_model:
            self._import_model()
        if settings is None or self._problems:
            raise self._error()
        parts.show_in(settings)
        return settings

    def _resolved(self, raw: Mapping[str, Any], overrides: Mapping[str, object]) -> dict[str, Any]:
        data, problems = substitute(raw)
        for where, value in _flat(overrides):
            if _put(data, where, value):
                self._overridden.add(where)
        for where, message in problems:
            if not self._is_overridden(where):
                self._note(where, message)
                self._settled.add(where)
        resolved: dict[str, Any] = data
        return resolved

    def _validated(self) -> Settings | None:
        try:
            return Settings.model_validate(self._data, context={FIT_TOGETHER: True})
        except ValidationError as error:
            for where, message in explain(error, Settings, self._data):
                self._note(where, message)
            return None

    def _import_model(self) -> None:
        model = self._data.get("model")
        if model is None:
            self._note(("model",), "is required: expected module:callable, such as line_a:build")
        elif isinstance(model, Referenced):
            self._find(str(model), f"cannot be imported, got {model.description}")
        elif isinstance(model, str) and not any(each.where == "model" for each in self._problems):
            self._find(model, None)

    def _find(self, model: str, instead: str | None) -> None:
        try:
            find_model(model)
        except ModelError as error:
            self._note(("model",), instead or str(error))

    def _note(self, where: Location, message: str) -> None:
        # What could not be read or resolved is a mistake already, not one of another kind too.
        if where not in self._settled:
            self._problems.append(_problem(where, message, self._line(where)))

    def _line(self, where: Location) -> int | None:
        if self._is_overridden(where) or self._is_from_override(where):
            return None
        while where and where not in self._lines:
            where = where[:-1]
        return self._lines.get(where)

    def _is_overridden(self, where: Location) -> bool:
        return any(where[: len(each)] == each for each in self._overridden)

    def _is_from_override(self, where: Location) -> bool:
        """Whether it is there only since something in it was overridden."""
        return where not in self._lines and any(
            each[: len(where)] == where for each in self._overridden
        )

    def _error(self) -> SettingsError:
        problems = sorted(self._problems, key=lambda each: (each.line is None, each.line or 0))
        return SettingsError(list(dict.fromkeys(problems)), self._source)


def _document(path: str | Path) -> Document:
    try:
        with open(path, "rb") as file:
            content = file.read(_MAXIMUM_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        return _unreadable(f"cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        return _unreadable(f"expected UTF-8 text: byte {error.start} is none")
    if len(content) > _MAXIMUM_BYTES:
        return _unreadable(f"expected at most {_MAXIMUM_BYTES} bytes")
    document = read_yaml(text)
    if document.data is not None and not isinstance(document.data, Mapping):
        document.faults.append(((), 1, "expected a mapping of settings"))
    return document


def _unreadable(message: str) -> Document:
    return Document(faults=[((), None, message)])


def _problem(where: Location, message: str, line: int | None) -> Problem:
    return Problem(dotted(where) or _FILE, message, line)


def _allowed(data: Mapping[str, Any]) -> list[str] | None:
    allowed = data.get("plugins")
    # A list that is wrong is reported; until it is mended it allows what it can be read to.
    return [str(name) for name in allowed] if isinstance(allowed, list) else None


def _flat(overrides: Mapping[str, object]) -> Iterator[tuple[Location, object]]:
    for key, value in overrides.items():
        first, _, rest = key.partition(".")
        # A parameter's path is one key, dots and all.
        steps = (first, rest) if first == _PARAMETERS and rest else tuple(key.split("."))
        yield from _leaves(steps, value)


def _leaves(where: Location, value: object) -> Iterator[tuple[Location, object]]:
    is_parameter = where[0] == _PARAMETERS and len(where) > 1
    if isinstance(value, Mapping) and not is_parameter:
        for key, each in value.items():
            yield from _leaves((*where, key), each)
    else:
        yield where, value


def _put(data: dict[str, Any], where: Location, value: object) -> bool:
    """Set a value; False where something else than a mapping is in its way."""
    place: Any = data
    for step in where[:-1]:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            return False
    place[where[-1]] = value
    return True
