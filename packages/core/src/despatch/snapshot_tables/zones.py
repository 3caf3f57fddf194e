"""Zones: which time is meant by one that is written without an offset from UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Annotated, Final, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from despatch.mistakes import mistake

__all__ = ["TimeZone", "instant", "zone_named"]

_OFFSET: Final = re.compile(r"([+-])(\d\d):([0-5]\d)")


def zone_named(name: str) -> tzinfo:
    """The zone of a name.

    Args:
        name: ``UTC``, an offset such as ``+01:00``, or a name of the IANA data base such as
            ``Europe/Berlin``, which is read from the system or from the distribution `tzdata`.

    Raises:
        ValueError: There is no such zone.
    """
    if name == "UTC":
        return UTC
    try:
        if offset := _OFFSET.fullmatch(name):
            sign, hours, minutes = offset.groups()
            east = timedelta(hours=int(hours), minutes=int(minutes))
            return timezone(east if sign == "+" else -east)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"expected UTC, an offset such as +01:00, or a name such as Europe/Berlin, got {name!r}"
        ) from error


def _is_zone(name: str) -> str:
    try:
        zone_named(name)
    except ValueError:
        raise mistake("UTC, an offset such as +01:00, or a name such as Europe/Berlin") from None
    return name


TimeZone: TypeAlias = Annotated[str, AfterValidator(_is_zone)]
"""The type of a setting that is the name of a zone, as `zone_named` takes it."""


def instant(local: datetime, zone: tzinfo) -> datetime | None:
    """The instant that a zone's clocks show; None where they show it twice or never.

    That is so when they are put back or forward (PEP 495).
    """
    early, late = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return early if early.utcoffset() == late.utcoffset() else None
