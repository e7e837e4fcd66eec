"""Networks of any number of layers: output, cost, gradients, and the solvers that train them.

``a_0 = X``, ``z_l = a_{l-1} W_l^T + b_l``, ``a_l = f_l(z_l)``; rows are samples. The cost is
``J = loss + sum_l weight_decay_l/2 sum W_l^2 + sum_l beta_l sum_j KL(rho_l || rho_hat_lj)``, the last sum over the
hidden layers (all but the last), with the formulas of UFLDL, "Autoencoders and Sparsity" and "Softmax Regression".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._checks import check_count, check_n_threads, check_out, check_sample_weight, check_X
from ._deep_checks import (
    DeepData,
    Layer,
    LayersLike,
    check_data,
    check_layers,
    check_loss,
    check_out_layers,
    check_settings,
    check_units,
)
from ._train import DEFAULT_LEARNING_RATE, _rule
from ._types import FloatArray, Output

Loss: TypeAlias = Literal["squared", "softmax"]
PerLayer: TypeAlias = float | Sequence[float]

__all__ = [
    "DeepCost",
    "DeepEpochSolver",
    "DeepLbfgsSolver",
    "Layer",
    "deep_cost",
    "deep_cost_and_grad",
    "deep_forward",
    "flatten_layers",
    "unflatten_layers",
]


class DeepCost(NamedTuple):
    """The cost J and its three parts; ``total`` is their sum. Each part already carries its weight."""

    total: float
    loss: float
    weight_decay: float
    sparsity: float


def flatten_layers(layers: LayersLike) -> FloatArray:
    """Vector ``[W_1, ..., W_L, b_1, ..., b_L]``, row-major."""
    checked, _ = check_layers(layers)
    return np.concatenate([*(W.ravel() for W, _ in checked), *(b for _, b in checked)])


def unflatten_layers(theta: FloatArray, sizes: Sequence[int]) -> tuple[Layer, ...]:
    """Layers as views of ``theta``; ``sizes`` are n_features and the number of outputs of each layer."""
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    lengths = [n_out * n_in for n_out, n_in in shapes] + [n_out for n_out, _ in shapes]
    if theta.shape != (sum(lengths),):
        raise ValueError(f"theta must have shape ({sum(lengths)},) for sizes {tuple(sizes)}, got {theta.shape}")
    blocks = np.split(theta, np.cumsum(lengths)[:-1])
    n = len(shapes)
    return tuple(Layer(W.reshape(s), b) for W, b, s in zip(blocks[:n], blocks[n:], shapes, strict=True))


def deep_forward(
    layers: LayersLike,
    X: ArrayLike,
    *,
    units: Sequence[Output],
    loss: Loss = "squared",
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
    units : sequence of {"sigmoid", "tanh", "linear"}
        Activation of each layer. With softmax the last one is "linear".
    loss : {"squared", "softmax"}
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
        An argument of the wrong kind, or of a wrong value or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from sae_fast._deep import Layer, deep_forward
    >>> layers = [Layer(np.ones((2, 3)), np.zeros(2)), Layer(np.zeros((4, 2)), np.zeros(4))]
    >>> deep_forward(layers, np.ones((1, 3)), units=["sigmoid", "linear"], loss="softmax")
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    checked, dtype = check_layers(layers)
    X = check_X(X, checked[0].W.shape[1])
    n = len(checked)
    numbers = check_units(units, n, loss if check_loss(loss) == 1 else "squared")
    threads = check_n_threads(n_threads)
    shape = (len(X), len(checked[-1].W))
    out = np.empty(shape, dtype) if out is None else check_out(out, shape, dtype, (X, *sum(checked, ())))
    settings = (numbers, [0.5] * n, [0.0] * n, [0.0] * n, check_loss(loss))
    _core.deep_forward(checked, X, settings, out, threads)
    return out


def deep_cost(
    layers: LayersLike,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    units: Sequence[Output],
    loss: Loss = "squared",
    rho: PerLayer = 0.05,
    beta: PerLayer = 0.0,
    weight_decay: PerLayer = 0.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> DeepCost:
    """Cost J and its three parts; see :func:`deep_cost_and_grad`.

    Examples
    --------
    >>> import numpy as np
    >>> from sae_fast._deep import deep_cost
    >>> layers = [(np.zeros((2, 3)), np.zeros(2))]
    >>> deep_cost(layers, np.ones((4, 3)), [0, 1, 1, 0], units=["linear"], loss="softmax").loss
    0.6931471805599453
    """
    checked, _ = check_layers(layers)
    settings = check_settings(units, loss, rho, beta, weight_decay, len(checked))
    data = check_data(checked, X, y, loss)
    weight = check_sample_weight(sample_weight, len(data.X))
    return DeepCost(*_core.deep_evaluate(checked, *data, weight, settings, None, check_n_threads(n_threads)))


def deep_cost_and_grad(
    layers: LayersLike,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    units: Sequence[Output],
    loss: Loss = "squared",
    rho: PerLayer = 0.05,
    beta: PerLayer = 0.0,
    weight_decay: PerLayer = 0.0,
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
        ``loss="squared"``: targets (n_samples, n_out) of any real dtype and strides, ``X`` itself if left out.
        ``loss="softmax"``: integer labels (n_samples,) in 0 ... n_out - 1.
    loss : {"squared", "softmax"}
        ``1/(2m) sum (a_L - y)^2``, or the mean of ``-log p_y`` with ``p = softmax(z_L)``.
    rho, beta : float or sequence of float
        Wanted mean activation, in (0, 1), and weight of its penalty, >= 0: one value, or one for each hidden layer (all
        but the last). A penalty needs sigmoid or tanh units.
    weight_decay : float or sequence of float
        Weight of the L2 penalty on W (never b), >= 0: one value, or one for each layer.
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
        An argument of the wrong kind, or of a wrong value or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from sae_fast._deep import deep_cost_and_grad
    >>> layers = [(np.zeros((2, 3)), np.zeros(2)), (np.zeros((3, 2)), np.zeros(3))]
    >>> J, grad = deep_cost_and_grad(layers, np.ones((4, 3)), units=["sigmoid", "linear"])
    >>> J, grad[1].b
    (1.5, array([-1., -1., -1.]))
    """
    checked, _ = check_layers(layers)
    settings = check_settings(units, loss, rho, beta, weight_decay, len(checked))
    data = check_data(checked, X, y, loss)
    weight = check_sample_weight(sample_weight, len(data.X))
    threads = check_n_threads(n_threads)
    if out is None:
        grad = tuple(Layer(np.empty_like(W), np.empty_like(b)) for W, b in checked)
    else:
        inputs = [data.X, *sum(checked, ())] + ([] if data.target is None else [data.target])
        grad = check_out_layers(out, checked, inputs)
    return _core.deep_evaluate(checked, *data, weight, settings, grad, threads)[0], grad


