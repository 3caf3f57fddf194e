"""History: what a system was like at many instants, and what then came."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime

from despatch.snapshots import Snapshot

__all__ = ["History"]


class History(ABC):
    """A recorded history, which can be frozen at some of its instants.

    It stands for the real system twice: for its state at an instant, as a state source would have
    read it then, and for what the watched figures really were afterwards. A backtest is worth as
    much as these two are kept apart: what `snapshot` says must be known at that instant.
    """

    @property
    @abstractmethod
    def instants(self) -> Sequence[datetime]:
        """When to freeze it, in order, each with an offset from UTC."""

    @abstractmethod
    def snapshot(self, instant: datetime) -> Snapshot:
        """The state at an instant, by nothing that came later.

        Args:
            instant: One of `instants`; the snapshot's `taken_at` is the same time.
        """

    @abstractmethod
    def actual(self, instant: datetime, ahead_s: Sequence[float]) -> Mapping[str, Sequence[float]]:
        """What the watched figures really were after an instant.

        Args:
            instant: One of `instants`.
            ahead_s: How long after it, in seconds of the real system; 0 is the instant itself.

        Returns:
            For each figure, by its name in the forecast, its value at each of these times. What
            was not recorded is NaN, and is not scored.
        """

    def naive(self, instant: datetime, ahead_s: Sequence[float]) -> Mapping[str, Sequence[float]]:
        """What somebody would say of the time after an instant who has no model.

        It is what a forecast's skill is measured against: by default that all stays as it is. For a
        figure that counts from the instant on, that is 0, and no match: say something better, such
        as the count of the same hours a week before. Here too, nothing that came later may be used.

        Args:
            instant: As for `actual`.
            ahead_s: As for `actual`.

        Returns:
            As `actual`; a figure that is left out has no skill in the report.
        """
        now = self.actual(instant, [0.0])
        return {name: [values[0]] * len(ahead_s) for name, values in now.items()}
