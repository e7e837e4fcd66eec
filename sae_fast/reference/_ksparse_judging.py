"""Sparse codes and dictionaries judged in NumPy, by way of every pair of rows; arguments are taken as they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..ksparse._dictionaries import DictionaryMatch, LatentSimilarities
from ..ksparse._examples import TopExamples
from ._ksparse import KSparseEncoder
from ._ksparse_figures import Array, divide


def cosines(A: ArrayLike, B: ArrayLike) -> Array:
    """``a . b / (|a| |b|)`` of each row of A with each of B; rows of zeros have cosine 0 to everything.

    Examples
    --------
    >>> cosines([[3.0, 0], [0, 0]], [[5.0, 0], [0, 1], [-1, 0]]).tolist()
    [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]]
    """
    a, b = np.asarray(A, np.float64), np.asarray(B, np.float64)
    return divide(a @ b.T, np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1))


def match_dictionary(dictionary: KSparseEncoder | ArrayLike, atoms: ArrayLike) -> DictionaryMatch:
    """Every one-to-one matching is tried, so for some eight rows; see :func:`sae_fast.match_dictionary`.

    Parameters
    ----------
    dictionary : KSparseEncoder or array_like of shape (n_latents, n_features)
        Whose rows are looked for.
    atoms : array_like of shape (n_atoms, n_features)
        What is known.

    Returns
    -------
    DictionaryMatch
        ``mmcs``, the mean over atoms of the largest cosine (Sharkey, Braun & Millidge, "Taking features out of
        superposition with sparse autoencoders", 2022); ``matching``, of largest sum of cosines.

    Examples
    --------
    >>> import numpy as np
    >>> found = match_dictionary(np.array([[0, 2.0, 0], [1, 0, 1], [0.5, 0, 0]]), np.eye(3))
    >>> found.matching.tolist(), round(found.mmcs, 3), found.similarities.round(3).tolist()
    ([2, 0, 1], 0.902, [1.0, 1.0, 0.707])
    """
    table = cosines(atoms, dictionary.W_dec if isinstance(dictionary, KSparseEncoder) else dictionary)
    n_atoms, n_rows = table.shape
    # Atoms that are left over are matched with further rows, whose cosines count nothing.
    padded = np.hstack([table, np.zeros((n_atoms, max(0, n_atoms - n_rows)))])
    every = np.arange(n_atoms)
    best = np.array(max(permutations(range(padded.shape[1]), n_atoms), key=lambda rows: padded[every, rows].sum()))
    matching = np.where(best < n_rows, best, -1)
    similarities = np.where(best < n_rows, padded[every, best], np.nan)
    largest = table.max(axis=1)
    return DictionaryMatch(float(largest.mean()), float(np.nanmean(similarities)), matching, similarities, largest)


def latent_similarities(model: KSparseEncoder) -> LatentSimilarities:
    """Of each latent the largest cosine to another one; see :func:`sae_fast.latent_similarities`.

    Parameters
    ----------
    model : KSparseEncoder
        With at least 2 latents.

    Returns
    -------
    LatentSimilarities
        Of decoder and encoder, from all cosines but each row's with itself.

    Examples
    --------
    >>> import numpy as np
    >>> W = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> found = latent_similarities(KSparseEncoder(W, np.zeros(3), W[::-1], np.zeros(2), k=1))
    >>> found.decoder.round(3).tolist(), found.encoder_nearest.tolist()
    ([0.707, 0.707, 0.707], [2, 2, 0])
    """
    decoder, encoder = cosines(model.W_dec, model.W_dec), cosines(model.W_enc, model.W_enc)
    for table in (decoder, encoder):
        np.fill_diagonal(table, -np.inf)
    return LatentSimilarities(decoder.max(axis=1), encoder.max(axis=1), decoder.argmax(axis=1), encoder.argmax(axis=1))


def evaluate_retrieval(
    queries: ArrayLike,
    documents: ArrayLike,
    relevant: ArrayLike,
    *,
    at: int | Sequence[int] = 10,
    similarity: str = "cosine",
) -> dict[str, float]:
    """How well what is sought is found; see :func:`sae_fast.evaluate_retrieval`.

    Parameters
    ----------
    queries, documents : array_like of shape (n_queries, n_features), (n_documents, n_features)
        Dense.
    relevant : array_like of int of shape (n_queries,), or array_like of shape (n_queries, n_documents)
        The one document that answers each query, or the gains of all.
    at : int or sequence of int
        How many of the first documents count.
    similarity : {"cosine", "dot"}
        By which documents are ranked, of equal ones the earlier first.

    Returns
    -------
    dict
        ``"ndcg@10"``, discounted cumulated gain ``sum gain / log2(1 + rank)`` as a share of the largest there is
        (Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002), and ``"recall@10"``: means
        over the queries that have a relevant document.

    Examples
    --------
    >>> import numpy as np
    >>> documents = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> found = evaluate_retrieval(np.array([[2.0, 1], [1, 3]]), documents, [0, 1], at=(1, 2))
    >>> found["recall@1"], found["recall@2"], round(found["ndcg@2"], 3)
    (0.5, 1.0, 0.815)
    """
    asked, sought, gains = np.asarray(queries, float), np.asarray(documents, float), np.asarray(relevant)
    if gains.ndim == 1:
        gains = np.equal.outer(gains, np.arange(len(sought))).astype(float)
    scores = asked @ sought.T
    if similarity == "cosine":  # but for the query's length, which ranks nothing
        lengths = np.linalg.norm(sought, axis=1)
        scores = scores * divide(lengths > 0, lengths)
    order = np.argsort(-scores, axis=1, kind="stable")
    some = gains.any(axis=1)
    found, best = np.take_along_axis(gains, order, axis=1)[some], -np.sort(-gains[some], axis=1)
    discount = 1 / np.log2(1 + np.arange(1, len(sought) + 1))
    figures = {}
    for n in np.atleast_1d(at):
        dcg, ideal = ((ranked * discount)[:, :n].sum(axis=1) for ranked in (found, best))
        figures[f"ndcg@{n}"] = float(np.mean(dcg / ideal))
        figures[f"recall@{n}"] = float(np.mean((found[:, :n] > 0).sum(axis=1) / (found > 0).sum(axis=1)))
    return figures


def top_examples(
    model: KSparseEncoder, data: ArrayLike, latent: int | Sequence[int], n: int = 10, *, k: int | None = None
) -> TopExamples | list[TopExamples]:
    """The rows that excite a latent most, from a sorted column of dense codes; see :func:`sae_fast.top_examples`.

    Parameters
    ----------
    model : KSparseEncoder
    data : array_like of shape (n_samples, n_features)
    latent : int or sequence of int
        Which one, or several.
    n : int
        How many rows at most.
    k : int, optional
        As for a call of the model.

    Returns
    -------
    TopExamples, or a list of them
        Of equal activations the earlier row first.

    Examples
    --------
    >>> import numpy as np
    >>> encoder = KSparseEncoder(np.eye(2), np.zeros(2), np.eye(2), np.zeros(2), k=1)
    >>> found = top_examples(encoder, np.array([[1.0, 0], [0, 2], [3, 1], [1, 0]]), 0, n=2)
    >>> found.rows.tolist(), found.values.tolist(), found.density
    ([2, 0], [3.0, 1.0], 0.75)
    """
    codes = model.dense(data, k)
    found = [_top(codes[:, one], one, n) for one in np.atleast_1d(latent).tolist()]
    return found if np.ndim(latent) else found[0]


def _top(column: NDArray[Any], latent: int, n: int) -> TopExamples:
    active = int(np.count_nonzero(column))
    rows = np.argsort(-column, kind="stable")[: min(n, active)]
    return TopExamples(latent, rows, column[rows], active / len(column), len(column))
