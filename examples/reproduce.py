"""All reproductions in one run, and the page about them.

    python examples/reproduce.py [--data DIR] [NAME ...]

runs those that are named, or all of them, and prints their figures. A run of all writes ``docs/reproductions.md``,
with pictures in ``docs/images/reproductions``; ``--out DIR`` writes the page of any run to another folder. ``--keep
FILE`` writes the figures of each to a JSON file as soon as it is done, and takes those of an interrupted run from
there. The exit code is 1 if a bar was missed or a reproduction failed; the others are run all the same.
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import traceback
from dataclasses import asdict
from pathlib import Path

from _common import ROOT, Clock, Figure, Options, Result, data_folder, parser, timed
from _page import page

NAMES = (
    "ufldl_patches",
    "pen_strokes",
    "self_taught",
    "stacked_digits",
    "colour_patches",
    "convolution",
    "cran_patches",
    "pca_comparison",
    "digits_baselines",
)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write."""
    p = parser(__doc__)
    p.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; by default all")
    p.add_argument(
        "--keep", type=Path, metavar="FILE", help="figures of earlier runs with the same options, to go on from"
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="folder of the page; by default docs, if all are run")
    a = p.parse_args(arguments)
    unknown = [name for name in a.names if name not in NAMES]
    if unknown:
        p.error(f"no reproduction is called {', '.join(unknown)}: there are {', '.join(NAMES)}")
    names = [name for name in NAMES if not a.names or name in a.names]
    out = a.out or (
        ROOT / "docs" if names == list(NAMES) and not a.quick else Path(tempfile.mkdtemp(prefix="reproductions-"))
    )
    options = Options(data_folder(p, a), out / "images" / "reproductions", a.quick)
    clock = Clock()
    modules = {name: importlib.import_module(name) for name in names}
    kept = read(a.keep) if a.keep and a.keep.exists() else {}
    results: dict[str, Result | str] = {}
    for name in names:
        try:
            results[name] = kept[name] = result = kept.get(name) or timed(modules[name].run, options)
            print(*result.lines(), sep="\n", flush=True)
            if a.keep:
                write(a.keep, json.dumps({name: asdict(result) for name, result in kept.items()}, indent=1) + "\n")
        except Exception as error:  # the others are still worth their time
            results[name] = f"{type(error).__name__}: {error}"
            traceback.print_exc()
    out.mkdir(parents=True, exist_ok=True)
    write(out / "reproductions.md", page(results, modules))
    good = sum(isinstance(r, Result) and r.met for r in results.values())
    print(f"{good} of {len(names)} as wanted, {clock():.0f} s, page: {out / 'reproductions.md'}")
    return 0 if good == len(names) else 1


def read(path: Path) -> dict[str, Result]:
    """What ``--keep`` wrote."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return {name: Result(**{**r, "figures": [Figure(**f) for f in r["figures"]]}) for name, r in kept.items()}


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


if __name__ == "__main__":
    raise SystemExit(main())
