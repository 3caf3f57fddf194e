"""Replications of a model that begins from a state with work in it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from despatch import SettingsError, StateError, replicate
from despatch.distributions.seeds import seed_of
from despatch.replications.beginning import begin, order_of
from despatch.replications.replication import Replication, perform
from despatch.replications.tally import Tally
from despatch.settings.file import settings_from
from despatch.state_reading.reading import read_state

COUNT = 3


@pytest.fixture
def configure(tmp_path, be):
    def configure(**given):
        return {
            "name": "desk",
            "model": "resumable_desk:build",
            "seed": 7,
            "state": {"source": "file", "path": str(tmp_path / "state.json")},
            **given,
        }

    return configure


def orders(written):
    settings = settings_from(written)
    until = settings.clock.until
    first = order_of(
        settings,
        read_state(settings),
        number=0,
        seed=seed_of(7, 0),
        origin=None,
        until_s=None if until is None else until.total_seconds(),
    )
    replace = msgspec.structs.replace
    return [replace(first, number=i, seed=seed_of(7, i)) for i in range(COUNT)]


def performed(written):
    results = (perform(msgspec.msgpack.encode(order)) for order in orders(written))
    return [msgspec.msgpack.decode(result, type=Replication) for result in results]


def test_each_begins_with_the_work_and_is_the_same_wherever_it_is_performed(
    configure,
    resumable_desk,
) -> None:
    found = performed(configure())
    assert [each.events for each in found] == [{"untyped": 24}] * COUNT
    assert len({each.digest for each in found}) == COUNT
    workers = replicate(configure(), COUNT, executor={"name": "local", "workers": 1})
    assert workers.replications == found
    assert workers.start == datetime(2026, 1, 5, 6, tzinfo=UTC)


def test_what_is_begun_is_at_the_instant_before_its_first_event(
    configure,
    resumable_desk,
) -> None:
    tally = Tally()
    (order, *_) = orders(configure(clock={"start": "2026-01-05T05:00:00Z"}))
    env = begin(order, tally)
    assert (env.now, env.name, env.seed) == (3600, "desk", order.seed)
    assert env.wall_time() == datetime(2026, 1, 5, 6, tzinfo=UTC)
    assert tally.records == 1
    assert env.registry["Desk.staff"] == 2
    env.run(until=3600.001)
    desk = env._roster.named["Desk"]
    assert (desk.count, len(desk.queue)) == (2, 2)


def test_the_simulated_time_is_that_of_the_reading(
    configure,
    be,
    resumable_desk,
) -> None:
    start = "2026-01-05T05:00:00Z"
    found = performed(configure(clock={"start": start, "until": "5s"}))
    assert {each.sim_time for each in found} == {3605}
    assert {each.telemetry["begins_at"] for each in found} == {3600}
    be(calendar_offset=100)
    found = performed(configure(clock={"start": start, "until": "5s"}))
    assert {each.telemetry["begins_at"] for each in found} == {100}
    be()
    with pytest.raises(StateError, match=r"expected a state from after `clock\.start`"):
        performed(configure(clock={"start": "2026-01-05T07:00:00Z"}))


def test_a_state_without_work_leaves_the_model_to_its_build(
    configure,
    be,
    resumable_desk,
) -> None:
    be(resources={}, arrivals={})
    found = performed(configure(model="resumable_desk:Fixed.build"))
    assert [each.events for each in found] == [{"untyped": 20}] * COUNT


def test_a_model_that_cannot_begin_from_a_state_is_refused_before_anything_runs(
    configure,
    resumable_desk,
) -> None:
    with pytest.raises(StateError, match=r"state source 'file' .* the model has no function"):
        replicate(configure(model="resumable_desk:Fixed.build"), 1)
    with pytest.raises(SettingsError, match="model: there is no module"):
        replicate(configure(model="resumable_dsk:build"), 1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Forgetful", r"has not called env\.restore"),
        ("Careless", r"resources\.Desk\.queue: 2 waiting"),
    ],
)
def test_what_is_not_taken_in_is_an_error(
    configure,
    resumable_desk,
    name,
    told,
) -> None:
    with pytest.raises(StateError, match=told):
        performed(configure(model=f"resumable_desk:{name}.build"))


def test_the_parameters_of_the_settings_are_stronger(
    configure,
    resumable_desk,
) -> None:
    slow, fast = (
        performed(configure(parameters={"Desk.service": {"family": "constant", "value": value}}))
        for value in (8.0, 0.1)
    )
    assert slow[0].sim_time > fast[0].sim_time
    with pytest.raises(SettingsError, match=r"parameters: Desk\.staff"):
        performed(configure(parameters={"Desk.staff": "many"}))
