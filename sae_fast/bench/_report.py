"""What a race found: table, JSON and plot."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from ..files._atomic import replacing
from ._contenders import CONTENDERS, OURS, READING, part
from ._machine import machine
from ._race import Result
from ._together import Company

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart, and a mark for each besides.
_COLOURS = ("black", "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c8c8c", "#f0e442", "#7a4f00")
_LOOKS = tuple(zip("DosX^vP*ph", _COLOURS, strict=True))
Group = Sequence[Result]
"""Results of one work and dtype, the fastest first."""


def time_text(seconds: float) -> str:
    """A time with three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def isas_of(groups: Sequence[Group]) -> list[str]:
    """Our instruction sets in the race, in the order of CONTENDERS and then of the command."""
    return list(dict.fromkeys(part(r.contender)[1] for g in groups for r in sorted(g, key=_place) if _is_ours(r)))


def of_isa(group: Group, isa: str) -> Group:
    """A group without our other instruction sets."""
    return [r for r in group if part(r.contender)[0] == r.contender or part(r.contender)[1] == isa]


def lead(group: Group) -> float | None:
    """How many times faster our best is than the best peer."""
    ours = [r.best for r in group if _is_ours(r)]
    peers = [r.best for r in group if part(r.contender)[0] not in (OURS, READING)]
    return min(peers) / min(ours) if ours and peers else None


def _is_ours(r: Result) -> bool:
    return part(r.contender)[0] == OURS


def _place(r: Result) -> tuple[int, int]:
    """Where a contender stands in legends: ours first, the widest vectors first."""
    name, isa = part(r.contender)
    sets = ["", *reversed(_core.available_isas())]
    return list(CONTENDERS).index(name), sets.index(isa) if isa in sets else len(sets)


def company_row(found: Company) -> tuple[str, ...]:
    """Its cells in a table."""
    isa = found.isa or _core.isa()
    return (
        found.work.name,
        isa if found.work.is_ours else "",
        f"{found.best:.2f}",
        f"{found.median:.2f}",
        f"{found.ideal:.2f}",
    )


def company_table(company: Sequence[Company]) -> Any:
    """A rich table of what is lost in company."""
    from rich.table import Table

    made = Table(title="in company: multiples of the time that it should take")
    for column in ("work", "instruction set", "best", "median", "ideal"):
        made.add_column(column, justify="left" if column in ("work", "instruction set") else "right")
    for found in company:
        made.add_row(*company_row(found))
    return made


def table(groups: Sequence[Group]) -> Any:
    """A rich table: time, multiples of the limit, and the lead over the best peer."""
    from rich.table import Table

    made = Table(title="best of several rounds; x limit: multiples of the time that the multiply-adds take")
    for column in ("work", "contender", "best", "median", "x limit", "lead"):
        made.add_column(column, justify="left" if column in ("work", "contender") else "right")
    for group in groups:
        for i, r in enumerate(group):
            ahead = lead(of_isa(group, part(r.contender)[1])) if _is_ours(r) else None
            made.add_row(
                f"{r.work.name} {r.dtype}" if i == 0 else "",
                f"[bold]{r.contender}" if _is_ours(r) else r.contender,
                time_text(r.best),
                time_text(r.median),
                f"{r.best / r.limit:.2f}",
                "" if ahead is None else f"{ahead:.2f} x",
            )
        made.add_section()
    return made


def write_json(path: Path, groups: Sequence[Group], company: Sequence[Company], n_threads: int) -> None:
    """All figures, in seconds; of company, in multiples."""
    rows = [r._asdict() | {"work": r.work.name} for group in groups for r in group]
    beside = [c._asdict() | {"work": c.work.name} for c in company]
    found = {"machine": machine(n_threads), "results": rows, "company": beside}
    with replacing(path) as file:
        file.write((json.dumps(found, indent=1) + "\n").encode())


def write_plot(path: Path, groups: Sequence[Group]) -> None:
    """Multiples of the limit, one row of points per work."""
    figure = plot_of(groups)
    with replacing(path) as file:
        figure.savefig(file, dpi=120, format=path.suffix[1:])


def plot_of(groups: Sequence[Group]) -> Figure:
    """The figure that :func:`write_plot` writes."""
    from matplotlib.figure import Figure as NewFigure
    from matplotlib.ticker import LogFormatter, StrMethodFormatter

    names = [r.contender for r in sorted((r for g in groups for r in g), key=_place)]
    names = [name for name in dict.fromkeys(names) if part(name)[0] != READING]
    figure = NewFigure(figsize=(10, 2.2 + 0.38 * len(groups)), layout="constrained")
    ax = figure.add_subplot()
    for name, (mark, colour) in zip(names, _LOOKS, strict=False):
        points = [(r.best / r.limit, y) for y, group in enumerate(groups) for r in group if r.contender == name]
        ax.plot(*zip(*points, strict=True), mark, label=name, color=colour, alpha=0.85, zorder=3)
    ax.set_yticks(range(len(groups)), [f"{g[0].work.name} {g[0].dtype}" for g in groups])
    # Room for the legend inside the picture, below the last work, in rows of three.
    rows = math.ceil(len(names) / 3)
    ax.set_ylim(len(groups) - 0.4 + 0.75 * rows, -0.6)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.4)))
    ax.set_xlabel("time, in multiples of what the multiply-adds take at the machine's peak")
    ax.axvline(1, color="gray", linewidth=1)
    ax.grid(alpha=0.3)
    ax.legend(ncols=min(3, len(names)), loc="lower center", fontsize="small", framealpha=1, edgecolor="none")
    return figure
