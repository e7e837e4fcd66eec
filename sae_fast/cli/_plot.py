"""``sae-fast plot``."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import plot
from .._arrays_io import STREAM, ArrayFileError, read_table, suffix_of
from .._atomic import check_target
from .._model_file import load
from ._transform import check_columns

# What each kind does with samples.
_NEED_SAMPLES = ("reconstructions", "activations", "latent")
_NO_SAMPLES = ("filters", "loss", "kl-penalty")
_LABELLED = ("latent", "summary")
_SHAPED = ("filters", "reconstructions", "summary")


def run(arguments: argparse.Namespace) -> int:
    """Draw one picture and write it, whole or not at all."""
    _check_usage(arguments)
    kind = arguments.kind
    out = Path(arguments.out or f"{Path(arguments.model).stem}-{kind}.png")
    check_target(out)
    model = load(arguments.model)
    options: dict[str, Any] = {"shape": arguments.shape} if kind in _SHAPED else {}
    samples: list[Any] = []
    if arguments.data is not None:
        table = read_table(arguments.data, arguments.key)
        check_columns(model, table, arguments.data)
        samples = [table.values]
        if arguments.labels is not None:
            samples.append(_labels(arguments.labels, len(table.values)))
    draw = getattr(plot, kind.replace("-", "_"))
    plot.save(draw(model, *samples, **options), out, dpi=arguments.dpi)
    print(f"sae-fast: wrote {out}", file=sys.stderr)
    return 0


def _check_usage(arguments: argparse.Namespace) -> None:
    kind = arguments.kind
    if arguments.data is None and kind in _NEED_SAMPLES:
        arguments.wrong(f"--kind {kind} needs samples: give X after MODEL")
    if arguments.data is not None and kind in _NO_SAMPLES:
        arguments.wrong(f"--kind {kind} takes no samples, got {arguments.data}")
    if arguments.labels is not None and (kind not in _LABELLED or arguments.data is None):
        arguments.wrong(f"--labels needs samples X and --kind {' or '.join(_LABELLED)}")
    if arguments.shape is not None and kind not in _SHAPED:
        arguments.wrong(f"--shape is for --kind {', '.join(_SHAPED)}, got {kind}")


def _labels(path: str, n: int) -> NDArray[Any]:
    """One label for each sample, numbers or text; a CSV file may have a header."""
    labels: NDArray[Any]
    suffix = suffix_of(path)
    if path == STREAM:
        raise ValueError("--labels must be a file: stdin is for samples")
    if suffix == ".npy":
        try:
            labels = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ArrayFileError(f"{path} is damaged or not a .npy file of labels: {error}") from error
    elif suffix == ".csv":
        labels = _csv_labels(path, n)
    else:
        labels = read_table(path).values
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n,):
        raise ValueError(f"{path} must hold a label for each of the {n} samples, got shape {labels.shape}")
    return labels


def _csv_labels(path: str, n: int) -> NDArray[Any]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            rows = [row for row in csv.reader(file) if row]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ArrayFileError(f"{path} is damaged or not a .csv file of labels: {error}") from error
    widest = max(map(len, rows), default=0)
    if widest != 1:
        raise ArrayFileError(f"{path} must have one column, a label for each sample, got {widest}")
    text = [row[0] for row in rows[1 if len(rows) == n + 1 else 0 :]]
    try:
        return np.array(text, dtype=np.float64)
    except ValueError:
        return np.array(text)
