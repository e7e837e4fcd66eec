"""What is measured of an autoencoder over samples: its cost, and what its hidden units do."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network._checks import check_n_threads
from ..network._functional import encode
from ..network._settings import Settings
from ..network._types import Cost, Hidden, Params
from ..network._units import activity
from ._layer_training import Samples
from ._unit_report import BLOCK

F64 = NDArray[np.float64]


class Measured(NamedTuple):
    """Of each hidden unit the mean, the smallest and the largest activation, mapped to [0, 1]; and J."""

    cost: Cost
    rho_hat: F64
    lowest: F64
    highest: F64


def measure(params: Params, samples: Samples, settings: Settings, n_threads: int | None) -> Measured:
    """One look at samples as the network sees them."""
    data, weight = samples
    rho_hat = np.empty(len(params.b1))
    threads = check_n_threads(n_threads)
    values = _core.evaluate(params, *data, weight, settings.core, rho_hat=rho_hat, n_threads=threads)
    return Measured(Cost(*values), rho_hat, *ranges(params, data.X, cast("Hidden", settings.units[0]), n_threads))


def ranges(params: Params, X: NDArray[Any], hidden: Hidden, n_threads: int | None) -> tuple[F64, F64]:
    """Smallest and largest activation of each hidden unit, mapped to [0, 1]."""
    low, high = np.full(len(params.b1), np.inf), np.full(len(params.b1), -np.inf)
    for i in range(0, len(X), BLOCK):
        codes = encode(params, X[i : i + BLOCK], hidden=hidden, n_threads=n_threads)
        low, high = np.minimum(low, codes.min(axis=0)), np.maximum(high, codes.max(axis=0))
    return activity(low, hidden), activity(high, hidden)
