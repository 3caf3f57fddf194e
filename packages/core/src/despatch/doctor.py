"""The doctor: asks every plugin that some settings name whether what it talks to is there.

Nothing is run and no record is written. All are asked at once, each under its own time limit, and
what one of them raises is its finding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from despatch.concealment import Concealer
from despatch.courier.assembly import Assembly
from despatch.courier.backoff import describe
from despatch.courier.tasks import LEAVE_S, within
from despatch.courier.watchdog import Watchdog
from despatch.interfaces import EgressConnector, Health
from despatch.records import Event, Record, Telemetry
from despatch.selection import Selection
from despatch.settings import (
    EgressSettings,
    ExecutorSettings,
    IngressSettings,
    Settings,
    StateSettings,
)

__all__ = ["Examination", "Role", "examine", "longest_s"]

SOURCE_TIMEOUT_S = 30.0
"""How long a source may take to answer, in wall seconds: as long as at the start of a run."""

SPARE_S = 5.0
"""How long all else may take that an examination does, in wall seconds."""

EXECUTOR_TIMEOUT_S = 60.0
"""How long an executor may take to start its workers and to end them, in wall seconds."""

Role: TypeAlias = Literal["state", "source", "sink", "executor"]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found of one plugin in its place.

    Attributes:
        role: What it is to the run.
        name: Its name in the settings.
        plugin: The plugin's name, and the serializer's where it has one.
        findings: What is in order, a sentence each.
        warnings: What works and is yet doubtful.
        fault: Why it cannot be used as it is; empty where it can.
        has_answered: Whether it answered in time. One that has not may be at work still.
    """

    role: Role
    name: str
    plugin: str
    findings: Sequence[str] = ()
    warnings: Sequence[str] = ()
    fault: str = ""
    has_answered: bool = True

    @property
    def is_in_order(self) -> bool:
        """Whether a run could use it."""
        return not self.fault


async def examine(settings: Settings) -> Sequence[Examination]:
    """Ask the state source, every source and sink in the order of the settings, and the executor.

    The executor is asked where the settings name one.

    Args:
        settings: The settings, secrets included.
    """
    assembly = Assembly(settings)
    checks: dict[str, Coroutine[None, None, Examination]] = {}
    if settings.state is not None:
        checks["state"] = _examine_state(assembly, settings.state)
    for source in settings.ingress:
        checks[f"ingress {source.name}"] = _examine_source(assembly, source)
    for sink in settings.egress:
        checks[f"sink {sink.name}"] = _examine_sink(assembly, settings.name, sink)
    if _names_executor(settings):
        checks["executor"] = _examine_executor(assembly, settings.executor)
    loop = asyncio.get_running_loop()
    examining = [loop.create_task(check, name=name) for name, check in checks.items()]
    with Watchdog(assembly.identities):
        found = await asyncio.gather(*examining)
    return [_concealed(each, assembly.conceal) for each in found]


def longest_s(settings: Settings) -> float:
    """How long an examination may take, in wall seconds, where no plugin blocks all others."""
    limits = [SOURCE_TIMEOUT_S for _ in settings.ingress]
    limits += [sink.timeout.total_seconds() for sink in settings.egress]
    if settings.state is not None:
        limits.append(settings.state.timeout.total_seconds())
    if _names_executor(settings):
        limits.append(EXECUTOR_TIMEOUT_S)
    return max(limits, default=0.0) + LEAVE_S + SPARE_S


def _names_executor(settings: Settings) -> bool:
    return "executor" in settings.model_fields_set


async def _examine_state(assembly: Assembly, state: StateSettings) -> Examination:
    async def check() -> list[Health]:
        return [await assembly.state(state).check()]

    identity = assembly.identities["state"]
    timeout_s = state.timeout.total_seconds()
    return await _examined("state", state.source, state.source, identity, check, timeout_s)


async def _examine_executor(assembly: Assembly, chosen: ExecutorSettings) -> Examination:
    async def check() -> list[Health]:
        return [await assembly.executor(chosen).check()]

    identity, timeout_s = assembly.identities["executor"], EXECUTOR_TIMEOUT_S
    return await _examined("executor", chosen.name, chosen.name, identity, check, timeout_s)


async def _examine_source(assembly: Assembly, source: IngressSettings) -> Examination:
    async def check() -> list[Health]:
        connector = assembly.ingress(source)
        found = [await connector.check()]
        if connector.serializer is not None:
            try:
                found.append(await connector.serializer.check())
            finally:
                await connector.serializer.close()
        return found

    serializer = None if source.serializer is None else source.serializer.name
    plugin = _plugin(source.connector, serializer)
    identity = assembly.identities[f"ingress {source.name}"]
    return await _examined("source", source.name, plugin, identity, check, SOURCE_TIMEOUT_S)


async def _examine_sink(assembly: Assembly, simulation: str, sink: EgressSettings) -> Examination:
    async def check() -> list[Health]:
        connector, serializer = assembly.egress(sink)
        targets = _targets(connector, simulation, sink.select)
        found = [await connector.check(targets)]
        if serializer is not None:
            try:
                found.append(await serializer.check(targets))
            finally:
                await serializer.close()
        return found

    plugin = _plugin(sink.connector, sink.serializer.name)
    identity = assembly.identities[f"sink {sink.name}"]
    timeout_s = sink.timeout.total_seconds()
    return await _examined("sink", sink.name, plugin, identity, check, timeout_s)


async def _examined(
    role: Role,
    name: str,
    plugin: str,
    identity: str,
    check: Callable[[], Coroutine[None, None, list[Health]]],
    timeout_s: float,
) -> Examination:
    late = f"{identity} gave no answer within {timeout_s:g} s: see whether its server answers"
    try:
        found = await within(timeout_s, check(), late)
    except TimeoutError as error:
        has_answered = str(error) != late
        fault = describe(error) if has_answered else late
        return Examination(role, name, plugin, fault=fault, has_answered=has_answered)
    except Exception as error:
        # The boundary to the plugin: whatever it raises is what was to be found out.
        return Examination(role, name, plugin, fault=describe(error))
    findings = [finding for health in found for finding in health.findings]
    warnings = [warning for health in found for warning in health.warnings]
    return Examination(role, name, plugin, findings, warnings)


def _concealed(examination: Examination, conceal: Concealer) -> Examination:
    return replace(
        examination,
        findings=[conceal(finding) for finding in examination.findings],
        warnings=[conceal(warning) for warning in examination.warnings],
        fault=conceal(examination.fault),
    )


def _plugin(connector: object, serializer: str | None) -> str:
    name = connector if isinstance(connector, str) else type(connector).__name__
    return name if serializer in (None, "json") else f"{name}, {serializer}"


def _targets(
    connector: EgressConnector, simulation: str, select: Selection | None
) -> Sequence[str]:
    """Where the records of each stream will go, unless that depends on the record."""
    targets = []
    for one, other in _samples(simulation):
        if select is not None and not select.may_select(one.stream_type):
            continue
        target = connector.target(one)
        if target == connector.target(other):
            targets.append(target)
    return list(dict.fromkeys(targets))


def _samples(simulation: str) -> Iterator[tuple[Record, Record]]:
    """For each stream, two records that have nothing in common but the simulation."""
    one, other = (
        (f"sample-{i}", f"Sample{i}", None, float(i), f"2026-01-0{i}T00:00:00.000000", f"{i:032x}")
        for i in (1, 2)
    )
    yield Event(simulation, *one, 1, 1), Event(simulation, *other, 2, 2)
    yield Telemetry(simulation, *one, 1, 1), Telemetry(simulation, *other, 2, 2)
