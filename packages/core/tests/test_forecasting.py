"""Forecasts: the same seeds give the same, hash for hash, and what they say is right."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from despatch import (
    PluginError,
    ReplicationError,
    SettingsError,
    StateError,
    forecast,
    replicate,
)
from despatch.distributions.seeds import seed_of
from despatch.snapshots import Snapshot
from forecast_models import INLINE, MODELS

HERE = "inline"
"""The executor where it is not the executor that is looked at: it starts no process."""

QUEUE = {"resource": "desk", "figure": "queue_length"}
CAME = {"count": {"where": {"status": "came"}}, "name": "came"}
SERVED = {"count": {"where": {"status": "served"}}, "name": "served"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, install):
    """The models, which every worker finds, and a folder in which nothing may be left."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "forecast_desk.py").write_text(MODELS)
    monkeypatch.syspath_prepend(str(modules))
    points = "[despatch.executors]\ninline = inline_forecasts:Inline\n"
    install("acme-inline", points, version="2.3", modules={"inline_forecasts": INLINE})
    current = tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    yield current
    assert [each.name for each in current.iterdir() if each.suffix != ".yaml"] == []


def settings(model="build", **given):
    return {"model": f"forecast_desk:{model}", "name": "desk", "seed": 11, **given}


def ahead(model="build", *, watch=(QUEUE,), executor=HERE, **given):
    given = {"horizon": 40, "every": 10, "replications": 20, **given}
    of_settings = given.pop("settings", settings(model))
    return forecast(of_settings, watch=list(watch), executor=executor, **given)


def workers(count):
    return {"name": "local", "workers": count}


# The same again


def test_the_same_seeds_are_the_same_with_any_executor_and_number_of_workers():
    given = {
        "watch": [QUEUE, CAME, {"telemetry": "Desk.waiting"}],
        "what_if": {"three": {"Desk.staff": 3}},
        "replications": 12,
    }
    here = ahead(**given)
    for count in (1, 2):
        there = ahead(executor=workers(count), **given)
        assert there.digest == here.digest
        for name, scenario in there.scenarios.items():
            assert np.array_equal(scenario.values, here.scenarios[name].values, equal_nan=True)
    assert ahead(seed=12, **given).digest != here.digest


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(tmp_path, monkeypatch, caplog):
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setenv("DIES_ONCE", str(marks))
    given = {"watch": [QUEUE, SERVED], "replications": 4}
    killed = ahead("dies_once", executor=workers(2), **given)
    assert len(list(marks.iterdir())) == 4
    assert caplog.text.count("has lost a worker") == 4
    # By now none of them dies any more.
    assert ahead("dies_once", **given).digest == killed.digest


def test_a_replication_depends_on_its_number_and_not_on_how_many_there_are():
    few, many = ahead(replications=3), ahead(replications=30)
    assert np.array_equal(many.scenarios["base"].values[:3], few.scenarios["base"].values)


def test_how_tasks_are_cut_changes_nothing():
    one = ahead(replications=70, executor={"name": "inline", "workers": 1})
    other = ahead(replications=70, executor={"name": "inline", "workers": 7})
    assert one.digest == other.digest


def test_replications_are_those_of_replicate():
    found = ahead(watch=[{"telemetry": "Desk.waiting"}], replications=5)
    same = replicate(settings(), 5, until=40, executor=HERE)
    assert [each.seed for each in same.replications] == [seed_of(found.seed, i) for i in range(5)]
    last = [each.telemetry["Desk.waiting"] for each in same.replications]
    assert found["Desk.waiting"].values[:, -1].tolist() == last


# What it says


def test_what_is_watched_is_on_the_grid():
    found = ahead(watch=[QUEUE, CAME, SERVED], every=15)
    assert found.elapsed == found.times == [0.0, 15.0, 30.0, 40.0]
    assert found.wall_times is None
    assert found.scenarios["base"].values.shape == (20, 3, 4)
    came, served = found["came"].values, found["served"].values
    assert came[:, 0].tolist() == [0.0] * 20
    assert (np.diff(came, axis=1) >= 0).all()
    in_service = ahead(watch=[{"resource": "desk", "figure": "in_service"}], every=15)[
        "desk.in_service"
    ].values
    # None is lost: who came is in the queue, in service, or has been served.
    assert (came == served + in_service + found["desk.queue_length"].values).all()
    in_system = ahead(watch=[{"resource": "desk", "figure": "in_system"}], every=15)
    assert (in_system["desk.in_system"].values == came - served).all()


