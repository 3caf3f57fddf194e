"""Airspace: who may have a plugin at work at the same moment.

Ordinarily everybody. A suspect, who may have killed a courier, is tried alone: if the courier dies
then, it is known who killed it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

__all__ = ["Airspace"]

LANDING_S: Final = 2.0
"""How long a suspect waits for the others to come to an end, in wall seconds."""


class Airspace:
    """Lets many fly together, or one alone. Suspects are let in in the order of their asking."""

    def __init__(self) -> None:
        self._flying = 0
        self._suspects = 0
        self._turn = asyncio.Lock()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._is_free = asyncio.Event()
        self._is_free.set()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Fly among others; waits while a suspect flies or wants to."""
        while self._suspects:
            await self._is_free.wait()
        self._flying += 1
        self._is_empty.clear()
        try:
            yield
        finally:
            self._flying -= 1
            if not self._flying:
                self._is_empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Fly alone, once all others have landed.

        One that takes long to land is not waited for: should the courier die, it is suspected too.
        """
        self._suspects += 1
        self._is_free.clear()
        try:
            async with self._turn:
                try:
                    async with asyncio.timeout(LANDING_S):
                        await self._is_empty.wait()
                except TimeoutError:
                    pass
                yield
        finally:
            self._suspects -= 1
            if not self._suspects:
                self._is_free.set()
