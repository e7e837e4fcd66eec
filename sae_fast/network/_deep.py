"""Networks of any number of layers: output, cost and gradients.

``a_0 = X``, ``z_l = a_{l-1} W_l^T + b_l``, ``a_l = f_l(z_l)``; rows are samples. The cost is
``J = loss + sum_l weight_decay_l/2 sum W_l^2 + sum_l (beta_l sum_j KL(rho_l || rho_hat_lj) + l1_l/m sum |a_l|)``, the
last sum over the hidden layers (all but the last), with the formulas of UFLDL, "Autoencoders and Sparsity" and
"Softmax Regression".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .. import _core
from ._checks import check_n_threads, check_out, check_sample_weight, check_X
from ._data import Data, check_data, check_result
from ._layers import LayersLike, check_layers, check_out_layers, flatten_layers, unflatten_layers
from ._settings import PerLayer, Settings, check_loss, check_settings, check_units
from ._types import AnyLoss, Cost, FloatArray, Layer, Output

__all__ = ["Layer", "deep_cost", "deep_cost_and_grad", "deep_forward", "flatten_layers", "unflatten_layers"]


def deep_forward(
    layers: LayersLike,
    X: ArrayLike,
    *,
    units: Sequence[Output],
    loss: AnyLoss = "squared",
    out: FloatArray | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """Activations of the last layer; for ``loss="softmax"`` the probabilities of the classes.

    A sample's result is the same to the last bit whatever samples come with it, and the same as that of
    :func:`sae_fast.encode` applied layer by layer.

    Parameters
    ----------
    layers : sequence of (W, b)
        ``W`` (n_out, n_in) and ``b`` (n_out,), all float32 or all float64; their dtype is the dtype of the work.
    X : array_like of shape (n_samples, n_features)
        Any real dtype and strides; it is converted block by block.
    units : sequence of {"sigmoid", "tanh", "linear", "relu", "satlin"}
        Activation of each layer. With softmax the last one is "linear", with cross_entropy "sigmoid".
    loss : {"squared", "softmax", "absolute", "huber", "cross_entropy"}
        What the network is trained for.
    out : ndarray of shape (n_samples, n_out), optional
        Where to write: C-contiguous, writable, of the dtype of ``layers``, apart from the inputs.
    n_threads : int, optional
        Threads to use; None for what :func:`sae_fast.get_num_threads` says.

    Returns
    -------
    ndarray of shape (n_samples, n_out)
        ``out`` if given.

    Raises
    ------
    TypeError, ValueError
        Layers that are not of one float type or do not fit on each other, or samples that do not fit them; not one unit
        a layer that ``loss`` can be taken of; an ``out`` that cannot be written to as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from sae_fast.network._deep import Layer, deep_forward
    >>> layers = [Layer(np.ones((2, 3)), np.zeros(2)), Layer(np.zeros((4, 2)), np.zeros(4))]
    >>> deep_forward(layers, np.ones((1, 3)), units=["sigmoid", "linear"], loss="softmax")
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    checked, dtype = check_layers(layers)
    X = check_X(X, checked[0].W.shape[1])
    check_loss(loss)
    settings = Settings(check_units(units, len(checked), loss), loss)
    threads = check_n_threads(n_threads)
    shape = (len(X), len(checked[-1].W))
    out = np.empty(shape, dtype) if out is None else check_out(out, shape, dtype, (X, *sum(checked, ())))
    _core.forward(checked, X, settings.core, out, threads)
    return out


