"""How others word, weigh and store a sparse autoencoder, mapped to this package and back.

A :class:`Convention` knows a package's hyper-parameters (``to_ours``, ``from_ours``), the vector that holds its
parameters (``pack``, ``unpack``), its cost (``cost``) and what it does to its data (``rescaling``). Files:
:func:`read_mat`, :func:`write_mat`, :func:`read_cran_fit`. Models of scikit-learn: :func:`from_mlp_regressor`,
:func:`to_mlp_regressor`. The page ``docs/conventions.md`` compares them.

Examples
--------
>>> from sae_fast import conventions
>>> conventions.names()
('h2o', 'matlab', 'mlpack', 'r-autoencoder', 'ruta', 'saenet', 'sklearn', 'ufldl')
>>> conventions.get("r-autoencoder").to_ours(lambda_=2e-4, beta=6, rho=0.01).weight_decay
0.0002
"""

from __future__ import annotations

from ._base import Convention, Mapped, Rescaling
from ._cran import CranFileError, CranFit, read_cran_fit
from ._h2o import h2o
from ._mat import MatFileError, read_mat, write_mat
from ._matlab import matlab
from ._mlp import from_mlp_regressor, to_mlp_regressor
from ._pixels import pixel_order, reorder_pixels
from ._r import r_autoencoder, saenet, saenet_layers
from ._ruta import ruta
from ._sklearn import sklearn
from ._ufldl import mlpack, ufldl

# fmt: off
__all__ = [
    "Convention", "CranFileError", "CranFit", "Mapped", "MatFileError", "Rescaling", "from_mlp_regressor", "get", "h2o",
    "matlab", "mlpack", "names", "pixel_order", "r_autoencoder", "read_cran_fit", "read_mat", "reorder_pixels",
    "ruta", "saenet", "saenet_layers", "sklearn", "to_mlp_regressor", "ufldl", "write_mat",
]
# fmt: on

_ALL = {c.name: c for c in (h2o, matlab, mlpack, r_autoencoder, ruta, saenet, sklearn, ufldl)}


def names() -> tuple[str, ...]:
    """Names of all conventions, sorted.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from sae_fast import conventions
    >>> len(conventions.names())
    8
    """
    return tuple(sorted(_ALL))


def get(name: str) -> Convention:
    """The convention of that name.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Returns
    -------
    Convention

    Raises
    ------
    ValueError
        There is none of that name.

    Examples
    --------
    >>> from sae_fast import conventions
    >>> conventions.get("matlab")
    <Convention matlab: MATLAB's trainAutoencoder (R2015b and later), loss msesparse>
    """
    if not isinstance(name, str) or name not in _ALL:
        raise ValueError(f"name must be one of {', '.join(names())}, got {name!r}")
    return _ALL[name]
