"""Records into Redis Streams: one entry a record, under an id of our own.

The id is ``<start of the run in epoch milliseconds>-<seq>``. A stream takes only ids that are
greater than its last, so the server itself refuses a record that comes again. An entry is read
back before such a refusal is taken for success.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, TypeAlias

from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import ResponseError

from despatch.interfaces import Batch, EgressConnector, Guarantee, Health, Receipt
from despatch.records import Record
from despatch_connector_redis.examination import examine_server, examine_stream, see_that_allowed
from despatch_connector_redis.settings import RedisEgressSettings, connect

__all__ = ["RedisEgress"]

_FIELD = b"record"
_ID_IS_TOO_SMALL = "equal or smaller than the target stream top item"
# So many commands are packed and sent at once: the event loop is the other connectors' too.
_PIPELINE = 256

_Reply: TypeAlias = Any
_Id: TypeAlias = tuple[int, int]


class _Entry(NamedTuple):
    stream: str
    id: _Id
    payload: bytes

    @property
    def id_text(self) -> str:
        return f"{self.id[0]}-{self.id[1]}"


class RedisEgress(EgressConnector):
    """Adds each record to a stream, as the field ``record``.

    A batch that comes again adds nothing, as long as a stream has one simulation that writes to
    it and its runs are delivered in the order in which they were started. A record whose id has
    become too small in another way (an older run that is delivered late, a second writer) is
    added at the end, under an id of the server's: nothing is lost, but such a record may then
    be there twice after a fault.
    """

    Settings: ClassVar[type[BaseModel]] = RedisEgressSettings
    guarantee: ClassVar[Guarantee] = Guarantee.EFFECTIVELY_ONCE

    settings: RedisEgressSettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._client: Redis | None = None

    def target(self, record: Record) -> str:
        """The key of the record's stream."""
        return self.settings.stream.render(record)

    def targets_of(self, records: Sequence[Record]) -> Sequence[str]:
        """The keys of the records' streams."""
        return self.settings.stream.render_all(records)

    async def open(self) -> None:
        """Connect, and see that the server answers."""
        await self.close()
        self._client = connect(self.settings)
        await self._client.ping()

    async def deliver(self, batch: Batch) -> Receipt:
        """Add the batch, and return when the server has answered for every record.

        Raises:
            redis.exceptions.RedisError: The server cannot be reached, or refuses for a reason
                of its own or of the stream's, such as OOM, READONLY or WRONGTYPE.
        """
        entries = [
            _Entry(target, (_epoch_ms(record.run_id), record.seq), payload)
            for record, target, payload in zip(
                batch.records, batch.targets, batch.payloads, strict=True
            )
        ]
        refused = await self._add(entries)
        if refused:
            await self._settle(refused, is_late=batch.is_late)
        return Receipt(bytes=sum(len(entry.payload) for entry in entries))

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """Ask the server for its version, its role and its memory policy, and for the streams.

        Raises:
            redis.exceptions.RedisError: It cannot be reached, refuses the user, is a replica,
                full or too old, or a stream's key holds something else.
        """
        async with connect(self.settings) as client:
            server = await examine_server(client, since=(5, 0))
            streams = [await examine_stream(client, stream) for stream in targets]
            await see_that_allowed(
                client,
                *(("XADD", stream, "*", "record", "") for stream in targets),
                *(("XRANGE", stream, "-", "+") for stream in targets),
            )
        return Health([*server.findings, *streams], server.warnings)

    @property
    def _connected(self) -> Redis:
        if self._client is None:
            raise NotConnectedError("not connected")
        return self._client

    async def _add(self, entries: Sequence[_Entry]) -> list[_Entry]:
        """Add entries; returns those whose ids were too small."""
        replies = await self._send([self._xadd(entry, entry.id_text) for entry in entries])
        return [
            entry
            for entry, reply in zip(entries, replies, strict=True)
            if not _is_confirmed(entry, reply)
        ]

    async def _settle(self, refused: Sequence[_Entry], *, is_late: bool) -> None:
        """See to entries whose ids were too small: most are there, from an earlier attempt.

        Late ones have never been there, however old their ids are.
        """
        ranges = [("XRANGE", entry.stream, entry.id_text, entry.id_text) for entry in refused]
        missing: dict[str, list[_Entry]] = {}
        for entry, reply in zip(refused, await self._send(ranges), strict=True):
            if entry.payload not in _payloads(_checked(entry.stream, reply)):
                missing.setdefault(entry.stream, []).append(entry)
        for stream, entries in missing.items():
            await self._add_at_end(stream, entries, is_late=is_late)

    async def _add_at_end(self, stream: str, missing: Sequence[_Entry], *, is_late: bool) -> None:
        first, last = _bounds(await self._connected.xinfo_stream(stream))
        kept = [entry for entry in missing if is_late or not _was_trimmed(entry.id, first, last)]
        # An earlier attempt may have added them here; then they are among the newest.
        present = await self._newest(stream, 2 * len(kept))
        late = [entry for entry in kept if entry.payload not in present]
        replies = await self._send([self._xadd(entry, "*") for entry in late])
        for reply in replies:
            _checked(stream, reply)

    async def _newest(self, stream: str, count: int) -> set[bytes | None]:
        newest: set[bytes | None] = set()
        end: bytes | str = "+"
        while len(newest) < count:
            page: _Reply = await self._connected.xrevrange(stream, max=end, count=_PIPELINE)
            newest.update(_payloads(page))
            if len(page) < _PIPELINE:
                break
            # This one comes again with the next page: leaving it out takes Redis 6.2.
            end = page[-1][0]
        return newest

    def _xadd(self, entry: _Entry, entry_id: str) -> tuple[Any, ...]:
        maxlen = self.settings.maxlen
        trim = () if maxlen is None else ("MAXLEN", "~", maxlen)
        return ("XADD", entry.stream, *trim, entry_id, _FIELD, entry.payload)

    async def _send(self, commands: Sequence[tuple[Any, ...]]) -> list[_Reply]:
        client = self._connected
        replies: list[_Reply] = []
        for start in range(0, len(commands), _PIPELINE):
            pipeline = client.pipeline(transaction=False)
            for command in commands[start : start + _PIPELINE]:
                pipeline.execute_command(*command)
            replies += await pipeline.execute(raise_on_error=False)
        return replies


