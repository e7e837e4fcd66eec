"""How well codes find what is sought: nDCG and recall of exact rankings, some queries at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from .._public import public_in
from ..network._checks import check_count, listed
from ..network._rows import real_rows

_BYTES = 1 << 25  # of the similarities that are in memory at a time
_COLUMNS = 1 << 13  # documents whose numbers are converted at a time
SIMILARITIES = ("cosine", "dot")


@public_in("sae_fast")
def evaluate_retrieval(
    queries: Any,
    documents: Any,
    relevant: Any,
    *,
    at: SupportsIndex | Sequence[SupportsIndex] = 10,
    similarity: str = "cosine",
) -> dict[str, float]:
    """How well what is sought is found: nDCG and recall of ranking by similarity of vectors, or of sparse codes.

    All documents are ranked, exactly; of equal similarities the earlier document comes first. There is never an array
    of queries times documents.

    Parameters
    ----------
    queries, documents : array_like or sparse array of shape (n_queries, n_features), (n_documents, n_features)
        Both dense or both sparse, of any real dtype, finite. Sums are float32 where no number is wider, else float64.
    relevant : array_like of int of shape (n_queries,), or sparse or dense array of shape (n_queries, n_documents)
        The one document that answers each query; or the gains >= 0 of all.
    at : int or sequence of int
        How many of the first documents count.
    similarity : {"cosine", "dot"}
        Rows of zeros have cosine 0 to everything.

    Returns
    -------
    dict
        ``"ndcg@10"``: the mean over queries of ``sum gain / log2(1 + rank)`` over the first documents, divided by the
        largest that any ranking has (Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002,
        as scikit-learn's ``ndcg_score``); ``"recall@10"``: the mean share of the relevant documents, those of positive
        gain, that are among the first. Queries without a relevant document are left out.

    Raises
    ------
    TypeError, ValueError
        They name the argument.

    Examples
    --------
    >>> import numpy as np, sae_fast as sf
    >>> documents = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> found = sf.evaluate_retrieval(np.array([[2.0, 1], [1, 3]]), documents, [0, 1], at=(1, 2))
    >>> found["recall@1"], found["recall@2"], round(found["ndcg@2"], 3)
    (0.5, 1.0, 0.815)
    """
    cuts = [check_count("at", n) for n in (at if isinstance(at, (Sequence, np.ndarray)) else [at])]
    if not cuts:
        raise ValueError("at must name at least one number of documents, got none")
    if not isinstance(similarity, str) or similarity not in SIMILARITIES:
        raise ValueError(f"similarity must be {listed(SIMILARITIES)}, got {similarity!r}")
    asked, sought = _pair(queries, documents)
    gains = _gains(relevant, asked.shape[0], sought.shape[0])
    totals = dict.fromkeys([f"{name}@{n}" for n in cuts for name in ("ndcg", "recall")], 0.0)
    counted = 0
    for first, scores in _scores(asked, sought, similarity):
        for row, line in enumerate(scores, first):
            places = slice(gains.indptr[row], gains.indptr[row + 1])
            gain, where = gains.data[places], gains.indices[places]
            if not len(gain):
                continue
            counted += 1
            ranks = ranks_of(line, where)
            best = np.sort(gain)[::-1]
            for n in cuts:
                worth = 1 / np.log2(np.arange(2, min(n, len(best)) + 2))
                reached = ranks <= n
                found = (gain[reached] / np.log2(1 + ranks[reached])).sum()
                totals[f"ndcg@{n}"] += found / (best[:n] * worth).sum()
                totals[f"recall@{n}"] += np.count_nonzero(reached) / len(gain)
    if not counted:
        raise ValueError("relevant must name a relevant document for at least one query, got none")
    return {name: float(total / counted) for name, total in totals.items()}


def ranks_of(line: NDArray[Any], where: NDArray[Any]) -> NDArray[np.intp]:
    """Ranks, from 1, of the documents ``where`` by falling similarity; of equal ones the earlier is first."""
    if len(where) == 1:
        own = line[where[0]]
        ahead = np.count_nonzero(line > own) + np.count_nonzero(line[: where[0]] == own)
        return np.array([1 + ahead], np.intp)
    order = np.argsort(-line, kind="stable")
    ranks = np.empty(len(line), np.intp)
    ranks[order] = np.arange(1, len(line) + 1)
    found: NDArray[np.intp] = ranks[where]
    return found


def _pair(queries: Any, documents: Any) -> tuple[Any, Any]:
    """Both as CSR, or as arrays."""
    sparse = [hasattr(given, "tocsr") for given in (queries, documents)]
    if sparse[0] != sparse[1]:
        raise TypeError(
            "queries and documents must both be dense or both be sparse, got "
            f"{type(queries).__name__} and {type(documents).__name__}"
        )
    found = []
    for name, given in (("queries", queries), ("documents", documents)):
        array = given.tocsr() if sparse[0] else real_rows(given, name)
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{name} must have shape (n, n_features), both >= 1, got {array.shape}")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} must have a real dtype, got {array.dtype}")
        for i in range(0, array.shape[0], _COLUMNS):
            numbers = array.data if sparse[0] else array[i : i + _COLUMNS]
            if not np.isfinite(numbers).all():
                raise ValueError(f"{name} must be finite, got NaN or infinity")
            if sparse[0]:
                break
        found.append(array)
    if found[0].shape[1] != found[1].shape[1]:
        raise ValueError(f"queries must have {found[1].shape[1]} columns, as documents, got {found[0].shape[1]}")
    return found[0], found[1]


def _gains(relevant: Any, n_queries: int, n_documents: int) -> Any:
    """CSR (n_queries, n_documents) of positive gains."""
    from scipy.sparse import csr_array

    if not hasattr(relevant, "tocsr"):
        try:
            array = np.asarray(relevant)
        except ValueError as error:
            raise ValueError(
                "relevant must be the number of one document for each query, or an array of gains, got rows of several "
                "lengths"
            ) from error
        if array.ndim == 1:
            return _single(array, n_queries, n_documents)
        relevant = real_rows(relevant, "relevant")
    if relevant.shape != (n_queries, n_documents):
        raise ValueError(
            f"relevant must have shape ({n_queries},) or ({n_queries}, {n_documents}), got {relevant.shape}"
        )
    gains = csr_array(relevant, dtype=np.float64, copy=True)
    gains.sum_duplicates()
    if not np.all((gains.data >= 0) & np.isfinite(gains.data)):
        raise ValueError("relevant must hold gains >= 0, finite, got others")
    gains.eliminate_zeros()
    return gains


def _single(array: NDArray[Any], n_queries: int, n_documents: int) -> Any:
    from scipy.sparse import csr_array

    if array.shape != (n_queries,):
        raise ValueError(f"relevant must have shape ({n_queries},), a document for each query, got {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"relevant must be numbers of documents, integers, got {array.dtype}")
    if array.min() < 0 or array.max() >= n_documents:
        raise ValueError(f"relevant must be in 0..{n_documents - 1}, got {array.min()} to {array.max()}")
    return csr_array((np.ones(n_queries), array.astype(np.int64), np.arange(n_queries + 1)), (n_queries, n_documents))


def _scores(queries: Any, documents: Any, similarity: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """Similarities to all documents of some queries at a time, with the number of the first of these.

    A query's own length changes no rank, and is left as it is.
    """
    kind = np.result_type(queries.dtype, documents.dtype, np.float32)
    n, m = queries.shape[0], documents.shape[0]
    step = max(1, _BYTES // (kind.itemsize * m))
    sparse = hasattr(documents, "tocsr")
    turned = documents.astype(kind).T.tocsr() if sparse else None
    scale = None if similarity == "dot" else _inverse_lengths(documents, kind)
    for first in range(0, n, step):
        asked = queries[first : first + step].astype(kind)
        if sparse:
            scores = (asked @ turned).toarray()
        else:
            scores = np.empty((len(asked), m), kind)
            for i in range(0, m, _COLUMNS):
                np.matmul(
                    asked, documents[i : i + _COLUMNS].astype(kind, copy=False).T, out=scores[:, i : i + _COLUMNS]
                )
        yield first, scores if scale is None else np.multiply(scores, scale, out=scores)


def _inverse_lengths(documents: Any, kind: np.dtype[Any]) -> NDArray[Any]:
    parts = []
    for i in range(0, documents.shape[0], _COLUMNS):
        rows = documents[i : i + _COLUMNS].astype(np.float64)
        squares = rows.multiply(rows).sum(axis=1) if hasattr(rows, "tocsr") else np.einsum("ij,ij->i", rows, rows)
        parts.append(np.sqrt(np.asarray(squares).ravel()))
    lengths = np.concatenate(parts)
    found: NDArray[Any] = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(kind)
    return found
