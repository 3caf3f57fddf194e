"""Connectors that misbehave as told, installed for the tests like a stranger's plugin.

What they are told lies in files, so that it holds across the processes of a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from pathlib import Path

import msgspec
from pydantic import BaseModel

from despatch.interfaces import (
    CAUGHT_UP,
    EgressConnector,
    Guarantee,
    IngressConnector,
    Receipt,
)

_client_log = logging.getLogger("faulty_client")


class EgressFaults(BaseModel):
    path: Path
    down_while: Path | None = None
    fail_every: int = 0
    kill_every: int = 0
    reject_keys: list[str] = []
    kill_keys: list[str] = []
    kill_in_open: bool = False
    takes_s: float = 0.0
    hang_while: Path | None = None
    block_s: float = 0.0
    clings: bool = False


class FaultyEgress(EgressConnector):
    """Appends batches to a file, unless it is told to fail."""

    Settings = EgressFaults
    guarantee = Guarantee.AT_LEAST_ONCE

    def __init__(self, settings):
        super().__init__(settings)
        self._count = 0

    async def open(self):
        _client_log.info("chatter of a client library")
        _client_log.warning("a client library's warning")
        self._refuse()
        if self.settings.kill_in_open:
            os._exit(7)

    async def deliver(self, batch):
        self._refuse()
        self._count += 1
        settings = self.settings
        if settings.kill_keys and {each.key for each in batch.records} & set(settings.kill_keys):
            os.kill(os.getpid(), signal.SIGKILL)
        if settings.block_s and self._count == 1:
            time.sleep(settings.block_s)
        await asyncio.sleep(settings.takes_s)
        while settings.hang_while is not None and settings.hang_while.exists():
            await asyncio.sleep(0.01)
        rejected = {
            i: "this key is not wanted"
            for i, record in enumerate(batch.records)
            if getattr(record, "key", None) in settings.reject_keys
        }
        kept = [p for i, p in enumerate(batch.payloads) if i not in rejected]
        with settings.path.open("ab") as file:
            file.write(b"".join(payload + b"\n" for payload in kept))
        # The worst moment: the sink has the batch, and nobody knows.
        if settings.kill_every and self._count % settings.kill_every == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if settings.fail_every and self._count % settings.fail_every == 0:
            raise ConnectionResetError("the answer was lost")
        return Receipt(rejected=rejected, bytes=sum(map(len, kept)))

    async def close(self):
        while self.settings.clings:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    def _refuse(self):
        down = self.settings.down_while
        if down is not None and down.exists():
            raise ConnectionRefusedError("the sink is down")


class NoSettings(BaseModel):
    pass


class UnmakableEgress(EgressConnector):
    Settings = NoSettings
    guarantee = Guarantee.AT_LEAST_ONCE

    def __init__(self, settings):
        raise RuntimeError("cannot be made")

    async def open(self):
        pass

    async def deliver(self, batch):
        return Receipt()

    async def close(self):
        pass


class IngressFaults(BaseModel):
    inbox: Path
    acknowledged: Path
    fail_every: int = 0


class FaultyIngress(IngressConnector):
    """Brings each line of a file as a command, again and again until it is acknowledged."""

    Settings = IngressFaults
    brings_backlog = True

    async def open(self):
        self._count = 0

    async def commands(self):
        brought = set()
        caught_up = False
        while True:
            for number, line in enumerate(self.settings.inbox.read_bytes().splitlines()):
                if number in brought or str(number) in self._acknowledged():
                    continue
                brought.add(number)
                self._count += 1
                yield await self.parse(line, id=str(number), handle=number)
                if self.settings.fail_every and self._count % self.settings.fail_every == 0:
                    raise ConnectionResetError("the source hung up")
            if not caught_up:
                caught_up = True
                yield CAUGHT_UP
            await asyncio.sleep(0.005)

    async def acknowledge(self, command, outcome):
        with self.settings.acknowledged.open("a") as file:
            file.write(f"{command.handle} {msgspec.to_builtins(outcome)['type']}\n")

    async def close(self):
        pass

    def _acknowledged(self):
        path = self.settings.acknowledged
        return {line.split()[0] for line in path.read_text().splitlines()} if path.exists() else ()
