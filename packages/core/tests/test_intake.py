from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from pydantic import BaseModel

from despatch.commands import Change, Command, Refusal
from despatch.courier.airspace import Airspace
from despatch.courier.flight import Flight
from despatch.courier.intake import ACKNOWLEDGED_AT_MOST, UNRESOLVED_AT_MOST, Intake
from despatch.courier.ledger import Ledger
from despatch.courier.states import States
from despatch.courier.suspicion import Suspicion
from despatch.interfaces import CAUGHT_UP, IngressConnector
from despatch.link import Link, Resolved

SOURCE = "source"


class NoSettings(BaseModel):
    pass


class Source(IngressConnector):
    """Brings what its script has: each list is a connection, and an exception breaks it."""

    Settings = NoSettings

    def __init__(self, *connections, opens=(), refuses=(), backlog=False):
        super().__init__(NoSettings(), simulation="line")
        self.connections = list(connections)
        self.opens = list(opens)
        self.refuses = list(refuses)
        self.brings_backlog = backlog
        self.acknowledged = []
        self.calls = []

    async def open(self):
        self.calls.append("open")
        if self.opens:
            raise self.opens.pop(0)

    async def commands(self):
        for item in self.connections.pop(0):
            if isinstance(item, BaseException):
                raise item
            yield item
        if self.connections:
            raise ConnectionResetError("the source hung up")

    async def acknowledge(self, command, outcome):
        # A source takes its time; nobody may take it for done before.
        for _ in range(20):
            await asyncio.sleep(0)
        if self.refuses:
            raise self.refuses.pop(0)
        self.acknowledged.append((command.handle, outcome))

    async def close(self):
        self.calls.append("close")


class Endless(Source):
    """Brings one command after the other, and never ends."""

    async def commands(self):
        while True:
            yield Command(updates={"Desk.staff": 1})


class Desk:
    """An intake at work, and what it gave to the simulation."""

    def __init__(self, connector):
        self.brought = []
        self.told = []
        self.synced = []
        self.connector = connector
        self.ledger = Ledger(Path(":memory:"))
        self.intake = Intake(
            SOURCE,
            connector,
            self.brought.append,
            self.sync_audit,
            States(self.told.append),
            Flight(f"ingress {SOURCE}", self.ledger, Airspace(), lambda reason: None),
            timeout_s=0.05,
        )

    async def sync_audit(self, end):
        self.synced.append((end, len(self.connector.acknowledged)))

    @property
    def states(self):
        return [state.state for state in self.told]

    async def until(self, condition):
        while not condition():
            await asyncio.sleep(0.001)

    def answer(self, *brought, audit_end=7):
        for message in brought:
            self.intake.resolve(Resolved(SOURCE, message.number, change(message), audit_end))

    def work(self, during, *, finish=True):
        """Let the intake run while a coroutine watches; then let it finish."""

        async def run():
            task = asyncio.create_task(self.intake.run())
            await during()
            if finish:
                self.intake.finish()
            else:
                task.cancel()
            await asyncio.gather(task, return_exceptions=not finish)

        asyncio.run(run())


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("despatch.courier.backoff.random.uniform", lambda low, high: 0.0)


def change(message):
    return Change(updates=(), sim_time=1.0, source=SOURCE, id=message.command.id)


def commands(*ids):
    return [Command(updates={"Desk.staff": 1}, id=id, handle=f"handle-{id}") for id in ids]


def test_commands_are_brought_in_order_without_the_connectors_handle():
    desk = Desk(Source(commands("a", "b", "c")))
    desk.work(lambda: desk.until(lambda: len(desk.brought) == 3))
    assert [message.number for message in desk.brought] == [0, 1, 2]
    assert [message.command.id for message in desk.brought] == ["a", "b", "c"]
    assert {message.command.handle for message in desk.brought} == {None}
    assert {(message.ingress, message.command.source) for message in desk.brought} == {
        (SOURCE, SOURCE)
    }


def test_the_source_gets_its_own_handle_back_with_the_outcome():
    desk = Desk(Source(commands("a", "b")))

    async def during():
        await desk.until(lambda: len(desk.brought) == 2)
        # The simulation answers in its own order.
        desk.answer(*reversed(desk.brought))

    desk.work(during)
    assert [handle for handle, _ in desk.connector.acknowledged] == ["handle-b", "handle-a"]
    assert [outcome.id for _, outcome in desk.connector.acknowledged] == ["b", "a"]


def test_the_audit_journal_is_on_disk_before_the_source_is_told():
    desk = Desk(Source(commands("a")))

    async def during():
        await desk.until(lambda: desk.brought)
        desk.answer(*desk.brought, audit_end=42)

    desk.work(during)
    assert desk.synced == [(42, 0)]
    assert len(desk.connector.acknowledged) == 1


