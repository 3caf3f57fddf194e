"""IngressConformance: what every ingress connector does, whatever it reads.

    class TestQueueIngress(IngressConformance):
        plugin = "queue"

        @pytest.fixture
        def source(self):
            return Queue()  # a CommandSource

Each test's docstring says what it proves, and where to look when it fails.
"""

from despatch.testing.ingress.acknowledging import AcknowledgingTests
from despatch.testing.ingress.bringing import BringingTests
from despatch.testing.ingress.living import LivingTests
from despatch.testing.ingress.runs import RunTests
from despatch.testing.ingress.source import CommandSource

__all__ = ["CommandSource", "IngressConformance"]


class IngressConformance(BringingTests, AcknowledgingTests, LivingTests, RunTests):
    """The tests that an ingress connector passes."""
