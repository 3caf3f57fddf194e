"""Wire: the courier's end of the link, on its event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from despatch.link import Finished, Link, Message

__all__ = ["Wire"]


class Wire:
    """Hears what the simulator says, and sends as soon as there is room.

    Args:
        link: The courier's end.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def listen(self, take: Callable[[Message], None], on_gone: Callable[[], None]) -> None:
        """Begin to hear.

        Args:
            take: Called with each message.
            on_gone: Called when the simulator has hung up.
        """
        self._take = take
        self._on_gone = on_gone
        asyncio.get_running_loop().add_reader(self._link.fileno(), self._on_readable)
        self._on_readable()  # what came with the settings is read already

    def send(self, message: Message) -> None:
        """Send a message, unless there is nobody to hear it."""
        if self._link.is_closed:
            return
        self._link.send(message)
        if self._link.has_outgoing:
            asyncio.get_running_loop().add_writer(self._link.fileno(), self._on_writable)

    def hang_up(self) -> None:
        """Say the last word and hang up."""
        if self._link.is_closed:
            return
        loop, descriptor = asyncio.get_running_loop(), self._link.fileno()
        loop.remove_reader(descriptor)
        loop.remove_writer(descriptor)
        os.set_blocking(descriptor, True)
        self._link.send(Finished())
        self._link.close()

    def _on_readable(self) -> None:
        for message in self._link.receive():
            self._take(message)
        if self._link.is_closed:
            asyncio.get_running_loop().remove_reader(self._link.fileno())
            # What was still to be said has nobody to hear it.
            asyncio.get_running_loop().remove_writer(self._link.fileno())
            self._on_gone()

    def _on_writable(self) -> None:
        self._link.flush()
        if not self._link.has_outgoing:
            asyncio.get_running_loop().remove_writer(self._link.fileno())
