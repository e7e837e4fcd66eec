"""Sparse codes into files, row block by row block: .npz as SciPy has it, or lines of JSON; ``-`` is these on stdout."""

from __future__ import annotations

import array
import contextlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ._arrays_io import STREAM
from ._arrays_write import Write
from ._atomic import replacing
from ._row_formats import entries

LINES = ".jsonl"


@contextlib.contextmanager
def writing_sparse(path: str, n_latents: int, dtype: np.dtype[Any], kept: Sequence[str] = ()) -> Iterator[Write]:
    """Write codes row block by row block; the file appears when the last one is in, or not at all.

    Parameters
    ----------
    path : str
        File name that ends in .npz or .jsonl; ``-`` writes lines of JSON to stdout.
    n_latents : int
    dtype : float32 or float64
    kept : sequence of str
        Names of columns that stand first in each line.

    Yields
    ------
    callable
        Call it with a ``csr_array`` of the next rows, and those columns.
    """
    suffix = LINES if path == STREAM else os.path.splitext(path)[1].lower()
    if suffix not in (".npz", LINES):
        raise ValueError(f"k-sparse codes are written to .npz or {LINES} (or -), got {path!r}")
    if kept and suffix != LINES:
        raise ValueError(f"columns are kept in {LINES} files, got {path}")
    if clash := sorted({*kept} & {"indices", "values"}):
        raise ValueError(f"the kept column {clash[0]!r} has a name that each line has already")
    if path == STREAM:
        if sys.stdout is None:
            raise OSError("stdout is closed: give a file name")
        out = sys.stdout
        yield lambda codes, *columns: out.writelines(_lines(codes, dtype, kept, columns))
        out.flush()
        return
    with replacing(path) as file:
        if suffix == LINES:
            yield lambda codes, *columns: file.writelines(line.encode() for line in _lines(codes, dtype, kept, columns))
        else:
            with _npz_writer(file, n_latents, dtype) as write:
                yield write


def _lines(codes: Any, dtype: np.dtype[Any], kept: Sequence[str], columns: Sequence[Any]) -> Iterator[str]:
    """``{"indices": [3, 17], "values": [0.5, 1.25]}``, in digits that tell the numbers of the dtype apart."""
    form = "%.9g" if dtype == np.float32 else "%.17g"
    names = [json.dumps(name) for name in kept]
    before = list(zip(*map(entries, columns), strict=True)) if kept else [()] * codes.shape[0]
    for (begin, end), told in zip(pairwise(codes.indptr.tolist()), before, strict=True):
        first = "".join(f"{name}: {_json(entry)}, " for name, entry in zip(names, told, strict=True))
        indices = ", ".join(map(str, codes.indices[begin:end].tolist()))
        values = ", ".join(form % value for value in codes.data[begin:end].tolist())
        yield f'{{{first}"indices": [{indices}], "values": [{values}]}}\n'


def _json(entry: Any) -> str:
    return json.dumps(None if entry != entry else entry, default=str)  # JSON has no NaN


@contextlib.contextmanager
def _npz_writer(file: BinaryIO, n_latents: int, dtype: np.dtype[Any]) -> Iterator[Write]:
    """The members that ``scipy.sparse.save_npz`` writes of a ``csr_array``; long ones wait in temporary files."""
    counts = array.array("i")
    with tempfile.TemporaryFile() as indices, tempfile.TemporaryFile() as values:

        def write(codes: Any) -> None:
            counts.extend(np.diff(codes.indptr).tolist())
            indices.write(np.ascontiguousarray(codes.indices, np.int32).data.cast("B"))
            values.write(np.ascontiguousarray(codes.data, dtype).data.cast("B"))

        yield write
        starts = np.concatenate([[0], np.cumsum(np.frombuffer(counts, np.intc), dtype=np.int64)])
        kind = np.dtype(np.int32 if starts[-1] < 2**31 else np.int64)
        with zipfile.ZipFile(file, "w") as archive:
            _add(archive, "indptr", starts.astype(kind))
            for name, spool, held in (("indices", indices, np.dtype(np.int32)), ("data", values, dtype)):
                spool.seek(0)
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    _header(member, int(starts[-1]), held)
                    shutil.copyfileobj(spool, member, 1 << 20)
            _add(archive, "shape", np.array([len(counts), n_latents], np.int64))
            _add(archive, "format", np.array(b"csr"))
            _add(archive, "_is_array", np.array(True))


def _add(archive: zipfile.ZipFile, name: str, values: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, values, allow_pickle=False)


def _header(file: Any, n: int, dtype: np.dtype[Any]) -> None:
    about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (n,)}
    np.lib.format.write_array_header_1_0(file, about)
