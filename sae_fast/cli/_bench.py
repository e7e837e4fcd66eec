"""``sae-fast bench``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .. import get_num_threads
from ..bench import TOGETHER, WORKS, Company, Result, Together, Work, race, together
from ..bench._contenders import installed, missing, of_each_isa
from ..bench._page import write_page
from ..bench._report import company_table, table, write_json, write_plot
from ..files._targets import check_target, make_folder
from ..plot._style import import_matplotlib
from ._outputs import say


def run(arguments: argparse.Namespace) -> int:
    """Race, then tables on stdout, JSON and plot in a folder."""
    from rich.console import Console

    n_threads = arguments.n_threads or get_num_threads()
    folder = Path(arguments.out)
    make_folder(folder)
    import_matplotlib()
    outputs = [folder / "bench.json", folder / "bench.png"]
    if arguments.page:
        page = Path(arguments.page)
        picture = page.parent / "images" / "bench.png"
        make_folder(picture.parent)
        outputs += [page, picture]
    for out in outputs:
        check_target(out)
    works, beside = _chosen(arguments)
    names = of_each_isa(installed(), arguments.isa) if arguments.isa else installed()
    for name, packages in missing().items():
        say(f"without {name}: {' and '.join(packages)} not installed")
    groups = _races(works, names, n_threads, arguments.quick)
    company = _company(beside, arguments.isa or [""])
    if sys.stdout is not None:
        console = Console(width=None if sys.stdout.isatty() else 120)
        if groups:
            console.print(table(groups))
        if company:
            console.print(company_table(company))
    write_json(folder / "bench.json", groups, company, n_threads)
    if groups:
        write_plot(folder / "bench.png", groups)
    print(f"wrote bench.json {'and bench.png ' if groups else ''}to {folder}")
    if arguments.page:
        command = " ".join(["sae-fast bench", *(["--isa", ",".join(arguments.isa)] if arguments.isa else []), "--page"])
        write_page(page, groups, company, n_threads, "images/bench.png", command)
        if groups:
            write_plot(picture, groups)
        print(f"wrote {arguments.page}")
    return 0


def _chosen(arguments: argparse.Namespace) -> tuple[list[Work], list[Together]]:
    """Works that the options ask for."""
    works = [w for w in WORKS if (w.quick or not arguments.quick) and arguments.only in w.name]
    beside = [] if arguments.quick else [t for t in TOGETHER if arguments.only in t.name]
    if not works and not beside:
        quick = [w.name for w in WORKS if w.quick]
        names = ", ".join(quick if arguments.quick else [w.name for w in (*WORKS, *TOGETHER)])
        where = " of --quick" if arguments.quick else ""
        raise ValueError(f"no work{where} has {arguments.only!r} in its name; there are: {names}")
    return works, beside


def _races(works: list[Work], names: list[str], n_threads: int, quick: bool) -> list[list[Result]]:
    if works:
        say(f"racing {', '.join(names)} on {n_threads} threads")
    groups = []
    for work in works:
        for dtype in work.dtypes[:1] if quick else work.dtypes:
            say(f"{work.name} {dtype}")
            rounds, seconds = (2, 0.1) if quick else (6, 0.5)
            contenders = [n for n in names if not (quick and n == "PyTorch compiled")]
            groups.append(race(work, dtype, n_threads=n_threads, contenders=contenders, rounds=rounds, seconds=seconds))
    return groups


def _company(beside: list[Together], isas: list[str]) -> list[Company]:
    found = []
    for work in beside:
        why = work.left_out()
        if why is not None:
            say(f"without {work.name!r}: {why}")
            continue
        say(work.name)
        found += [together(work, isa) for isa in (isas if work.is_ours else isas[:1])]
    return found
