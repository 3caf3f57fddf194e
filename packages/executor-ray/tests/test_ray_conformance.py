"""The executor passes the conformance kit on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from despatch.testing import ExecutorConformance


class TestRayOnACluster(ExecutorConformance):
    plugin = "ray"

    @pytest.fixture
    def settings(self, cluster) -> Mapping[str, Any]:
        return {"address": cluster.address, "workers": 2}