def test_statistics_are_kept_where_they_are_watched():
    figures = ("utilization", "mean_users", "served", "mean_wait", "wait_p95", "capacity")
    watch = [{"resource": "desk", "figure": figure} for figure in figures]
    found = ahead(watch=[*watch, SERVED])
    use, users = found["desk.utilization"].values, found["desk.mean_users"].values
    assert np.isnan(use[:, 0]).all()
    assert use[:, 1:] == pytest.approx(users[:, 1:] / 2)
    assert (found["desk.served"].values >= found["served"].values).all()
    assert (found["desk.wait_p95"].values >= found["desk.mean_wait"].values)[:, -1].any()
    # Whoever has been served has a mean wait; before, there is none.
    assert np.isnan(found["desk.mean_wait"].values[:, 0]).all()
    assert found["desk.mean_wait"].count.tolist()[-1] == 20


def test_containers_and_stores_are_watched():
    watch = [
        {"resource": "tank", "figure": "level"},
        {"resource": "tank", "figure": "mean_level"},
        {"resource": "shelf", "figure": "items"},
        {"resource": "shelf", "figure": "puts.served"},
        {"resource": "shelf", "figure": "puts.queue_length"},
    ]
    found = ahead("stocks", watch=watch, every=20)
    assert found["tank.level"].values[0].tolist() == [10.0, 48.0, 88.0]
    assert found["tank.mean_level"].values[0][1] == pytest.approx(10 + 19)
    assert found["shelf.items"].values[0].tolist() == [0.0, 19.0, 39.0]
    assert found["shelf.puts.served"].values[0].tolist() == [0.0, 19.0, 39.0]
    assert found["shelf.puts.queue_length"].mean.tolist() == [0.0, 0.0, 0.0]


def test_parameters_are_watched():
    watch = [{"parameter": path} for path in ("Desk.staff", "Desk.arrivals.rate")]
    found = ahead(watch=watch, what_if={"busy": {"Desk.arrivals.rate": 2}})
    assert found["Desk.staff"].mean.tolist() == [2.0] * 5
    assert found.scenarios["busy"]["Desk.arrivals.rate"].mean.tolist() == [2.0] * 5


def test_a_telemetry_is_nothing_until_it_is_published_or_what_it_is_said_to_be():
    found = ahead(watch=[{"telemetry": "Desk.waiting"}], every=1, horizon=20)["Desk.waiting"]
    assert np.isnan(found.values[:, 0]).all()
    assert found.count[0] == 0
    assert found.count[-1] == 20
    given = {"telemetry": "Desk.waiting", "initial": 0}
    filled = ahead(watch=[given], every=1, horizon=20)["Desk.waiting"]
    assert np.array_equal(np.nan_to_num(found.values), filled.values)


def test_a_model_that_stops_stays_as_it_is():
    found = ahead("stops", watch=[CAME])["came"].values
    assert (found[:, 2:] == found[:, 1:2]).all()


def test_the_bands_of_a_known_distribution_are_right():
    found = ahead("draws", watch=[{"telemetry": "luck"}], replications=300, every=1, horizon=100)
    luck = found["luck"]
    for share in (0.05, 0.5, 0.95):
        band = luck.bands[share]
        # 100 independent grid points: 95 of them, give or take 3 standard deviations.
        covered = np.mean((band.low[1:] <= share) & (share <= band.high[1:]))
        assert covered >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 100)
    within = np.abs(luck.mean[1:] - 0.5) <= luck.half_width[1:]
    assert 0.88 <= np.mean(within) <= 1.0
    crossing = luck.crossing("above", 0.9)
    assert crossing.at.value[1:].mean() == pytest.approx(0.1, abs=0.01)
    # By the n-th draw that has happened once with 1 - 0.9^n.
    exact = 1 - 0.9 ** np.arange(1, 101)
    assert (crossing.low[1:] - 0.02 <= exact).all()
    assert (exact <= crossing.high[1:] + 0.02).all()


