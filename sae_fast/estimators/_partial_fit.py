"""``partial_fit``: one more pass of minibatches, from where the last one ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..network._data import Data, check_targets
from ..network._layers import copy_params
from ..network._settings import Settings
from ..network._solvers import EpochSolver
from ..network._types import Cost, Params
from ..network._window_solver import rows_of_a_window
from ..preprocessing._transformer import restoring, rng_of, weights_of
from ..streams._open import as_source
from ._data_range import warn_of_range
from ._held_out import Weight
from ._layer_training import Samples, options_of
from ._streamed import check_columns, is_source, set_columns, survey, weighted, windows

_AS_BEFORE = "; the model is as it was before this call"
_SCALE_OF_ALL = (
    "the scale is that of the first samples; let a UnitScaler see all of them (partial_fit) and put it before the model"
)


def go_on(model: Any, X: Any, sample_weight: ArrayLike | None) -> None:
    """One more pass of minibatches over these samples, of a SparseAutoencoder; it is as it was if that fails."""
    settings = model._check_parameters()
    first = not hasattr(model, "params_")
    if not first:
        model._check_unchanged("n_components", "scale", "hidden", "output", "solver")
    costs: list[tuple[float, ...]] = []
    masses: list[float] = []
    with restoring(model, model._learned), ExitStack() as stack:
        trainer: EpochSolver[Params] | None = None
        for data, weight in _pieces(model, X, sample_weight, first):
            check_targets(data, model.loss, model._named)
            if model.scaler_ is None:
                warn_of_range(data, model.output, "take scale='minmax'", stacklevel=4)
            else:
                warn_of_range(data, model.output, _SCALE_OF_ALL, "scaled data", stacklevel=4)
            samples = Samples(Data(data), weight)
            if trainer is None:
                trainer = _going_on(model, samples, settings)
                stack.enter_context(trainer.trial())
            costs.append(trainer.use(*samples).step()[0])
            masses.append(float(len(data)) if weight is None else float(weight.sum()))
        if trainer is None:
            raise ValueError("X must have at least one row of weight > 0, got none")
        cost = Cost(*np.average(costs, axis=0, weights=masses)) if len(costs) > 1 else Cost(*costs[0])
        model._keep(copy_params(trainer.params))
        if first:
            model.n_iter_, model.loss_curve_, model.loss_parts_ = 0, np.empty(0), np.empty((0, 3))
        model.n_iter_ += 1
        model.loss_curve_ = np.append(model.loss_curve_, cost.total)
        model.loss_parts_ = np.vstack([model.loss_parts_, cost[1:]])
        model._measure(samples, settings)
        model._check_finite(1, trainer.unit, len(data), _AS_BEFORE)
        model._trainer = trainer


def _pieces(model: Any, X: Any, sample_weight: ArrayLike | None, first: bool) -> Iterator[tuple[NDArray[Any], Weight]]:
    """What ``partial_fit`` learns from, as the network sees it: an array in one piece, a source in windows."""
    if not is_source(X):
        data = model._validate(X, reset=first)
        weight = weights_of(sample_weight, data)
        yield model._learn_scale(data, weight) if first else _seen(model, data), weight
        return
    source = as_source(X)
    (set_columns if first else check_columns)(model, source)
    if first and not source.once:
        model._scale_by(survey(source, sample_weight, model.scale == "ufldl"), source)
        first = False
    n_rows = rows_of_a_window(source.n_features, source.dtype, model.batch_size)
    for piece, weight in weighted(windows(source, n_rows), sample_weight):
        yield model._learn_scale(piece, weight) if first else _seen(model, piece), weight
        first = False


def _seen(model: Any, X: NDArray[Any]) -> NDArray[Any]:
    """Checked samples as the network sees them, in its dtype if it has one."""
    data: NDArray[Any] = model._scaled(X)
    return data.astype(model.params_.W1.dtype, copy=False) if hasattr(model, "params_") else data


def _going_on(model: Any, samples: Samples, settings: Settings) -> EpochSolver[Params]:
    """The solver of the last ``partial_fit`` with the options of now, or a new one."""
    trainer: EpochSolver[Params] | None = getattr(model, "_trainer", None)
    if trainer is None:
        rng = rng_of(model.random_state)
        start = model.params_ if hasattr(model, "params_") else model._start(samples, rng, None)
        seed = int(rng.randint(2**31 - 1))
        return EpochSolver(start, settings, options_of(model, model.solver, model.learning_rate, seed))
    trainer.go_on(model.params_, settings, options_of(model, model.solver, model.learning_rate))
    return trainer
