"""Weights in MATLAB's and Octave's ``.mat`` files; SciPy reads version 4, and writes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..files._atomic import replacing
from ..network._checks import ParamsLike, check_params
from ..network._types import Params
from ._base import Convention
from ._mat5 import is_mat5, read_mat5
from ._ufldl import ufldl

_FIELDS = ("W1", "b1", "W2", "b2")
_MATLAB = ("EncoderWeights", "EncoderBiases", "DecoderWeights", "DecoderBiases")
_VECTORS = ("opttheta", "optTheta", "theta")
_SAVE = 'save("weights.mat", "W1", "b1", "W2", "b2", "-v7")'


@public_in("sae_fast.conventions")
class MatFileError(ValueError):
    """The file is not a MAT-file of version 4 to 7.2, is damaged, or does not hold the weights of one autoencoder."""


def _scipy_io() -> Any:
    try:
        import scipy.io
    except ImportError as error:
        raise ImportError('.mat files need SciPy: pip install "sae-fast[estimators]"') from error
    return scipy.io


def _load(path: str | PathLike[str]) -> dict[str, Any]:
    data = Path(path).read_bytes()
    if b"\x89HDF" in data[:520]:
        raise MatFileError(f"{path} is a MAT-file of version 7.3 (HDF5); save it as version 7: {_SAVE}")
    try:
        if is_mat5(data):
            return read_mat5(data)
        found: dict[str, Any] = _scipy_io().loadmat(io.BytesIO(data))
    except ImportError:
        raise
    except Exception as error:  # a damaged file makes SciPy raise whatever it stumbles over
        raise MatFileError(f"{path} is not a MAT-file of version 4 to 7.2, or it is damaged: {error}") from error
    return {name: value for name, value in found.items() if not name.startswith("__")}


def _pick(found: Mapping[str, Any], dotted: str, path: str | PathLike[str]) -> NDArray[Any]:
    """The numeric array of that name; ``a.b`` is the field ``b`` of the struct ``a``."""
    value: Any = found
    for part in dotted.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise MatFileError(f"{path} has no variable {dotted!r}, only {_listed(found)}; pass names=")
        value = value[part]
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise MatFileError(
            f"{dotted} in {path} is not a real numeric array; of an Autoencoder object save the weights: "
            f"W1 = autoenc.EncoderWeights; b1 = autoenc.EncoderBiases; W2 = autoenc.DecoderWeights; "
            f"b2 = autoenc.DecoderBiases; {_SAVE}"
        )
    if array.size == 0 or not np.isfinite(array).all():
        raise MatFileError(f"{dotted} in {path} must be finite and not empty")
    return array


def _listed(found: Mapping[str, Any]) -> str:
    return ", ".join(sorted(found)) or "nothing"


@public_in("sae_fast.conventions")
def read_mat(
    path: str | PathLike[str],
    *,
    names: Mapping[str, str] | str | None = None,
    transposed: bool | None = None,
    n_visible: int | None = None,
    n_hidden: int | None = None,
    convention: Convention = ufldl,
) -> Params:
    """Weights of an autoencoder from a ``.mat`` file of version 4 to 7.2.

    Without ``names`` the file is searched for ``W1, b1, W2, b2``, then for the properties of MATLAB's Autoencoder
    objects (``EncoderWeights``, ``EncoderBiases``, ``DecoderWeights``, ``DecoderBiases``), then for UFLDL's vector
    (``opttheta``, ``optTheta`` or ``theta``).

    Parameters
    ----------
    path : path-like
    names : mapping or str, optional
        ``{"W1": "net.enc", "b1": ..., "W2": ..., "b2": ...}``: the variables to read; a dot leads into a struct. A str
        is the name of a single vector that holds all parameters.
    transposed : bool, optional
        True if ``W1`` is (n_visible, n_hidden) and ``W2`` (n_hidden, n_visible) in the file, False if they are the
        other way round, as here. By default their shapes tell, unless n_visible = n_hidden: then it must be given,
        except for MATLAB's property names, whose orientation is documented.
    n_visible, n_hidden : int, optional
        Sizes of the layers, needed for a vector unless the file holds ``visibleSize`` and ``hiddenSize``.
    convention : Convention
        Whose order the vector has.

    Returns
    -------
    Params
        float32 if all arrays are, else float64.

    Raises
    ------
    MatFileError
        A ``ValueError``: not such a file, variables missing, or shapes that do not fit.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import sae_fast as sf
    >>> from sae_fast import conventions
    >>> path = pathlib.Path(tempfile.mkdtemp(), "weights.mat")
    >>> conventions.write_mat(path, sf.init_params(64, 25, random_state=0))
    >>> conventions.read_mat(path).W1.shape
    (25, 64)
    """
    found = _load(path)
    if isinstance(names, Mapping):
        if set(names) != set(_FIELDS):
            raise ValueError(f"names must have the keys W1, b1, W2 and b2, got {', '.join(map(repr, names)) or 'none'}")
        return _from_arrays(*(_pick(found, names[f], path) for f in _FIELDS), transposed=transposed, path=path)
    if names is None:
        for known in (_FIELDS, _MATLAB):
            if all(name in found for name in known):
                turned = False if known is _MATLAB and transposed is None else transposed
                return _from_arrays(*(_pick(found, name, path) for name in known), transposed=turned, path=path)
    vector = names or next((name for name in _VECTORS if name in found), None)
    if vector is None:
        raise MatFileError(f"{path} has no weights under a known name, only {_listed(found)}; pass names=")
    sizes = [_size(found, *pair) for pair in ((n_visible, "visibleSize"), (n_hidden, "hiddenSize"))]
    if None in sizes:
        raise MatFileError(f"{vector} in {path} is one vector: pass n_visible and n_hidden")
    try:
        return convention.unpack(_pick(found, vector, path), *sizes)
    except ValueError as error:
        raise MatFileError(f"{vector} in {path} does not fit: {error}") from error


def _size(found: Mapping[str, Any], given: int | None, name: str) -> Any:
    if given is not None:
        return given
    stored = np.asarray(found.get(name))
    if stored.size != 1 or stored.dtype.kind not in "fiu":
        return None
    value = float(stored.item())
    return int(value) if value.is_integer() else None


def _from_arrays(
    W1: NDArray[Any],
    b1: NDArray[Any],
    W2: NDArray[Any],
    b2: NDArray[Any],
    *,
    transposed: bool | None,
    path: str | PathLike[str],
) -> Params:
    h, v = b1.size, b2.size
    single = all(a.dtype == np.float32 for a in (W1, b1, W2, b2))
    if transposed is None and h == v and h > 1:
        raise MatFileError(
            f"W1 and W2 in {path} are {h} x {v}, which does not tell their orientation: pass transposed=False if "
            "W1 * x + b1 is what the hidden units get, transposed=True if x * W1 + b1 is"
        )
    matrices = []
    for name, array, shape in (("W1", W1, (h, v)), ("W2", W2, (v, h))):
        if array.shape == shape and transposed is not True:
            matrices.append(array)
        elif array.shape == shape[::-1] and transposed is not False:
            matrices.append(array.T)
        else:
            wanted = {None: f"{shape} or its transpose", False: f"{shape}", True: f"{shape[::-1]}"}[transposed]
            raise MatFileError(f"{name} in {path} must be {wanted} to match {h} b1 and {v} b2, got {array.shape}")
    arrays = (matrices[0], b1.ravel(), matrices[1], b2.ravel())
    dtype: type[np.floating[Any]] = np.float32 if single else np.float64
    return Params(*(np.array(a, dtype=dtype, order="C") for a in arrays))


@public_in("sae_fast.conventions")
def write_mat(path: str | PathLike[str], params: ParamsLike, *, convention: Convention | None = None) -> None:
    """Write weights to a ``.mat`` file, whole or not at all.

    Compressed version 5, which ``load`` of MATLAB 7 and later and of Octave reads.

    Parameters
    ----------
    path : path-like
        Taken as it is: nothing is appended.
    params : Params or sequence (W1, b1, W2, b2)
    convention : Convention, optional
        By default the file holds ``EncoderWeights`` (n_hidden, n_visible), ``EncoderBiases`` (n_hidden, 1),
        ``DecoderWeights`` (n_visible, n_hidden), ``DecoderBiases`` (n_visible, 1). With a convention it holds its
        vector as the column ``theta``, with ``visibleSize`` and ``hiddenSize``.

    Raises
    ------
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import sae_fast as sf
    >>> from sae_fast import conventions
    >>> path = pathlib.Path(tempfile.mkdtemp(), "theta.mat")
    >>> conventions.write_mat(path, sf.init_params(64, 25, random_state=0), convention=conventions.ufldl)
    >>> conventions.read_mat(path).W2.shape
    (64, 25)
    """
    library = _scipy_io()
    checked, _ = check_params(params)
    content: dict[str, Any] = dict(zip(_MATLAB, checked, strict=True))
    if convention is not None:
        h, v = checked.W1.shape
        content = {"theta": convention.pack(checked), "visibleSize": float(v), "hiddenSize": float(h)}
    written = io.BytesIO()  # the library goes back in what it has written, which a pipe does not
    library.savemat(written, content, appendmat=False, do_compression=True, oned_as="column")
    with replacing(path) as file:
        file.write(written.getbuffer())
