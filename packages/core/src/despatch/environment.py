"""The environment: a `simpy.Environment` that can be steered, watched and paced.

>>> from despatch import DynamicEnvironment
>>> env = DynamicEnvironment()
>>> _ = env.timeout(3.0)
>>> env.run()
>>> env.now
3.0
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import get_ident
from typing import TYPE_CHECKING, Any

import simpy

from despatch.branching.mixin import BranchingMixIn
from despatch.distributions.seeds import checked_seed, new_seed
from despatch.durations import parse_duration
from despatch.egress import EgressMixIn
from despatch.pacing import PacedEnvironment
from despatch.pacing.lag import LAG_TOLERANCE, LagPolicy
from despatch.pacing.until import Until
from despatch.registry import Registry
from despatch.renderings import excerpt
from despatch.resources.roster import Roster
from despatch.statistics_telemetry import StatisticsTelemetry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from despatch.distributions.sampling import Streams
    from despatch.distributions.variates import Draw
    from despatch.forecasting.forecast import Forecast
    from despatch.restoring.initial import Initial
    from despatch.restoring.restored import Restored
    from despatch.snapshots import Snapshot

__all__ = ["DynamicEnvironment"]


class DynamicEnvironment(BranchingMixIn, EgressMixIn, PacedEnvironment):
    """A SimPy environment with a registry, a clock and a way out for records.

    Args:
        initial_time: Simulated time at the start, in simulated seconds.
        factor: Wall seconds per simulated second: 1.0 is real time, 0.0 as fast as the machine
            allows.
        start: The wall time of simulated 0, with an offset. None knows no wall times.
        lag_tolerance: How late a paced simulation may be, of wall time: a timedelta, text such as
            ``500ms``, or seconds. None tolerates any lag.
        lag_policy: What happens when it is later: ``warn`` logs it once, and once more when it has
            recovered; ``stop`` ends the run with a `LagError`.
        seed: Seeds the random streams of `sample`; None takes one from the operating system.
        name: The simulation's name, which its records carry.
        statistics: Whether every resource that is made in it keeps statistics, unless the
            resource says otherwise.

    Raises:
        TypeError: `initial_time` or `factor` is no number, `start` no datetime, `seed` no integer,
            `name` no text, or `statistics` neither True nor False.
        ValueError: `initial_time` is not finite, `factor` or `seed` is negative or not finite,
            `start` is naive, `lag_tolerance` no duration of more than 0, `lag_policy` another
            word, or `name` empty.

    Attributes:
        registry: Every live parameter, by dotted path.
        clock: How simulated time follows wall time, and how late it is.
    """

    def __init__(
        self,
        initial_time: float = 0,
        *,
        factor: float = 0.0,
        start: datetime | None = None,
        lag_tolerance: timedelta | str | float | None = LAG_TOLERANCE,
        lag_policy: LagPolicy = "warn",
        seed: int | None = None,
        name: str = "simulation",
        statistics: bool = False,
    ) -> None:
        if not isinstance(statistics, bool):
            raise TypeError(f"statistics: expected True or False, not {statistics!r}")
        super().__init__(
            initial_time,
            factor=factor,
            start=start,
            lag_tolerance=lag_tolerance,
            lag_policy=lag_policy,
        )
        self.name = _checked_name(name)
        self.seed = new_seed() if seed is None else checked_seed(seed)
        self.registry = Registry(self)
        self._telemetry: StatisticsTelemetry | None = None
        self._roster = Roster(is_for_all=statistics)
        self._streams: Streams | None = None
        self._values = self.registry.live_values
        self._draws: dict[str, tuple[object, Draw]] = {}
        self._initial: Initial | None = None
        self._restored: Restored | None = None
        self._arrivals: dict[str, Any] = {}

    def sample(self, path: str) -> float:
        """Draw from the distribution that the registry has at `path` now.

        Each path has a stream of random numbers of its own, made from the seed and the path, so
        that a change at one leaves the draws of the others alone. A change of parameters or
        family counts from the next draw on, which is made from the same random number as it would
        have been without the change; see `despatch.distributions.sampling`.

        Raises:
            UnknownPathError: There is no such path.
            TypeError: What is there is no distribution.
        """
        try:
            distribution, draw = self._draws[path]
            is_present = self._values[path] is distribution
        except (KeyError, TypeError):  # a path may be anything, what cannot be hashed included
            is_present = False
        return draw() if is_present else self._draw_anew(path)()

    def _draw_anew(self, path: str) -> Draw:
        distribution = self.registry[path]
        try:
            draws_from = distribution.draws_from
        except AttributeError:
            raise TypeError(
                f"{path}: expected a distribution to sample from, found {distribution!r}"
            ) from None
        draw: Draw = draws_from(self._make_streams().stream(path))
        self._draws[path] = distribution, draw
        return draw

    def _make_streams(self) -> Streams:
        if self._streams is None:
            # numpy takes a tenth of a second to import: only those who sample pay for it.
            from despatch.distributions.sampling import Streams

            self._streams = Streams(self.seed)
        return self._streams

    def run(self, until: Until | None = None) -> Any:  # noqa: D102 as PacedEnvironment has it
        owner = self._hand_over(get_ident())
        if self.clock.factor and any(hasattr(v, "draws_from") for v in self._values.values()):
            # Else the first draw would hold the clock.
            self._make_streams()
        try:
            return super().run(until)
        finally:
            self._hand_over(owner)

    def restore(self, snapshot: Snapshot) -> Restored:
        """Begin from a state: set the parameters, and get what puts the work in its place.

        For a model's own ``resume(env, snapshot)``, once it has registered its parameters and
        made its resources. The present simulated time is that of the reading. All of the snapshot
        is held against the model first: what does not fit is told at once, and nothing is changed
        then. Containers and stores hold what the snapshot says when this returns.

        Args:
            snapshot: The state.

        Returns:
            What takes in those who are served and those who wait, and knows the times of arrival.

        Raises:
            StateError: The snapshot does not fit the model: a path, resource, container or store
                that it does not have, a value that it does not take, more in service, in a
                container or in a store than the capacity where it does not say
                `over_capacity`, a queue that is not in the order of its priorities.
            RuntimeError: It was restored before.
            TypeError: This is no snapshot.
        """
        # pydantic takes its time to import: only those who have a state pay for it.
        from despatch.restoring.restoration import restore

        self._restored = restored = restore(self, snapshot)
        return restored

    def snapshot(self, *, taken_at: datetime | None = None) -> Snapshot:
        """Say what state this simulation is in now, as `restore` takes it in.

        It has all parameters, and every resource, container and store that has a name. Those who
        are served are in the order of admission, with `elapsed`; `remaining` is there where the
        process waits for a timeout, and is the rest of that. Those who wait are in their order,
        with `joined` where it is known: where there are priorities, or statistics are kept. A
        process is called by its `key`, where it carries one (``process.key = "part-17"``), and
        otherwise by its generator function and a number. Nothing is changed by it.

        Not in it: what is in nobody's hands but those of a process, such as a part on its way
        between two machines; who waits at a container or store; since when something has been
        down; what `data` would say. A model that wants more publishes it, or makes it of this
        with `model_copy`.

        Args:
            taken_at: The wall time of now, with an offset; None is by `start`.

        Returns:
            The snapshot; `calendar_offset` is the simulated time.

        Raises:
            StateError: Something cannot be said: an item of a store that is no plain data, a
                priority that is no whole number; or it is too early, in a model's `resume`.
            ValueError: There is neither `taken_at` nor `start`, or `taken_at` is naive.
            TypeError: `taken_at` is no datetime.
        """
        from despatch.snapshotting.document import snapshot_of

        return snapshot_of(self, taken_at)

    def note_arrival(self, name: str, *, sim_time: float | None = None) -> None:
        """Note that somebody came: what `snapshot` says under `arrivals` is who came last.

        Args:
            name: What the model calls those who come.
            sim_time: When; None is now. A model that begins from a state says here when the last
                one came before: ``env.note_arrival(NAME, sim_time=state.last_arrival(NAME))``.

        Raises:
            ValueError: `sim_time` is later than now.
        """
        if sim_time is None:
            sim_time = self._now
        elif sim_time > self._now:
            raise ValueError(
                f"sim_time: expected a time up to now, {self._now}, not {excerpt(sim_time)}"
            )
        self._arrivals[name] = sim_time

    def forecast(
        self,
        *,
        horizon: timedelta | str | float,
        watch: Sequence[Mapping[str, Any]],
        every: timedelta | str | float | None = None,
        replications: int | None = None,
        quantiles: Sequence[float] | None = None,
        confidence: float | None = None,
        what_if: Mapping[str, Mapping[str, Any]] | None = None,
        seed: int | None = None,
        workers: int | None = None,
        timeout: timedelta | str | float | None = None,
    ) -> Forecast:
        """Say what will be, by many branches of this instant that run ahead.

        It is `despatch.forecast` without a state that has to be read: each replication is an exact
        copy, as of `branches`. The simulation itself waits until all have come. Called between two
        runs; a process of the model has branches, and waits for them.

        Args:
            horizon: How far to look ahead, in simulated time.
            watch: The figures, at least one, as under `forecast.watch` in settings. Events are
                counted from now on, and a telemetry is nothing, or `initial`, until it is published
                again. Statistics are there where the resource keeps them.
            every: The distance of the grid points, in simulated time; by default a 32nd part of the
                horizon.
            replications: How many, at least 2; by default 200.
            quantiles: Which quantiles to report; by default 0.05, 0.25, 0.5, 0.75 and 0.95.
            confidence: Of all intervals; by default 0.95.
            what_if: Scenarios, by name: path to value, of what is otherwise from now on.
            seed: What the seeds are made from; by default the simulation's own.
            workers: How many branches there are at once; by default one for each CPU.
            timeout: How long each may take, of wall time.

        Raises:
            SettingsError: An argument is not what settings would take, or the model has not what is
                watched, or does not take a scenario.
            BranchError: A branch cannot be had, or raised; or it is called in an event.
        """
        from despatch.forecasting.warm import forecast_from

        given = {
            "horizon": horizon,
            "watch": watch,
            "every": every,
            "replications": replications,
            "quantiles": quantiles,
            "confidence": confidence,
            "what_if": what_if,
        }
        return forecast_from(self, given, seed=seed, workers=workers, timeout=timeout)

    def publish_statistics(self, interval: timedelta | str | float) -> None:
        """Publish the statistics of every named resource as telemetry, at each interval.

        A resource has a name if its capacity is a path, or if it was given one. Paths of the
        telemetry and figures are those of `despatch.statistics_telemetry`.

        Args:
            interval: Of simulated time, more than 0: a timedelta, text such as ``1m``, or seconds.

        Raises:
            ValueError: `interval` is no such duration.
            RuntimeError: They are published already.
        """
        if self._telemetry is not None:
            raise RuntimeError("the statistics of this environment are published already")
        interval_s = parse_duration(interval).total_seconds()
        if not interval_s:
            raise ValueError(f"interval: expected a duration of more than 0, not {interval!r}")
        self._telemetry = StatisticsTelemetry(self, interval_s)

    def _arm(self, until: float | simpy.Event | None) -> simpy.Event | None:
        event = super()._arm(until)
        if self._telemetry is not None:
            self._telemetry.wake()
        return event

    def _make_calls(self) -> None:
        # Only where there are any: otherwise it would depend on when the run looks up.
        has_calls = bool(self._calls)
        super()._make_calls()
        if has_calls and self._telemetry is not None:
            self._telemetry.wake_if_planned()

    def _hand_over(self, thread_id: int) -> int:
        """Make this thread the simulation's own; the answer is which one was it before."""
        self._thread_id = thread_id
        return self.registry.hand_over(thread_id)


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name: expected the simulation's name, a text, not {excerpt(name)}")
    if not name:
        raise ValueError("name: expected the simulation's name, not an empty text")
    return name
