"""The conformance suite of each mutant; not collected by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from despatch.testing import ExecutorConformance
from mutants.executor_verdicts import FOUND_BY
from mutants.judging import suite_of


class Base(ExecutorConformance):
    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        return {"workers": 2}


for name, tests in FOUND_BY.items():
    globals()[f"Test{name}"] = suite_of(Base, name, tests)
