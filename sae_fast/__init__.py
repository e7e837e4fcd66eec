"""The fastest, most exact sparse autoencoder on a CPU.

The functional API needs NumPy alone; ``SparseAutoencoder``, ``load`` and ``plot`` are imported when first used.
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
from ._encoder import Encoder
from ._functional import cost, cost_and_grad, decode, deltas, encode, flatten, forward, init_params, unflatten
from ._objective import Objective, check_gradient
from ._train import SGD, Adam, train
from ._types import Cost, Deltas, EpochInfo, Forward, History, Params
from ._version import __version__

if TYPE_CHECKING:
    from . import plot, reference
    from ._compare import PCAComparison, compare_with_pca
    from ._estimator import SparseAutoencoder
    from ._fold import fold
    from ._model_file import load
    from ._patch_extractor import PatchExtractor
    from ._prune import PruneResult, prune_units
    from ._revive import ReviveUnits, revive_units
    from ._scalers import UFLDLScaler, UnitScaler
    from ._suggest_beta import BetaSearch, suggest_beta
    from ._whitening import PCAWhitener, ZCAWhitener

_LAZY = {"SparseAutoencoder": "_estimator", "load": "_model_file", "plot": "", "reference": ""}
_LAZY |= {"PatchExtractor": "_patch_extractor", "UFLDLScaler": "_scalers", "UnitScaler": "_scalers"}
_LAZY |= {"PCAWhitener": "_whitening", "ZCAWhitener": "_whitening", "fold": "_fold"}
_LAZY |= {"PCAComparison": "_compare", "compare_with_pca": "_compare"}
_LAZY |= {"PruneResult": "_prune", "prune_units": "_prune"}
_LAZY |= {"ReviveUnits": "_revive", "revive_units": "_revive"}
_LAZY |= {"BetaSearch": "_suggest_beta", "suggest_beta": "_suggest_beta"}
# fmt: off
__all__ = [  # noqa: RUF022 (the lazy ones last)
    "Adam", "Cost", "Deltas", "Encoder", "EpochInfo", "Forward", "History", "Objective", "Params", "SGD", "__version__",
    "check_gradient", "cost", "cost_and_grad", "decode", "deltas", "encode", "flatten", "forward", "get_include",
    "get_num_threads", "init_params", "set_num_threads", "show_config", "train", "unflatten",
    "SparseAutoencoder", "load", "plot", "reference",
    "PCAWhitener", "PatchExtractor", "UFLDLScaler", "UnitScaler", "ZCAWhitener", "fold",
    "BetaSearch", "PCAComparison", "PruneResult", "ReviveUnits", "compare_with_pca", "prune_units", "revive_units",
    "suggest_beta",
]
# fmt: on


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sae_fast' has no attribute {name!r}")
    home = _LAZY[name]
    module = importlib.import_module(f".{home or name}", __name__)
    return getattr(module, name) if home else module


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