def deep_cost(
    layers: LayersLike,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    units: Sequence[Output],
    loss: AnyLoss = "squared",
    rho: PerLayer = 0.05,
    beta: PerLayer = 0.0,
    weight_decay: PerLayer = 0.0,
    l1: PerLayer = 0.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Cost:
    """Cost J and its three parts; see :func:`deep_cost_and_grad`.

    Examples
    --------
    >>> import numpy as np
    >>> from sae_fast.network._deep import deep_cost
    >>> layers = [(np.zeros((2, 3)), np.zeros(2))]
    >>> deep_cost(layers, np.ones((4, 3)), [0, 1, 1, 0], units=["linear"], loss="softmax").loss
    0.6931471805599453
    """
    checked, _ = check_layers(layers)
    settings = check_settings(units, loss, rho, beta, weight_decay, len(checked), l1)
    data = check_data(checked, X, y, loss)
    weight = check_sample_weight(sample_weight, len(data.X))
    threads = check_n_threads(n_threads)
    parts = Cost(*_core.evaluate(checked, *data, weight, settings.core, n_threads=threads))
    _check_result(parts.total, data, loss)
    return parts


def deep_cost_and_grad(
    layers: LayersLike,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    units: Sequence[Output],
    loss: AnyLoss = "squared",
    rho: PerLayer = 0.05,
    beta: PerLayer = 0.0,
    weight_decay: PerLayer = 0.0,
    l1: PerLayer = 0.0,
    sample_weight: ArrayLike | None = None,
    out: Sequence[Layer] | None = None,
    n_threads: int | None = None,
) -> tuple[float, tuple[Layer, ...]]:
    """Cost J and its gradients, by back-propagation through all layers (UFLDL, "Backpropagation Algorithm").

    Exact also for saturated units and for probabilities that round to 1; bitwise the same for any number of threads.

    Parameters
    ----------
    layers, X, units, n_threads
        As for :func:`deep_forward`.
    y : array_like, optional
        Targets (n_samples, n_out) of any real dtype and strides, ``X`` itself if left out.
        ``loss="softmax"``: integer labels (n_samples,) in 0 ... n_out - 1.
    loss : {"squared", "softmax", "absolute", "huber", "cross_entropy"}
        ``1/(2m) sum (a_L - y)^2``, the mean of ``-log p_y`` with ``p = softmax(z_L)``, or as for
        :func:`sae_fast.cost_and_grad`.
    rho, beta : float or sequence of float
        Wanted mean activation, in (0, 1), and weight of its penalty, >= 0: one value, or one for each hidden layer (all
        but the last). A penalty needs units with two bounds: sigmoid, tanh or satlin.
    weight_decay : float or sequence of float
        Weight of the L2 penalty on W (never b), >= 0: one value, or one for each layer.
    l1 : float or sequence of float
        Weight of the penalty on single activations, >= 0: one value, or one for each hidden layer.
    sample_weight : array_like of shape (n_samples,), optional
        Weights of the samples: every mean over samples becomes a weighted one.
    out : sequence of (W, b), optional
        Where to write the gradients: C-contiguous, writable, in the shapes and dtype of ``layers``, apart from the
        inputs.

    Returns
    -------
    J : float
    grad : tuple of Layer
        In the shapes of ``layers``; ``out`` if given.

    Raises
    ------
    TypeError, ValueError
        As for :func:`deep_forward`; targets or labels that do not fit; a penalty out of its range, or not one a layer.

    Examples
    --------
    >>> import numpy as np
    >>> from sae_fast.network._deep import deep_cost_and_grad
    >>> layers = [(np.zeros((2, 3)), np.zeros(2)), (np.zeros((3, 2)), np.zeros(3))]
    >>> J, grad = deep_cost_and_grad(layers, np.ones((4, 3)), units=["sigmoid", "linear"])
    >>> J, grad[1].b
    (1.5, array([-1., -1., -1.]))
    """
    checked, _ = check_layers(layers)
    settings = check_settings(units, loss, rho, beta, weight_decay, len(checked), l1)
    data = check_data(checked, X, y, loss)
    weight = check_sample_weight(sample_weight, len(data.X))
    threads = check_n_threads(n_threads)
    if out is None:
        grad = tuple(Layer(np.empty_like(W), np.empty_like(b)) for W, b in checked)
    else:
        grad = check_out_layers(out, checked, None)
    J, *_ = _core.evaluate(checked, *data, weight, settings.core, grad, n_threads=threads)
    _check_result(J, data, loss)
    return J, grad


def _check_result(J: float, data: Data, loss: str) -> None:
    given = data.target is not None
    check_result(J, data.target if data.target is not None else data.X, loss, "y" if given else "X")
