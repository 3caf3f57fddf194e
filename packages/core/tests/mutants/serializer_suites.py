"""The conformance suite of each mutant; not collected by itself."""

from __future__ import annotations

from despatch.testing import SerializerConformance
from mutants.judging import suite_of
from mutants.serializer_verdicts import VERDICTS

for name, verdict in VERDICTS.items():
    globals()[f"Test{name}"] = suite_of(SerializerConformance, name, verdict)
