"""H2O's Deep Learning with ``autoencoder = True``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..network._checks import check_in, check_real, listed
from ..network._types import Hidden, Loss, Output
from ._base import Convention, Mapped, Rescaling, check_ours, check_samples, reject, theirs_of
from ._layout import layout

_SPARSITY = (
    "its sparsity is a pull on the biases alone, -rate * sparsity_beta * (average - average_activation), with a "
    "running average: the slope of our penalty in b1 when every code of a unit is the same, else stronger"
)
_UNITS: dict[str, Hidden] = {"Tanh": "tanh", "Rectifier": "relu"}
_DECAY = "its l2 shrinks the biases too"


def to_ours(
    *,
    sparsity_beta: float = 0.0,
    average_activation: float = 0.0,
    l2: float = 0.0,
    l1: float = 0.0,
    activation: str = "Tanh",
) -> Mapped:
    """H2O's ``H2OAutoEncoderEstimator`` with one hidden layer, of Tanh or Rectifier units, as its output layer has too.

    A sample's loss is ``1/2 sum_k (y_k - x_k)^2 + l2/2 (sum W^2 + sum b^2)``. Sparsity has no cost: after each update
    ``b_j -= rate * sparsity_beta * (avg_j - average_activation)``, where ``avg_j <- 0.999 avg_j + 0.001 a_j``.

    With ``rho = (average_activation + 1)/2`` and ``s = (a2 + 1)/2``, the slope of our penalty in ``b1_j`` is
    ``beta (rhohat - rho) / (rhohat (1 - rhohat)) * mean(2 s (1 - s))``. If all samples give a unit the same code, that
    is ``beta (mean(a2) - average_activation)``: H2O's pull with ``beta = sparsity_beta``. Codes that vary make ours
    weaker by the factor ``1 - var(s) / (rhohat (1 - rhohat))``, and ours moves W1 as well. Both vanish where
    ``rhohat = rho``.

    Parameters
    ----------
    sparsity_beta : float
        ``beta``, in the sense above. Must be 0 for Rectifier, whose mean activation has no upper bound: there the pull
        is not the slope of any penalty of ours.
    average_activation : float
        In (-1, 1). (H2O's parameter ``rho`` is another thing: the memory of ADADELTA.)
    l2 : float
        ``weight_decay``.
    l1 : float
        Must be 0: H2O's is a penalty on the weights and biases, and there is no such term here. (Our ``l1`` acts on the
        activations.)
    activation : {"Tanh", "Rectifier"}
        Maxout, and dropout, are errors.

    Returns
    -------
    Mapped
        ``cost_factor`` is 1 where ``sparsity_beta`` and ``l2`` are 0, else None.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> mapped = conventions.h2o.to_ours(sparsity_beta=0.5, average_activation=-0.9)
    >>> round(mapped.rho, 12), mapped.beta, mapped.cost_factor
    (0.05, 0.5, None)
    """
    if activation not in _UNITS:
        raise reject("activation", activation, f"{listed(_UNITS)}, the ones of H2O's that exist here")
    if check_real("l1", l1) != 0:
        raise reject("l1", l1, "0: it is a penalty on the weights, and ours on the activations")
    average = check_real("average_activation", average_activation)
    if activation == "Rectifier":
        return _rectifier(sparsity_beta, l2)
    if not -1.0 < average < 1.0:
        raise reject("average_activation", average_activation, "in (-1, 1)")
    sparsity_beta = check_in("sparsity_beta", sparsity_beta, 0.0, np.inf, ">= 0 and finite")
    l2 = check_in("l2", l2, 0.0, np.inf, ">= 0 and finite")
    differs = ((_SPARSITY,) if sparsity_beta > 0 else ()) + ((_DECAY,) if l2 > 0 else ())
    return Mapped((average + 1.0) / 2.0, sparsity_beta, l2, "tanh", "tanh", None if differs else 1.0, differs)


def _rectifier(sparsity_beta: float, l2: float) -> Mapped:
    if check_in("sparsity_beta", sparsity_beta, 0.0, np.inf, ">= 0 and finite") > 0:
        raise reject("sparsity_beta", sparsity_beta, "0 for Rectifier, whose mean activation has no upper bound")
    l2 = check_in("l2", l2, 0.0, np.inf, ">= 0 and finite")
    return Mapped(0.05, 0.0, l2, "relu", "relu", None if l2 > 0 else 1.0, (_DECAY,) if l2 > 0 else ())


def from_ours(
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "tanh",
    output: Output = "tanh",
    loss: Loss = "squared",
    l1: float = 0.0,
) -> dict[str, Any]:
    """Our hyper-parameters in H2O's words, see ``to_ours`` for what they mean there; both layers tanh, or both relu.

    Returns
    -------
    dict
        ``sparsity_beta``, ``average_activation``, ``l2``, ``activation``.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.h2o.from_ours(rho=0.25, beta=0.5, weight_decay=1e-4)
    {'sparsity_beta': 0.5, 'average_activation': -0.5, 'l2': 0.0001, 'activation': 'Tanh'}
    """
    rho, beta, weight_decay = check_ours("H2O", rho, beta, weight_decay, hidden=hidden, output=output, loss=loss, l1=l1)
    activation = theirs_of("hidden", hidden, _UNITS, "H2O")
    if output != hidden:
        raise reject("output", output, f"{hidden!r} too, since H2O's activation is that of both layers")
    average = 2.0 * rho - 1.0 if activation == "Tanh" else 0.0
    return {"sparsity_beta": beta, "average_activation": average, "l2": weight_decay, "activation": activation}


def rescaling(X: ArrayLike) -> Rescaling:
    """What H2O does to numeric columns of an autoencoder: ``(x - mean) / (max - min)``, each on its own.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_visible)
        Training data; a constant column only loses its mean.

    Returns
    -------
    Rescaling

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.h2o.rescaling([[0.0], [1.0], [5.0]]).transform([[0.0], [5.0]])
    array([[-0.4],
           [ 0.6]])
    """
    samples = check_samples(X)
    width = np.ptp(samples, axis=0)
    return Rescaling(samples.mean(axis=0), 1.0 / np.where(width > 0, width, 1.0))


_pack, _unpack = layout(("W1", "b1", "W2", "b2"), "C")

h2o = Convention(
    name="h2o",
    package="H2O-3 Deep Learning, autoencoder = True, one hidden layer",
    formula="mean over samples of 1/2 sum_k (y_k - x_k)^2 + l2/2 (sum W^2 + sum b^2); sparsity is a rule, not a cost",
    differs=(
        "numeric columns are normalised, categorical ones become 0/1 columns, see rescaling",
        "trained sample by sample with ADADELTA by default, on several threads without locks: no two runs are alike",
        "the reported MSE is the mean over samples and columns",
    ),
    to_ours=to_ours,
    from_ours=from_ours,
    pack=_pack,
    unpack=_unpack,
    rescaling=rescaling,
)