def test_an_outcome_is_acknowledged_once_its_audit_can_be_synced():
    desk = Desk(Source(commands("a", "b")))

    async def fail(end):
        desk.synced.append([handle for handle, _ in desk.connector.acknowledged])
        if len(desk.synced) == 1:
            raise OSError("disk error")

    desk.intake._sync_audit = fail

    async def during():
        await desk.until(lambda: len(desk.brought) == 2)
        desk.answer(*desk.brought)

    desk.work(during)
    handles = [handle for handle, _ in desk.connector.acknowledged]
    assert sorted(handles) == ["handle-a", "handle-b"]
    assert len(desk.synced) == 3


def test_finishing_waits_for_the_outcomes_that_have_come():
    desk = Desk(Source(commands("a", "b", "c")))

    async def during():
        await desk.until(lambda: len(desk.brought) == 3)
        desk.answer(*desk.brought[:2])

    desk.work(during)
    assert len(desk.connector.acknowledged) == 2
    assert desk.connector.calls[-1] == "close"


def test_after_finishing_nothing_more_is_brought():
    desk = Desk(Endless())

    async def during():
        await desk.until(lambda: desk.brought)

    desk.work(during)
    # It was waiting for outcomes when it was told to finish.
    assert len(desk.brought) == UNRESOLVED_AT_MOST


def test_no_more_commands_wait_for_their_outcome_than_the_link_can_hold():
    desk = Desk(Endless())

    async def during():
        await desk.until(lambda: len(desk.brought) == UNRESOLVED_AT_MOST)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(desk.brought) == UNRESOLVED_AT_MOST
        desk.answer(*desk.brought[:10])
        await desk.until(lambda: len(desk.brought) == UNRESOLVED_AT_MOST + 10)

    desk.work(during)


def test_a_connection_that_breaks_is_opened_again():
    desk = Desk(Source(commands("a"), commands("b"), [ConnectionResetError()], commands("c")))
    desk.work(lambda: desk.until(lambda: "ended" in desk.states))
    assert [message.command.id for message in desk.brought] == ["a", "b", "c"]
    assert desk.connector.calls == ["open", "close"] * 4
    assert desk.states.count("retrying") == 3


def test_a_source_that_cannot_be_opened_at_first_is_tried_again():
    desk = Desk(Source(commands("a"), opens=[ConnectionRefusedError("down")] * 3))
    desk.work(lambda: desk.until(lambda: desk.brought))
    assert [state.reason for state in desk.told if state.reason] == [
        "ConnectionRefusedError: down"
    ] * 3


def test_an_opening_that_hangs_is_given_up_in_time():
    class Hanging(Source):
        async def open(self):
            await super().open()
            if self.calls == ["open"]:
                await asyncio.Event().wait()

    desk = Desk(Hanging(commands("a")))
    desk.work(lambda: desk.until(lambda: desk.brought))
    (reason,) = (state.reason for state in desk.told if state.reason)
    assert reason.startswith("TimeoutError: opening the connector took longer than 0.05 s: see")


def test_a_cancellation_of_the_connectors_own_is_a_failure_like_others():
    desk = Desk(Source([asyncio.CancelledError()], commands("a")))
    desk.work(lambda: desk.until(lambda: desk.brought))
    assert "retrying" in desk.states


def test_a_source_with_a_backlog_is_caught_up_when_it_says_so():
    first, second = commands("a", "b")
    desk = Desk(Source([first, CAUGHT_UP, second], backlog=True))
    desk.work(lambda: desk.until(lambda: "ended" in desk.states))
    assert desk.states == ["connecting", "open", "caught up", "ended"]


def test_a_source_without_a_backlog_is_caught_up_when_it_is_open():
    desk = Desk(Source(commands("a")))
    desk.work(lambda: desk.until(lambda: "ended" in desk.states))
    assert desk.states == ["connecting", "caught up", "ended"]


def test_outcomes_still_reach_a_source_that_has_ended():
    desk = Desk(Source(commands("a")))

    async def during():
        await desk.until(lambda: "ended" in desk.states)
        desk.answer(*desk.brought)
        await desk.until(lambda: desk.connector.acknowledged)

    desk.work(during)


def test_an_acknowledgement_that_fails_holds_up_no_other_and_is_tried_again():
    desk = Desk(Source(commands("a", "b", "c"), refuses=[OSError("x"), asyncio.CancelledError()]))

    async def during():
        await desk.until(lambda: len(desk.brought) == 3)
        desk.answer(*desk.brought)
        await desk.until(lambda: desk.connector.acknowledged)

    desk.work(during)
    handles = [handle for handle, _ in desk.connector.acknowledged]
    assert sorted(handles) == ["handle-a", "handle-b", "handle-c"]
    assert [state.reason for state in desk.told if "acknowledge" in state.reason] == [
        "acknowledge: OSError: x",
        "acknowledge: CancelledError",
    ]
    assert desk.told[-1].state == "ended"


