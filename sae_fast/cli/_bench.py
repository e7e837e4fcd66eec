"""``sae-fast bench``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .. import get_num_threads
from .._atomic import make_folder
from ..bench import WORKS, race
from ..bench._race import installed
from ..bench._report import table, write_json, write_page, write_plot


def run(arguments: argparse.Namespace) -> int:
    """Race, then table on stdout, JSON and plot in a folder."""
    from rich.console import Console

    n_threads = arguments.n_threads or get_num_threads()
    folder = Path(arguments.out)
    make_folder(folder)
    works = [w for w in WORKS if (w.quick or not arguments.quick) and arguments.only in w.name]
    if not works:
        raise ValueError(f"no work has {arguments.only!r} in its name; there are: {', '.join(w.name for w in WORKS)}")
    names = installed()
    print(f"sae-fast: racing {', '.join(names)} on {n_threads} threads", file=sys.stderr)
    groups = []
    for work in works:
        for dtype in work.dtypes[:1] if arguments.quick else work.dtypes:
            print(f"sae-fast: {work.name} {dtype}", file=sys.stderr)
            rounds, seconds = (2, 0.1) if arguments.quick else (6, 0.5)
            contenders = [n for n in names if not (arguments.quick and n == "PyTorch compiled")]
            groups.append(race(work, dtype, n_threads=n_threads, contenders=contenders, rounds=rounds, seconds=seconds))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table(groups))
    write_json(folder / "bench.json", groups, n_threads)
    write_plot(folder / "bench.png", groups)
    print(f"wrote bench.json and bench.png to {folder}")
    if arguments.page:
        write_page(Path(arguments.page), groups, n_threads, "images/bench.png")
        write_plot(Path(arguments.page).parent / "images" / "bench.png", groups)
        print(f"wrote {arguments.page}")
    return 0
