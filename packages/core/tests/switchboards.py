"""A switchboard whose couriers are played by the test."""

from __future__ import annotations

import contextlib
import resource
from datetime import UTC, datetime

from pydantic import Field

from despatch import DynamicEnvironment, SimParameter
from despatch.commands import Command
from despatch.courier.hosts import Host
from despatch.journal import JournalReader
from despatch.link import Brought, Finished, Link
from despatch.runs import RunFolder, RunInfo
from despatch.settings import Settings
from despatch.switchboard import Switchboard

SOURCE = "source"


class Desk(SimParameter):
    staff: int = Field(1, ge=0, le=9)
    rooms: int = 1


class PlayedHost(Host):
    """A host whose couriers are played by the test: `link` is the far end of the last."""

    def __init__(self, folder, settings, on_start=()):
        super().__init__(folder, settings, "none")
        self.near_links = []
        self.links = []
        self.reaped = 0
        self.is_killed = False
        self.on_start = list(on_start)

    @property
    def link(self):
        return self.links[-1]

    def start(self):
        ours, theirs = Link.pair()
        self.near_links.append(Link(ours))
        self.links.append(Link(theirs))
        if self.on_start:
            self.on_start.pop(0)(self.link)
        return self.near_links[-1]

    def reap(self):
        self.reaped += 1
        return "the test"

    def kill(self):
        self.is_killed = True


class Board:
    """A switchboard, its environment, and the courier at the far end."""

    def __init__(self, root, *, ingress=(), on_start=(), **given):
        entries = [{"connector": "schedule", "commands": [], **each} for each in ingress]
        self.settings = Settings.model_validate({"name": "line", "ingress": entries, **given})
        now = datetime.now(UTC)
        info = RunInfo(
            run_id="run-1", name="line", start=now, created=now, seed=1, factor=0.0, version="0"
        )
        self.folder = RunFolder.create(root, info, {})
        self.env = DynamicEnvironment(factor=self.settings.clock.factor, start=now)
        self.env.registry.register("Desk", Desk())
        self.host = PlayedHost(self.folder, self.settings, on_start)
        self.switchboard = Switchboard(self.env, self.folder, self.settings, self.host)
        self.switchboard.open()

    def said(self, *kinds):
        """What the courier has heard, of these kinds."""
        return [each for each in self.host.link.receive() if isinstance(each, kinds)]

    def bring(self, *commands, source=SOURCE):
        for number, command in enumerate(commands):
            self.host.link.send(Brought(source, number, command))

    def say(self, *messages):
        for message in messages:
            self.host.link.send(message)

    @property
    def audited(self):
        with JournalReader(self.folder.audit) as reader:
            entries = []
            while (frame := reader.read()) is not None:
                entries += frame.entries
        return entries

    def close(self):
        for link in [*self.host.links, *self.host.near_links]:
            link.close()
        self.env.doorbell.close()
        self.folder.unlock()


def finished(link):
    link.send(Finished())
    link.close()


def set_staff(value, **given):
    return Command(updates={"Desk.staff": value}, **given)


@contextlib.contextmanager
def boards(root):
    """Makes boards, and closes them in the end."""
    made = []

    def make(**given):
        board = Board(root / f"runs-{len(made)}", **given)
        made.append(board)
        return board

    yield make
    for board in made:
        board.close()


@contextlib.contextmanager
def files_no_longer_than(size):
    """As on a full disk: a write beyond that is short, and the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
