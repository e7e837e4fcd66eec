"""export_numpy: an encoder as a module of Python that needs NumPy alone."""

from __future__ import annotations

import contextlib
import io
import os
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .._public import public_in
from .._version import __version__
from ..files._atomic import replacing
from ..network._scale import Clip, check_clip
from ._exported import Exported, check_path, exported, sparse_source
from ._numpy_ksparse import origin_of, sparse_module

_MODULE = '''\
"""Codes of a sparse autoencoder, {layers}, in {dtype}.

Made by sae_fast {version}; needs NumPy alone. {origin}
The weights belong to whoever owns the model. All else here anybody may use, change and pass on, without conditions.
"""

from pathlib import Path

import numpy as np

with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as _arrays:
    if str(_arrays["checksum"]) != "{checksum}":
        raise ImportError("the .npz beside this module belongs to another one")
{weights}


{functions}def encode(X):
    """Codes (n_samples, {n_codes}) of samples (n_samples, {n_features})."""
    a = np.asarray(X, np.{dtype})
{layers_of_code}
    return a
'''
_FUNCTIONS = {
    "sigmoid": """def sigmoid(z):
    e = np.exp(-np.abs(z))  # never overflows
    return np.where(z < 0, e, 1) / (1 + e)
""",
    "tanh": "",  # np.tanh
    "linear": "",
    "relu": """def relu(z):
    return np.maximum(z, 0)
""",
    "satlin": """def satlin(z):
    return np.clip(z, 0, 1)
""",
}
_CALLS = {"tanh": "np.tanh({})", "linear": "{}"}


@public_in("sae_fast")
def export_numpy(
    model: Any, path: str | PathLike[str], *, dtype: DTypeLike | None = None, clip: Clip = "error"
) -> None:
    """Write an encoder as a Python module of some 25 lines, ``encoder.py``, with its weights beside it in a ``.npz``.

    For places where nothing compiled may be installed but NumPy, and for readers: it is all that an encoder does.
    ``from encoder import encode``, then ``encode(X)`` gives the codes (n_samples, n_codes) of samples
    (n_samples, n_features).

    Parameters
    ----------
    model : fitted autoencoder, stack, pipeline or encoder, or path-like of a model file
        As for :func:`sae_fast.export_c`; or a :class:`KSparseEncoder` or fitted :class:`KSparseAutoencoder`, whose
        module has ``encode(X)``, which gives dense codes (n_samples, n_latents), and with ``"topk"`` also ``top(X)``,
        which gives indices and values (n_samples, k) of the largest latents, as :meth:`KSparseEncoder.top` does.
    path : path-like
        Of the module, ending in ``.py``; both files are written whole or not at all.
    dtype : float32 or float64, optional
        Of the weights and codes; by default that of the encoder.
    clip : {"error", "ignore"}
        As for :func:`sae_fast.fold`.

    Raises
    ------
    TypeError, ValueError
        A model that cannot be folded; weights that overflow ``dtype``; a wrong argument.
    NotFittedError
        The model is not fitted.
    ModelFileError, OSError
        A file cannot be read, or written.

    Notes
    -----
    Codes are those of the encoder but for the order of its sums: where the terms of ``z`` add up to no more than a
    hundred, sigmoid and tanh units are within 1e-12 of them in float64, 1e-4 in float32, of their own size. Units that
    are off or on altogether give 0, 1 or -1 exactly in both.

    Examples
    --------
    >>> import pathlib, runpy, tempfile
    >>> import numpy as np, sae_fast as sf
    >>> encoder = sf.Encoder(sf.init_params(64, 25, random_state=0))
    >>> path = pathlib.Path(tempfile.mkdtemp(), "encoder.py")
    >>> sf.export_numpy(encoder, path)
    >>> X = np.random.default_rng(0).random((10, 64))
    >>> bool(np.allclose(runpy.run_path(str(path))["encode"](X), encoder(X), rtol=1e-12))
    True
    """
    module = check_path("path", path, ".py")
    kind = None if dtype is None else np.dtype(dtype)
    if kind not in (None, np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {kind}")
    check_clip(clip)
    sparse, origin = sparse_source(model)
    arrays: dict[str, Any]
    if sparse is not None:
        text, arrays = sparse_module(sparse, kind, origin)
    else:
        found = exported(model, kind, clip)
        arrays = {"checksum": np.array(found.checksum)}
        for k, layer in enumerate(found.layers):
            arrays |= {f"W{k}": layer.W, f"b{k}": layer.b}
        text = _text(found)
    stored = io.BytesIO()
    np.savez(stored, **arrays)
    with contextlib.ExitStack() as whole:
        paths = module, os.path.splitext(module)[0] + ".npz"
        text_file, npz_file = (whole.enter_context(replacing(p)) for p in paths)
        npz_file.write(stored.getvalue())
        text_file.write(text.encode())


def _text(found: Exported) -> str:
    units = [layer.unit for layer in found.layers]
    numbers = range(len(units))
    calls = [_CALLS.get(unit, unit + "({})").format(f"a @ W{k}.T + b{k}") for k, unit in enumerate(units)]
    functions = [_FUNCTIONS[unit] for unit in sorted(set(units)) if _FUNCTIONS[unit]]
    return _MODULE.format(
        layers=found.describe(),
        dtype=found.dtype.name,
        version=__version__,
        origin=origin_of(found.model_checksum),
        checksum=found.checksum,
        weights="\n".join(f'    W{k}, b{k} = _arrays["W{k}"], _arrays["b{k}"]' for k in numbers),
        functions="".join(f"{text}\n\n" for text in functions),
        n_codes=found.n_codes,
        n_features=found.n_features,
        layers_of_code="\n".join(f"    a = {call}" for call in calls),
    )
