"""What every store can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Final, TypeAlias

import pyarrow as pa

__all__ = ["LEFTOVER_AGE", "UNFINISHED", "Content", "Store"]

Content: TypeAlias = bytes | pa.Buffer

UNFINISHED: Final = "_unfinished"
"""The folder of files that are being written; readers pass over names with ``_`` in front."""

LEFTOVER_AGE: Final = timedelta(hours=1)
"""When a file there is a leftover of a crash: no attempt to write one lasts so long."""


class Store(ABC):
    """A root, and files below it. Its methods block; any number of threads may call them."""

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the root is, without secrets."""

    def open(self) -> None:
        """Get ready. Nothing is written."""
        return None

    def clear(self) -> None:
        """Clear away what a crash left unfinished."""
        return None

    @abstractmethod
    def create(self, path: str, content: Content) -> bool:
        """Make a file that is not there yet, whole or not at all.

        When this returns, the file is there to stay, whoever wrote it.

        Args:
            path: Below the root, with ``/``.
            content: All of it.

        Returns:
            False where a file of this name is there already, which is left as it is.

        Raises:
            OSError: The file could not be made.
        """

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """The content of a file; None where there is none.

        Raises:
            OSError: It cannot be read.
        """

    @abstractmethod
    def folders(self) -> list[str]:
        """The names of the folders right below the root, in their order.

        Raises:
            OSError: The root cannot be reached, or, where there are folders, is not there.
        """

    @abstractmethod
    def examine(self) -> list[str]:
        """Write a probe that readers pass over, and remove it.

        Returns:
            What works and is yet doubtful.

        Raises:
            OSError: Files cannot be made here.
        """
