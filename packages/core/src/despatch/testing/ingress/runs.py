"""Runs: each command has one effect in a run, whatever happens on its way there."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Final, TypeAlias

import pytest

from despatch.testing.conformance import applies_if
from despatch.testing.ingress.commanded_run import CommandedRun
from despatch.testing.ingress.faults import FaultTests
from despatch.testing.ingress.source import CommandSource
from despatch.testing.ingress.suite import MakeIngress
from despatch.testing.proxy import Proxy

__all__ = ["RunTests"]

_FORBIDDEN: Final = b'{"updates": {"Kit.other": 1}}'
_MOST_BYTES: Final = 300

_Fault: TypeAlias = Callable[[], None]


class RunTests(FaultTests):
    """Each command has one effect in a run, whatever happens on its way there.

    Attributes:
        seed: What is drawn from it: which faults there are in a run, and when.
        faults_in_a_run: How many faults there are in a run.
    """

    seed: ClassVar[int] = 1
    faults_in_a_run: ClassVar[int] = 6

    def test_every_command_has_one_effect_in_a_run(
        self, source: CommandSource, simulation: str, tmp_path: Path
    ) -> None:
        """A run applies each command once, and refuses once what `allow` does not name.

        If it fails: the log says what the courier thought of the connector.
        """
        messages = [*map(self.named, range(1, 11)), _FORBIDDEN]
        if not self.is_live:
            self.send_all(source, messages)
        with self._played(source, source.port, simulation, tmp_path) as played:
            if self.is_live:
                self.send_all(source, messages)
            played.until(lambda: played.settled >= len(messages), "an outcome of each command")
        applied, refused = played.effects
        assert self.in_order(applied) == list(range(1, 11))
        assert refused == [["Kit.other"]]

    @applies_if("redelivers", "keeps_messages")
    def test_every_command_has_one_effect_under_faults(
        self,
        source: CommandSource,
        make_ingress: MakeIngress,
        simulation: str,
        tmp_path: Path,
        request: pytest.FixtureRequest,
    ) -> None:
        """Couriers die and connections are lost, and each command is applied once, in order.

        The faults are drawn from `seed`, and are the same each time. The courier is killed; and
        where the connector reaches its source by TCP, the server goes away, stalls, forgets its
        connections, has its answers lost, or has connections reset after so many bytes.

        If it fails: a command that is missing was passed over on a new connection. One that is
        there twice came with another id. Where the ingress is not open again, see what it waits
        for without a limit.
        """
        proxy: Proxy | None = request.getfixturevalue("proxy") if self.is_networked else None
        port = source.port if proxy is None else proxy.port
        draw = random.Random(self.seed)
        levels = itertools.count(1)
        sent: list[int] = []

        def send() -> None:
            sent.append(next(levels))
            source.send(self.named(sent[-1]))

        def send_some() -> None:
            for _ in range(draw.randrange(1, 6)):
                send()

        if self.is_live:
            self.wait_for(self.introduce(make_ingress()))
        send_some()
        with self._played(source, port, simulation, tmp_path) as played:
            for _ in range(self.faults_in_a_run):
                if self.is_live:
                    send_some()
                draw.choice(list(self._faults(played, proxy, draw, send)))()
                if self.is_live:
                    send_some()
                played.until(lambda: played.settled >= len(sent), "an outcome of each command")
        applied, refused = played.effects
        assert self.in_order(applied) == sent
        assert refused == []

    def _played(
        self, source: CommandSource, port: int, simulation: str, folder: Path
    ) -> CommandedRun:
        """A run with the connector as its only ingress."""
        entry = {"connector": self.plugin, **source.settings(port)}
        return CommandedRun(simulation, entry, folder, 2 * self.patience_s)

    def send_all(self, source: CommandSource, messages: list[bytes]) -> None:
        """Put messages at the source."""
        for message in messages:
            source.send(message)

    def _faults(
        self,
        played: CommandedRun,
        proxy: Proxy | None,
        draw: random.Random,
        send: Callable[[], None],
    ) -> Iterator[_Fault]:
        """What may happen to this connector."""
        yield played.kill_courier
        if proxy is None or not self.is_live:
            return

        def goes_away() -> None:
            with proxy.refusing():
                send()
                played.until(lambda: played.state == "retrying", "an error of the connector")

        def stalls() -> None:
            before = proxy.struck
            with proxy.stalling():
                send()
                played.until(lambda: proxy.struck > before, "a stall")

        def resets() -> None:
            before = proxy.struck

            def is_struck() -> bool:
                send()
                return proxy.struck > before

            with proxy.resetting(lambda: draw.randrange(_MOST_BYTES)):
                played.until(is_struck, "a reset")

        def forgets() -> None:
            before = proxy.given_up
            with proxy.half_open():
                send()
                played.until(lambda: proxy.given_up > before, "that the silence is noticed")

        def loses_answers() -> None:
            before = proxy.given_up
            with proxy.deaf():
                send()
                played.until(lambda: proxy.given_up > before, "that the silence is noticed")

        yield from (goes_away, stalls, resets)
        if self.notices_silence:
            yield from (forgets, loses_answers)
