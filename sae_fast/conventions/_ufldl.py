"""UFLDL's Octave exercises, and mlpack's SparseAutoencoder: our cost, other layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..network._checks import ParamsLike, check_count, check_params
from ..network._types import FloatArray, Hidden, Loss, Output, Params
from ._base import Convention, Mapped, check_ours, check_theirs, no_rescaling, reject
from ._layout import as_vector, layout


def ufldl_to_ours(
    *, lambda_: float = 1e-4, sparsityParam: float = 0.01, beta: float = 3.0, linear_decoder: bool = False
) -> Mapped:
    """UFLDL's ``sparseAutoencoderCost`` and ``sparseAutoencoderLinearCost``.

    Its cost is ``1/(2m) sum (a3 - x)^2 + lambda/2 (sum W1^2 + sum W2^2) + beta sum_j KL(sparsityParam || rhoHat_j)``,
    which is ours: the factor is 1.

    Parameters
    ----------
    lambda_, sparsityParam, beta : float
        Its ``lambda`` is ``weight_decay``, ``sparsityParam`` is ``rho``. Defaults: those of the first exercise.
    linear_decoder : bool
        True for the exercise "Learning color features with Sparse Autoencoders".

    Returns
    -------
    Mapped

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> from sae_fast import conventions
    >>> mapped = conventions.ufldl.to_ours(lambda_=3e-3, sparsityParam=0.035, beta=5, linear_decoder=True)
    >>> mapped.settings
    {'rho': 0.035, 'beta': 5.0, 'weight_decay': 0.003, 'hidden': 'sigmoid', 'output': 'linear', 'loss': 'squared'}
    >>> theta = np.arange(22.0)  # [W1(:); W2(:); b1; b2] of 4 visible and 2 hidden units
    >>> conventions.ufldl.unpack(theta, 4, 2).W1
    array([[0., 2., 4., 6.],
           [1., 3., 5., 7.]])
    """
    rho, beta, weight_decay = check_theirs(("sparsityParam", sparsityParam), ("beta", beta), ("lambda_", lambda_))
    return Mapped(rho, beta, weight_decay, "sigmoid", "linear" if linear_decoder else "sigmoid", 1.0)


def ufldl_from_ours(
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
) -> dict[str, Any]:
    """Our hyper-parameters in UFLDL's words; sigmoid codes, sigmoid or linear reconstructions.

    Returns
    -------
    dict
        ``lambda_``, ``sparsityParam``, ``beta``, ``linear_decoder``.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.ufldl.from_ours(rho=0.01, beta=3.0, weight_decay=1e-4)
    {'lambda_': 0.0001, 'sparsityParam': 0.01, 'beta': 3.0, 'linear_decoder': False}
    """
    package = "UFLDL's code"
    rho, beta, weight_decay = check_ours(
        package, rho, beta, weight_decay, hidden=hidden, output=output, loss=loss, l1=l1
    )
    if hidden != "sigmoid":
        raise reject("hidden", hidden, f"'sigmoid' for {package}")
    if output not in ("sigmoid", "linear"):
        raise reject("output", output, f"'sigmoid' or 'linear' for {package}")
    return {"lambda_": weight_decay, "sparsityParam": rho, "beta": beta, "linear_decoder": output == "linear"}


def mlpack_to_ours(*, lambda_: float = 1e-4, beta: float = 3.0, rho: float = 0.01) -> Mapped:
    """``mlpack::SparseAutoencoder``.

    Its cost is ``0.5 accu(diff^2) / m + 0.5 lambda (|w1|^2 + |w2|^2) + beta sum_j KL(rho || rhoCap_j)`` with sigmoid
    units, which is ours: the factor is 1.

    Parameters
    ----------
    lambda_, beta, rho : float
        Its ``lambda`` is ``weight_decay``. Defaults: its own.

    Returns
    -------
    Mapped

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.mlpack.to_ours(lambda_=1e-4, beta=3, rho=0.01).settings["weight_decay"]
    0.0001
    >>> import sae_fast as sf
    >>> theta = conventions.mlpack.pack(sf.init_params(64, 25, random_state=0))
    >>> theta.reshape((2 * 25 + 1, 64 + 1), order="F").shape  # its matrix [W1, b1; W2', 0; b2', 0]
    (51, 65)
    """
    rho, beta, weight_decay = check_theirs(("rho", rho), ("beta", beta), ("lambda_", lambda_))
    return Mapped(rho, beta, weight_decay, "sigmoid", "sigmoid", 1.0)


def mlpack_from_ours(
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
) -> dict[str, Any]:
    """Our hyper-parameters in mlpack's words; sigmoid units only.

    Returns
    -------
    dict
        ``lambda_``, ``beta``, ``rho``.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.mlpack.from_ours(rho=0.01, beta=3.0, weight_decay=1e-4)
    {'lambda_': 0.0001, 'beta': 3.0, 'rho': 0.01}
    """
    rho, beta, weight_decay = check_ours(
        "mlpack", rho, beta, weight_decay, hidden=hidden, output=output, loss=loss, l1=l1
    )
    for name, unit in (("hidden", hidden), ("output", output)):
        if unit != "sigmoid":
            raise reject(name, unit, "'sigmoid' for mlpack")
    return {"lambda_": weight_decay, "beta": beta, "rho": rho}


def mlpack_pack(params: ParamsLike) -> FloatArray:
    """Parameters as the memory of mlpack's matrix.

    The matrix has 2 n_hidden + 1 rows and n_visible + 1 columns: ``W1 | b1`` on top, then the transpose of ``W2``,
    then ``b2`` as a row; the n_hidden + 1 cells that remain are 0. Armadillo stores it by columns.

    Parameters
    ----------
    params : Params or sequence (W1, b1, W2, b2)
        float32 or float64.

    Returns
    -------
    ndarray of shape ((2 n_hidden + 1) (n_visible + 1),)
        Give it its shape with ``theta.reshape((2 * n_hidden + 1, n_visible + 1), order="F")``.
    """
    (W1, b1, W2, b2), dtype = check_params(params)
    h, v = W1.shape
    matrix = np.zeros((2 * h + 1, v + 1), dtype)
    matrix[:h, :v], matrix[h : 2 * h, :v] = W1, W2.T
    matrix[:h, v], matrix[2 * h, :v] = b1, b2
    return matrix.ravel(order="F")


def mlpack_unpack(theta: ArrayLike, n_visible: int, n_hidden: int) -> Params:
    """Parameters from mlpack's matrix, or from its memory by columns; the inverse of ``pack``.

    Parameters
    ----------
    theta : array_like of shape (2 n_hidden + 1, n_visible + 1) or ((2 n_hidden + 1) (n_visible + 1),)
        The cells that mlpack does not use are not looked at.
    n_visible, n_hidden : int
        Sizes of the layers.

    Returns
    -------
    Params
        Copies, C-contiguous.
    """
    v, h = check_count("n_visible", n_visible), check_count("n_hidden", n_hidden)
    array, shape = np.asarray(theta), (2 * h + 1, v + 1)
    memory = array.ravel(order="F") if array.shape == shape else array
    flat = as_vector(memory, shape[0] * shape[1], f"mlpack's matrix {shape} of n_visible {v} and n_hidden {h}")
    matrix = flat.reshape(shape, order="F")
    parts = (matrix[:h, :v], matrix[:h, v], matrix[h : 2 * h, :v].T, matrix[2 * h, :v])
    return Params(*(part.copy(order="C") for part in parts))


_pack, _unpack = layout(("W1", "W2", "b1", "b2"), "F")

ufldl = Convention(
    name="ufldl",
    package="Stanford's UFLDL exercises for Octave and MATLAB (sparseAutoencoderCost.m)",
    formula="1/(2m) sum (a3 - x)^2 + lambda/2 (sum W1^2 + sum W2^2) + beta sum_j KL(sparsityParam || rhoHat_j)",
    differs=(
        "samples are columns: X is the transpose of its data",
        "images are flattened column by column, see reorder_pixels",
    ),
    to_ours=ufldl_to_ours,
    from_ours=ufldl_from_ours,
    pack=_pack,
    unpack=_unpack,
    rescaling=no_rescaling,
)

mlpack = Convention(
    name="mlpack",
    package="mlpack's SparseAutoencoder (methods/sparse_autoencoder)",
    formula="0.5/m sum diff^2 + 0.5 lambda (sum w1^2 + sum w2^2) + beta sum_j KL(rho || rhoCap_j)",
    differs=("samples are columns: X is the transpose of its data",),
    to_ours=mlpack_to_ours,
    from_ours=mlpack_from_ours,
    pack=mlpack_pack,
    unpack=mlpack_unpack,
    rescaling=no_rescaling,
)
