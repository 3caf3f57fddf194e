"""The delivery of past runs, one after the other, with what there is to say on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from despatch.account import SinkAccount
from despatch.cli.console import progress_mode
from despatch.concealment import Concealer
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
        runs: All runs that have a say in the order, oldest first.
        say: Tells what there is to say on the way.
        stopping: What ends it before.
        conceal: Learns the secrets of the connectors.
        is_ordered: Whether a sink gets nothing of a run while an older one of the same name
            still owes it something.
        is_patient: Whether a sink that fails is tried again.

    Attributes:
        accounts: By id, the accounts of the runs that were to be delivered.
        is_whole: Whether nothing had to be left out.
        has_fault: Whether an account does not add up.
    """

    def __init__(
        self,
        runs: Sequence[PastRun],
        say: Callable[[str], None],
        *,
        stopping: Stopping,
        conceal: Concealer,
        is_ordered: bool = True,
        is_patient: bool = True,
    ) -> None:
        self.accounts: dict[str, list[SinkAccount]] = {}
        self.is_whole = True
        self.has_fault = False
        self._runs = runs
        self._say = say
        self._stopping = stopping
        self._conceal = conceal
        self._is_ordered = is_ordered
        self._is_patient = is_patient

    def deliver_all(self, grace: timedelta | None) -> None:
        """Deliver every run that owes anything, oldest first, and tell of those left out.

        Args:
            grace: As for `deliver`, for each run.
        """
        for run in self._runs:
            if run.problem is not None and not run.sinks:
                self._pass_over(run, run.problem)
            elif run.owed and run.state == "under way":
                self._pass_over(run, "it is still under way")
            elif run.owed:
                try:
                    self.deliver(run, grace)
                except DespatchError as error:
                    self.has_fault |= isinstance(error, AccountError)
                    self._pass_over(run, str(error))

    def deliver(self, run: PastRun, grace: timedelta | None) -> None:
        """Deliver one run.

        Args:
            run: The run; `sinks` is renewed.
            grace: How long it may take, in wall time; None is as its settings say.

        Raises:
            DespatchError: It cannot be delivered.
        """
        self.accounts[run.info.run_id] = run.sinks
        if self._stopping.asked_by is not None:
            return
        held = who_comes_first(run, self._runs) if self._is_ordered else {}
        for sink, older in held.items():
            owed = counted(older.owed[sink], "record")
            self._say(
                f"run {run.info.run_id} is held at {sink}: run {older.info.run_id} is older and "
                f"still owes it {owed}"
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
            grace=grace,
            is_patient=self._is_patient,
            stopping=self._stopping,
            conceal=self._conceal,
        )
        self.accounts[run.info.run_id] = run.sinks

    def _pass_over(self, run: PastRun, why: str) -> None:
        self.is_whole = False
        self._say(f"run {run.info.run_id} is passed over: {why}")
