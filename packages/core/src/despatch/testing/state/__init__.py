"""StateConformance: what every state source does, whatever system it reads.

    class TestRedisState(StateConformance):
        plugin = "redis"

        @pytest.fixture
        def system(self):
            return RedisHash()  # a RealSystem

Each test's docstring says what it proves, and where to look when it fails.
"""

from despatch.testing.state.living import LivingTests
from despatch.testing.state.reading import ReadingTests
from despatch.testing.state.system import RealSystem
from despatch.testing.state.work import WorkTests

__all__ = ["RealSystem", "StateConformance"]


class StateConformance(ReadingTests, WorkTests, LivingTests):
    """The tests that a state source passes."""
