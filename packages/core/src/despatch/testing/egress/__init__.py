"""EgressConformance: what every egress connector does, whatever it writes to.

    class TestFolderEgress(EgressConformance):
        plugin = "folder"
        is_networked = False

        @pytest.fixture
        def sink(self, tmp_path):
            return Folder(tmp_path)  # an EgressSink

Each test's docstring says what it proves, and where to look when it fails.
"""

from despatch.testing.egress.arrivals import Arrival
from despatch.testing.egress.delivering import DeliveringTests
from despatch.testing.egress.living import LivingTests
from despatch.testing.egress.runs import RunTests
from despatch.testing.egress.sink import EgressSink

__all__ = ["Arrival", "EgressConformance", "EgressSink"]


class EgressConformance(DeliveringTests, LivingTests, RunTests):
    """The tests that an egress connector passes."""
