"""How well the estimators without labels reconstruct samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ..monitoring._monitored import Monitored
from ..network._data import check_targets
from ..network._losses import LOSSES
from ..network._types import FloatArray
from ..preprocessing._transformer import weights_of
from ..reference._losses import LOSSES as FORMULAS
from ._streamed import blocks_of, is_source
from ._unit_report import BLOCK

if TYPE_CHECKING:
    from ._base import Autoencoder as Base
else:
    Base = object


class Scored(Monitored, Base):
    """Reconstructions, scores and monitors, for estimators with ``_output`` and ``_reconstruct``."""

    loss: Any
    _loss_: str

    def _output(self, X: NDArray[Any], *, linear: bool = False) -> FloatArray:
        """What the network gives for checked samples, or what its last units are given."""
        raise NotImplementedError

    def _target(self, X: NDArray[Any], *, cut: bool = False) -> NDArray[Any]:
        """What it should give."""
        return X

    def _reconstruct(self, X: NDArray[Any]) -> FloatArray:
        """Its output in the unit of the samples."""
        return self._output(X)

    def reconstruct(self, X: ArrayLike) -> FloatArray:
        """Reconstructions of the samples, ``inverse_transform(transform(X))`` without wrapping.

        With ``scale="ufldl"``, of :class:`SparseAutoencoder`, each is put about the mean of its sample.
        """
        check_is_fitted(self)
        return self._reconstruct(self._validate(X, reset=False))

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus each sample's reconstruction error ``1/2 sum ((reconstruct(x) - x) / unit)^2``, shape (n_samples,).

        That is for the squared loss. A model that was fitted with another ``loss`` has its errors taken by that one, as
        in :func:`sae_fast.cost_and_grad`: its scores say how well it does what it was fitted for, and are no measure
        beside those of models with other losses.

        The unit is 1, but with the ``scale`` of a :class:`SparseAutoencoder` the errors are those of the scaled data,
        so that features of any range count alike: ``unit`` is what makes a step of 1 there, ``data_range_ / 0.8`` of
        each feature for ``scale="minmax"`` (1.6 for a tanh output), ``limit_ / 0.4`` for ``"ufldl"`` (0.8). What
        ``"ufldl"`` cuts off is part of the error (but not of cross-entropy, which has no value there); a feature that
        was constant in training, which the network sees as the middle, is not. Scores are comparable among models of
        one ``scale``; across scales, and with other methods, compare ``reconstruct(X)`` with ``X``, in the unit that
        matters to you.
        """
        check_is_fitted(self)
        if is_source(X):
            return np.concatenate([self._minus_errors(block) for block in blocks_of(self, X)])
        return self._minus_errors(self._validate(X, reset=False))

    def _minus_errors(self, data: NDArray[Any]) -> NDArray[np.float64]:
        loss = getattr(self, "_loss_", self.loss)
        errors = np.empty(len(data))
        for i in range(0, len(data), BLOCK):
            errors[i : i + BLOCK] = self._errors(data[i : i + BLOCK], loss)
        return -errors

    def _errors(self, X: NDArray[Any], loss: str) -> NDArray[np.float64]:
        facts = LOSSES[loss]
        target = self._target(X, cut=facts.targets is not None)
        check_targets(target, loss)
        if facts.outputs:  # a loss of these units alone, exact also where they are saturated
            return FORMULAS[loss](self._output(X, linear=True), target, facts.outputs[0]).values
        return FORMULAS[loss](self._output(X), target, "linear").values

    def score(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean of :meth:`score_samples`; larger is better.

        It is minus the reconstruction part of J, as the network sees the data (and, with ``scale="ufldl"``, the error
        of what it cuts off). With ``scale`` that is the error in units of the scale, which no feature of large values
        dominates: searches compare models of one ``scale`` by it. To choose the ``scale`` itself give the search a
        ``scoring`` that does not depend on it, such as scikit-learn's ``r2_score(X, model.reconstruct(X))``.
        """
        scores = self.score_samples(X)
        return float(np.average(scores, weights=weights_of(sample_weight, scores)))
