from __future__ import annotations

import sys
from pathlib import Path

import pytest

from despatch import Run


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment of a process in /proc")
@pytest.mark.parametrize("given", [None, "1000"])
def test_a_courier_keeps_its_memory_unless_told_otherwise(tmp_path, monkeypatch, given):
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    if given is not None:
        monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", given)
    with Run({"runs": tmp_path}) as run:
        pid = run._switchboard._host.pid
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"MALLOC_TRIM_THRESHOLD_={given or 32 * 1024 * 1024}".encode() in environment
