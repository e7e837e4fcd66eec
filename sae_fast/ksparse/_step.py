"""A model without anything to learn, as a step of scikit-learn's pipelines. Needs NumPy alone until it is one."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Step:
    """What pipelines and grid searches ask of a transformer; codes are those of a call.

    A subclass checks samples in ``_rows`` and has ``n_latents`` and ``feature_names``.
    """

    n_latents: int
    feature_names: tuple[str, ...] | None

    def _rows(self, X: ArrayLike) -> NDArray[Any]:
        raise NotImplementedError

    def __call__(self, X: ArrayLike) -> Any:
        """Codes of samples."""
        raise NotImplementedError

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Nothing is learned: that ``X`` (n_samples, n_features) fits is checked, for pipelines."""
        self._rows(X)
        return self

    def transform(self, X: ArrayLike) -> Any:
        """Codes of ``X`` (n_samples, n_features), as by a call."""
        return self(X)

    def fit_transform(self, X: ArrayLike, y: object = None) -> Any:
        """Codes of ``X`` (n_samples, n_features), as by a call."""
        return self(X)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Names of the latents: the name of the class and their number, as of scikit-learn's decompositions."""
        known = self.feature_names
        if known is not None and input_features is not None and list(known) != list(input_features):  # type: ignore[call-overload]
            raise ValueError(f"input_features must be the encoder's feature_names or None, got {input_features!r:.80}")
        name = type(self).__name__.lower()
        return np.array([f"{name}{j}" for j in range(self.n_latents)], object)

    def __sklearn_clone__(self) -> Self:
        return self  # which nothing changes

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(),
            requires_fit=False,
        )