def _copy(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    return tuple(Layer(np.array(W, order="C"), np.array(b, order="C")) for W, b in layers)


class DeepLbfgsSolver:
    """L-BFGS over all samples, in the core. The cost is that of the new parameters.

    Parameters
    ----------
    layers, X, y, sample_weight, units, loss, rho, beta, weight_decay, n_threads
        As for :func:`deep_cost_and_grad`; ``layers`` are copied.
    memory : int
        Pairs kept, >= 1.

    Attributes
    ----------
    layers : tuple of Layer
        Live parameters, views of one vector.
    n_evaluations : int
        Evaluations of cost and gradient so far.
    start_cost : DeepCost
        Before the first step.
    """

    def __init__(
        self,
        layers: LayersLike,
        X: ArrayLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        *,
        units: Sequence[Output],
        loss: Loss,
        rho: PerLayer,
        beta: PerLayer,
        weight_decay: PerLayer,
        memory: int,
        n_threads: int | None,
    ) -> None:
        checked, dtype = check_layers(layers)
        settings = check_settings(units, loss, rho, beta, weight_decay, len(checked))
        data = check_data(checked, X, y, loss)
        weight = check_sample_weight(sample_weight, len(data.X))
        sizes = [checked[0].W.shape[1], *(len(W) for W, _ in checked)]
        theta = flatten_layers(checked)
        self.layers = unflatten_layers(theta, sizes)
        kind = _core.DeepLbfgsF32 if dtype == np.float32 else _core.DeepLbfgsF64
        self._core = kind(
            theta, sizes, *data, weight, settings, check_count("memory", memory), check_n_threads(n_threads)
        )
        self.n_evaluations = 1
        self.start_cost = DeepCost(*self._core.start()[:4])

    def step(self) -> tuple[DeepCost, float] | None:
        """One iteration: cost, and mean activation of the sigmoid and tanh hidden units (NaN where there is none).

        None where no progress is possible any more.
        """
        *cost, _, self.n_evaluations, going = self._core.iterate()
        rho_hat = self._core.rho_hat()
        return (DeepCost(*cost), float(np.mean(rho_hat)) if rho_hat else np.nan) if going else None


class DeepEpochSolver:
    """Minibatch training, an epoch at a time, without the GIL. The cost is the mean over the epoch, before each update.

    Parameters
    ----------
    layers, units, loss, rho, beta, weight_decay, n_threads
        As for :func:`deep_cost_and_grad`; ``layers`` are copied. The sparsity penalty is that of each minibatch.
    solver : {"adam", "sgd"}
        Update rule; see :class:`sae_fast.Adam` and :class:`sae_fast.SGD`.
    learning_rate : float or None
        By default 1e-3 for Adam and 0.1 for SGD.
    momentum, nesterov
        For "sgd".
    batch_size : int
        >= 1; the last minibatch of an epoch may be shorter.
    seed : int
        Of the shuffling, in 0 ... 2^64 - 1.
    shuffle : bool
        Take the samples in a new order each epoch.

    Attributes
    ----------
    layers : tuple of Layer
        Live parameters.
    """

    def __init__(
        self,
        layers: LayersLike,
        *,
        units: Sequence[Output],
        loss: Loss,
        rho: PerLayer,
        beta: PerLayer,
        weight_decay: PerLayer,
        solver: str,
        learning_rate: float | None,
        momentum: float,
        batch_size: int,
        seed: int,
        n_threads: int | None,
        nesterov: bool = False,
        shuffle: bool = True,
    ) -> None:
        checked, dtype = check_layers(layers)
        settings = check_settings(units, loss, rho, beta, weight_decay, len(checked))
        rate = DEFAULT_LEARNING_RATE.get(solver, 1.0) if learning_rate is None else learning_rate
        options = _rule(solver, rate, momentum if solver == "sgd" else 0.0, nesterov) | {
            "batch_size": check_count("batch_size", batch_size),
            "shuffle": bool(shuffle),
            "seed": seed,
            "n_threads": check_n_threads(n_threads),
        }
        self.layers = _copy(checked)
        kind = _core.DeepTrainerF32 if dtype == np.float32 else _core.DeepTrainerF64
        self._core = kind(self.layers, settings, options)
        self._loss = loss
        self._data: tuple[DeepData, NDArray[np.float64] | None] | None = None

    def use(self, X: ArrayLike, y: ArrayLike | None, sample_weight: ArrayLike | None) -> DeepEpochSolver:
        """Set the data of the coming steps; returns the solver itself."""
        data = check_data(self.layers, X, y, self._loss)
        self._data = (data, check_sample_weight(sample_weight, len(data.X)))
        return self

    def step(self) -> tuple[DeepCost, float]:
        """One epoch: cost, and mean activation of the sigmoid and tanh hidden units (NaN where there is none)."""
        if self._data is None:
            raise ValueError("the solver has no data yet: call use(X, y, sample_weight) before step()")
        data, weight = self._data
        *parts, mean_activation = self._core.run_epoch(*data, weight)
        return DeepCost(sum(parts), *parts), mean_activation
