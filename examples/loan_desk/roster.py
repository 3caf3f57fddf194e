"""The roster office: tells the desk every hour how many people are at work.

It knows nothing of the simulation. It leaves commands in a Redis stream or a Kafka topic;
whoever reads them obeys.

    python roster.py bpic2012.csv.gz                    the whole half year ahead, for factor 0
    python roster.py bpic2012.csv.gz --factor 0.001     each hour when it comes
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

from arguments import arguments, settings_of, window_of
from channel import Channel, Command, channel_of
from log import HOUR, read_log
from staffing import heads_by_hour

__all__ = ["Roster"]


class Roster:
    """The staffing of some days.

    Args:
        heads: For each hour, how many people of each team are at work.
        name: What the commands' ids begin with.
    """

    def __init__(self, heads: Sequence[Mapping[str, int]], name: str = "roster") -> None:
        self._heads = heads
        self._name = name

    async def send_ahead(self, channel: Channel) -> None:
        """Send all of it, each command with the simulated time to apply it at."""
        await channel.send([self.command(hour, ahead=True) for hour in range(len(self._heads))])

    async def send_live(self, channel: Channel, factor: float) -> None:
        """Send each hour's command when that hour comes.

        Args:
            channel: Where to.
            factor: Wall seconds per simulated second.
        """
        began = time.monotonic()
        for hour in range(len(self._heads)):
            due = began + hour * HOUR.total_seconds() * factor
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await channel.send([self.command(hour)])

    def command(self, hour: int, *, ahead: bool = False) -> Command:
        """The command of an hour, which changes both teams or neither."""
        heads = self._heads[hour]
        at = {"at": hour * HOUR.total_seconds()} if ahead else {}
        return {
            "id": f"{self._name}-{hour:04}",
            "updates": {f"Desk.{team}.staff": count for team, count in heads.items()},
            **at,
        }


async def send(roster: Roster, channel: Channel, factor: float) -> None:
    """Send a roster, in place of what an earlier one left."""
    async with channel:
        await channel.clear()
        if factor:
            await roster.send_live(channel, factor)
        else:
            await roster.send_ahead(channel)


def main() -> int:
    """Send the roster; the exit status says whether there was a server."""
    chosen = arguments("Send a roster to the loan desk.").parse_args()
    log = read_log(chosen.log)
    window = window_of(log, chosen)
    roster = Roster(heads_by_hour(log, window), name=f"roster-{window.start:%Y-%m-%d}")
    try:
        asyncio.run(send(roster, channel_of(settings_of(chosen)), chosen.factor))
    except ConnectionError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
