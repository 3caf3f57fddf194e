"""What every benchmark shares: pairs, medians, a table or JSON, and environments for rivals.

Ours and theirs are measured in turn, A B A B, so that what disturbs the machine meets both. The
value of a figure is the median over the pairs of what one pair says.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeAlias

from rich.console import Console
from rich.table import Table

__all__ = [
    "HERE",
    "PAIRS",
    "Figure",
    "Measurement",
    "Pair",
    "main",
    "pairs_of",
    "ratio",
    "run_here",
    "run_rival",
    "worst_of",
]

PAIRS = 5
"""How many pairs a figure has at the least."""

HERE = Path(__file__).parent
RIVALS = HERE / "rivals"
RIVALS_HOME = HERE / ".rivals"
"""Where the rivals' environments are made; not in version control."""

Pair: TypeAlias = tuple[float, float]
Better: TypeAlias = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One result.

    Attributes:
        name: What issues and docs call it.
        value: The median.
        unit: Of the value.
        better: Which way is better.
        target: What it must reach; None where nothing was asked yet.
        pairs: What was measured, ours and theirs; ours alone where there is nothing to hold it
            against.
        spilled: Where a backlog could flatter: how many records the slowest sink had yet to
            confirm when the simulation had ended, run by run of ours.
    """

    name: str
    value: float
    unit: str
    better: Better
    target: float | None
    pairs: Sequence[Sequence[float]]
    spilled: Sequence[int] = ()

    @property
    def is_reached(self) -> bool:
        """Whether the target is reached; true where there is none."""
        if self.target is None:
            return True
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


Measurement: TypeAlias = Callable[[bool], Sequence[Figure]]
"""Measures figures; true asks for a quick look, to see that it works."""


def pairs_of(ours: Callable[[], float], theirs: Callable[[], float], count: int) -> list[Pair]:
    """Measure in turn."""
    pairs = []
    for number in range(1, count + 1):
        pair = ours(), theirs()
        pairs.append(pair)
        print(f"  pair {number} of {count}: {pair[0]:,.4g} to {pair[1]:,.4g}", file=sys.stderr)
    return pairs


def ratio(
    name: str,
    pairs: Sequence[Pair],
    *,
    better: Better,
    target: float | None,
    spilled: Sequence[int] = (),
) -> Figure:
    """The figure that says how ours is to theirs."""
    value = median(ours / theirs for ours, theirs in pairs)
    return Figure(name, value, "ratio", better, target, pairs, spilled)


def worst_of(
    name: str, each: Mapping[str, Sequence[float]], *, unit: str, target: float | None
) -> list[Figure]:
    """The worst, by the median of its runs, of what was measured several ways; then each of them.

    Args:
        name: Of the figure; those of the several ways get what they are called behind it.
        each: The runs of each way, by what it is called. Lower is better.
        unit: Of the runs.
        target: What the worst must reach.
    """
    figures = [
        Figure(f"{name}_{way}", median(runs), unit, "lower", None, [[run] for run in runs])
        for way, runs in each.items()
    ]
    worst = max(figures, key=lambda figure: figure.value)
    return [replace(worst, name=name, target=target), *figures]


def main(
    doc: str, measurements: Mapping[str, Measurement], distributions: Sequence[str] = ()
) -> None:
    """The command line of a benchmark.

    Args:
        doc: What `--help` says.
        measurements: What can be measured, by name.
        distributions: Whose versions the figures belong to, besides despatch and SimPy.
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(measurements))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="see that it works; not to be quoted")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(measurements):
        parser.error(f"expected {', '.join(measurements)}; got {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    for name in arguments.names or measurements:
        print(f"{name} …", file=sys.stderr)
        figures += measurements[name](arguments.quick)
    versions = versions_of(["despatch", "simpy", *distributions])
    if arguments.json:
        result = {
            "figures": [asdict(figure) for figure in figures],
            "versions": versions,
            "machine": machine(),
        }
        print(json.dumps(result))
    else:
        show(figures, versions)


def show(figures: Sequence[Figure], versions: dict[str, str]) -> None:
    """Print a table."""
    table = Table(box=None, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    for column in ("value", "target", "smallest", "largest"):
        table.add_column(column, justify="right")
    table.add_column("unit")
    table.add_column("reached")
    if any(figure.spilled for figure in figures):
        table.add_column("spilled", justify="right")
    for figure in figures:
        each = [pair[0] / pair[1] if len(pair) > 1 else pair[0] for pair in figure.pairs]
        target = reached = ""
        if figure.target is not None:
            target = f"{'≤' if figure.better == 'lower' else '≥'} {figure.target:,g}"
            reached = "yes" if figure.is_reached else "no"
        value, smallest, largest = (written(each) for each in (figure.value, min(each), max(each)))
        style = None if figure.is_reached else "red"
        row = [figure.name, value, target, smallest, largest, figure.unit, reached]
        if figure.spilled:
            row.append(f"{median(figure.spilled):,.0f}")
        table.add_row(*row, style=style)
    # What reads from a pipe has no width; the table's own is less than this.
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(
        ", ".join(f"{name} {number}" for name, number in versions.items()), soft_wrap=True
    )
    console.print(", ".join(str(fact) for fact in machine().values()), soft_wrap=True)


def written(value: float) -> str:
    """A number in four digits, or in as many as its whole part has."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def versions_of(distributions: Sequence[str]) -> dict[str, str]:
    """The versions of Python and of what is installed, the rivals' included."""
    rivals = dict(
        line.strip().split("==")
        for requirements in RIVALS.glob("*.txt")
        for line in requirements.read_text().splitlines()
    )
    found = {"python": platform.python_version()}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = next((rivals[each] for each in rivals if each.startswith(name)), "")
    return found


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"system": platform.system(), "processor": processor(), "cores": os.cpu_count()}


def processor() -> str:
    """The processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def run_here(script: str, *arguments: str) -> dict[str, Any]:
    """Run a script beside this one in this environment and return the JSON that it prints."""
    command = [sys.executable, str(HERE / script), *arguments]
    completed = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(completed.stdout)
    return answer


def run_rival(rival: str, script: str, *arguments: str) -> dict[str, Any]:
    """Run a script of `rivals/` in the rival's environment and return the JSON that it prints."""
    completed = subprocess.run(
        [rival_python(rival), RIVALS / script, *arguments],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, Any] = json.loads(completed.stdout)
    return answer


def rival_python(rival: str) -> Path:
    """The Python of a rival's environment, which is made when it is missing or out of date."""
    requirements = RIVALS / f"{rival}.txt"
    wanted = requirements.read_text()
    home = RIVALS_HOME / rival
    python = home / "bin" / "python"
    ready = home / "ready.txt"
    if not ready.exists() or ready.read_text() != wanted:
        print(f"  making the rival's environment in {home} …", file=sys.stderr)
        # Made from the interpreter, not from an environment: one within another shares packages.
        base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        subprocess.run([base, "-m", "venv", "--clear", home], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", str(requirements)], check=True)
        ready.write_text(wanted)
    return python
