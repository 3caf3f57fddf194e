"""Reaching: whether a cluster answers, before Ray is asked to join it.

Ray itself looks for a cluster that is not there for minutes, and cannot be stopped from it.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Final

from despatch_executor_ray.settings import AUTO, CLIENT

__all__ = ["reach"]

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a client of HTTP/2, and so of gRPC, begins (RFC 9113, 3.4): with settings, here none."""

_HEADER_BYTES: Final = 9
_TYPE: Final = 3
_SETTINGS: Final = 4


async def reach(address: str) -> None:
    """Find out whether a Ray answers at an address; `auto` is that of ``RAY_ADDRESS``, if any.

    A server of gRPC begins with its settings as soon as it is spoken to (RFC 9113, 3.4). Where
    Ray is told to use TLS, it is enough that somebody is there.

    Raises:
        ConnectionError: Nobody is there, or somebody who does not speak gRPC.
    """
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS", AUTO)
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not port.isdecimal():
        return
    try:
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError as error:
        raise ConnectionError(f"no Ray at {address}: {error}") from error
    try:
        if os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):
            writer.write(_PREFACE)
            await _settings(reader, address)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _settings(reader: asyncio.StreamReader, address: str) -> None:
    try:
        header = await reader.readexactly(_HEADER_BYTES)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise ConnectionError(f"no Ray at {address}: it hangs up") from error
    if header[_TYPE] != _SETTINGS:
        raise ConnectionError(f"no Ray at {address}: what is there does not speak gRPC")
