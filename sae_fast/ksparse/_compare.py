"""Sparse codes beside PCA of as many bytes: how well they reconstruct, and find."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._public import public_in
from .._text_tables import aligned, for_json, number
from ..network._checks import check_count, check_X
from ._encoder import KSparseEncoder
from ._judging import check_definition, reconstruction_figures
from ._retrieval import evaluate_retrieval
from ._subject import encoder_of

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 4096
_INDEX_BYTES = 4


@public_in("sae_fast")
class KSparseRow(NamedTuple):
    """One row of the comparison; NaN where there is nothing to measure.

    Attributes
    ----------
    name : str
        Of the model; ``"PCA"``; or ``"dense"``, the samples themselves.
    k : int or None
        Active latents asked for; components of PCA; features of the samples.
    n_bytes : float
        Of a code: values, and int32 indices of the active latents.
    l0, fvu, cosine, relative_bias, dead : float
        As of :meth:`KSparseEncoder.evaluate`.
    ndcg, recall : float
        nDCG@10 and recall@10, by cosine; where there were queries.
    """

    name: str
    k: int | None
    n_bytes: float
    l0: float = math.nan
    fvu: float = math.nan
    cosine: float = math.nan
    relative_bias: float = math.nan
    dead: float = math.nan
    ndcg: float = math.nan
    recall: float = math.nan


@public_in("sae_fast")
@dataclass(frozen=True, eq=False)
class KSparseComparison:
    """What :func:`compare_k_sparse` measured; prints as a table.

    Attributes
    ----------
    rows : list of KSparseRow
        Models in their order, each k; then PCA of as many bytes as each of them; with queries, the dense vectors too.
    n_samples : int
        Samples that all was measured on.
    fvu : str
        Which fraction of variance is meant.
    """

    rows: list[KSparseRow]
    n_samples: int
    fvu: str

    def to_pandas(self) -> pd.DataFrame:
        """The table as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The table for JSON; None where there was nothing to measure."""
        return {"n_samples": self.n_samples, "fvu": self.fvu, "rows": for_json(self.rows)}

    def __str__(self) -> str:
        columns = [(title, [show(row) for row in self.rows]) for title, show in COLUMNS]
        shown = [(title, *cells) for title, cells in columns if any(cell != "-" for cell in cells)]
        lines = aligned(list(zip(*shown, strict=True)))
        return "\n".join([*lines, f"over {self.n_samples} samples; fvu by {self.fvu!r}"])


COLUMNS: list[tuple[str, Callable[[KSparseRow], str]]] = [
    ("", lambda row: row.name),
    ("k", number("k", "d")),
    ("bytes", number("n_bytes", ".0f")),
    ("L0", number("l0", ".1f")),
    ("FVU", number("fvu", ".4f")),
    ("cosine", number("cosine", ".4f")),
    ("bias", number("relative_bias", ".3f")),
    ("dead", number("dead", ".1%")),
    ("nDCG@10", number("ndcg", ".3f")),
    ("recall@10", number("recall", ".3f")),
]


@public_in("sae_fast")
def compare_k_sparse(
    models: Any,
    X: ArrayLike,
    *,
    k: int | Sequence[int] | None = None,
    queries: ArrayLike | None = None,
    relevant: Any = None,
    fvu: str = "total",
    n_threads: int | None = None,
) -> KSparseComparison:
    """Put sparse codes of several models, or several k, beside PCA of as many bytes.

    PCA is fitted to ``X``, and judged on it: no linear map to so many components has a smaller error there. A code of
    k latents takes as many bytes as 2 k components in float32 (a value and an int32 index each), 1.5 k in float64.

    Parameters
    ----------
    models : KSparseEncoder, KSparseAutoencoder, or mapping of names to them
    X : array_like of shape (n_samples, n_features)
        Samples, and what is searched where there are queries. A memory map is read some rows at a time.
    k : int or sequence of int, optional
        Of models with ``activation="topk"``; by default each one's own. Others are taken as they are.
    queries : array_like of shape (n_queries, n_features), optional
        What is sought among ``X``, by :func:`evaluate_retrieval`.
    relevant : array_like, optional
        With ``queries``: which samples answer them, as for :func:`evaluate_retrieval`.
    fvu : str
        As for :meth:`KSparseEncoder.evaluate`.
    n_threads : int, optional
        As for :func:`sae_fast.encode`.

    Returns
    -------
    KSparseComparison

    Raises
    ------
    TypeError, ValueError
        They name the argument.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> rng = np.random.default_rng(0)
    >>> W = rng.normal(size=(32, 8)) / 3
    >>> encoder = sf.KSparseEncoder(W, np.zeros(32), W, np.zeros(8), k=2)
    >>> found = sf.compare_k_sparse(encoder, rng.normal(size=(100, 8)), k=(2, 4))
    >>> [(row.name, row.k, row.n_bytes) for row in found.rows]
    [('model', 2, 24.0), ('model', 4, 48.0), ('PCA', 3, 24.0), ('PCA', 6, 48.0)]
    """
    check_definition(fvu)
    named = models if isinstance(models, Mapping) else {"model": models}
    encoders = {str(name): encoder_of(model, "models") for name, model in named.items()}
    if not encoders:
        raise ValueError("models must hold at least one model, got none")
    data = check_X(X, next(iter(encoders.values())).n_features)
    if (queries is None) != (relevant is None):
        raise ValueError("queries and relevant must be given together, got one of them")
    asked = None if queries is None else check_X(queries, data.shape[1], "queries")
    rows = []
    for name, encoder in encoders.items():
        if encoder.n_features != data.shape[1]:
            raise ValueError(f"models must take {data.shape[1]} features, as X has, {name} takes {encoder.n_features}")
        for one in _ks(encoder, k):
            rows.append(_sparse_row(name, encoder, data, one, fvu, n_threads))
            if asked is not None:
                sought = encoder(data, k=one, n_threads=n_threads)
                rows[-1] = _found(rows[-1], encoder(asked, k=one, n_threads=n_threads), sought, relevant)
    size = next(iter(encoders.values())).dtype.itemsize
    dimensions = sorted({min(data.shape[1], max(1, round(row.n_bytes / size))) for row in rows})
    mean, axes = principal_axes(data)
    for n in dimensions:
        rows.append(_pca_row(data, mean, axes[:, :n], size, fvu))
        if asked is not None:
            kind = np.result_type(data.dtype, asked.dtype, np.float32)
            rows[-1] = _found(rows[-1], *_scores((asked, data), mean, axes[:, :n], kind), relevant)
    if asked is not None:
        rows.append(_found(KSparseRow("dense", data.shape[1], float(data.shape[1] * size)), asked, data, relevant))
    return KSparseComparison(rows, len(data), fvu)


def _ks(encoder: KSparseEncoder, k: int | Sequence[int] | None) -> list[int | None]:
    if encoder.activation != "topk":
        return [None]
    if k is None:
        return [encoder.k]
    found = [check_count("k", one) for one in (k if isinstance(k, (Sequence, np.ndarray)) else [k])]
    if not found:
        raise ValueError("k must name at least one number of active latents, got none")
    return list(found)


def _sparse_row(
    name: str, encoder: KSparseEncoder, X: NDArray[Any], k: int | None, fvu: str, n_threads: int | None
) -> KSparseRow:
    found = encoder.evaluate(X, k=k, fvu=fvu, n_threads=n_threads)
    n_bytes = found["l0"] * (encoder.dtype.itemsize + _INDEX_BYTES)
    return KSparseRow(name, k, n_bytes, *(found[key] for key in ("l0", "fvu", "cosine", "relative_bias", "dead")))


def _pca_row(X: NDArray[Any], mean: NDArray[Any], axes: NDArray[Any], size: int, fvu: str) -> KSparseRow:
    found = reconstruction_figures(X, lambda rows: (rows - mean) @ axes @ axes.T + mean, fvu)
    n = axes.shape[1]
    figures = {key: found[key] for key in ("fvu", "cosine", "relative_bias")}
    return KSparseRow("PCA", n, float(n * size), **figures)


def _scores(
    both: tuple[NDArray[Any], NDArray[Any]], mean: NDArray[Any], axes: NDArray[Any], kind: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Principal components of queries and documents."""
    found = tuple(np.empty((len(X), axes.shape[1]), kind) for X in both)
    for X, out in zip(both, found, strict=True):
        for i in range(0, len(X), _BLOCK):
            out[i : i + _BLOCK] = (X[i : i + _BLOCK] - mean) @ axes
    return found[0], found[1]


def _found(row: KSparseRow, queries: Any, documents: Any, relevant: Any) -> KSparseRow:
    found = evaluate_retrieval(queries, documents, relevant)
    return row._replace(ndcg=found["ndcg@10"], recall=found["recall@10"])


def principal_axes(X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean (n_features,) of rows, and their principal axes as columns, those of most variance first."""
    blocks = [slice(i, i + _BLOCK) for i in range(0, len(X), _BLOCK)]
    mean = sum(X[block].sum(axis=0, dtype=np.float64) for block in blocks) / len(X)
    scatter = np.zeros((X.shape[1], X.shape[1]))
    for block in blocks:
        rows = X[block] - mean
        scatter += rows.T @ rows
    axes: NDArray[np.float64] = np.linalg.eigh(scatter)[1][:, ::-1]
    return mean, axes
