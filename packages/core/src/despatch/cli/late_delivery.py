"""The delivery of past runs, one after the other, with what there is to say on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from despatch.account import SinkAccount
from despatch.cli.console import err, progress_mode
from despatch.courier.late_progress import LateView
from despatch.courier.stopping import Stopping
from despatch.errors import AccountError, DespatchError
from despatch.history import PastRun, deliver, who_comes_first
from despatch.renderings import counted
from despatch.runs import RunFolder

__all__ = ["LateDelivery"]


class LateDelivery:
    """Delivers past runs.

    Args:
        runs: All runs that have a say in the order.
        grace: How long each run may take, in wall time; None is as its settings say.
        stopping: What ends it before.
        is_ordered: Whether a sink gets nothing of a run while an older one of the same name
            still owes it something.

    Attributes:
        accounts: By id, the accounts of the runs that were to be delivered.
        is_whole: Whether nothing had to be left out.
        has_fault: Whether an account does not add up.
    """

    def __init__(
        self,
        runs: Sequence[PastRun],
        *,
        grace: timedelta | None,
        stopping: Stopping,
        is_ordered: bool,
    ) -> None:
        self.accounts: dict[str, list[SinkAccount]] = {}
        self.is_whole = True
        self.has_fault = False
        self._runs = runs
        self._grace = grace
        self._stopping = stopping
        self._is_ordered = is_ordered

    def deliver_all(self) -> None:
        """Deliver every run that owes anything, oldest first, and tell of those left out."""
        for run in self._runs:
            if run.problem is not None and not run.sinks:
                self._pass_over(run, run.problem)
            elif run.owed and run.state == "under way":
                self._pass_over(run, "it is still under way")
            elif run.owed:
                try:
                    self.deliver(run)
                except DespatchError as error:
                    self.has_fault |= isinstance(error, AccountError)
                    self._pass_over(run, str(error))

    def deliver(self, run: PastRun) -> None:
        """Deliver one run.

        Raises:
            DespatchError: It cannot be delivered.
        """
        self.accounts[run.info.run_id] = run.sinks
        if self._stopping.asked_by is not None:
            return
        held = who_comes_first(run, self._runs) if self._is_ordered else {}
        for sink, older in held.items():
            owed = counted(older.owed[sink], "record")
            err().print(
                f"Run {run.info.run_id} is held at {sink}: run {older.info.run_id} is older and "
                f"still owes it {owed}. To deliver it all the same: --out-of-order",
                markup=False,
            )
        if run.owed and held.keys() >= run.owed.keys():
            return
        folder = RunFolder.open(Path(run.folder))
        served = [sink.sink for sink in run.sinks if sink.sink not in held]
        owed_now = sum(run.owed.get(sink, 0) for sink in served)
        run.sinks = deliver(
            folder,
            LateView.of_run(progress_mode(), folder, served, owed_now),
            held=held,
            grace=self._grace,
            stopping=self._stopping,
        )
        self.accounts[run.info.run_id] = run.sinks

    def _pass_over(self, run: PastRun, why: str) -> None:
        self.is_whole = False
        err().print(f"Run {run.info.run_id} is passed over: {why}", markup=False)
