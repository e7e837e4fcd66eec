"""The functions of the backend: one layer, deltas, cost and gradients.

Notation and formulas: UFLDL, "Autoencoders and Sparsity"; rows are samples.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _core
from .._public import public_in
from ._checks import (
    ParamsLike,
    check_activations,
    check_count,
    check_hidden,
    check_n_threads,
    check_out,
    check_out_params,
    check_output,
    check_params,
    check_random_state,
    check_sample_weight,
    check_X,
)
from ._data import Data, check_result
from ._settings import check_autoencoder
from ._types import Cost, Deltas, FloatArray, Forward, Hidden, Loss, Output, Params


@public_in("sae_fast")
def init_params(
    n_visible: int,
    n_hidden: int,
    *,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    dtype: DTypeLike = np.float64,
) -> Params:
    """Random weights by UFLDL's rule: uniform in +-sqrt(6 / (n_visible + n_hidden + 1)); biases 0.

    Parameters
    ----------
    n_visible, n_hidden : int
        Sizes of the layers, both >= 1.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed or source of the numbers; None draws fresh ones.
    dtype : float32 or float64
        Type of the arrays. Both types get the same numbers, up to rounding.

    Returns
    -------
    Params

    Raises
    ------
    TypeError, ValueError
        A size that is no integer >= 1, a dtype that is neither type, or a ``random_state`` that is none.

    Examples
    --------
    >>> import sae_fast as sf
    >>> params = sf.init_params(64, 25, random_state=0)
    >>> params.W1.shape, params.W2.shape
    ((25, 64), (64, 25))
    """
    n_visible = check_count("n_visible", n_visible)
    n_hidden = check_count("n_hidden", n_hidden)
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {kind}")
    state = check_random_state(random_state)
    rng: Any = state if isinstance(state, np.random.RandomState) else np.random.default_rng(state)
    r = math.sqrt(6.0 / (n_visible + n_hidden + 1))
    W1 = rng.uniform(-r, r, (n_hidden, n_visible)).astype(kind)
    W2 = rng.uniform(-r, r, (n_visible, n_hidden)).astype(kind)
    return Params(W1, np.zeros(n_hidden, kind), W2, np.zeros(n_visible, kind))


@public_in("sae_fast")
def encode(
    params: ParamsLike,
    X: ArrayLike,
    *,
    hidden: Hidden = "sigmoid",
    out: FloatArray | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """Codes of the samples, ``a2 = f(X W1^T + b1)``.

    A sample's code is the same to the last bit whatever samples come with it.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
        float32 or float64; their dtype is the dtype of the work.
    X : array_like of shape (n_samples, n_visible)
        Any real dtype and strides; it is converted block by block.
    hidden : {"sigmoid", "tanh", "relu", "satlin"}
        Activation f; ``relu(z) = max(z, 0)``, ``satlin(z) = min(max(z, 0), 1)``.
    out : ndarray of shape (n_samples, n_hidden), optional
        Where to write: C-contiguous, writable, of the dtype of ``params``, apart from the inputs.
    n_threads : int, optional
        Threads to use; None for what :func:`get_num_threads` says.

    Returns
    -------
    ndarray of shape (n_samples, n_hidden)
        ``out`` if given.

    Raises
    ------
    TypeError, ValueError
        Arrays that are not of one float type or do not fit together, or samples that do not fit them; an unknown unit;
        an ``out`` that cannot be written to as it is; a number of threads that is none.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> params = sf.init_params(64, 25, random_state=0)
    >>> sf.encode(params, np.zeros((3, 64)))[:, :2]
    array([[0.5, 0.5],
           [0.5, 0.5],
           [0.5, 0.5]])
    """
    params, dtype = check_params(params)
    X = check_X(X, params.W1.shape[1])
    return _layer(params.W1, params.b1, X, check_hidden(hidden), out, n_threads, dtype)


@public_in("sae_fast")
def decode(
    params: ParamsLike,
    a2: ArrayLike,
    *,
    output: Output = "sigmoid",
    out: FloatArray | None = None,
    n_threads: int | None = None,
) -> FloatArray:
    """Reconstructions from codes, ``a3 = g(a2 W2^T + b2)``.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
        float32 or float64; their dtype is the dtype of the work.
    a2 : array_like of shape (n_samples, n_hidden)
        Codes.
    output : {"sigmoid", "tanh", "linear", "relu", "satlin"}
        Activation g.
    out : ndarray of shape (n_samples, n_visible), optional
        Where to write, as for :func:`encode`.
    n_threads : int, optional
        Threads to use; None for what :func:`get_num_threads` says.

    Returns
    -------
    ndarray of shape (n_samples, n_visible)

    Raises
    ------
    TypeError, ValueError
        As for :func:`encode`.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> params = sf.init_params(64, 25, random_state=0)
    >>> sf.decode(params, np.zeros((1, 25)), output="linear").shape
    (1, 64)
    """
    params, dtype = check_params(params)
    a2 = check_X(a2, params.W1.shape[0], "a2")
    return _layer(params.W2, params.b2, a2, check_output(output), out, n_threads, dtype)


def _layer(
    W: FloatArray,
    b: FloatArray,
    X: NDArray[Any],
    unit: int,
    out: FloatArray | None,
    n_threads: int | None,
    dtype: np.dtype[Any],
) -> FloatArray:
    threads = check_n_threads(n_threads)
    shape = (X.shape[0], W.shape[0])
    out = np.empty(shape, dtype) if out is None else check_out(out, shape, dtype, (W, b, X))
    _core.layer_forward(W, b, X, unit, out, threads)
    return out


@public_in("sae_fast")
def forward(
    params: ParamsLike,
    X: ArrayLike,
    *,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    n_threads: int | None = None,
) -> Forward:
    """Codes and reconstructions.

    Parameters
    ----------
    params, X, hidden, output, n_threads
        As for :func:`encode` and :func:`decode`.

    Returns
    -------
    Forward
        ``a2`` (n_samples, n_hidden) and ``a3`` (n_samples, n_visible).

    Raises
    ------
    TypeError, ValueError
        As for :func:`encode`.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> params = sf.init_params(4, 2, random_state=0)
    >>> a2, a3 = sf.forward(params, np.zeros((3, 4)))
    >>> a2.shape, a3.shape
    ((3, 2), (3, 4))
    """
    check_activations(hidden, output)
    a2 = encode(params, X, hidden=hidden, n_threads=n_threads)
    return Forward(a2, decode(params, a2, output=output, n_threads=n_threads))


@public_in("sae_fast")
def deltas(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Deltas:
    """Errors of both layers, the hidden one with the sparsity terms (UFLDL, "Autoencoders and Sparsity").

    ``delta3 = (a3 - X) g'(z3)`` for the squared loss, and
    ``delta2 = (delta3 W2 + beta (-rho/rho_hat + (1-rho)/(1-rho_hat)) ds/da + l1 sign(a2)) f'(z2)``.

    Parameters
    ----------
    params, X, hidden, output, n_threads
        As for :func:`encode` and :func:`decode`.
    rho : float
        Wanted mean activation, in (0, 1).
    beta : float
        Weight of the sparsity penalty, >= 0; 0 for relu.
    loss, l1
        As for :func:`cost_and_grad`.
    sample_weight : array_like of shape (n_samples,), optional
        Weights of the samples; each row of the deltas carries its weight over the mean weight.

    Returns
    -------
    Deltas
        ``delta3`` (n_samples, n_visible), ``delta2`` (n_samples, n_hidden), ``rho_hat`` (n_hidden,) float64.

    Raises
    ------
    TypeError, ValueError
        Arrays that are not of one float type or do not fit together, or samples that do not fit them; an unknown unit;
        ``rho``, ``beta`` or weights out of their range.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> params = sf.init_params(4, 2, random_state=0)
    >>> sf.deltas(params, np.zeros((3, 4)), rho=0.5, beta=3.0).rho_hat
    array([0.5, 0.5])
    """
    params, dtype = check_params(params)
    X = check_X(X, params.W1.shape[1])
    h, v = params.W1.shape
    settings = check_autoencoder(hidden, output, rho, beta, 0.0, loss, l1)
    weight = check_sample_weight(sample_weight, len(X))
    threads = check_n_threads(n_threads)
    result = Deltas(np.empty((len(X), v), dtype), np.empty((len(X), h), dtype), np.empty(h))
    J, *_ = _core.evaluate(
        params,
        *Data(X),
        weight,
        settings.core,
        deltas=(result.delta2, result.delta3),
        rho_hat=result.rho_hat,
        n_threads=threads,
    )
    check_result(J, X, loss)
    return result


@public_in("sae_fast")
def cost(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Cost:
    """Cost J and its three parts; see :func:`cost_and_grad`.

    Parameters
    ----------
    params, X, rho, beta, weight_decay, hidden, output, loss, l1, sample_weight, n_threads
        As for :func:`cost_and_grad`.

    Returns
    -------
    Cost
        ``total``, ``reconstruction``, ``weight_decay``, ``sparsity``.

    Raises
    ------
    TypeError, ValueError
        As for :func:`cost_and_grad`.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> params = sf.init_params(4, 2, random_state=0)
    >>> sf.cost(params, np.zeros((3, 4)), rho=0.5, beta=3.0, weight_decay=0.0).sparsity
    0.0
    """
    params, _ = check_params(params)
    X = check_X(X, params.W1.shape[1])
    settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss, l1)
    weight = check_sample_weight(sample_weight, len(X))
    threads = check_n_threads(n_threads)
    parts = Cost(*_core.evaluate(params, *Data(X), weight, settings.core, n_threads=threads))
    check_result(parts.total, X, loss)
    return parts


@public_in("sae_fast")
def cost_and_grad(
    params: ParamsLike,
    X: ArrayLike,
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
    sample_weight: ArrayLike | None = None,
    out: Params | None = None,
    n_threads: int | None = None,
) -> tuple[float, Params]:
    """Cost J and its gradients (UFLDL, "Autoencoders and Sparsity").

    ``J = 1/(2m) sum (a3 - X)^2 + weight_decay/2 (sum W1^2 + sum W2^2) + beta sum_j KL(rho || rho_hat_j)
    + l1/m sum |a2|`` with rho_hat the mean activation of each hidden unit, mapped to [0, 1]; ``loss`` may put another
    term in the place of the first. Exact also for saturated units, where the textbook formula gives NaN; bitwise the
    same for any number of threads.

    Parameters
    ----------
    params, X, hidden, output, n_threads
        As for :func:`encode` and :func:`decode`.
    rho : float
        Wanted mean activation, in (0, 1).
    beta : float
        Weight of the sparsity penalty, >= 0. It is 0 for relu, whose mean activation has no upper bound. A satlin unit
        that is 0, or 1, for all samples makes J infinite, and adds nothing to the gradient.
    weight_decay : float
        Weight of the L2 penalty on W1 and W2 (never the biases), >= 0.
    loss : {"squared", "absolute", "huber", "cross_entropy"}
        With ``e = a3 - X``, the sum over the outputs of ``e^2/2``; of ``|e|``; of ``e^2/2`` where ``|e| <= 1``, else
        ``|e| - 1/2`` (Huber); or of ``-(x log a + (1 - x) log(1 - a))``, for sigmoid outputs and X in [0, 1]. J has its
        mean over the samples.
    l1 : float
        Weight of the penalty on single activations, >= 0.
    sample_weight : array_like of shape (n_samples,), optional
        Weights of the samples: every mean over samples becomes a weighted one, rho_hat too.
    out : Params, optional
        Four arrays in the shapes and dtype of ``params`` to write the gradients to.

    Returns
    -------
    J : float
    grad : Params
        Gradients in the shapes and dtype of ``params``; ``out`` if given.

    Raises
    ------
    TypeError, ValueError
        Arrays that are not of one float type or do not fit together, or samples that do not fit them; an unknown unit;
        ``rho``, ``beta``, ``weight_decay`` or weights out of their range; an ``out`` that cannot be written to as it
        is.

    Notes
    -----
    Slopes at kinks (relu and satlin at 0, satlin at 1, ``|e|`` at 0) count as 0.

    Finite input gives NaN or infinity only where a sum, its terms taken without their signs, leaves the range of the
    type: z2, z3, the squares of a3 - X, what f'(z2) multiplies in delta2 (delta3 W2, and beta times the slope of KL), a
    gradient before it is divided by the number of samples, or, in float64, the squares of the weights where they decay.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> X = np.random.default_rng(0).uniform(0.1, 0.9, (100, 64))
    >>> params = sf.init_params(64, 25, random_state=0)
    >>> J, grad = sf.cost_and_grad(params, X, rho=0.01, beta=3.0, weight_decay=1e-4)
    >>> grad.W1.shape
    (25, 64)
    """
    if out is not None and sample_weight is None:
        quick = _core.quick_cost_and_grad(params, X, rho, beta, weight_decay, hidden, output, out, n_threads, loss, l1)
        if quick is not None:
            if quick != quick:  # NaN
                check_result(quick, np.asarray(X), loss)
            return quick, out
    params, _ = check_params(params)
    X = check_X(X, params.W1.shape[1])
    settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss, l1)
    weight = check_sample_weight(sample_weight, X.shape[0])
    threads = check_n_threads(n_threads)
    grad = Params(*(np.empty_like(a) for a in params)) if out is None else check_out_params(out, params)
    J, *_ = _core.evaluate(params, *Data(X), weight, settings.core, grad, n_threads=threads)
    check_result(J, X, loss)
    return J, grad


@public_in("sae_fast")
def flatten(params: ParamsLike) -> FloatArray:
    """One vector ``[W1, W2, b1, b2]``, matrices row by row.

    UFLDL's theta has the same order, but matrices column by column: ``sf.conventions.ufldl.pack`` makes that one.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
        All float32 or all float64.

    Returns
    -------
    ndarray of shape (2 n_visible n_hidden + n_hidden + n_visible,)
        A copy, in the dtype of ``params``.

    Raises
    ------
    TypeError, ValueError
        Not four arrays of one dtype that fit on each other.

    Examples
    --------
    >>> import sae_fast as sf
    >>> sf.flatten(sf.init_params(4, 2)).shape
    (22,)
    """
    W1, b1, W2, b2 = check_params(params)[0]
    return np.concatenate([W1.ravel(), W2.ravel(), b1, b2])


@public_in("sae_fast")
def unflatten(theta: FloatArray, n_visible: int, n_hidden: int) -> Params:
    """Parameters as views into a vector ``[W1, W2, b1, b2]``; the inverse of :func:`flatten`.

    Parameters
    ----------
    theta : ndarray of shape (2 n_visible n_hidden + n_hidden + n_visible,)
        float32 or float64.
    n_visible, n_hidden : int
        Sizes of the layers.

    Returns
    -------
    Params
        Views: what is written to them is written to ``theta``.

    Raises
    ------
    TypeError, ValueError
        Not a vector of float32 or float64, or of another length.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> sf.unflatten(np.arange(22.0), 4, 2).b1
    array([16., 17.])
    """
    v = check_count("n_visible", n_visible)
    h = check_count("n_hidden", n_hidden)
    theta = np.asarray(theta)
    n = v * h
    if theta.shape != (2 * n + h + v,):
        raise ValueError(f"theta must have shape ({2 * n + h + v},), got {theta.shape}")
    W1, W2, b1, b2 = np.split(theta, [n, 2 * n, 2 * n + h])
    return Params(W1.reshape(h, v), b1, W2.reshape(v, h), b2)
