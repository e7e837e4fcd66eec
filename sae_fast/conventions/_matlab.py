"""MATLAB's trainAutoencoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..network._checks import check_count, listed
from ..network._types import Hidden, Loss, Output
from ._base import Convention, Mapped, Rescaling, check_ours, check_samples, check_theirs, reject, theirs_of
from ._layout import layout

_ENCODERS: dict[str, Hidden] = {"logsig": "sigmoid", "satlin": "satlin"}
_DECODERS: dict[str, Output] = {"logsig": "sigmoid", "satlin": "satlin", "purelin": "linear"}


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
    EncoderTransferFunction : {"logsig", "satlin"}
    DecoderTransferFunction : {"logsig", "satlin", "purelin"}
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
        A transfer function that MATLAB's autoencoders have not, or a value out of range.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> mapped = conventions.matlab.to_ours(
    ...     L2WeightRegularization=0.004, SparsityRegularization=4, SparsityProportion=0.15
    ... )
    >>> mapped.settings
    {'rho': 0.15, 'beta': 2.0, 'weight_decay': 0.002, 'hidden': 'sigmoid', 'output': 'sigmoid', 'loss': 'squared'}
    >>> mapped.cost_factor
    2.0
    """
    if EncoderTransferFunction not in _ENCODERS:
        raise reject("EncoderTransferFunction", EncoderTransferFunction, listed(_ENCODERS))
    if DecoderTransferFunction not in _DECODERS:
        raise reject("DecoderTransferFunction", DecoderTransferFunction, listed(_DECODERS))
    rho, beta, decay = check_theirs(
        ("SparsityProportion", SparsityProportion),
        ("SparsityRegularization", SparsityRegularization),
        ("L2WeightRegularization", L2WeightRegularization),
    )
    factor = _factor(mean_over, n_visible)
    hidden, output = _ENCODERS[EncoderTransferFunction], _DECODERS[DecoderTransferFunction]
    return Mapped(rho, beta / factor, decay / factor, hidden, output, factor)


def from_ours(
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
    mean_over: str = "samples",
    n_visible: int | None = None,
) -> dict[str, Any]:
    """Our hyper-parameters as name-value arguments of ``trainAutoencoder``; sigmoid or satlin codes, no tanh or relu.

    Parameters
    ----------
    rho, beta, weight_decay, hidden, output, loss, l1
        Ours; MATLAB has the squared loss alone, and no ``l1``.
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
    rho, beta, weight_decay = check_ours(
        "MATLAB", rho, beta, weight_decay, hidden=hidden, output=output, loss=loss, l1=l1
    )
    factor = _factor(mean_over, n_visible)
    return {
        "L2WeightRegularization": weight_decay * factor,
        "SparsityRegularization": beta * factor,
        "SparsityProportion": rho,
        "EncoderTransferFunction": theirs_of("hidden", hidden, _ENCODERS, "MATLAB"),
        "DecoderTransferFunction": theirs_of("output", output, _DECODERS, "MATLAB"),
    }


def rescaling(X: ArrayLike, *, ymin: float = 0.0, ymax: float = 1.0) -> Rescaling:
    """What ``ScaleData = true`` does for a ``logsig`` or ``satlin`` decoder: ``mapminmax`` of each feature to [0, 1].

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
    ),
    to_ours=to_ours,
    from_ours=from_ours,
    pack=_pack,
    unpack=_unpack,
    rescaling=rescaling,
)
