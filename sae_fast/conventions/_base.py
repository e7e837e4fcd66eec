"""What every convention is made of: mapped hyper-parameters, and scaling of data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from ..network._checks import ParamsLike, check_in, check_real, listed
from ..network._functional import cost as our_cost
from ..network._settings import check_autoencoder
from ..network._types import FloatArray, Hidden, Loss, Output
from ._layout import Unpack


@public_in("sae_fast.conventions")
class Mapped(NamedTuple):
    """Hyper-parameters in the words of this package, and what their cost is of ours.

    Attributes
    ----------
    rho, beta, weight_decay : float
        As everywhere in this package.
    hidden : {"sigmoid", "tanh", "relu", "satlin"}
    output : {"sigmoid", "tanh", "linear", "relu", "satlin"}
    cost_factor : float or None
        Their cost is ``cost_factor * J`` at every point, so both have the same minima; None where it is not a multiple.
    differs : tuple of str
        What remains different with these very arguments.
    loss : {"squared", "absolute", "huber", "cross_entropy"}
    """

    rho: float
    beta: float
    weight_decay: float
    hidden: Hidden
    output: Output
    cost_factor: float | None
    differs: tuple[str, ...] = ()
    loss: Loss = "squared"

    @property
    def settings(self) -> dict[str, Any]:
        """The keyword arguments ``rho, beta, weight_decay, hidden, output, loss`` of functions and estimators."""
        return dict(zip(self._fields[:5], self[:5], strict=True)) | {"loss": self.loss}


@public_in("sae_fast.conventions")
@dataclass(frozen=True, eq=False)
class Rescaling:
    """The affine map ``(X - shift) * gain + offset`` that a package applies to its data.

    Attributes
    ----------
    shift, gain, offset : float or ndarray of shape (n_visible,)
        One number for all features, or one for each; every ``gain`` is positive.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> scale = conventions.r_autoencoder.rescaling([[0.0, 5.0], [10.0, 2.5]])
    >>> scale.transform([[0.0, 10.0]])
    array([[0.001, 0.999]])
    >>> scale.inverse_transform([[0.001, 0.999]])
    array([[ 0., 10.]])
    """

    shift: float | NDArray[np.float64] = 0.0
    gain: float | NDArray[np.float64] = 1.0
    offset: float | NDArray[np.float64] = 0.0

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Data (n_samples, n_visible) as the package trains on them."""
        return (np.asarray(X, dtype=np.float64) - self.shift) * self.gain + self.offset

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Reconstructions (n_samples, n_visible) in the units of the data."""
        return (np.asarray(X, dtype=np.float64) - self.offset) / self.gain + self.shift


def check_samples(X: ArrayLike) -> NDArray[np.float64]:
    """Finite float64 samples (n_samples, n_visible), both >= 1."""
    array = np.asarray(X, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"X must have shape (n_samples, n_visible), both >= 1, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("X must be finite, got NaN or infinity")
    return array


def no_rescaling(X: ArrayLike) -> Rescaling:
    """The identity: this package trains on the data as they are.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_visible)

    Returns
    -------
    Rescaling
    """
    check_samples(X)
    return Rescaling()


@public_in("sae_fast.conventions")
@dataclass(frozen=True, eq=False)
class Convention:
    """How another package words, weighs and stores a sparse autoencoder.

    Attributes
    ----------
    name : str
        For :func:`sae_fast.conventions.get`.
    package : str
        Which software, and which version was looked at.
    formula : str
        The cost that it minimises, in its own words; m samples, d features.
    differs : tuple of str
        What its training does otherwise, whatever the arguments.
    to_ours : callable
        ``to_ours(**theirs) -> Mapped``. Names that Python does not allow are spelled ``lambda_``, ``unit_type``.
    from_ours : callable
        ``from_ours(**ours) -> dict`` of their names, which ``to_ours`` takes back.
    pack, unpack : callable
        ``pack(params) -> theta`` and ``unpack(theta, n_visible, n_hidden) -> Params``: their vector of parameters.
    rescaling : callable
        ``rescaling(X, ...) -> Rescaling``: what the package does to its data before training.
    """

    name: str
    package: str
    formula: str
    differs: tuple[str, ...]
    to_ours: Callable[..., Mapped]
    from_ours: Callable[..., dict[str, Any]]
    pack: Callable[[ParamsLike], FloatArray]
    unpack: Unpack
    rescaling: Callable[..., Rescaling]

    def __repr__(self) -> str:
        return f"<Convention {self.name}: {self.package}>"

    def __reduce__(self) -> str:
        return self.name.replace("-", "_")  # pickled by reference, like a function

    def cost(self, params: ParamsLike, X: ArrayLike, **theirs: Any) -> float:
        """Their cost, computed by our core: ``cost_factor`` times ours with the mapped hyper-parameters.

        Parameters
        ----------
        params : Params or sequence (W1, b1, W2, b2)
        X : array_like of shape (n_samples, n_visible)
            Already scaled, see ``rescaling``.
        **theirs
            As for ``to_ours``.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            Their cost is not a multiple of ours with these arguments.

        Examples
        --------
        >>> import numpy as np, sae_fast as sf
        >>> from sae_fast import conventions
        >>> params, X = sf.init_params(4, 2, random_state=0), np.full((5, 4), 0.25)
        >>> J = sf.cost(params, X, rho=0.1, beta=1.0, weight_decay=0.01).total
        >>> E = conventions.matlab.cost(
        ...     params, X, SparsityProportion=0.1, SparsityRegularization=2, L2WeightRegularization=0.02
        ... )
        >>> round(E / J, 12)
        2.0
        """
        mapped = self.to_ours(**theirs)
        if mapped.cost_factor is None:
            raise ValueError(f"{self.name} has no cost that is a multiple of ours: {'; '.join(mapped.differs)}")
        return mapped.cost_factor * our_cost(params, X, **mapped.settings).total


def check_theirs(
    rho: tuple[str, object], beta: tuple[str, object], weight_decay: tuple[str, object]
) -> tuple[float, float, float]:
    """rho, beta and weight_decay in their ranges, each given with the name that it has there."""
    number = check_real(*rho)
    if not 0.0 < number < 1.0:
        raise reject(*rho, "in (0, 1)")
    wanted = ">= 0 and finite"
    return number, check_in(*beta, 0.0, math.inf, wanted), check_in(*weight_decay, 0.0, math.inf, wanted)


def check_ours(
    package: str,
    rho: object,
    beta: object,
    weight_decay: object,
    *,
    hidden: str,
    output: str,
    loss: str,
    l1: object,
    losses: Sequence[str] = ("squared",),
) -> tuple[float, float, float]:
    """rho, beta and weight_decay of an autoencoder whose loss is one of the package's; no package has our l1."""
    settings = check_autoencoder(hidden, output, rho, beta, weight_decay, loss=loss, l1=l1)
    if loss not in losses:
        raise reject("loss", loss, f"{listed(losses)} for {package}")
    if any(settings.l1):
        raise reject("l1", l1, f"0 for {package}, which has no penalty on single activations")
    return settings.rho[0], settings.beta[0], settings.weight_decay[0]


def theirs_of(name: str, unit: str, units: Mapping[str, str], package: str) -> str:
    """The package's word for a unit of ours, of the ones that it has."""
    for theirs, ours in units.items():
        if ours == unit:
            return theirs
    raise reject(name, unit, f"{listed(units.values())} for {package}, whose units are {', '.join(units)}")


def reject(name: str, got: object, wanted: str) -> ValueError:
    """The error for a value that has no counterpart on the other side."""
    return ValueError(f"{name} must be {wanted}, got {got!r}")
