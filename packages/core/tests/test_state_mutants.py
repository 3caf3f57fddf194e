"""The kit finds every fault that was put into a state source, and none in the one without."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mutants.judging import Judgement, install, judge
from mutants.state_verdicts import VERDICTS

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def judgements(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Judgement]:
    site = tmp_path_factory.mktemp("site-packages")
    install(site, "despatch.states", "mutants.state_mutants", VERDICTS)
    return judge(site, "state_suites", VERDICTS, processes=2)


@pytest.mark.parametrize("mutant", VERDICTS)
def test_a_mutant_fails_where_it_is_to(judgements: Mapping[str, Judgement], mutant: str) -> None:
    verdict, judgement = VERDICTS[mutant], judgements[mutant]
    assert judgement.failed - set(verdict.perhaps) == set(verdict.surely), judgement.said
