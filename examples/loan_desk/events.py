"""What the desk says happened: the events that leave the simulation, with types worth keeping."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID, uuid5

from log import Application
from pydantic import AwareDatetime, BaseModel, Field

__all__ = ["Loan", "Status", "WorkItem", "loan_of"]

Status: TypeAlias = Literal["queued", "started", "finished"]

LOG = UUID("3926db30-f712-4394-aebc-75976070e91f")
"""The log's own UUID, in its DOI: a case number is unique within it."""


class Loan(BaseModel):
    """A loan that somebody applies for.

    Attributes:
        id: The same in every run: made of the case number.
        case: The number that the log knows it by.
        amount: How much is asked for, in euros.
        applied: When.
    """

    id: UUID
    case: str
    amount: Decimal = Field(max_digits=10, decimal_places=2)
    applied: AwareDatetime


class WorkItem(BaseModel):
    """A turn of an application was queued, started or finished.

    Attributes:
        status: What happened.
        loan: What the application is for.
        turn: Which of its application's turns it is, in the order of the log, from 1.
        activity: Which work it is.
        is_call_back: Whether it waited for a customer before it waited for staff.
        due: Since when it has been waiting for staff; before the run began for work that was in
            hand then.
    """

    status: Status
    loan: Loan
    turn: int
    activity: str
    is_call_back: bool
    due: AwareDatetime


def loan_of(application: Application) -> Loan:
    """What an application of the log is for."""
    return Loan(
        id=uuid5(LOG, application.case),
        case=application.case,
        amount=application.amount,
        applied=application.arrived,
    )