def transient(servers, arrival, service, times, states=120):
    """How M/M/c fares that begins empty: P(n in the system) at times, by uniformisation."""
    rates = np.zeros((states, states))
    for n in range(states - 1):
        rates[n, n + 1] = arrival
        rates[n + 1, n] = service * min(n + 1, servers)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    fastest = -rates.diagonal().min()
    step = np.eye(states) + rates / fastest
    found = []
    for time in times:
        now, weight, total = np.eye(states)[0], math.exp(-fastest * time), np.zeros(states)
        for k in range(int(fastest * time + 12 * math.sqrt(fastest * time) + 20)):
            total += weight * now
            now, weight = now @ step, weight * fastest * time / (k + 1)
        found.append(total)
    return np.array(found)


def test_a_queue_is_as_it_is_known_to_be():
    """M/M/2 from empty against its exact transient distribution."""
    watch = [{"resource": "desk", "figure": "in_system", "above": 8}]
    found = ahead(watch=watch, replications=500, confidence=0.99)["desk.in_system"]
    exact = transient(2, 1.0, 0.6, [10.0, 20.0, 30.0, 40.0])
    assert exact.sum(axis=1) == pytest.approx(np.ones(4))
    sizes = np.arange(exact.shape[1])
    for point, law in enumerate(exact, start=1):
        estimate = found.estimates[point]
        assert estimate.low <= law @ sizes <= estimate.high
        at = found.crossings["above"].at
        assert at.low[point] <= law[9:].sum() <= at.high[point]
        for share, band in found.bands.items():
            quantile = int(np.searchsorted(np.cumsum(law), share))
            assert band.low[point] <= quantile <= band.high[point]


# What if


def test_scenarios_have_the_same_seeds():
    """So a scenario in which nothing matters is the same, and the difference is exactly none."""
    found = ahead(what_if={"shut": {"Desk.open": False}, "three": {"Desk.staff": 3}})
    assert list(found.scenarios) == ["base", "shut", "three"]
    same = found.comparisons["shut"]["desk.queue_length"]
    assert [each.half_width for each in same.estimates] == [0.0] * 5
    assert [each.mean for each in same.estimates] == [0.0] * 5
    three = found.comparisons["three"]["desk.queue_length"]
    assert three.estimates[-1].high < 0
    assert three.lower.value[-1] > 0.5
    assert three.higher.value[-1] == 0.0


def test_pairs_are_more_exact_than_strangers():
    found = ahead(what_if={"three": {"Desk.staff": 3}}, watch=[SERVED], replications=60)
    paired = found.comparisons["three"]["served"].estimates[-1].half_width
    base, three = found["served"], found.scenarios["three"]["served"]
    unpaired = math.hypot(base.half_width[-1], three.half_width[-1])
    assert paired < unpaired / 2


def test_a_scenario_takes_the_place_of_the_settings_parameters():
    chosen = settings(parameters={"Desk.staff": 1, "Desk.arrivals.rate": 0.5})
    watch = [{"parameter": "Desk.staff"}, {"parameter": "Desk.arrivals.rate"}]
    found = ahead(settings=chosen, watch=watch, what_if={"three": {"Desk.staff": "3"}})
    three = found.scenarios["three"]
    assert (found["Desk.staff"].mean[0], three["Desk.staff"].mean[0]) == (1.0, 3.0)
    assert three["Desk.arrivals.rate"].mean[0] == 0.5


# Exact enough


def test_it_stops_when_it_is_exact_enough_and_says_so():
    found = ahead(precision=2.0, replications=400)
    assert len(found) < 400
    assert len(found) in (30, 45, 68, 102, 153, 230, 345)
    assert found.is_exact is True
    assert found["desk.queue_length"].half_width[-1] <= 2.0
    # Seven looks and the last.
    assert found.interval_confidence == pytest.approx(1 - 0.05 / 8)
    assert len(ahead(precision=1.0, replications=400)) > len(found)
    whole = ahead(replications=len(found))
    assert whole.scenarios["base"].values.tolist() == found.scenarios["base"].values.tolist()
    assert whole.is_exact is None


def test_how_many_there_are_does_not_depend_on_the_workers():
    given = {"precision": 2.0, "replications": 400, "what_if": {"three": {"Desk.staff": 3}}}
    here, there = ahead(**given), ahead(executor=workers(2), **given)
    assert (len(here), here.digest) == (len(there), there.digest)


def test_where_it_does_not_get_so_exact_it_says_so():
    found = ahead(precision={"mean": 0.001, "at_least": 4}, replications=9)
    assert (len(found), found.is_exact) == (9, False)


