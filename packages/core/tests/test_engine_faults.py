"""What other systems of this kind get wrong in the engine, each with a test that holds it here.

| fault elsewhere                                   | test |
| ------------------------------------------------- | ---- |
| NaN or Infinity for a capacity crashes            | test_registry: test_nan_or_infinity_for_a_capacity_is_refused_and_the_simulation_goes_on; test_capacity: test_what_is_no_capacity_is_refused_at_the_call |
| -5, 999, "false" and 2.7 are stored as they come  | test_registry: test_what_is_out_of_bounds_or_of_another_type_is_never_stored; test_registry: test_false_as_a_text_is_false_and_not_true |
| a list for a path crashes                         | test_registry: test_a_list_where_the_path_should_be_is_refused_and_the_simulation_goes_on |
| of two that wait on a path, one steals the wake-up | test_registry: test_of_two_that_wait_on_one_path_none_takes_the_others_wake_up_and_the_resource_grows |
| the same update lands at another time each run    | test_registry: test_the_same_command_with_a_time_lands_at_the_same_instant_in_each_run; test_replaying: test_commands_from_outside_are_the_same_again_at_the_same_moment |
| equal priorities are served out of order          | here: test_equal_priorities_are_served_in_the_order_in_which_they_came |
| shrinking from 5 to 2 with a queue lets one in    | test_resource: test_shrinking_below_use_keeps_work_in_progress; here: test_shrinking_from_five_to_two_with_a_queue_lets_nobody_in_and_tells_the_truth |
| a container's capacity of 4.7 becomes 4           | test_container: test_a_capacity_of_4_7_stays_4_7 |
| of five putters for five new places, one wakes    | test_store: test_growing_by_five_with_five_waiting_wakes_five |
| a week of backfill is a lag of 604,800 s          | test_pacing: test_going_live_after_a_week_of_backfill_begins_without_lag |
| times are rounded, and nothing orders ties        | test_egress: test_a_time_is_recorded_as_it_is; here: test_records_of_one_instant_have_an_order_and_their_time_is_not_rounded |
"""  # noqa: E501  a table

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from despatch import DynamicPreemptiveResource, DynamicPriorityResource, DynamicResource, Run
from live_capacity import CAPACITY, WAYS, environment, set_capacity

TESTS = Path(__file__).parent
NAMED = re.findall(r"(\w+): (test_\w+)", __doc__)


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_the_tests_that_the_table_names_are_there(module, name):
    path = Path(__file__) if module == "here" else TESTS / f"{module}.py"
    assert f"\ndef {name}(" in path.read_text()


def test_the_table_has_a_test_for_each_fault():
    rows = [line for line in __doc__.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 11
    assert all(re.search(r"\w+: test_\w+", row) for row in rows)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [DynamicPriorityResource, DynamicPreemptiveResource])
def test_equal_priorities_are_served_in_the_order_in_which_they_came(way, kind):
    env = environment(way, 2)
    desk = kind(env, CAPACITY)
    served = []

    def customer(number, priority):
        with desk.request(priority, preempt=False) as request:
            yield request
            served.append(number)
            yield env.timeout(1)

    # Before the start all at once, later at times of their own; the line is changed and grows.
    for number in range(40):
        env.process(customer(number, number % 3))

    def arrivals():
        for number in range(40, 60):
            yield env.timeout(0.25)
            env.process(customer(number, number % 3))
            set_capacity(env, 1 + number % 4)

    env.process(arrivals())
    env.run()
    assert sorted(served) == list(range(60))
    for priority in range(3):
        equals = [number for number in served if number % 3 == priority]
        assert equals == sorted(equals)


@pytest.mark.parametrize("way", WAYS)
def test_shrinking_from_five_to_two_with_a_queue_lets_nobody_in_and_tells_the_truth(way):
    env = environment(way, 5)
    desk = DynamicResource(env, CAPACITY)
    admitted, seen = [], []

    def customer(number, stay):
        with desk.request() as request:
            yield request
            admitted.append((env.now, number))
            yield env.timeout(stay)

    for number, stay in enumerate([10, 20, 30, 40, 50, 5, 5, 5]):
        env.process(customer(number, stay))

    def steer():
        yield env.timeout(1)
        set_capacity(env, 2)
        for at in (5, 15, 25, 35):
            yield env.timeout(at - env.now)
            seen.append((desk.count, desk.over_capacity, len(desk.queue)))

    env.process(steer())
    env.run(until=38)
    assert admitted == [(0, number) for number in range(5)]
    assert seen == [(5, 3, 3), (4, 2, 3), (3, 1, 3), (2, 0, 3)]
    env.run()
    assert admitted[5:] == [(40, 5), (45, 6), (50, 7)]


def test_records_of_one_instant_have_an_order_and_their_time_is_not_rounded(tmp_path):
    path = tmp_path / "records.jsonl"
    sink = {"connector": "jsonl", "path": str(path)}

    def model(env):
        yield env.timeout(0.1 + 0.2)
        for number in range(3):
            env.publish_event("part", number)
        yield env.timeout(1e-9)
        env.publish_event("part", 3)

    settings = {"runs": tmp_path / "runs", "egress": [sink]}
    with Run(settings, lambda env: env.process(model(env))) as run:
        run.run()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["sim_ts"] for record in records] == [0.1 + 0.2] * 3 + [0.1 + 0.2 + 1e-9]
    assert [record["seq"] for record in records] == [0, 1, 2, 3]
    assert [record["value"] for record in records] == [0, 1, 2, 3]
