"""ExecutorConformance: what every executor does, wherever its workers are.

    class TestClusterExecutor(ExecutorConformance):
        plugin = "cluster"

        @pytest.fixture
        def settings(self):
            return {"address": "localhost:6379", "workers": 2}

Each test's docstring says what it proves, and where to look when it fails.
"""

from despatch.testing.executor.answering import AnsweringTests
from despatch.testing.executor.living import LivingTests

__all__ = ["ExecutorConformance"]


class ExecutorConformance(AnsweringTests, LivingTests):
    """The tests that an executor passes."""