# The state


def state(**given):
    resource = {
        "in_service": [{"key": "a", "elapsed": 1.0}, {"key": "b", "remaining": 3.0}],
        "queue": [{"key": f"waits-{n}"} for n in range(7)],
    }
    taken = {"taken_at": "2026-01-05T06:00:00Z", "resources": {"desk": resource}, **given}
    return Snapshot.model_validate(taken)


def test_it_begins_with_the_state():
    found = ahead(watch=[QUEUE, CAME, SERVED], state=state())
    assert found["desk.queue_length"].mean[0] == 7.0
    assert (found["desk.queue_length"].values[:, 0] == 7).all()
    assert (found["served"].values[:, -1] > 7).all()
    start = datetime(2026, 1, 5, 6, tzinfo=UTC)
    assert found.wall_times == [start + timedelta(seconds=10 * k) for k in range(5)]
    assert found.times == found.elapsed
    assert found.digest == ahead(watch=[QUEUE, CAME, SERVED], state=state()).digest
    assert found.digest != ahead(watch=[QUEUE, CAME, SERVED]).digest


def test_simulated_time_goes_on_from_the_start_of_the_clock():
    chosen = settings(clock={"start": "2026-01-05T05:00:00Z"})
    found = ahead(settings=chosen, state=state())
    assert (found.times[0], found.elapsed[0]) == (3600.0, 0.0)
    assert found.wall_times[0] == datetime(2026, 1, 5, 6, tzinfo=UTC)
    offset = ahead(settings=chosen, state=state(calendar_offset=100.0))
    assert offset.times == [100.0, 110.0, 120.0, 130.0, 140.0]
    assert offset.wall_times == found.wall_times


def test_without_a_state_the_clock_says_the_wall_time():
    chosen = settings(clock={"start": "2026-01-05T05:00:00Z", "until": "32s"})
    found = forecast(chosen, watch=[QUEUE], replications=2, executor=HERE)
    assert found.wall_times[-1] == datetime(2026, 1, 5, 5, 0, 32, tzinfo=UTC)
    assert found.elapsed == [float(i) for i in range(33)]


def test_a_state_is_read_as_settings_say_it(tmp_path):
    file = tmp_path / "state.json"
    file.write_text(state().model_dump_json())
    source = {"source": "file", "path": str(file)}
    by_argument = ahead(state=source)
    assert by_argument.digest == ahead(settings=settings(state=source)).digest
    assert by_argument.digest == ahead(state=state()).digest


def test_a_state_that_does_not_fit_is_refused_by_name():
    with pytest.raises(StateError, match=r"has no function `resume"):
        ahead(settings={**settings(), "model": "json:dumps"}, state=state())
    wrong = Snapshot.model_validate(
        {"taken_at": "2026-01-05T06:00:00Z", "resources": {"dsek": {"queue": [{"key": "x"}]}}}
    )
    told = "the snapshot, as of .*, does not fit the model: .*no such resource .*nearest: desk"
    with pytest.raises(StateError, match=told):
        ahead(state=wrong)


# Refusals


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        ({"resource": "dsek", "figure": "in_service"}, "dsek: no such resource in the model; the "),
        ({"resource": "desk", "figure": "level"}, "desk: a resource has no 'level'"),
        ({"resource": "desk", "figure": "items"}, "desk: a resource has no 'items'"),
        ({"parameter": "Desk.stuff"}, "Desk.stuff: no such path; the nearest: Desk.staff"),
        ({"parameter": "Desk.service"}, "Desk.service: expected a number"),
        ({"telemetry": "Desk.wating"}, "not published such a telemetry as a number; the nearest: "),
    ],
)
def test_what_the_model_has_not_is_refused_before_the_ensemble(watch, told):
    with pytest.raises(SettingsError) as caught:
        ahead(watch=[QUEUE, watch])
    (problem,) = caught.value.problems
    assert problem.where == "forecast.watch[1]"
    assert told in problem.message
    assert len(_tasks()) == 1


