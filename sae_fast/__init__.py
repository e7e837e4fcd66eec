"""The fastest, most exact sparse autoencoder on a CPU.

The functional API needs NumPy alone; estimators, preprocessing, ``load``, ``conventions`` and ``plot`` are imported
when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

try:
    from . import _load as _load
except ImportError as error:
    raise ImportError(
        f"sae_fast is not built for this Python ({error}). In a checkout run `pip install -e .` (it needs a C++17 "
        "compiler); otherwise `pip install sae-fast`, and import it from outside the source tree."
    ) from error

from ._config import get_include, get_num_threads, set_num_threads, show_config
from ._convolve import convolve
from ._encoder import Encoder
from ._functional import cost, cost_and_grad, decode, deltas, encode, flatten, forward, init_params, unflatten
from ._objective import Objective, check_gradient
from ._public import skops_types
from ._stack_encoder import StackEncoder
from ._train import SGD, Adam, train
from ._types import Cost, DeepCost, Deltas, EpochInfo, Forward, History, Layer, Params
from ._version import __version__

if TYPE_CHECKING:
    from . import conventions, plot, reference
    from ._compare import Coder, PCAComparison, compare_with_pca
    from ._convolved_features import ConvolvedFeatures
    from ._estimator import DataRangeWarning, SparseAutoencoder, UnitWarning
    from ._fit import FitInterruptedWarning
    from ._fold import fold
    from ._model_file import ModelFileError, load
    from ._patch_extractor import PatchExtractor
    from ._prune import PruneResult, prune_units
    from ._revive import RevivalWarning, ReviveUnits, revive_units
    from ._scalers import UFLDLScaler, UnitScaler
    from ._stacked import StackedAutoencoder
    from ._stacked_classifier import StackedAutoencoderClassifier
    from ._suggest_beta import BetaSearch, Trial, suggest_beta
    from ._unit_report import UnitReport
    from ._whitening import PCAWhitener, ZCAWhitener

# fmt: off
_HOMES = {  # of what is imported when it is first used
    "": ("conventions", "plot", "reference"),
    "_compare": ("Coder", "PCAComparison", "compare_with_pca"),
    "_convolved_features": ("ConvolvedFeatures",),
    "_estimator": ("DataRangeWarning", "SparseAutoencoder", "UnitWarning"),
    "_fit": ("FitInterruptedWarning",),
    "_fold": ("fold",),
    "_model_file": ("ModelFileError", "load"),
    "_new_units": ("Network",),
    "_patch_extractor": ("PatchExtractor",),
    "_prune": ("PruneResult", "prune_units"),
    "_revive": ("RevivalWarning", "ReviveUnits", "revive_units"),
    "_scale": ("UFLDLScale", "UnitScale"),
    "_scalers": ("UFLDLScaler", "UnitScaler"),
    "_stacked": ("StackedAutoencoder",),
    "_stacked_classifier": ("StackedAutoencoderClassifier",),
    "_suggest_beta": ("BetaSearch", "Trial", "suggest_beta"),
    "_unit_report": ("UnitReport",),
    "_whitening": ("PCAWhitener", "ZCAWhitener"),
}
_LAZY = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [  # noqa: RUF022 (the lazy ones last)
    "Adam", "Cost", "Deltas", "Encoder", "EpochInfo", "Forward", "History", "Objective", "Params", "SGD",
    "StackEncoder", "__version__", "check_gradient", "convolve", "cost", "cost_and_grad", "decode", "deltas", "encode",
    "flatten", "forward", "get_include", "get_num_threads", "init_params", "set_num_threads", "show_config",
    "skops_types", "train", "unflatten",
    "BetaSearch", "Coder", "ConvolvedFeatures", "DataRangeWarning", "DeepCost", "FitInterruptedWarning", "Layer",
    "ModelFileError", "PCAComparison", "PCAWhitener", "PatchExtractor", "PruneResult", "RevivalWarning", "ReviveUnits",
    "SparseAutoencoder", "StackedAutoencoder", "StackedAutoencoderClassifier", "Trial", "UFLDLScaler", "UnitReport",
    "UnitScaler", "UnitWarning", "ZCAWhitener", "compare_with_pca", "conventions", "fold", "load", "plot",
    "prune_units", "reference", "revive_units", "suggest_beta",
]  # not in it, but imported from here by pickles of what is: Network, UFLDLScale, UnitScale
# fmt: on


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sae_fast' has no attribute {name!r}")
    home = _LAZY[name]
    module = importlib.import_module(f".{home or name}", __name__)
    return getattr(module, name) if home else module


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