def test_a_source_that_takes_no_outcome_is_told_so_often_and_no_more(caplog):
    class Deaf(Source):
        async def acknowledge(self, command, outcome):
            self.calls.append(command.handle)
            raise OSError("no")

    desk = Desk(Deaf(commands("a", "b")))

    async def during():
        await desk.until(lambda: len(desk.brought) == 2)
        desk.answer(*desk.brought)

    desk.work(during)
    assert desk.connector.calls.count("handle-a") == ACKNOWLEDGED_AT_MOST
    assert desk.connector.calls.count("handle-b") == ACKNOWLEDGED_AT_MOST
    assert "in vain" in caplog.text
    # What it was not told of takes up no room for ever.
    assert desk.intake._unresolved == {}


def test_an_outcome_is_not_told_again_on_another_connection():
    class Resetting(Source):
        """Fails the acknowledgement and breaks the connection."""

        def __init__(self):
            super().__init__()
            self.broken = asyncio.Event()

        async def commands(self):
            if self.calls.count("open") == 1:
                yield commands("a")[0]
                await self.broken.wait()
                raise ConnectionResetError("gone")
            await asyncio.Event().wait()

        async def acknowledge(self, command, outcome):
            self.calls.append("acknowledge")
            self.broken.set()
            while self.calls.count("open") == 1:
                await asyncio.sleep(0)
            raise ConnectionResetError("gone")

    async def run():
        desk = Desk(Resetting())
        task = asyncio.create_task(desk.intake.run())
        await desk.until(lambda: desk.brought)
        desk.answer(*desk.brought)
        await desk.until(lambda: not desk.intake._unresolved)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return desk

    desk = asyncio.run(run())
    assert desk.connector.calls.count("acknowledge") == 1


def test_a_source_that_does_not_close_holds_up_no_end(monkeypatch):
    monkeypatch.setattr("despatch.courier.intake.CLOSE_S", 0.01)
    monkeypatch.setattr("despatch.courier.tasks.LEAVE_S", 0.01)

    class Clinging(Source):
        async def close(self):
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()

    async def run():
        desk = Desk(Clinging(commands("a")))
        task = asyncio.create_task(desk.intake.run())
        await desk.until(lambda: desk.brought)
        desk.intake.finish()
        await task

    loop = asyncio.new_event_loop()
    loop.run_until_complete(run())
    # `asyncio.run` would wait for the one that was left to itself.
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False
        task.get_coro().close()
    loop.close()


def test_a_source_that_killed_couriers_while_it_was_opened_is_not_opened():
    desk = Desk(Source(commands("a")))
    desk.intake._flight.suspicion = Suspicion(opening_deaths=4)
    desk.work(lambda: desk.until(lambda: desk.told))
    assert desk.connector.calls == ["close"]
    assert [(state.state, state.reason) for state in desk.told] == [
        ("stopped", "it killed the courier 4 times while it was being opened")
    ]


def test_a_refusal_is_logged_with_its_reason(caplog):
    desk = Desk(Source(commands("a")))

    async def during():
        await desk.until(lambda: desk.brought)
        refusal = Refusal(reason="no path Desk.stuff", sim_time=1.0, source=SOURCE)
        desk.intake.resolve(Resolved(SOURCE, 0, refusal, 1))

    desk.work(during)
    assert "ingress source: command refused: no path Desk.stuff" in caplog.text


def test_a_command_that_the_link_cannot_carry_is_refused_and_the_next_one_comes():
    huge = Command(updates={"Desk.staff": 2**70}, id="huge", handle="handle-huge")
    desk = Desk(Source([huge, *commands("b")]))
    ours, theirs = Link.pair()
    near, far = Link(ours), Link(theirs)
    desk.intake._bring = near.send

    async def during():
        await desk.until(lambda: "ended" in desk.states)
        desk.brought += far.receive()
        desk.answer(*desk.brought)

    desk.work(during)
    assert [message.command.id for message in desk.brought] == ["huge", "b"]
    assert "cannot be passed on" in desk.brought[0].command.fault
    assert [handle for handle, _ in desk.connector.acknowledged] == ["handle-huge", "handle-b"]
    assert "retrying" not in desk.states
    near.close()
    far.close()


def test_cancelling_closes_the_source_and_waits_for_no_outcome():
    desk = Desk(Source(commands("a")))
    desk.work(lambda: desk.until(lambda: desk.brought), finish=False)
    assert desk.connector.calls[-1] == "close"
    assert desk.connector.acknowledged == []
