"""R's package ruta, which trains by Keras."""

from __future__ import annotations

from typing import Any

from ..network._checks import check_count, check_real, listed
from ..network._types import Hidden, Loss, Output
from ._base import Convention, Mapped, check_ours, no_rescaling, reject, theirs_of
from ._layout import layout

_HIDDEN: dict[str, Hidden] = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}
_OUTPUT: dict[str, Output] = {**_HIDDEN, "linear": "linear"}
_LOSSES: dict[str, tuple[Loss, float]] = {  # ours, and what theirs times the number of features is of it
    "mean_squared_error": ("squared", 2.0),
    "mean_absolute_error": ("absolute", 1.0),
    "huber": ("huber", 1.0),
    "binary_crossentropy": ("cross_entropy", 1.0),
}
_CLIPPED = "Keras may cut reconstructions at 1e-7 from 0 and 1 before it takes the cross-entropy"


def to_ours(
    *,
    activation: str,
    n_visible: int,
    output_activation: str = "linear",
    loss: str = "mean_squared_error",
    sparse: bool = False,
    decay: float = 0.0,
) -> Mapped:
    """``autoencoder(input() + dense(n, activation) + output(output_activation), loss)`` of ruta 1.2.

    Keras's losses are means over samples and features, so the factor is 1/d, or 2/d for the squared error, which has no
    1/2 there. There is no penalty: that of ``autoencoder_sparse`` is taken of the units before their activation, and
    does not use its ``weight``, and ``add_weight_decay`` is for the encoder alone.

    Parameters
    ----------
    activation : {"sigmoid", "tanh", "relu"}
        Of the encoding layer. Others, "linear" among them, are errors.
    n_visible : int
        d.
    output_activation : {"linear", "sigmoid", "tanh", "relu"}
    loss : {"mean_squared_error", "mean_absolute_error", "huber", "binary_crossentropy"}
        Others are errors; "binary_crossentropy" needs sigmoid outputs.
    sparse : bool
        True, for ``autoencoder_sparse``, is an error.
    decay : float
        Of ``add_weight_decay``; other than 0 is an error.

    Returns
    -------
    Mapped
        ``rho`` has no meaning where ``beta`` is 0.

    Raises
    ------
    ValueError
        Units, a loss or a penalty without counterpart.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> mapped = conventions.ruta.to_ours(
    ...     activation="relu", output_activation="sigmoid", loss="binary_crossentropy", n_visible=64
    ... )
    >>> mapped.hidden, mapped.output, mapped.loss, mapped.cost_factor
    ('relu', 'sigmoid', 'cross_entropy', 0.015625)
    """
    for name, unit, units in (("activation", activation, _HIDDEN), ("output_activation", output_activation, _OUTPUT)):
        if unit not in units:
            raise reject(name, unit, f"{listed(units)}, the ones of Keras's that exist here")
    if loss not in _LOSSES:
        raise reject("loss", loss, f"{listed(_LOSSES)}, the ones of Keras's that exist here")
    if loss == "binary_crossentropy" and output_activation != "sigmoid":
        raise reject("output_activation", output_activation, "'sigmoid' with loss='binary_crossentropy'")
    if sparse:
        raise reject("sparse", sparse, "False: ruta takes its penalty of the units before their activation")
    if check_real("decay", decay) != 0:
        raise reject("decay", decay, "0: ruta's is for the encoder alone, and ours for all weights")
    ours, factor = _LOSSES[loss]
    factor /= check_count("n_visible", n_visible)
    differs = (_CLIPPED,) if ours == "cross_entropy" else ()
    return Mapped(0.05, 0.0, 0.0, _HIDDEN[activation], _OUTPUT[output_activation], factor, differs, ours)


def from_ours(
    *,
    rho: float = 0.05,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
) -> dict[str, Any]:
    """Our hyper-parameters in ruta's words; no penalties, and no satlin units.

    Returns
    -------
    dict
        ``activation``, ``output_activation``, ``loss``.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.ruta.from_ours(beta=0.0, weight_decay=0.0, hidden="relu", output="linear", loss="absolute")
    {'activation': 'relu', 'output_activation': 'linear', 'loss': 'mean_absolute_error'}
    """
    losses = {ours: theirs for theirs, (ours, _) in _LOSSES.items()}
    _, beta, weight_decay = check_ours(
        "ruta", rho, beta, weight_decay, hidden=hidden, output=output, loss=loss, l1=l1, losses=tuple(losses)
    )
    for name, value in (("beta", beta), ("weight_decay", weight_decay)):
        if value != 0.0:
            raise reject(name, value, "0 for ruta, whose penalties are others")
    return {
        "activation": theirs_of("hidden", hidden, _HIDDEN, "ruta"),
        "output_activation": theirs_of("output", output, _OUTPUT, "ruta"),
        "loss": losses[loss],
    }


_pack, _unpack = layout(("W1", "b1", "W2", "b2"), "C")

ruta = Convention(
    name="ruta",
    package="R package ruta 1.2 (CRAN), a network of one hidden layer, trained by Keras",
    formula="mean over samples and features of the loss; penalties are not mapped",
    differs=(
        "trained by minibatches of 32 with rmsprop by default",
        "Keras's kernels are the transposes of W1 and W2; unlist(keras::get_weights(model)) is the vector",
    ),
    to_ours=to_ours,
    from_ours=from_ours,
    pack=_pack,
    unpack=_unpack,
    rescaling=no_rescaling,
)
