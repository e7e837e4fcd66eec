"""Addresses that stay: what is public is ``sae_fast.Name`` to pickle and skops, in whatever module it is defined."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, ForwardRef, TypeVar

Thing = TypeVar("Thing", bound=Callable[..., Any])

_IN_FILES = (  # what the state of a fitted estimator is made of, beside NumPy's and scikit-learn's own types
    "ConvolvedFeatures",
    "Cost",
    "DeepCost",
    "Encoder",
    "KSparseAutoencoder",
    "KSparseEncoder",
    "Layer",
    "Network",
    "PCAWhitener",
    "Params",
    "PatchExtractor",
    "ReviveUnits",
    "SparseAutoencoder",
    "SparseAutoencoderOutlierDetector",
    "StackEncoder",
    "StackedAutoencoder",
    "StackedAutoencoderClassifier",
    "UFLDLScale",
    "UFLDLScaler",
    "UnitScale",
    "UnitScaler",
    "ZCAWhitener",
)


def public_in(package: str) -> Callable[[Thing], Thing]:
    """Let a class or function be known as ``package.Name``, from where it can be imported too.

    Its private module stays the place where doctest finds its examples, and its annotations their names.
    """

    def move(thing: Thing) -> Thing:
        home = thing.__module__
        vars(sys.modules[home]).setdefault("__test__", {})[thing.__name__] = thing
        if isinstance(thing, type):
            hints = vars(thing).get("__annotations__", {})
            for name, hint in hints.items():
                if isinstance(hint, ForwardRef):  # of a NamedTuple; another one would be compiled once more
                    hint.__forward_module__, hint.__forward_is_class__ = home, True
                elif isinstance(hint, str):
                    hints[name] = ForwardRef(hint, module=home, is_class=True)
        thing.__module__ = package
        return thing

    return move


@public_in("sae_fast")
def skops_types() -> list[str]:
    """Types of this package that skops finds in the files of fitted estimators and encoders.

    skops builds no type of a third party unless its name is given, and MLflow saves scikit-learn models by skops. None
    of these types does more, when it is built, than to check and keep what it is given.

    Returns
    -------
    list of str
        For ``skops.io.load(file, trusted=...)`` and ``mlflow.sklearn.log_model(..., skops_trusted_types=...)``.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> import skops.io
    >>> encoder = sf.Encoder(sf.init_params(64, 25, random_state=0))
    >>> again = skops.io.loads(skops.io.dumps(encoder), trusted=sf.skops_types())
    >>> np.array_equal(again(np.ones((2, 64))), encoder(np.ones((2, 64))))
    True
    """
    return [f"sae_fast.{name}" for name in _IN_FILES]
