"""The README's queries and code are run as they stand there, over files of the kind they are of."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from despatch.interfaces import Batch
from despatch.records import Event
from despatch_connector_parquet import ParquetEgress, ParquetSettings

README = Path(__file__).parents[1] / "README.md"
NOON = "2026-01-05T12:00:00.000000+00:00"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and scrap; a weight that came later."""
    values: list[tuple[str, Any]] = [
        ("PartDone", {"size": {"mm": 0.5}}),
        ("Scrapped", {"reason": "crack"}),
        ("PartDone", {"size": {"mm": 0.7, "weight": 5}}),
    ]

    async def run() -> None:
        sink = ParquetEgress(ParquetSettings(uri=str(tmp_path / "lake")))
        await sink.open()
        for seq, (kind, value) in enumerate(values):
            record = Event("line_a", f"part-{seq}", kind, value, 0.5, NOON, "r1", seq, seq)
            await sink.deliver(Batch(seq, seq + 1, [record]))
        await sink.close()

    asyncio.run(run())
    monkeypatch.chdir(tmp_path)


def blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.usefixtures("lake")
def test_the_queries_find_what_they_ask_for() -> None:
    answers = []
    with duckdb.connect() as connection:
        for query in ";".join(blocks("sql")).split(";"):
            if query.strip():
                answers.append(connection.sql(query).fetchall())
    assert answers[0] == [
        ("part-0", 0.5, 0.5, None),
        ("part-2", 0.5, 0.7, '{"size":{"weight":5}}'),
    ]
    assert sorted(answers[1]) == [("r1", "PartDone", 2), ("r1", "Scrapped", 1)]
    assert answers[2] == [("part-2", "5")]
    assert len(answers) == 3


@pytest.mark.usefixtures("lake")
def test_the_code_reads_all_parts() -> None:
    (code,) = blocks("py")
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["parts"].num_rows == 2
