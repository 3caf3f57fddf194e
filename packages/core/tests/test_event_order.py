"""Whatever a model does, what happens is what happens on SimPy, in the same order.

``DESPATCH_HYPOTHESIS_PROFILE=thorough`` tries a hundred times as many models.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import simpy
from hypothesis import Phase, given, settings

from libraries import KINDS, OTHERS, SIMPY
from model_playing import play
from model_watching import (
    watch_callbacks,
    watch_schedule,
    watch_steps,
    watch_steps_from_within,
)
from random_models import models

# Without the explanation of a failure, which takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]

every_library = pytest.mark.parametrize("library", OTHERS, ids=lambda library: library.name)


@every_library
@given(model=models())
@settings(phases=PHASES)
def test_processes_see_what_they_see_on_simpy(library, model):
    assert play(model, library) == play(model, SIMPY)


@every_library
@pytest.mark.parametrize(
    "observer", [watch_callbacks, watch_steps, watch_schedule], ids=lambda each: each.__name__
)
@given(model=models())
@settings(max_examples=max(30, settings().max_examples // 3), phases=PHASES)
def test_those_who_watch_see_what_they_see_on_simpy(library, observer, model):
    assert play(model, library, observer) == play(model, SIMPY, observer)


@every_library
@given(model=models())
@settings(max_examples=max(30, settings().max_examples // 3), phases=PHASES)
def test_who_begins_to_watch_in_the_course_of_a_run_sees_the_very_next_event(library, model):
    observer = watch_steps_from_within
    assert play(model, library, observer) == play(model, SIMPY, observer)


class Impatient(simpy.Environment):
    """An environment with a fault: of events at one time, the latest comes first."""

    def schedule(self, event, priority=1, delay=0):
        super().schedule(event, priority, delay)
        at, priority, number, event = self._queue.pop(self._index_of(event))
        simpy.core.heappush(self._queue, (at, priority, -number, event))

    def _index_of(self, event):
        return next(index for index, entry in enumerate(self._queue) if entry[3] is event)


class Forgetful(simpy.Resource):
    """A resource with a fault: a release is no event."""

    def release(self, request):
        if request in self.users:
            self.users.remove(request)
        self._trigger_put(None)


class Unfair(simpy.Store):
    """A store with a fault: it gives what was put last."""

    def _do_get(self, event):
        if self.items:
            event.succeed(self.items.pop())


@pytest.fixture(scope="module")
def sample():
    """Models as the tests above draw them, the same each time."""
    drawn = []

    @given(model=models())
    @settings(max_examples=500, derandomize=True, database=None, phases=PHASES)
    def draw(model):
        drawn.append(model)

    draw()
    return drawn


@pytest.fixture(scope="module")
def traces(sample):
    """What happens in the sample on SimPy, as text."""
    return [str(play(model, SIMPY)) for model in sample]


@pytest.mark.parametrize(
    "faulty",
    [
        replace(SIMPY, Environment=Impatient),
        replace(SIMPY, Resource=Forgetful),
        replace(SIMPY, Store=Unfair),
    ],
    ids=["Impatient", "Forgetful", "Unfair"],
)
def test_a_fault_is_found(sample, faulty):
    assert any(play(model, faulty) != play(model, SIMPY) for model in sample)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["'got', ", "'got in time', True", "'got in time', False"])
def test_the_models_wait_for_every_kind_of_resource(sample, traces, kind, what):
    assert any(
        what in trace and {place.kind for place in model.places} == {kind}
        for model, trace in zip(sample, traces, strict=True)
    )


@pytest.mark.parametrize(
    "text",
    [
        "('preempted', ",
        "('Interrupt', ",
        "'raised', ('Fault', ",
        "'catches', 'Join', ('Fault', ",
        "'catches', 'Use', ('RuntimeError', ",
        "'catches', 'Use', ('ValueError', ",
        "'catches', 'Put', ('ValueError', ",
        "'catches', 'Interrupt', ('RuntimeError', ",
        "'released', ",
        "'combined', [(",
        "'joined', ",
        "'awaited', ",
        "'moved', False",
    ],
)
def test_the_models_reach(traces, text):
    assert any(text in trace for trace in traces)
