"""The executor that comes with despatch passes the conformance kit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from despatch.testing import ExecutorConformance


class TestLocalExecutor(ExecutorConformance):
    plugin = "local"

    @pytest.fixture
    def settings(self) -> Mapping[str, Any]:
        return {"workers": 2}
