"""Finding a model by its name: ``line_a:build`` is what `build` is in the module `line_a`."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final

__all__ = ["ModelError", "find_model", "find_resume"]

_RESUME: Final = "resume"


class ModelError(Exception):
    """A model that cannot be found or imported; the message says what to do."""


def find_model(name: str) -> Callable[..., Any]:
    """Import a model.

    The current folder is put first on the path of modules, where it stays: the model may
    import its neighbours later.

    Args:
        name: ``module:callable``; the callable may be an attribute of an attribute.

    Raises:
        ModelError: There is no such module or callable, or the module raised when imported.
    """
    module_name, _, attributes = name.partition(":")
    found: Any = _module(module_name)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            raise ModelError(f"expected {attribute!r} in {module_name}{_near(attribute, found)}")
        found = getattr(found, attribute)
    if not callable(found):
        raise ModelError(f"expected a callable, got an object of type {type(found).__name__}")
    model: Callable[..., Any] = found
    return model


def find_resume(name: str) -> Callable[..., Any] | None:
    """Import what has a model begin from a state: for ``line_a:build`` it is ``line_a:resume``.

    Args:
        name: The model, as of `find_model`.

    Returns:
        What is called ``resume`` beside the model; None where nothing is.

    Raises:
        ModelError: There is no such module, it raised when imported, or `resume` is no callable.
    """
    module_name, _, attributes = name.partition(":")
    *owners, _ = attributes.split(".")
    beside = ":".join([module_name, ".".join([*owners, _RESUME])])
    found: Any = _module(module_name)
    for attribute in owners:
        found = getattr(found, attribute, None)
    return find_model(beside) if hasattr(found, _RESUME) else None


def _module(name: str) -> Any:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        # The boundary to the model: whatever it raises is shown.
        if isinstance(error, ModuleNotFoundError) and error.name and _is_part(error.name, name):
            raise ModelError(
                f"there is no module {error.name!r}: expected one in {folder} or installed"
            ) from error
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ModelError(
            f"importing {name!r} raised {type(error).__name__}: {error} "
            f"({place.filename}:{place.lineno})"
        ) from error


def _is_part(missing: str, name: str) -> bool:
    return name == missing or name.startswith(f"{missing}.")


def _near(attribute: str, found: object) -> str:
    callables = [each for each in dir(found) if callable(getattr(found, each, None))]
    close = difflib.get_close_matches(attribute, callables, n=1)
    return f": did you mean {close[0]!r}?" if close else ""
