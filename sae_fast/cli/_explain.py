"""``sae-fast explain``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..ksparse._examples import TopExamples, all_examples, top_examples
from ..plot._one_latent import draw_latents
from ..plot._style import save
from ..streams._files import files_of
from ..streams._source import Source
from ._info import shown
from ._inputs import open_inputs, title
from ._models import load_k_sparse
from ._outputs import say
from ._pictures import check_picture

_DRAWN = 20


def run(arguments: argparse.Namespace) -> int:
    """Print the rows that excite latents most, with their texts, and draw them where that is asked for."""
    latents = [latent for some in arguments.latent for latent in some]
    if arguments.plot is not None:
        if len(latents) > _DRAWN:
            arguments.wrong(f"--plot draws {_DRAWN} latents at most, got {len(latents)}")
        check_picture(arguments.plot, [arguments.model, *files_of(arguments.data), arguments.texts], None)
    encoder = load_k_sparse(arguments.model)
    reader = open_inputs(arguments)
    n_texts = None if arguments.texts is None else _count(arguments.texts)
    if n_texts is not None and reader.n_rows is not None:
        _check_same(arguments, n_texts, reader.n_rows)
    options = {"k": arguments.k, "n_threads": arguments.n_threads}
    if arguments.plot is None:
        found = top_examples(encoder, Source(reader), latents, arguments.n, **options)
    else:  # the histograms are of all
        every = all_examples(encoder, Source(reader), latents, **options)
        n = arguments.n
        found = [one._replace(rows=one.rows[:n], values=one.values[:n]) for one in every]
    texts: dict[int, str] = {}
    if n_texts is not None:
        _check_same(arguments, n_texts, found[0].n_samples)
        texts = _lines(arguments.texts, {int(row) for one in found for row in one.rows})
    if arguments.json:
        print(json.dumps([_record(one, texts) for one in found], indent=2))
    else:
        print("\n\n".join("\n".join(_table(one, texts)) for one in found))
    if arguments.plot is not None:
        save(draw_latents(every, texts if n_texts is not None else None, arguments.n), arguments.plot)
        say(f"wrote {arguments.plot}")
    return 0


def _record(one: TopExamples, texts: dict[int, str]) -> dict[str, Any]:
    examples = []
    for row, value in zip(one.rows.tolist(), one.values.tolist(), strict=True):
        examples.append({"row": row + 1, "activation": value} | ({"text": texts[row]} if texts else {}))
    return {"latent": one.latent, "density": one.density, "n_samples": one.n_samples, "examples": examples}


def _table(one: TopExamples, texts: dict[int, str]) -> Iterable[str]:
    if not len(one.rows):
        yield f"latent {one.latent}: none of {one.n_samples} rows excites it"
        return
    yield f"latent {one.latent}: excited by {100 * one.density:.3g} % of {one.n_samples} rows, most by"
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    digits = len(str(int(one.rows.max()) + 1))
    for row, value in zip(one.rows.tolist(), one.values.tolist(), strict=True):
        line = f"  {value:#8.4g}  row {row + 1:>{digits}}" + (f"  {shown(texts[row])}" if texts else "")
        yield line if width is None or len(line) <= width else line[: width - 1] + "…"


def _check_same(arguments: argparse.Namespace, n_texts: int, n_rows: int) -> None:
    if n_texts != n_rows:
        raise ValueError(
            f"{arguments.texts} must have a line for each of the {n_rows} rows of {title(arguments)}, got {n_texts}"
        )


def _count(path: str) -> int:
    with Path(path).open("rb") as file:
        return sum(1 for _ in file)


def _lines(path: str, wanted: Sequence[int] | set[int]) -> dict[int, str]:
    """These lines, from 0, of a text in UTF-8."""
    found = {}
    with Path(path).open("rb") as file:
        for i, line in enumerate(file):
            if i in wanted:
                found[i] = line.decode("utf-8-sig" if i == 0 else "utf-8", errors="replace").rstrip("\r\n")
    return found
