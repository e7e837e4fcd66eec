"""The page docs/performance.md, whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..files._atomic import replacing
from ._contenders import OURS, part
from ._machine import machine
from ._report import Group, company_row, isas_of, lead, of_isa, time_text
from ._together import Company

_HOW_TO_READ = """\
Each contender runs in a process of its own, they take turns, and in the same rounds a loop of nothing but
multiply-adds finds the peak of the machine. *x limit* is the best time over the time that the products alone take at
that peak: five products for cost and gradient, one to encode. Ours is held against the peak of its own instruction
set, the peers against the highest one. *lead* is the best peer's time over ours. All contenders were checked to
compute the same numbers. Padding, activations and memory make 1.0 unreachable; on small works calls count too.
*reading W1* is no peer: a loop that reads the weights once from cache, which is the least that one sample takes.

Best is the fastest run of all rounds, what the code can do; median is that of the best round, what it does. Where
they are far apart the machine was not quiet, and only `x limit` and `lead`, whose both sides were measured in the
same rounds, mean much. What a work needs of cache is told by its sizes: 784 -> 196 are 0.6 MB of weights in float32,
512 -> 2048 are 4 MB. A processor without AVX-512 has the figures of the avx2 table only as far as its caches and its
peak are alike; `sae-fast bench --isa all` makes this page on any machine, `SAE_FAST_ISA` chooses a set for good. The
figures are those of the version named above, as it was on that day.
"""

_COMPANY = """\
## In company

What is lost where others want the processors too, as a multiple of the time that it should take: of the sum of both
alone for calls in turn with another package, whose threads spin for a while after each of its calls; of the time on
quiet processors beside a pinned loop that takes half of one. 20 runs in a fresh process and the environment as it is.
"""


def write_page(
    path: Path, groups: Sequence[Group], company: Sequence[Company], n_threads: int, picture: str, command: str
) -> None:
    """Text, picture and a table for each instruction set of ours."""
    about = "; ".join(f"{name}: {value}" for name, value in machine(n_threads).items())
    lines = ["# Performance", "", f"Made by `{command}`. {about}.", "", _HOW_TO_READ]
    if groups:
        lines += [f"![multiples of the limit]({picture})", ""]
        isas = isas_of(groups)
        for isa in isas:
            if len(isas) > 1:
                lines += [f"## {isa}", ""]
            lines += _table([of_isa(group, isa) for group in groups])
    if company:
        lines += [_COMPANY, *_company_table(company)]
    with replacing(path) as file:
        file.write("\n".join(lines).encode())


def _table(groups: Sequence[Group]) -> list[str]:
    lines = [
        "| work | dtype | contender | best | median | x limit | lead |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for group in groups:
        for r in group:
            ahead = lead(group) if part(r.contender)[0] == OURS else None
            lines.append(
                f"| {r.work.name} | {r.dtype} | {r.contender} | {time_text(r.best)} | {time_text(r.median)} | "
                f"{r.best / r.limit:.2f} | {'' if ahead is None else f'{ahead:.2f}'} |"
            )
    behind = [f"{g[0].work.name} {g[0].dtype} ({lead(g) or 0:.2f})" for g in groups if (lead(g) or 2) < 1]
    return [*lines, "", "Where we are not ahead: " + (", ".join(behind) or "nowhere in this table") + ".", ""]


def _company_table(company: Sequence[Company]) -> list[str]:
    lines = ["| work | instruction set | best | median | ideal |", "|---|---|---:|---:|---:|"]
    lines += ["| " + " | ".join(company_row(found)) + " |" for found in company]
    return [*lines, ""]
