"""The conformance suite of each mutant; not collected by itself."""

from __future__ import annotations

from despatch.testing import SerializerConformance
from mutants.judging import suite_of
from mutants.serializer_verdicts import FOUND_BY

for name, tests in FOUND_BY.items():
    globals()[f"Test{name}"] = suite_of(SerializerConformance, name, tests)
