"""``sae-fast score``."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..anomalies._odd_rows import OddRows
from ..anomalies._threshold import conformal_p_values
from ..files._arrays_write import writing
from ..plot._style import save
from ..plot._watching import OF_ODDEST, draw_anomalies
from ..streams._files import files_of
from ..streams._source import Source, default_rows
from ._inputs import check_columns, open_inputs, title
from ._models import for_arrays, load_model
from ._outputs import check_out, say
from ._pictures import check_picture

_OF_DETECTOR = ["score", "decision", "prediction", "p_value"]


def run(arguments: argparse.Namespace) -> int:
    """Score block by block, in memory that does not depend on the number of rows."""
    inputs = [arguments.model, *files_of(arguments.data)]
    check_out(arguments.out, inputs)
    if arguments.plot is not None:
        check_picture(arguments.plot, inputs, arguments.out)
    model = load_model(arguments.model)
    if not hasattr(model, "score_samples"):
        raise ValueError(f"{arguments.model} holds a {type(model).__name__}, which gives no scores")
    detects = hasattr(model, "decision_function")
    for option in ("features", "plot"):
        if getattr(arguments, option) and not detects:
            made = "as sae-fast fit --detector writes them"
            raise ValueError(f"--{option} is for detectors, {made}, not {arguments.model}")
    reader = open_inputs(arguments)
    check_columns(model, reader.head(), title(arguments))
    columns = list(_OF_DETECTOR) if detects else ["score"]
    if arguments.features:
        columns += [f"error_{name}" for name in _names(model)]
    given, model = model, for_arrays(model).set_params(n_threads=arguments.n_threads)
    source = Source(reader, batch_size=default_rows(max(reader.n_features, len(columns))))
    shape = reader.n_rows, len(columns)
    with (
        writing(arguments.out, shape, np.dtype(np.float64), columns) as write,
        contextlib.closing(source.passing()) as blocks,
    ):
        odd = OddRows(reader.n_features, model.offset_, OF_ODDEST) if arguments.plot is not None else None
        for X, *_ in blocks:
            write(_scores(model, X, arguments.features, odd) if detects else model.score_samples(X)[:, None])
    if odd is not None:
        save(draw_anomalies(given, odd), arguments.plot)
        say(f"wrote {arguments.plot}")
    return 0


def _names(model: Any) -> list[str]:
    return [str(name) for name in getattr(model, "feature_names_in_", range(model.n_features_in_))]


def _scores(detector: Any, X: NDArray[Any], features: bool, odd: OddRows | None) -> NDArray[np.float64]:
    """All columns of these rows, from one look at them."""
    errors = detector.feature_errors(X)
    if odd is not None:
        odd.add(errors)
    scores = -errors.mean(axis=1)
    decision = scores - detector.offset_
    p_values = conformal_p_values(detector.calibration_scores_, scores)
    found = np.column_stack([scores, decision, np.where(decision >= 0, 1.0, -1.0), p_values])
    return np.hstack([found, errors]) if features else found
