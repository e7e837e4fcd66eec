"""What a race found: table, JSON, plot and page."""

from __future__ import annotations

import datetime
import json
import math
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files._atomic import replacing
from ..network._config import config
from ._contenders import CONTENDERS
from ._race import Result, installed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "sae_fast"
Group = Sequence[Result]
"""Results of one work and dtype, the fastest first."""


def time_text(seconds: float) -> str:
    """A time with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _lead(group: Group) -> float | None:
    """How many times faster we are than the best peer."""
    ours = [r.best for r in group if r.contender == OURS]
    peers = [r.best for r in group if r.contender != OURS]
    return min(peers) / ours[0] if ours and peers else None


def machine(n_threads: int) -> dict[str, str]:
    """What the figures were taken on."""
    about = config()
    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    modules = {module for name, (module, _) in CONTENDERS.items() if name in installed() and module != OURS}
    versions = ", ".join(sorted(f"{module} {metadata.version(module)}" for module in modules))
    return {
        "processor": f"{cpu}, {n_threads} threads",
        "instruction set": about["instruction set"],
        "sae_fast": f"{about['sae_fast']}, {about['compiler']}",
        "peers": versions,
        "python": sys.version.split()[0],
        "date": datetime.date.today().isoformat(),
    }


def table(groups: Sequence[Group]) -> Any:
    """A rich table: time, multiples of the limit, and the lead over the best peer."""
    from rich.table import Table

    made = Table(title="best of several rounds; x limit: multiples of the time that the multiply-adds take")
    for column in ("work", "contender", "best", "median", "x limit", "lead"):
        made.add_column(column, justify="left" if column in ("work", "contender") else "right")
    for group in groups:
        for i, r in enumerate(group):
            lead = _lead(group) if r.contender == OURS else None
            made.add_row(
                f"{r.work.name} {r.dtype}" if i == 0 else "",
                f"[bold]{r.contender}" if r.contender == OURS else r.contender,
                time_text(r.best),
                time_text(r.median),
                f"{r.best / r.limit:.2f}",
                "" if lead is None else f"{lead:.2f} x",
            )
        made.add_section()
    return made


def write_json(path: Path, groups: Sequence[Group], n_threads: int) -> None:
    """All figures, in seconds."""
    rows = [r._asdict() | {"work": r.work.name} for group in groups for r in group]
    with replacing(path) as file:
        file.write((json.dumps({"machine": machine(n_threads), "results": rows}, indent=1) + "\n").encode())


def write_plot(path: Path, groups: Sequence[Group]) -> None:
    """Multiples of the limit, one row of points per work."""
    figure = plot_of(groups)
    with replacing(path) as file:
        figure.savefig(file, dpi=120, format=path.suffix[1:])


def plot_of(groups: Sequence[Group]) -> Figure:
    """The figure that :func:`write_plot` writes."""
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(9, 1.5 + 0.38 * len(groups)), layout="constrained")
    ax = figure.add_subplot()
    names = [name for name in CONTENDERS if any(r.contender == name for g in groups for r in g)]
    # Okabe and Ito's colours, which colour-blind readers tell apart, and a mark for each besides.
    looks = zip("DosX^vP*", ("black", "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c8c8c"))
    for name, (mark, colour) in zip(CONTENDERS, looks, strict=False):
        if name not in names:
            continue
        points = [(r.best / r.limit, y) for y, group in enumerate(groups) for r in group if r.contender == name]
        ax.plot(*zip(*points, strict=True), mark, label=name, color=colour, alpha=0.85, zorder=3)
    ax.set_yticks(range(len(groups)), [f"{g[0].work.name} {g[0].dtype}" for g in groups])
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.set_xlabel("time, in multiples of what the multiply-adds take at the machine's peak")
    ax.axvline(1, color="gray", linewidth=1)
    ax.grid(alpha=0.3)
    # In rows of at most four: side by side, all contenders are wider than the figure.
    columns = math.ceil(len(names) / math.ceil(len(names) / 4))
    figure.legend(frameon=False, ncols=columns, loc="outside upper center", fontsize="small")
    return figure


def write_page(path: Path, groups: Sequence[Group], n_threads: int, picture: str) -> None:
    """The page docs/performance.md."""
    lines = [
        "# Performance",
        "",
        f"Made by `sae-fast bench --page`. {'; '.join(f'{k}: {v}' for k, v in machine(n_threads).items())}.",
        "",
        "Each contender runs in a process of its own, they take turns, and in the same rounds a loop of nothing but",
        "multiply-adds finds the peak of the machine. *x limit* is the best time over the time that the products alone",
        "take at that peak: five products for cost and gradient, one to encode. *lead* is the best peer's time over",
        "ours. All contenders were checked to compute the same numbers. Padding, activations and memory make 1.0",
        "unreachable; on small works calls count too. The figures are those of the version named above, as it was on",
        "that day.",
        "",
        f"![multiples of the limit]({picture})",
        "",
        "| work | dtype | contender | best | median | x limit | lead |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for group in groups:
        for r in group:
            lead = _lead(group) if r.contender == OURS else None
            lines.append(
                f"| {r.work.name} | {r.dtype} | {r.contender} | {time_text(r.best)} | {time_text(r.median)} | "
                f"{r.best / r.limit:.2f} | {'' if lead is None else f'{lead:.2f}'} |"
            )
    behind = [f"{g[0].work.name} {g[0].dtype} ({_lead(g) or 0:.2f})" for g in groups if (_lead(g) or 2) < 1]
    lines += ["", "Where we are not ahead: " + (", ".join(behind) if behind else "nowhere in this table") + ".", ""]
    with replacing(path) as file:
        file.write("\n".join(lines).encode())
