"""The pytest plugin: what applies to whom, what is waived, and both in the summary.

It does nothing, and imports nothing of despatch, in a session without conformance suites.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

__all__: list[str] = []

# What the kit asserts is shown with its values, as in a test module.
pytest.register_assert_rewrite("despatch.testing")

_WAIVED = pytest.StashKey[list[str]]()
_SWITCHED_OFF = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "despatch_applies_if(*flags): a test of the conformance kit, for plugins with these flags",
    )
    config.stash[_WAIVED] = []
    config.stash[_SWITCHED_OFF] = Counter()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept, left_out = [], []
    for item in items:
        suite: Any = getattr(item, "cls", None)
        if not getattr(suite, "__despatch_conformance__", False):
            kept.append(item)
            continue
        missing = _missing_flag(item, suite)
        if missing is not None:
            config.stash[_SWITCHED_OFF][f"{suite.__name__}: {missing} = False"] += 1
            left_out.append(item)
            continue
        kept.append(item)
        _waive(config, item, suite)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    waived, switched_off = config.stash[_WAIVED], config.stash[_SWITCHED_OFF]
    if not waived and not switched_off:
        return
    terminalreporter.section("conformance")
    for line in waived:
        terminalreporter.line(f"waived: {line}")
    for flag, count in sorted(switched_off.items()):
        terminalreporter.line(f"does not apply: {count} tests, {flag}")


def _missing_flag(item: pytest.Item, suite: Any) -> str | None:
    for mark in item.iter_markers("despatch_applies_if"):
        for flag in mark.args:
            if not getattr(suite, flag):
                return str(flag)
    return None


def _waive(config: pytest.Config, item: pytest.Item, suite: Any) -> None:
    unknown = [name for name in suite.waivers if not hasattr(suite, name)]
    if unknown:
        raise pytest.UsageError(
            f"{suite.__name__}.waivers names {unknown[0]!r}, and there is no such test"
        )
    name = getattr(item, "originalname", item.name)
    reason = suite.waivers.get(name)
    if reason is None:
        return
    if not reason.strip():
        raise pytest.UsageError(f"{suite.__name__}.waivers gives no reason for {name!r}")
    item.add_marker(pytest.mark.xfail(reason=f"waived: {reason}", strict=True))
    config.stash[_WAIVED].append(f"{item.nodeid}: {reason}")
