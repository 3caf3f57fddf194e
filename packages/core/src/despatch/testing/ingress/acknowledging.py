"""Acknowledging: a command comes again until its source is told, and then no more."""

from __future__ import annotations

from despatch.commands import Command
from despatch.testing.conformance import applies_if
from despatch.testing.ingress.messages import (
    LEVEL,
    has_level,
    levels,
    setting,
)
from despatch.testing.ingress.source import CommandSource
from despatch.testing.ingress.suite import IngressSuite, MakeIngress

__all__ = ["AcknowledgingTests"]


class AcknowledgingTests(IngressSuite):
    """A command comes again until its source is told what became of it."""

    @applies_if("redelivers")
    def test_what_is_not_acknowledged_comes_again(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """A command that was brought is not lost with whoever brought it, and keeps its id.

        Its outcome may not be on disk when the courier dies. It comes again, and by its id the
        run sees whether it was applied already. So the id must not be made anew.

        If it fails: tell the source that a message is dealt with in `acknowledge`, nowhere else
        (look for the client's automatic acknowledgement or commit, and switch it off). Give
        `parse` an `id` that the source itself keeps, such as an offset. If it keeps none,
        ``names_messages = False``, and tell users to give their commands an id.
        """

        async def work() -> list[list[Command]]:
            if self.is_live:
                await self.introduce(make_ingress())
            await self.send(source, *map(self.named, range(1, 5)))
            ingress = make_ingress()
            brought = []
            for each in (ingress, ingress, make_ingress()):
                async with self.reading(each) as reading:
                    brought.append(await reading.take(4))
            return brought

        first, again, restarted = self.wait_for(work())
        ids = {command.updates[LEVEL]: command.id for command in first}
        assert self.in_order(list(ids)) == [1, 2, 3, 4]
        assert None not in ids.values()
        assert len(set(ids.values())) == 4, "two commands have the same id"
        for later in (again, restarted):
            assert {command.updates[LEVEL]: command.id for command in later} == ids
            assert self.in_order(levels(later)) == [1, 2, 3, 4]

    @applies_if("acknowledges", "is_live")
    def test_what_is_acknowledged_does_not_come_again(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """The source is told of what is dealt with, and of nothing else.

        If it fails: `acknowledge` is given the very object that `commands` gave; keep in its
        `handle` what the source needs to know which it is. What is told a little later has to
        be told, and heard, when `close` returns.
        """

        async def work() -> list[list[Command]]:
            ingress = make_ingress()
            brought = []
            async with self.reading(ingress) as reading:
                await self.send(source, *map(setting, range(1, 5)))
                commands = await reading.take(4)
                await reading.acknowledge(commands[:2])
            for last, each in enumerate((ingress, make_ingress()), start=5):
                async with self.reading(each) as reading:
                    await self.send(source, setting(last))
                    brought.append(await reading.until(has_level(last)))
                    await reading.acknowledge(brought[-1])
            return brought

        again, restarted = self.wait_for(work())
        unacknowledged = [3, 4] if self.redelivers else []
        assert self.in_order(levels(again)) == [*unacknowledged, 5]
        assert levels(restarted) == [6]
