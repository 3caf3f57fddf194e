"""SimPy's source distribution for the tests of this folder, or the reason why there is none."""

from __future__ import annotations

import pytest

from compatibility.source import SourceMissing, fetched, unpacked
from services import unavailable


@pytest.fixture(scope="session")
def simpy_source(tmp_path_factory):
    """The folder that SimPy's source distribution unpacks to."""
    try:
        archive = fetched()
    except SourceMissing as error:
        unavailable(str(error))
    return unpacked(archive, tmp_path_factory.mktemp("simpy"))
