"""The small containers that functions take and give back."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ._losses import AnyLoss as AnyLoss
from ._losses import Loss as Loss
from ._units import Hidden as Hidden
from ._units import Output as Output

AnyParams: TypeAlias = Union["Params", tuple["Layer", ...]]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
Pooling: TypeAlias = Literal["mean", "max"]


@public_in("sae_fast")
class Params(NamedTuple):
    """Weights and biases of one sparse autoencoder, or gradients in their shapes.

    Attributes
    ----------
    W1 : ndarray of shape (n_hidden, n_visible)
        Encoder weights.
    b1 : ndarray of shape (n_hidden,)
        Encoder bias.
    W2 : ndarray of shape (n_visible, n_hidden)
        Decoder weights.
    b2 : ndarray of shape (n_visible,)
        Decoder bias.
    """

    W1: FloatArray
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray


@public_in("sae_fast")
class Forward(NamedTuple):
    """Activations of both layers, in the dtype of the parameters.

    Attributes
    ----------
    a2 : ndarray of shape (n_samples, n_hidden)
        Codes.
    a3 : ndarray of shape (n_samples, n_visible)
        Reconstructions.
    """

    a2: FloatArray
    a3: FloatArray


@public_in("sae_fast")
class Deltas(NamedTuple):
    """Errors of both layers and the mean activation they were computed with.

    Attributes
    ----------
    delta3 : ndarray of shape (n_samples, n_visible)
        Output error, for the squared loss ``(a3 - X) * g'(z3)``.
    delta2 : ndarray of shape (n_samples, n_hidden)
        Hidden error, with the sparsity terms.
    rho_hat : ndarray of shape (n_hidden,), float64
        Mean activation of each hidden unit, mapped to [0, 1] where it has bounds (as it is for relu).
    """

    delta3: FloatArray
    delta2: FloatArray
    rho_hat: NDArray[np.float64]


@public_in("sae_fast")
class Cost(NamedTuple):
    """The cost J and its three parts, each of which already carries its weight.

    Attributes
    ----------
    total : float
        J, the sum of the parts.
    reconstruction : float
        The loss: for ``"squared"`` ``1/(2m) sum (a3 - X)^2``, half of the squared error of a sample, on average.
    weight_decay : float
        ``weight_decay/2 sum W^2``, the sum over the weights of all layers.
    sparsity : float
        ``beta sum_j KL(rho || rho_hat_j) + l1/m sum |a2|``, with natural logarithms; of all hidden layers.
    """

    total: float
    reconstruction: float
    weight_decay: float
    sparsity: float

    @property
    def loss(self) -> float:
        """``reconstruction``, under the name that fits any target."""
        return self.reconstruction


DeepCost = Cost  # its name in version 0.1.0 where all layers of a stack were tuned; files and pickles have it


@public_in("sae_fast")
class Layer(NamedTuple):
    """One layer, or its gradients: ``W`` (n_out, n_in) and ``b`` (n_out,)."""

    W: FloatArray
    b: FloatArray


@public_in("sae_fast")
class History(NamedTuple):
    """What a training run recorded: one value per epoch in every array (float64, shape (n_epochs,)).

    Each is the mean over the epoch's minibatches, weighted by their sizes, of the value *before* the
    update that the minibatch caused.

    Attributes
    ----------
    cost, reconstruction, weight_decay, sparsity : ndarray of shape (n_epochs,)
        J and its parts, as in :class:`Cost`.
    mean_activation : ndarray of shape (n_epochs,)
        Mean of all hidden units, mapped to [0, 1]; wanted is ``rho``.
    """

    cost: NDArray[np.float64]
    reconstruction: NDArray[np.float64]
    weight_decay: NDArray[np.float64]
    sparsity: NDArray[np.float64]
    mean_activation: NDArray[np.float64]


@public_in("sae_fast")
class EpochInfo(NamedTuple):
    """What a ``callback`` is given after each epoch or iteration.

    Attributes
    ----------
    epoch, n_epochs : int
        Number of this epoch or iteration, from 1, and the most that there may be.
    cost : Cost
        J and its parts.
    mean_activation : float
        Mean of all hidden units, mapped to [0, 1].
    params : Params or tuple of Layer
        The live parameters (layers, while a stack is tuned): copy what is to be kept.
    seconds : float
        Since the start of training, or of its stage.
    stage : str
        The part of a fit that has several (a stack's ``"layer 1 of 2"``, ``"fine-tuning"``), whose epochs and seconds
        count from its own start; else empty.
    """

    epoch: int
    n_epochs: int
    cost: Cost
    mean_activation: float
    params: AnyParams
    seconds: float
    stage: str = ""
