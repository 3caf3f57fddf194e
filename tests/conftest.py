"""What the cross-package suite shares."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from services import unavailable

# The loan desk's tests import its modules, as its programs do, which run in its folder; so do those
# of the benchmarks.
sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "loan_desk"))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))


@pytest.fixture(scope="session")
def loan_desk_log() -> Path:
    """The loan desk's event log (BPI Challenge 2012), which is no part of the repository."""
    given = os.environ.get("DESPATCH_BPIC2012")
    if not given:
        unavailable("no event log: set DESPATCH_BPIC2012 to the path of bpic2012.csv.gz")
    path = Path(given).expanduser()
    if not path.is_file():
        unavailable(f"no event log: DESPATCH_BPIC2012={given} is not a file")
    return path.resolve()
