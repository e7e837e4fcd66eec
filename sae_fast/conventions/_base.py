"""What every convention is made of: mapped hyper-parameters, scaling of data, layouts of parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import ParamsLike, check_count, check_params
from .._functional import cost as our_cost
from .._types import FloatArray, Hidden, Output, Params


class Mapped(NamedTuple):
    """Hyper-parameters in the words of this package, and what their cost is of ours.

    Attributes
    ----------
    rho, beta, weight_decay : float
        As everywhere in this package.
    hidden : {"sigmoid", "tanh"}
    output : {"sigmoid", "tanh", "linear"}
    cost_factor : float or None
        Their cost is ``cost_factor * J`` at every point, so both have the same minima; None where it is not a multiple.
    differs : tuple of str
        What remains different with these very arguments.
    """

    rho: float
    beta: float
    weight_decay: float
    hidden: Hidden
    output: Output
    cost_factor: float | None
    differs: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """The keyword arguments ``rho, beta, weight_decay, hidden, output`` of functions and estimators."""
        return dict(zip(self._fields[:5], self[:5], strict=True))


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


class Unpack(Protocol):
    """Parameters from their vector."""

    def __call__(self, theta: ArrayLike, n_visible: int, n_hidden: int) -> Params: ...


def layout(order: Sequence[str], memory: Literal["C", "F"]) -> tuple[Callable[[ParamsLike], FloatArray], Unpack]:
    """Functions ``pack`` and ``unpack`` of a vector that holds the parameters in ``order``.

    ``memory`` is the order inside of a matrix: "F" (column-major: MATLAB, Octave, R) or "C" (row-major).
    """

    def pack(params: ParamsLike) -> FloatArray:
        """Parameters as one vector, ready for the package.

        Parameters
        ----------
        params : Params or sequence (W1, b1, W2, b2)
            float32 or float64.

        Returns
        -------
        ndarray of shape (2 n_visible n_hidden + n_hidden + n_visible,)
            A copy, of the dtype of ``params``.
        """
        checked, _ = check_params(params)
        return np.concatenate([getattr(checked, name).ravel(order=memory) for name in order])

    def unpack(theta: ArrayLike, n_visible: int, n_hidden: int) -> Params:
        """Parameters from the package's vector; the inverse of ``pack``.

        Parameters
        ----------
        theta : array_like of shape (2 n_visible n_hidden + n_hidden + n_visible,)
            A single column or row will do. Types other than float32 become float64.
        n_visible, n_hidden : int
            Sizes of the layers.

        Returns
        -------
        Params
            Copies, C-contiguous.

        Raises
        ------
        ValueError
            ``theta`` does not have the length that the sizes ask for.
        """
        v, h = check_count("n_visible", n_visible), check_count("n_hidden", n_hidden)
        shapes = {"W1": (h, v), "b1": (h,), "W2": (v, h), "b2": (v,)}
        flat = as_vector(theta, 2 * v * h + h + v, f"n_visible {v} and n_hidden {h}")
        ends = np.cumsum([int(np.prod(shapes[name])) for name in order])[:-1]
        parts = dict(zip(order, np.split(flat, ends), strict=True))
        return Params(*(parts[n].reshape(shape, order=memory).copy(order="C") for n, shape in shapes.items()))

    return pack, unpack


def as_vector(theta: ArrayLike, size: int, wanted_for: str) -> FloatArray:
    """``theta`` as a flat float array of ``size`` values; a row or a column will do."""
    array = np.asarray(theta)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"theta must be real, got dtype {array.dtype}")
    if array.size != size or array.ndim > 2 or (array.ndim == 2 and 1 not in array.shape):
        raise ValueError(f"theta must have {size} values for {wanted_for}, got shape {array.shape}")
    return array.ravel().astype(array.dtype if array.dtype == np.float32 else np.float64)


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


def reject(name: str, got: object, wanted: str) -> ValueError:
    """The error for a value that has no counterpart on the other side."""
    return ValueError(f"{name} must be {wanted}, got {got!r}")