def _epoch_ms(run_id: str) -> int:
    """The start of a run: the first 48 bits of a UUIDv7 (RFC 9562, section 5.7)."""
    return int(run_id.replace("-", "")[:12], 16)


def _checked(stream: str, reply: _Reply) -> _Reply:
    if isinstance(reply, Exception):
        raise ResponseError(f"stream {stream!r}: {reply}") from reply
    return reply


def _is_confirmed(entry: _Entry, reply: _Reply) -> bool:
    if isinstance(reply, ResponseError) and _ID_IS_TOO_SMALL in str(reply):
        return False
    _checked(entry.stream, reply)
    return True


def _payloads(entries: _Reply) -> list[bytes | None]:
    return [fields.get(_FIELD) for _, fields in entries]


def _bounds(info: dict[str, Any]) -> tuple[_Id | None, _Id]:
    """The ids of a stream's first entry, None where it has none, and of its last ever."""
    first = info["first-entry"]
    return (None if first is None else _id(first[0])), _id(info["last-generated-id"])


def _was_trimmed(entry_id: _Id, first: _Id | None, last: _Id) -> bool:
    # The same run has come further, and what is this old is no longer kept.
    return entry_id[0] == last[0] and (first is None or entry_id < first)


def _id(text: bytes) -> _Id:
    epoch_ms, sequence = text.split(b"-")
    return int(epoch_ms), int(sequence)
