"""Bringing: commands come as they were sent, and garbage comes as commands with a fault."""

from __future__ import annotations

import json

from despatch.commands import Command
from despatch.testing.conformance import applies_if
from despatch.testing.ingress.messages import (
    FAULTY,
    FORMS,
    LEVEL,
    TOO_LARGE,
    has_level,
    levels,
    setting,
)
from despatch.testing.ingress.source import CommandSource
from despatch.testing.ingress.suite import IngressSuite, MakeIngress

__all__ = ["BringingTests"]


class BringingTests(IngressSuite):
    """Commands come as they were sent, and garbage comes as commands with a fault."""

    def test_commands_come_as_they_were_sent(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """Updates and times arrive, with text in any script and values of every JSON type.

        If it fails: hand a whole message to `parse`. Where commands are put together field by
        field, see that types and the encoding of text survive, and the order of sending.
        """

        async def work() -> list[Command]:
            messages = [json.dumps(form).encode() for form in FORMS]
            if not self.is_live:
                await self.send(source, *messages)
            async with self.reading(make_ingress()) as reading:
                if self.is_live:
                    await self.send(source, *messages)
                return await reading.take(len(messages))

        commands = self.wait_for(work())
        assert [command.fault for command in commands] == [None] * len(FORMS)
        found = {command.updates.get(LEVEL): command for command in commands}
        assert self.in_order(list(found)) == [1, 2, 3, 4]
        for level, form in enumerate(FORMS, start=1):
            sent = Command.parse(form)
            assert found[level].updates == sent.updates
            assert (found[level].at or 0) == (sent.at or 0)

    @applies_if("carries_messages", "is_live")
    def test_all_that_a_command_can_say_arrives(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """A command keeps the id that it was sent with, what it expects, and that it is a trial.

        If it fails: pass the message on whole. The id that is given to `parse` only stands in
        where a message has none.
        """

        async def work() -> list[Command]:
            async with self.reading(make_ingress()) as reading:
                await self.send(
                    source,
                    setting(1, id="shift-change-ä", at=7, expect={LEVEL: 0}),
                    setting(2, id="trial", dry_run=True),
                )
                return await reading.take(2)

        one, trial = sorted(self.wait_for(work()), key=lambda each: str(each.updates))
        assert (one.id, one.at, one.expect) == ("shift-change-ä", 7.0, {LEVEL: 0})
        assert (trial.id, trial.dry_run) == ("trial", True)

    @applies_if("carries_messages", "is_live")
    def test_what_is_no_command_is_a_command_with_a_fault(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """Garbage hinders nobody: it comes as a command with a `fault`, and the next one follows.

        A fault is refused, audited and acknowledged like any command. A connector that raises
        instead is opened again, finds the same message, and never gets past it.

        If it fails: `parse` gives a fault for whatever bytes there are. What your code does with
        a message before, such as decoding text, must not raise; see `Command.fault`.
        """

        async def work() -> tuple[list[Command], list[Command]]:
            ingress = make_ingress()
            async with self.reading(ingress) as reading:
                await self.send(source, *FAULTY.values(), setting(1))
                brought = await reading.take(len(FAULTY) + 1)
                await reading.acknowledge(brought)
            if not self.acknowledges:
                return brought, []
            async with self.reading(ingress) as reading:
                await self.send(source, setting(2))
                return brought, await reading.until(has_level(2))

        brought, afterwards = self.wait_for(work())
        assert sorted(levels(brought), key=str) == [1, *[None] * len(FAULTY)]
        faulty = [command for command in brought if LEVEL not in command.updates]
        for command, what in zip(faulty, FAULTY, strict=True):
            assert command.fault, f"the fault of a message that is {what}"
        if self.acknowledges:
            assert levels(afterwards) == [2], "a fault that was acknowledged came again"

    @applies_if("carries_messages", "takes_oversized", "is_live")
    def test_a_message_that_is_too_large_is_a_command_with_a_fault(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """A message of more than 1 MiB is refused like any other garbage.

        If it fails: the client library may have a limit of its own, which raises or drops the
        connection; set it above 1 MiB. If the source takes no such message,
        ``takes_oversized = False``.
        """

        async def work() -> list[Command]:
            async with self.reading(make_ingress()) as reading:
                await self.send(source, TOO_LARGE, setting(1))
                return await reading.take(2)

        brought = self.wait_for(work())
        assert sorted(levels(brought), key=str) == [1, None]
        assert any(command.fault for command in brought)

    @applies_if("keeps_messages")
    def test_what_has_waited_comes_first(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """All that waited at the source is brought, whole; where declared, before `CAUGHT_UP`.

        A run whose ingress says ``brings_backlog = True`` starts its clock at `CAUGHT_UP`, or
        when `commands` ends. What comes after that comes late.

        If it fails: read until the source says that there is nothing more, page by page, and
        only then say `CAUGHT_UP`, once. Without ``brings_backlog`` do not say it.
        """
        sent = list(range(1, 301))

        async def work() -> tuple[list[Command], list[Command], int]:
            if self.is_live:
                await self.introduce(make_ingress())
            await self.send(source, *map(setting, sent))
            async with self.reading(make_ingress()) as reading:
                if self.brings_backlog:
                    waited = await reading.backlog()
                else:
                    waited = await reading.take_and_acknowledge(len(sent))
                if not self.is_live:
                    return waited, [], reading.said_caught_up
                await self.send(source, setting(301))
                later = await reading.until(has_level(301))
                return waited, later, reading.said_caught_up

        waited, later, said_caught_up = self.wait_for(work())
        assert self.in_order(levels(waited)) == sent
        assert levels(later) == [301] * self.is_live
        assert said_caught_up == (self.brings_backlog and self.is_live)
