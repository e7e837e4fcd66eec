"""export_c: an encoder as C source."""

from __future__ import annotations

import contextlib
import os
import re
from os import PathLike
from typing import Any, Literal

import numpy as np

from .._public import public_in
from ..files._atomic import replacing
from ..network._scale import Clip
from ._c_text import CText
from ._c_weights import ByteOrder, binary, padded
from ._exported import Exported, check_path, exported

_C_TYPES: dict[str, np.dtype[Any]] = {"float": np.dtype(np.float32), "double": np.dtype(np.float64)}
MOST_WEIGHTS = 1_000_000  # as text; a compiler needs about a gigabyte and 10 seconds for some more


@public_in("sae_fast")
def export_c(
    model: Any,
    path: str | PathLike[str],
    *,
    prefix: str | None = None,
    dtype: Literal["float", "double"] | None = None,
    weights: str | PathLike[str] | None = None,
    byte_order: ByteOrder = "little",
    clip: Clip = "error",
) -> None:
    """Write an encoder as C source: ``digits.c``, and ``digits.h`` beside it.

    C99 that compiles as C++ too, and depends on nothing: no heap, no ``libm``, no global that is written. The header
    tells the functions, ``int digits_encode(const float *x, float *codes)`` and ``digits_encode_rows``, their sizes
    ``DIGITS_N_FEATURES`` and ``DIGITS_N_CODES``, what stack they need, how exact they are, and which model it is.

    Parameters
    ----------
    model : fitted autoencoder, stack, pipeline or encoder, or path-like of a model file
        Anything that :func:`sae_fast.fold` takes as one argument; scaling and whitening are folded in. A classifier
        gives its codes, those of ``transform``; its softmax is left out.
    path : path-like
        Of the source, ending in ``.c``. All files are written whole or not at all.
    prefix : str, optional
        Of all names in the source, a C identifier that does not begin with an underscore; by default the name of the
        file without ``.c``. Models with different prefixes go into one program.
    dtype : {"float", "double"}, optional
        C's type of samples and codes; by default that of the encoder (float32 is ``"float"``).
    weights : path-like, optional
        Write the weights to this binary file instead of into the source. The functions then take one more argument
        first, ``const void *weights``, which is that file, mapped or read into memory; ``digits_check(weights,
        n_bytes)`` says whether it is the right one, and whole.
    byte_order : {"little", "big"}
        Of the binary file: that of the machine that will read it.
    clip : {"error", "ignore"}
        As for :func:`sae_fast.fold`.

    Raises
    ------
    TypeError, ValueError
        A model that cannot be folded; weights that overflow ``dtype``; a wrong argument; more than a million weights
        without ``weights=``, which compilers would take too long and too much memory for.
    NotFittedError
        The model is not fitted.
    ModelFileError, OSError
        A file cannot be read, or written.

    Notes
    -----
    Samples of floats are multiplied and summed in double. Sums of doubles carry along what each addition loses (Dekker,
    1971; Ogita, Rump and Oishi, 2005), so that saturated units, whose codes multiply each error of ``z``, are as exact
    as others: codes of either type are within 2 units in the last place of those without any rounding. This package's
    own encoder rounds its sums, so that the codes of both differ by what it has lost.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import sae_fast as sf
    >>> path = pathlib.Path(tempfile.mkdtemp(), "digits.c")
    >>> sf.export_c(sf.Encoder(sf.init_params(64, 25, random_state=0)), path)
    >>> "int digits_encode(const double *x, double *codes);" in path.with_suffix(".h").read_text()
    True
    """
    source = check_path("path", path, ".c")
    header = source[:-1] + "h"
    name = _check_prefix(prefix, source)
    kind = _check_type(dtype)
    if not isinstance(byte_order, str) or byte_order not in ("little", "big"):
        raise ValueError(f"byte_order must be one of little, big, got {byte_order!r}")
    if weights is not None and os.path.realpath(weights) in map(os.path.realpath, (source, header)):
        raise ValueError(f"weights must be a file of its own, got {os.fsdecode(weights)!r}")
    found = exported(model, kind, clip)
    if weights is None:
        _check_size(found)
    text = CText(found, name, binary=weights is not None)
    with contextlib.ExitStack() as whole:
        c_file, h_file = (whole.enter_context(replacing(p)) for p in (source, header))
        if weights is not None:
            whole.enter_context(replacing(weights)).write(binary(found, byte_order))
        h_file.write(text.header().encode())
        for piece in text.source(os.path.basename(header)):
            c_file.write(piece.encode())


def _check_prefix(prefix: str | None, source: str) -> str:
    name = os.path.basename(source)[:-2] if prefix is None else prefix
    if not isinstance(name, str):
        raise TypeError(f"prefix must be a str, got {name!r}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII):
        whence = "" if prefix is not None else ", from the name of the file: give prefix="
        raise ValueError(
            f"prefix must be a C identifier (letters, digits, _) that begins with a letter, got {name!r}{whence}"
        )
    return name


def _check_type(dtype: object) -> np.dtype[Any] | None:
    if dtype is None:
        return None
    if not isinstance(dtype, str) or dtype not in _C_TYPES:
        raise ValueError(f"dtype must be one of {', '.join(_C_TYPES)}, got {dtype!r}")
    return _C_TYPES[dtype]


def _check_size(found: Exported) -> None:
    n_weights = sum(layer.W.shape[1] * padded(len(layer.b)) for layer in found.layers)
    if n_weights > MOST_WEIGHTS:
        raise ValueError(
            f"C source must have at most {MOST_WEIGHTS:,} weights, got {n_weights:,} ({found.describe()}), which "
            "compilers would take too long for: give weights='weights.bin' to write them to a file of their own"
        )
