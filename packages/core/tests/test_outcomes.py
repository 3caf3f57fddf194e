from __future__ import annotations

import pytest

from despatch import Change, Refusal, Run, SimParameter
from despatch.courier.outcomes import Outcomes
from despatch.journal import end_position


class Desk(SimParameter):
    staff: int = 1


@pytest.fixture
def run(tmp_path):
    with Run({"runs": tmp_path, "courier": {"host": "thread"}}) as run:
        run.env.registry.register("Desk", Desk())
        yield run


def test_outcomes_come_as_they_are_written_each_once(run):
    outcomes = Outcomes(run.folder.audit, 0)
    run.env.registry.update({"Desk.staff": 2})
    run.env.run(until=1)
    (change,) = outcomes.new()
    assert isinstance(change, Change)
    assert change.updates[0].new == 2
    assert list(outcomes.new()) == []
    run.env.registry.update({"Desk.staff": 3})
    run.env.run(until=2)
    assert [each.updates[0].new for each in outcomes.new()] == [3]
    outcomes.close()


def test_a_refusal_is_one_too(run):
    from despatch import Command

    outcomes = Outcomes(run.folder.audit, 0)
    run.env.registry.apply(Command(updates={"Desk.stuff": 1}))
    run.env.run(until=1)
    assert [type(each) for each in outcomes.new()] == [Refusal]
    outcomes.close()


def test_it_can_begin_where_the_journal_ends(run):
    run.env.registry.update({"Desk.staff": 2})
    run.env.run(until=1)
    outcomes = Outcomes(run.folder.audit, end_position(run.folder.audit))
    assert list(outcomes.new()) == []
    outcomes.close()
