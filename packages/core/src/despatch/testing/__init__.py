"""The conformance kit: a plugin's tests, written once for all plugins of its kind.

A plugin's author subclasses the class for the plugin's kind and says how to reach what the plugin
talks to; pytest finds the tests by inheritance:

    class TestFolderEgress(EgressConformance):
        plugin = "folder"

        @pytest.fixture
        def sink(self, tmp_path):
            return FolderSink(tmp_path)

`Conformance` is what all of them have in common.
"""

from despatch.testing.conformance import Conformance, applies_if
from despatch.testing.egress import Arrival, EgressConformance, EgressSink
from despatch.testing.executor import ExecutorConformance
from despatch.testing.ingress import CommandSource, IngressConformance
from despatch.testing.proxy import Proxy
from despatch.testing.serializer import SerializerConformance
from despatch.testing.state import RealSystem, StateConformance

__all__ = [
    "Arrival",
    "CommandSource",
    "Conformance",
    "EgressConformance",
    "EgressSink",
    "ExecutorConformance",
    "IngressConformance",
    "Proxy",
    "RealSystem",
    "SerializerConformance",
    "StateConformance",
    "applies_if",
]
