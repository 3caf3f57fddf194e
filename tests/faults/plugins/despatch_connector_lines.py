"""Egress to the fault suite's `LineServer`, installed for its tests like a stranger's plugin."""

from __future__ import annotations

import asyncio
import json

from pydantic import BaseModel

from despatch.interfaces import Batch, EgressConnector, Guarantee, Receipt


class LinesSettings(BaseModel):
    port: int


class LinesEgress(EgressConnector):
    """Sends each batch and waits for its answer."""

    Settings = LinesSettings
    guarantee = Guarantee.AT_LEAST_ONCE

    settings: LinesSettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.settings.port)

    async def deliver(self, batch: Batch) -> Receipt:
        if self._writer is None:
            raise ConnectionError("not open")
        header = json.dumps({"count": len(batch)}).encode()
        self._writer.write(b"\n".join([header, *batch.payloads, b""]))
        await self._writer.drain()
        line = await self._reader.readline()
        if not line:
            raise ConnectionResetError("the server hung up without an answer")
        answer = json.loads(line)
        if "error" in answer:
            raise OSError(answer["error"])
        rejected = {int(index): why for index, why in answer["rejected"].items()}
        return Receipt(rejected, bytes=sum(map(len, batch.payloads)))

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
