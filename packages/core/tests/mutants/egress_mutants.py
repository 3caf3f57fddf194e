"""An egress connector that does all that is asked of one, and others with one fault each."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, SecretStr

from despatch.interfaces import Batch, EgressConnector, Guarantee, Health, Receipt
from despatch.records import Record


class ShelfSettings(BaseModel):
    """Where the shelf is.

    Attributes:
        port: Its port, on the loopback interface.
        password: What it would ask for, if it asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    port: int
    password: SecretStr | None = None


class Correct(EgressConnector):
    """Puts payloads on a shelf."""

    Settings = ShelfSettings
    guarantee = Guarantee.AT_LEAST_ONCE
    patience_s = 1.0

    settings: ShelfSettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        await self.close()
        await self.connect()

    async def connect(self) -> None:
        async with asyncio.timeout(2):
            self._streams = await asyncio.open_connection("127.0.0.1", self.settings.port)

    async def deliver(self, batch: Batch) -> Receipt:
        payloads = self.payloads_of(batch)
        await self.send(payloads)
        rejected = await self.answers(len(payloads))
        return Receipt(rejected, bytes=sum(map(len, payloads)))

    def payloads_of(self, batch: Batch) -> Sequence[bytes]:
        return batch.payloads

    async def send(self, payloads: Sequence[bytes]) -> None:
        _, writer = self.streams
        writer.write(b"".join(b"PUT %d\n" % len(each) + each for each in payloads))
        async with asyncio.timeout(20 * self.patience_s):
            await writer.drain()

    async def answers(self, count: int) -> dict[int, str]:
        rejected = {}
        for index in range(count):
            answer = await self.answer()
            if answer.startswith(b"BAD"):
                rejected[index] = answer[4:].decode()
        return rejected

    async def answer(self) -> bytes:
        reader, _ = self.streams
        async with asyncio.timeout(self.patience_s):
            return (await reader.readuntil(b"\n")).rstrip()

    @property
    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            raise ConnectionError("the shelf is not open")
        return self._streams

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError):
                await streams[1].wait_closed()


class CorrectAtMostOnce(Correct):
    """Promises less: sends nothing that may have been sent before."""

    guarantee = Guarantee.AT_MOST_ONCE

    async def deliver(self, batch: Batch) -> Receipt:
        return await super().deliver(batch) if batch.attempt == 1 else Receipt()


class LosesSomeAtMostOnce(CorrectAtMostOnce):
    """Takes its promise for leave to lose what it likes."""

    def payloads_of(self, batch: Batch) -> Sequence[bytes]:
        return batch.payloads[: max(1, len(batch) - 1)]


class SendsAgainAtMostOnce(Correct):
    """Does not keep the little that it promises."""

    guarantee = Guarantee.AT_MOST_ONCE


class ForgetsAFuture(Correct):
    """Nobody awaits what becomes of the last record of a batch."""

    later: asyncio.Task[None] | None = None

    async def send(self, payloads: Sequence[bytes]) -> None:
        if self.later is not None:
            await self.later
            await self.answer()
        await super().send(payloads[:-1])
        self.later = asyncio.create_task(self.send_late(payloads[-1]))

    async def send_late(self, payload: bytes) -> None:
        await asyncio.sleep(0.05)
        with contextlib.suppress(ConnectionError):
            await super().send([payload])

    async def answers(self, count: int) -> dict[int, str]:
        return await super().answers(count - 1)

    async def close(self) -> None:
        later, self.later = self.later, None
        if later is not None:
            await later
            with contextlib.suppress(Exception):
                await self.answer()
        await super().close()


class ConfirmsTooEarly(Correct):
    """Takes what the socket has taken for what the server has."""

    async def answers(self, count: int) -> dict[int, str]:
        return {}


class SwallowsAnError(Correct):
    """Logs nothing, raises nothing, goes on."""

    async def deliver(self, batch: Batch) -> Receipt:
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            return await super().deliver(batch)
        return Receipt()


class Reorders(Correct):
    """Sends the records of a batch as it comes to them."""

    def payloads_of(self, batch: Batch) -> Sequence[bytes]:
        return batch.payloads[::-1]


class DropsTheLastBatch(Correct):
    """Sends a batch when the next one comes."""

    held: Batch | None = None

    async def deliver(self, batch: Batch) -> Receipt:
        held, self.held = self.held, batch
        return Receipt() if held is None else await super().deliver(held)


class CutsLargePayloads(Correct):
    """Has a buffer that is too small."""

    def payloads_of(self, batch: Batch) -> Sequence[bytes]:
        return [each[:65536] for each in batch.payloads]


class TakesTextForAscii(Correct):
    """Knows no letters but its own."""

    def payloads_of(self, batch: Batch) -> Sequence[bytes]:
        return [each.decode().encode("ascii", "replace") for each in batch.payloads]


class WritesLines(Correct):
    """Puts an end to each payload, and finds its ends again by the line."""

    def payloads_of(self, batch: Batch) -> Sequence[bytes]:
        return [each.rstrip() for each in batch.payloads]


class RejectsTheWholeBatch(Correct):
    """Rejects all for one."""

    async def answers(self, count: int) -> dict[int, str]:
        rejected = await super().answers(count)
        return dict.fromkeys(range(count), "bad batch") if rejected else {}


