"""``sae-fast bench``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .. import get_num_threads
from ..bench import WORKS, race
from ..bench._race import installed
from ..bench._report import table, write_json, write_page, write_plot
from ..files._targets import check_target, make_folder
from ..plot._style import import_matplotlib
from ._outputs import say


def run(arguments: argparse.Namespace) -> int:
    """Race, then table on stdout, JSON and plot in a folder."""
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
    works = [w for w in WORKS if (w.quick or not arguments.quick) and arguments.only in w.name]
    if not works:
        raise ValueError(f"no work has {arguments.only!r} in its name; there are: {', '.join(w.name for w in WORKS)}")
    names = installed()
    say(f"racing {', '.join(names)} on {n_threads} threads")
    groups = []
    for work in works:
        for dtype in work.dtypes[:1] if arguments.quick else work.dtypes:
            say(f"{work.name} {dtype}")
            rounds, seconds = (2, 0.1) if arguments.quick else (6, 0.5)
            contenders = [n for n in names if not (arguments.quick and n == "PyTorch compiled")]
            groups.append(race(work, dtype, n_threads=n_threads, contenders=contenders, rounds=rounds, seconds=seconds))
    if sys.stdout is not None:
        Console(width=None if sys.stdout.isatty() else 120).print(table(groups))
    write_json(folder / "bench.json", groups, n_threads)
    write_plot(folder / "bench.png", groups)
    print(f"wrote bench.json and bench.png to {folder}")
    if arguments.page:
        write_page(page, groups, n_threads, "images/bench.png")
        write_plot(picture, groups)
        print(f"wrote {arguments.page}")
    return 0
