"""R's packages autoencoder and SAENET."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from .._public import public_in
from ..network._checks import check_in, check_real
from ..network._types import Hidden, Loss, Output
from ._base import Convention, Mapped, Rescaling, check_ours, check_samples, check_theirs, reject, theirs_of
from ._layout import layout

_UNITS: dict[str, Hidden] = {"logistic": "sigmoid", "tanh": "tanh"}
_TANH = (
    "its gradient leaves out the factor 1/2 of the rescaled tanh, so optim() is given the gradient of our J with twice "
    "the beta beside the value with beta; the fit is a minimum of neither"
)


def hidden_of(unit_type: str) -> Hidden:
    if not isinstance(unit_type, str) or unit_type not in _UNITS:
        raise reject("unit_type", unit_type, "'logistic' or 'tanh'")
    return _UNITS[unit_type]


def to_ours(*, lambda_: float, beta: float, rho: float, unit_type: str = "logistic") -> Mapped:
    """R's ``autoencode(X.train, nl = 3, ...)``, and one layer of ``SAENET.train``.

    Its cost is ``mean(0.5 rowSums((a3 - X)^2)) + lambda/2 (sum W1^2 + sum W2^2) + beta sum_j KL(rho || rho.hat_j)``,
    with ``rho.hat`` the mean of ``a2``, or of ``(a2 + 1)/2`` for tanh: ours, with the factor 1. The errors that a fit
    reports (``mean.error.training.set``) lack the 0.5: they are ``2 * sf.cost(...).reconstruction``.

    Parameters
    ----------
    lambda_, beta, rho : float
        Its ``lambda`` is ``weight_decay``.
    unit_type : {"logistic", "tanh"}
        Its ``unit.type``, of both layers.

    Returns
    -------
    Mapped

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.r_autoencoder.to_ours(lambda_=2e-4, beta=6, rho=0.01).settings
    {'rho': 0.01, 'beta': 6.0, 'weight_decay': 0.0002, 'hidden': 'sigmoid', 'output': 'sigmoid', 'loss': 'squared'}
    """
    unit = hidden_of(unit_type)
    rho, beta, weight_decay = check_theirs(("rho", rho), ("beta", beta), ("lambda_", lambda_))
    return Mapped(rho, beta, weight_decay, unit, unit, 1.0, (_TANH,) if unit == "tanh" and beta > 0 else ())


def from_ours(
    *,
    rho: float,
    beta: float,
    weight_decay: float,
    hidden: Hidden = "sigmoid",
    output: Output = "sigmoid",
    loss: Loss = "squared",
    l1: float = 0.0,
) -> dict[str, Any]:
    """Our hyper-parameters in R's words; both layers of one type, sigmoid or tanh.

    Returns
    -------
    dict
        ``lambda_``, ``beta``, ``rho``, ``unit_type``: in R ``lambda``, ``beta``, ``rho``, ``unit.type``.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.saenet.from_ours(rho=0.01, beta=6.0, weight_decay=2e-4)
    {'lambda_': 0.0002, 'beta': 6.0, 'rho': 0.01, 'unit_type': 'logistic'}
    """
    package = "R's autoencoder"
    rho, beta, weight_decay = check_ours(
        package, rho, beta, weight_decay, hidden=hidden, output=output, loss=loss, l1=l1
    )
    unit_type = theirs_of("hidden", hidden, _UNITS, package)
    if output != hidden:
        raise reject("output", output, f"{hidden!r} too, since R's unit.type is that of both layers")
    return {"lambda_": weight_decay, "beta": beta, "rho": rho, "unit_type": unit_type}


@public_in("sae_fast.conventions")
def saenet_layers(
    n_nodes: Sequence[int],
    *,
    lambda_: float | Sequence[float],
    beta: float | Sequence[float],
    rho: float | Sequence[float],
    unit_type: str = "logistic",
) -> list[Mapped]:
    """The layers of R's ``SAENET.train(X.train, n.nodes, ...)``, one after another.

    Parameters
    ----------
    n_nodes : sequence of int
        Hidden units of each layer.
    lambda_, beta, rho : float or sequence of float
        One value for all layers, or one for each. As in SAENET a sequence that is too short is repeated.
    unit_type : {"logistic", "tanh"}

    Returns
    -------
    list of Mapped
        One for each layer.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> layers = conventions.saenet_layers((5, 3), lambda_=1e-5, beta=1e-5, rho=(0.01, 0.02))
    >>> [layer.rho for layer in layers]
    [0.01, 0.02]
    """
    n = len(n_nodes)
    values: dict[str, Sequence[float]] = {}
    for name, value in (("lambda_", lambda_), ("beta", beta), ("rho", rho)):
        given = tuple(value) if isinstance(value, Sequence) else (value,)
        if not given or isinstance(value, str):
            raise reject(name, value, "a number, or one for each layer")
        values[name] = given * n if len(given) < n else given[:n]
    return [to_ours(unit_type=unit_type, **{k: v[i] for k, v in values.items()}) for i in range(n)]


def rescaling(
    X: ArrayLike | None = None,
    *,
    unit_type: str = "logistic",
    rescaling_offset: float = 0.001,
    rescaling_min: float | None = None,
    rescaling_max: float | None = None,
) -> Rescaling:
    """What ``autoencode(rescale.flag = TRUE)`` does: one map for all features, from their range to the units'.

    The smallest and largest value of the whole matrix become ``offset`` and ``1 - offset`` (logistic), or
    ``-1 + offset`` and ``1 - offset`` (tanh).

    Parameters
    ----------
    X : array_like of shape (n_samples, n_visible), optional
        Training data; not needed where both ends are given.
    unit_type : {"logistic", "tanh"}
    rescaling_offset : float
        In [0, 0.5).
    rescaling_min, rescaling_max : float, optional
        The ends that a fit has stored in ``rescaling``; the smallest and largest value of ``X`` otherwise.

    Returns
    -------
    Rescaling

    Raises
    ------
    ValueError
        No data and no ends, or all values equal.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> scale = conventions.r_autoencoder.rescaling(rescaling_min=0.0, rescaling_max=255.0)
    >>> scale.transform([[0, 255]])
    array([[0.001, 0.999]])
    """
    unit = hidden_of(unit_type)
    offset = check_in("rescaling_offset", rescaling_offset, 0.0, 0.5, "in [0, 0.5)")
    if rescaling_min is None or rescaling_max is None:
        if X is None:
            raise ValueError("X must be given unless rescaling_min and rescaling_max are")
        samples = check_samples(X)
        rescaling_min = float(samples.min()) if rescaling_min is None else rescaling_min
        rescaling_max = float(samples.max()) if rescaling_max is None else rescaling_max
    bottom, top = check_real("rescaling_min", rescaling_min), check_real("rescaling_max", rescaling_max)
    width = top - bottom
    if not 0.0 < width < float("inf"):
        raise ValueError(f"the largest value must be above the smallest, got {top} and {bottom}")
    low, high = (offset, 1.0 - offset) if unit == "sigmoid" else (offset - 1.0, 1.0 - offset)
    return Rescaling(bottom, (high - low) / width, low)


_pack, _unpack = layout(("W1", "b1", "W2", "b2"), "F")

r_autoencoder = Convention(
    name="r-autoencoder",
    package="R package autoencoder 1.1 (CRAN), three layers",
    formula="mean(0.5 rowSums((a3 - X)^2)) + lambda/2 (sum W1^2 + sum W2^2) + beta sum_j KL(rho || rho.hat_j)",
    differs=(
        "weights start from N(0, epsilon^2), and optim() stops by relative change of the cost",
        "predict(hidden.output = TRUE) does not rescale its input, even where the fit was made on rescaled data",
    ),
    to_ours=to_ours,
    from_ours=from_ours,
    pack=_pack,
    unpack=_unpack,
    rescaling=rescaling,
)

saenet = Convention(
    name="saenet",
    package="R package SAENET (CRAN), which trains each layer by autoencoder::autoencode",
    formula=r_autoencoder.formula + ", layer by layer on the codes below",
    differs=(
        *r_autoencoder.differs,
        "only the first layer's data can be rescaled, and the codes it hands on are those of the data as they were",
        "SAENET.predict feeds the layers after the first with the codes of the training data",
    ),
    to_ours=to_ours,
    from_ours=from_ours,
    pack=_pack,
    unpack=_unpack,
    rescaling=rescaling,
)