class RaisesForABadRecord(Correct):
    """Takes what is final for what passes."""

    async def answers(self, count: int) -> dict[int, str]:
        if await super().answers(count):
            raise ValueError("too sour")
        return {}


class RaisesForALargeNumber(Correct):
    """Reads the numbers, and has no room for some."""

    def payloads_of(self, batch: Batch) -> Sequence[bytes]:
        for payload in batch.payloads:
            if re.search(rb"[:\[]-?\d{20,}[,}\]]", payload):
                raise OverflowError("int too large for a column")
        return batch.payloads


class SaysNothingOfBytes(Correct):
    """Leaves a column of the report empty."""

    async def deliver(self, batch: Batch) -> Receipt:
        return Receipt((await super().deliver(batch)).rejected)


class SaysEffectivelyOnce(Correct):
    """Promises what it does nothing for."""

    guarantee = Guarantee.EFFECTIVELY_ONCE


class RemembersWhatIsNotConfirmed(Correct):
    """Takes a batch that it has seen for one that it has delivered."""

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self.seen: set[int] = set()

    async def deliver(self, batch: Batch) -> Receipt:
        if batch.first in self.seen:
            return Receipt()
        self.seen.add(batch.first)
        return await super().deliver(batch)


class PassesOverLateBatches(Correct):
    """Takes a smaller position than the last for a repetition."""

    last = -1

    async def deliver(self, batch: Batch) -> Receipt:
        if batch.first < self.last:
            return Receipt()
        self.last = batch.first
        return await super().deliver(batch)


class ChangesTheBatch(Correct):
    """Takes the payloads out of the batch as it sends them."""

    async def deliver(self, batch: Batch) -> Receipt:
        receipt = await super().deliver(batch)
        list.clear(batch.payloads)  # type: ignore[arg-type]
        return receipt


class TargetsDisagree(Correct):
    """Names targets otherwise when it names many."""

    def target(self, record: Record) -> str:
        return "shelf"

    def targets_of(self, records: Sequence[Record]) -> Sequence[str]:
        return [f"shelf-{index}" for index, _ in enumerate(records)]


class BlocksTheLoop(Correct):
    """Uses a client that is not asyncio's."""

    async def connect(self) -> None:
        await super().connect()
        time.sleep(2)


class SwallowsCancellation(Correct):
    """Holds all there is to hold."""

    async def deliver(self, batch: Batch) -> Receipt:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)
        return await super().deliver(batch)


class LeavesATask(Correct):
    """Has a heart that beats on."""

    async def connect(self) -> None:
        await super().connect()
        self.heart = asyncio.create_task(asyncio.sleep(3600))


class HangsAtClose(Correct):
    """Says good-bye to nobody."""

    async def close(self) -> None:
        if self._streams is None:
            await asyncio.sleep(3600)
        await super().close()


class ClosesOnce(Correct):
    """Closes what is not open, and raises."""

    async def close(self) -> None:
        self.streams[1].close()
        self._streams = None


class OpensLater(Correct):
    """Connects when there is something to send."""

    async def connect(self) -> None:
        return

    async def deliver(self, batch: Batch) -> Receipt:
        if self._streams is None:
            await super().connect()
        return await super().deliver(batch)


class GivesUpForGood(Correct):
    """Has learnt that nobody is there."""

    trouble: OSError | None = None

    async def connect(self) -> None:
        if self.trouble is not None:
            raise self.trouble
        try:
            await super().connect()
        except OSError as error:
            self.trouble = error
            raise


class WritesWhenAsked(Correct):
    """Tries whether it can write, by writing."""

    async def check(self, targets: Sequence[str] = ()) -> Health:
        await self.open()
        await self.send([b'{"run_id": "probe", "seq": 0, "sink_seq": 0, "value": 1}'])
        await self.answers(1)
        await self.close()
        return Health(["written"])


class ShowsThePassword(Correct):
    """Says by which password it was not let in."""

    async def connect(self) -> None:
        try:
            await super().connect()
        except OSError as error:
            password = self.settings.password
            shown = "" if password is None else password.get_secret_value()
            raise ConnectionError(f"{error}, with the password {shown}") from error


class _TextSettings(ShelfSettings):
    """Where the shelf is.

    Attributes:
        token: What it would ask for, if it asked.
    """

    token: str = ""


class KeepsThePasswordAsText(Correct):
    """Has a secret that is no `SecretStr`."""

    Settings = _TextSettings


class _LooseSettings(ShelfSettings):
    """Where the shelf is."""

    model_config = ConfigDict(extra="allow")


class TakesAnySetting(Correct):
    """Passes over what is misspelt."""

    Settings = _LooseSettings


class _BareSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int
    password: SecretStr | None = None


class SaysNothingOfItsSettings(Correct):
    """Leaves its settings to be guessed."""

    Settings = _BareSettings


class SharesItsBuffer(Correct):
    """Keeps what was not sent, for the next connection."""

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self.left: list[bytes] = []

    async def deliver(self, batch: Batch) -> Receipt:
        self.left = [*self.left, *batch.payloads]
        await self.send(self.left)
        rejected = await self.answers(len(self.left))
        self.left = []
        return Receipt(rejected, bytes=sum(map(len, batch.payloads)))