def test_a_resource_that_is_asked_to_keep_no_statistics_keeps_none():
    with pytest.raises(SettingsError, match=r"it was made with statistics=False"):
        ahead("stocks", watch=[{"resource": "plain", "figure": "utilization"}])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Desk.stuff": 3}, "Desk.stuff: no such path; the nearest: Desk.staff"),
        ({"Desk.staff": 2.5}, "Desk.staff"),
        ({"Desk.arrivals.rate": -1}, "Desk.arrivals"),
    ],
)
def test_a_scenario_that_the_model_does_not_take_is_refused_before_the_ensemble(changes, told):
    with pytest.raises(SettingsError) as caught:
        ahead(what_if={"fine": {"Desk.staff": 3}, "other": changes})
    (problem,) = caught.value.problems
    assert problem.where == "forecast.what_if.other"
    assert told in problem.message
    assert len(_tasks()) == 1


def _tasks():
    import inline_forecasts

    return inline_forecasts.Inline.tasks


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"watch": []}, SettingsError, "forecast.watch: is required"),
        ({"horizon": None}, SettingsError, "forecast.horizon: is required where there is no"),
        ({"horizon": "soon"}, SettingsError, "forecast.horizon: expected a duration"),
        ({"every": 50}, SettingsError, "forecast.every: expected no more than the horizon"),
        ({"every": "1us"}, SettingsError, "forecast.every: expected at most 100,000"),
        ({"replications": 1}, SettingsError, "forecast.replications"),
        ({"watch": [{"telemtry": "a"}]}, SettingsError, "did you mean 'telemetry'?"),
        ({"precision": {"mean": {"a": 1}}}, SettingsError, "to name watched figures, which are"),
        ({"seed": "7"}, TypeError, "seed: expected an integer"),
        ({"settings": {}}, SettingsError, "model: is required"),
        ({"settings": 7}, TypeError, "settings: expected a settings file or a mapping"),
        ({"executor": "lokal"}, SettingsError, "executor 'lokal' is not installed"),
        ({"state": {"source": "flie"}}, SettingsError, "state.source"),
    ],
)
def test_wrong_arguments_are_refused(given, error, told):
    with pytest.raises(error) as caught:
        ahead(**given)
    assert told in str(caught.value)


def test_what_a_model_raises_is_told_with_its_seed_and_scenario():
    with pytest.raises(ReplicationError) as caught:
        ahead("raises_late", executor={"name": "inline", "workers": 1})
    error = caught.value
    first = next(i for i in range(20) if seed_of(11, i) % 2)
    assert (error.number, error.seed) == (first, seed_of(11, first))
    assert str(error).startswith(f"replication {first} (seed {error.seed}): it raised\nTraceback")
    assert "KeyError: 'part-7'" in str(error)


def test_an_executor_that_answers_nonsense_is_found_out():
    told = r"executor 'inline' \(acme-inline 2.3\) has answered with something else than a replic"
    with pytest.raises(ReplicationError, match=told):
        ahead(executor={"name": "inline", "cuts": True})


def test_an_executor_that_cannot_start_is_told_by_name(monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(PluginError, match=r"executor 'local' \(despatch .*\) cannot be opened"):
        ahead(executor="local")


# All the rest


def test_progress_is_told_from_nothing_to_all():
    told = []
    ahead(what_if={"three": {"Desk.staff": 3}}, progress=lambda *each: told.append(each))
    assert told[0] == (0, 40)
    assert told[-1] == (40, 40)
    assert all(before[0] <= after[0] for before, after in pairwise(told))


def test_a_file_says_it_all(folder):
    file = folder / "desk.yaml"
    given = {"horizon": "40s", "every": "10s", "replications": 20, "watch": [QUEUE]}
    file.write_text(json.dumps({**settings(), "executor": HERE, "forecast": given}))
    assert forecast(file).digest == ahead().digest
    assert forecast(str(file), every="20s").elapsed == [0.0, 20.0, 40.0]


def test_what_is_not_there_is_told_with_the_nearest():
    found = ahead(what_if={"three": {"Desk.staff": 3}})
    with pytest.raises(KeyError, match=r"no such figure; the nearest: desk\.queue_length"):
        found["desk.queue"]
    with pytest.raises(KeyError, match="no such scenario; the nearest: three"):
        found.compare("thre", "desk.queue_length")
    assert repr(found) == "<Forecast of desk: 20 replications of base, three>"


def test_a_worker_imports_no_more_than_it_needs():
    program = "import sys, despatch.forecasting.ensemble; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    needless = {"asyncio", "ruamel.yaml", "despatch.settings", "despatch.plugins", "rich", "numpy"}
    assert "despatch.forecasting.sampling" in loaded
    assert not needless & set(loaded)
