"""The kit finds every fault that was put into a plugin, and none in a plugin without."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest

from mutants import (
    egress_verdicts,
    executor_verdicts,
    ingress_verdicts,
    serializer_verdicts,
    state_verdicts,
)
from mutants.judging import Judgement, install, judge

pytestmark = pytest.mark.timeout(600)


class Kind(NamedTuple):
    """A kind of plugin.

    Attributes:
        group: Where its entry points are.
        found_by: The tests that find each mutant; none find those that are without fault.
        processes: How many processes to share the suites out to.
    """

    group: str
    found_by: Mapping[str, set[str]]
    processes: int


KINDS = {
    "egress": Kind("despatch.egress", egress_verdicts.FOUND_BY, 3),
    "ingress": Kind("despatch.ingress", ingress_verdicts.FOUND_BY, 3),
    "serializer": Kind("despatch.serializers", serializer_verdicts.FOUND_BY, 1),
    "state": Kind("despatch.states", state_verdicts.FOUND_BY, 2),
    "executor": Kind("despatch.executors", executor_verdicts.FOUND_BY, 2),
}


@pytest.fixture(scope="module")
def judgements_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Mapping[str, Judgement]]:
    @functools.cache
    def judged(kind: str) -> Mapping[str, Judgement]:
        group, found_by, processes = KINDS[kind]
        site = tmp_path_factory.mktemp(f"{kind}-site-packages")
        install(site, group, f"mutants.{kind}_mutants", found_by)
        return judge(site, f"{kind}_suites", found_by, processes=processes)

    return judged


@pytest.mark.parametrize(
    ("kind", "mutant"), [(kind, mutant) for kind in KINDS for mutant in KINDS[kind].found_by]
)
def test_a_mutant_fails_where_it_is_to(
    judgements_of: Callable[[str], Mapping[str, Judgement]], kind: str, mutant: str
) -> None:
    judgement = judgements_of(kind)[mutant]
    assert judgement.failed == KINDS[kind].found_by[mutant], judgement.said
