"""Sparse codes as search engines take them. Imported when codes are made: it needs SciPy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .._public import public_in

_SMALLEST = float(np.finfo(np.float32).tiny)  # that Lucene takes as a weight
_PGVECTOR_FEATURES, _PGVECTOR_STORED, _PGVECTOR_INDEXED = 1_000_000_000, 16_000, 1_000
_UINT32 = 2**32


@public_in("sae_fast")
class SparseCodes(csr_array):  # type: ignore[misc]
    """Codes, as encoders give them: a SciPy ``csr_array`` that also knows how search engines take sparse vectors.

    All that SciPy does with its arrays, it does with these. Any sparse array of shape (n_samples, n_latents) can be
    made one: ``sf.SparseCodes(array)``. Engines compute in float32, and so are their values; zeros that are stored
    explicitly are left out.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> codes = sf.SparseCodes(np.array([[0, 1.5, 0, 0.25], [0, 0, 2, 0]]))
    >>> codes.to_qdrant()[0]
    {'indices': [1, 3], 'values': [1.5, 0.25]}
    >>> codes.to_pgvector()
    ['{2:1.5,4:0.25}/4', '{3:2}/4']
    >>> codes.to_elasticsearch(), codes.to_milvus()[1]
    ([{'1': 1.5, '3': 0.25}, {'2': 2.0}], {2: 2.0})
    """

    def to_qdrant(self) -> list[dict[str, list[Any]]]:
        """For Qdrant: of each sample ``{"indices": [...], "values": [...]}``.

        That is the JSON of a sparse vector, and ``models.SparseVector(**one)`` of its client.

        Raises
        ------
        ValueError
            Values that float32 does not hold, or NaN; more than 2^32 latents. The error names the sample.
        """
        codes = _checked(self, "Qdrant", _UINT32)
        return [{"indices": indices, "values": values} for indices, values in _rows(codes)]

    def to_milvus(self) -> list[dict[int, float]]:
        """For Milvus: of each sample ``{latent: value}``, as its client takes a ``SPARSE_FLOAT_VECTOR``.

        Samples without an active latent are empty, which Milvus takes since 2.4.12.

        Raises
        ------
        ValueError
            Values that are negative, NaN, or that float32 does not hold; more than 2^32 - 1 latents.
        """
        codes = _checked(self, "Milvus", _UINT32 - 1, least=0.0)
        return [dict(zip(*row, strict=True)) for row in _rows(codes)]

    def to_pgvector(self, *, indexed: bool = True) -> list[str]:
        """For pgvector: of each sample the text of a ``sparsevec``, ``{latent:value,...}/n_latents``.

        Its latents count from 1. Values have the nine digits that tell float32 numbers apart.

        Parameters
        ----------
        indexed : bool
            An HNSW index takes at most 1,000 active latents of a sample; a column without one 16,000.

        Raises
        ------
        ValueError
            A sample with more active latents; NaN, or values that float32 does not hold; more than 10^9 latents.
        """
        codes = _checked(self, "pgvector", _PGVECTOR_FEATURES)
        most = _PGVECTOR_INDEXED if indexed else _PGVECTOR_STORED
        counts = np.diff(codes.indptr)
        if len(counts) and counts.max() > most:
            row = int(np.argmax(counts > most))
            where = "an HNSW index (indexed=False: a column alone takes 16000)" if indexed else "a sparsevec"
            raise ValueError(
                f"codes must have at most {most} active latents for {where}, got {counts[row]} in row {row}"
            )
        end = f"}}/{codes.shape[1]}"
        return ["{" + ",".join(f"{j + 1}:{v:.9g}" for j, v in zip(*row, strict=True)) + end for row in _rows(codes)]

    def to_elasticsearch(self) -> list[dict[str, float]]:
        """For Elasticsearch: of each sample ``{"latent": value}``, of a field of type ``sparse_vector``.

        Elasticsearch keeps nine significant bits of a value, a relative error of up to 0.4 %. ``rank_features``, also
        of OpenSearch, take the same.

        Raises
        ------
        ValueError
            Values that are not positive and normal numbers of float32.
        """
        codes = _checked(self, "Elasticsearch", _UINT32, least=_SMALLEST)
        return [dict(zip(map(str, indices), values, strict=True)) for indices, values in _rows(codes)]

    def to_csr(self) -> csr_array:
        """The same arrays as SciPy's own class, for whatever asks for it by name."""
        return csr_array((self.data, self.indices, self.indptr), shape=self.shape, copy=False)

    @classmethod
    def of(cls, starts: NDArray[Any], indices: NDArray[np.int32], values: NDArray[Any], n_latents: int) -> Self:
        """Codes of sorted indices, without a copy and without a check."""
        codes = cls((values, indices, starts), shape=(len(starts) - 1, n_latents), copy=False)
        codes.has_sorted_indices = codes.has_canonical_format = True
        return codes


def _checked(codes: SparseCodes, engine: str, most: int, least: float = -np.inf) -> csr_array:
    """Canonical, without zeros, in float32; within what the engine takes."""
    if codes.ndim != 2:
        raise ValueError(f"codes must have shape (n_samples, n_latents), got {codes.shape}: take rows by codes[[i]]")
    if codes.dtype.kind not in "fiub":
        raise TypeError(f"codes must have a real dtype, got {codes.dtype}")
    if codes.shape[1] > most:
        raise ValueError(f"codes must have at most {most} latents for {engine}, got {codes.shape[1]}")
    with np.errstate(over="ignore"):
        values = codes.data.astype(np.float32)
    found = csr_array((values, codes.indices, codes.indptr), shape=codes.shape, copy=True)
    found.sum_duplicates()
    found.eliminate_zeros()
    for wrong, what in (
        (~np.isfinite(found.data), "finite float32 values"),
        (found.data < least, "no negative values" if least == 0 else f"positive values, of at least {least:.3g},"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            row = int(np.searchsorted(found.indptr, at, side="right")) - 1
            raise ValueError(f"codes must have {what} for {engine}, got {found.data[at]:g} in row {row}")
    return found


def _rows(codes: csr_array) -> Iterator[tuple[list[int], list[float]]]:
    """Latents and values of each sample, as numbers of Python."""
    starts, indices, values = codes.indptr.tolist(), codes.indices, codes.data
    for begin, end in pairwise(starts):
        yield indices[begin:end].tolist(), values[begin:end].tolist()
