"""MATLAB's trainAutoencoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..network._checks import check_activations, check_count, check_penalty
from ..network._types import Hidden, Output
from ._base import Convention, Mapped, Rescaling, check_samples, check_theirs, reject
from ._layout import layout

_SATLIN = "satlin, max(0, min(1, z)), has no counterpart here"


def _factor(mean_over: str, n_visible: int | None) -> float:
    """What their squared error is of ours: 1/m or 1/(m d) against 1/(2m)."""
    if mean_over == "samples":
        return 2.0
    if mean_over != "elements":
        raise reject("mean_over", mean_over, "'samples' or 'elements'")
    if n_visible is None:
        raise ValueError("n_visible must be given where mean_over is 'elements'")
    return 2.0 / check_count("n_visible", n_visible)


def to_ours(
    *,
    L2WeightRegularization: float = 0.001,
    SparsityRegularization: float = 1.0,
    SparsityProportion: float = 0.05,
    EncoderTransferFunction: str = "logsig",
    DecoderTransferFunction: str = "logsig",
    mean_over: str = "samples",
    n_visible: int | None = None,
) -> Mapped:
    """MATLAB's ``trainAutoencoder`` with its only loss, ``msesparse``.

    The documented cost is ``1/m sum_n sum_k (x_kn - xhat_kn)^2 + lambda Omega_w + beta Omega_s``, with
    ``Omega_w = 1/2 sum w^2`` over the weights of the network, not the biases, and
    ``Omega_s = sum_j KL(rho || rhohat_j)`` with natural logarithms (MathWorks, "trainAutoencoder", More About). Its
    squared error has no 1/2, so it is twice ours with half of both regularisers:
    ``weight_decay = L2WeightRegularization / 2``, ``beta = SparsityRegularization / 2``, factor 2.

    MATLAB's plain ``mse`` divides by all m d elements. Should your release's ``msesparse`` do so too (compare
    ``cost`` with the performance that training reports), ``mean_over="elements"`` gives that reading: both
    regularisers are multiplied by d/2, and the factor is 2/d.

    Parameters
    ----------
    L2WeightRegularization, SparsityRegularization, SparsityProportion : float
        MATLAB's names and defaults.
    EncoderTransferFunction : {"logsig"}
        "satlin" is an error.
    DecoderTransferFunction : {"logsig", "purelin"}
        "satlin" is an error.
    mean_over : {"samples", "elements"}
        What the squared error is divided by.
    n_visible : int, optional
        d, which ``mean_over="elements"`` needs.

    Returns
    -------
    Mapped

    Raises
    ------
    ValueError
        A transfer function without counterpart, or a value out of range.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> mapped = conventions.matlab.to_ours(
    ...     L2WeightRegularization=0.004, SparsityRegularization=4, SparsityProportion=0.15
    ... )
    >>> mapped.settings
    {'rho': 0.15, 'beta': 2.0, 'weight_decay': 0.002, 'hidden': 'sigmoid', 'output': 'sigmoid'}
    >>> mapped.cost_factor
    2.0
    """
    if EncoderTransferFunction == "satlin":
        raise ValueError(f"EncoderTransferFunction: {_SATLIN}; retrain with 'logsig'")
    if EncoderTransferFunction != "logsig":
        raise reject("EncoderTransferFunction", EncoderTransferFunction, "'logsig'")
    if DecoderTransferFunction == "satlin":
        raise ValueError(
            f"DecoderTransferFunction: {_SATLIN}; 'purelin' with reconstructions cut to [0, 1] is the same network "
            "when applied, but not when trained"
        )
    if DecoderTransferFunction not in ("logsig", "purelin"):
        raise reject("DecoderTransferFunction", DecoderTransferFunction, "'logsig' or 'purelin'")
    rho, beta, decay = check_theirs(
        ("SparsityProportion", SparsityProportion),
        ("SparsityRegularization", SparsityRegularization),
        ("L2WeightRegularization", L2WeightRegularization),
    )
    factor = _factor(mean_over, n_visible)
    output: Output = "sigmoid" if DecoderTransferFunction == "logsig" else "linear"
    return Mapped(rho, beta / factor, decay / factor, "sigmoid", output, factor)


def from_ours(
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    mean_over: str = "samples",
    n_visible: int | None = None,
) -> dict[str, Any]:
    """Our hyper-parameters as name-value arguments of ``trainAutoencoder``; sigmoid codes, sigmoid or linear output.

    Parameters
    ----------
    rho, beta, weight_decay, hidden, output
        Ours.
    mean_over, n_visible
        As for ``to_ours``.

    Returns
    -------
    dict
        MATLAB's names.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> theirs = conventions.matlab.from_ours(rho=0.15, beta=2.0, weight_decay=0.002)
    >>> theirs["L2WeightRegularization"], theirs["SparsityRegularization"], theirs["SparsityProportion"]
    (0.004, 4.0, 0.15)
    """
    check_activations(hidden, output)
    rho, beta, weight_decay = check_penalty(rho, beta, weight_decay)
    if hidden != "sigmoid":
        raise reject("hidden", hidden, "'sigmoid' for MATLAB, whose encoders are logsig or satlin")
    if output == "tanh":
        raise reject("output", output, "'sigmoid' or 'linear' for MATLAB, whose decoders are logsig, satlin or purelin")
    factor = _factor(mean_over, n_visible)
    return {
        "L2WeightRegularization": weight_decay * factor,
        "SparsityRegularization": beta * factor,
        "SparsityProportion": rho,
        "EncoderTransferFunction": "logsig",
        "DecoderTransferFunction": "logsig" if output == "sigmoid" else "purelin",
    }


def rescaling(X: ArrayLike, *, ymin: float = 0.0, ymax: float = 1.0) -> Rescaling:
    """What ``ScaleData = true`` does for a ``logsig`` decoder: ``mapminmax`` of each feature to [0, 1].

    ``y = (ymax - ymin) (x - xmin) / (xmax - xmin) + ymin``; a feature with ``xmax = xmin`` stays as it is.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_visible)
        Training data, samples as rows (MATLAB's are columns).
    ymin, ymax : float
        The range of the decoder's transfer function.

    Returns
    -------
    Rescaling

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.matlab.rescaling([[1.0, 7.0], [3.0, 7.0]]).transform([[2.0, 7.0]])
    array([[0.5, 7. ]])
    """
    samples = check_samples(X)
    if not float(ymin) < float(ymax):
        raise ValueError(f"ymin must be < ymax, got {ymin!r} and {ymax!r}")
    low, high = samples.min(axis=0), samples.max(axis=0)
    same = low == high
    gain = (ymax - ymin) / np.where(same, 1.0, high - low)
    return Rescaling(np.where(same, 0.0, low), np.where(same, 1.0, gain), np.where(same, 0.0, ymin))


_pack, _unpack = layout(("b1", "W1", "b2", "W2"), "F")

matlab = Convention(
    name="matlab",
    package="MATLAB's trainAutoencoder (R2015b and later), loss msesparse",
    formula="1/m sum (x - xhat)^2 + L2WeightRegularization/2 sum w^2 + SparsityRegularization sum_j KL(rho||rhohat_j)",
    differs=(
        "the formula is the documented one, see mean_over",
        "samples are columns: X is the transpose of its data",
        "images are flattened column by column, see reorder_pixels",
        "ScaleData is on by default, see rescaling",
        "satlin units cannot be represented",
    ),
    to_ours=to_ours,
    from_ours=from_ours,
    pack=_pack,
    unpack=_unpack,
    rescaling=rescaling,
)
