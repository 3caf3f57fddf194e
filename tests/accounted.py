"""After each test, the accounts of all runs that it made must add up.

Looked at is every run's folder below the test's `tmp_path`: its report, and what its journal and
its ledger say now. A test that breaks an account on purpose is marked `unaccounted`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

__all__ = ["faults_below"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "unaccounted: breaks the account of a run on purpose")


@pytest.fixture(autouse=True)
def _accounts_add_up(request: pytest.FixtureRequest) -> Iterator[None]:
    is_exempt = request.node.get_closest_marker("unaccounted") is not None
    if is_exempt or "tmp_path" not in request.fixturenames:
        yield
        return
    # Asked for before the test's own fixtures, so that their processes have ended by then.
    folder = request.getfixturevalue("tmp_path")
    yield
    faults = list(faults_below(folder))
    assert not faults, "\n".join(faults)


def faults_below(root: Path) -> Iterator[str]:
    """What does not add up in the runs below a folder."""
    # Most tests make no run, and some are about what is imported when.
    found = sorted(root.rglob("run.json"))
    if not found:
        return
    from despatch.errors import AccountError, RunError
    from despatch.history import past_run
    from despatch.report import Report
    from despatch.runs import RunFolder

    for path in found:
        try:
            folder = RunFolder.open(path.parent)
        except RunError:
            continue  # a test that garbles a description
        problem = past_run(folder).problem
        if problem is not None and problem.startswith("internal:"):
            yield f"{folder.path}: {problem}"
        if folder.report.exists():
            report = msgspec.json.decode(folder.report.read_bytes(), type=Report)
            for sink in report.sinks:
                try:
                    sink.check(report.published - report.unwritten)
                except AccountError as error:
                    yield f"{folder.report}: {error}"
