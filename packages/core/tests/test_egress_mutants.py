"""The kit finds every fault that was put into an egress connector, and none in the one without."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mutants.egress_verdicts import VERDICTS
from mutants.judging import Judgement, install, judge

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def judgements(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Judgement]:
    site = tmp_path_factory.mktemp("site-packages")
    install(site, "despatch.egress", "mutants.egress_mutants", VERDICTS)
    return judge(site, "egress_suites", VERDICTS, processes=3)


@pytest.mark.parametrize("mutant", VERDICTS)
def test_a_mutant_fails_where_it_is_to(judgements: Mapping[str, Judgement], mutant: str) -> None:
    verdict, judgement = VERDICTS[mutant], judgements[mutant]
    assert judgement.failed - set(verdict.perhaps) == set(verdict.surely), judgement.said
