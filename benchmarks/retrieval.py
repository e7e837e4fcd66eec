#!/usr/bin/env python
"""nDCG@10 and recall@10 of dense vectors, PCA, and sparse codes: the whole table, for a model or none.

The data are an .npz with `glosses` (documents), `queries` and `relevant`, the row that answers each query. PCA is
fitted to the documents. Of each k: sparse codes, PCA with k dimensions, and PCA of as many bytes, 2 k in float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _contest import embeddings

import sae_fast as sf
from sae_fast.ksparse._compare import principal_axes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="files of KSparseEncoder or KSparseAutoencoder, or folders of others")
    parser.add_argument("--data", type=Path, help="default: the shared set of sentence embeddings")
    parser.add_argument("--k", type=int, nargs="+", default=[8, 16, 32, 64])
    given = parser.parse_args()
    with np.load(given.data or embeddings()) as arrays:
        documents, queries, relevant = arrays["glosses"], arrays["queries"], arrays["relevant"]

    def tell(name: str, n_bytes: int, asked: object, sought: object) -> None:
        found = sf.evaluate_retrieval(asked, sought, relevant)
        print(f"{name:40} {n_bytes:6} {found['ndcg@10']:8.4f} {found['recall@10']:10.4f}", flush=True)

    print(f"{'':40} {'bytes':>6} {'nDCG@10':>8} {'recall@10':>10}")
    tell(f"dense, {documents.shape[1]}", 4 * documents.shape[1], queries, documents)
    mean, axes = principal_axes(documents)
    asked, sought = (((part - mean) @ axes).astype(np.float32) for part in (queries, documents))
    for n in sorted({min(n, documents.shape[1]) for k in given.k for n in (k, 2 * k)}):
        tell(f"PCA, {n}", 4 * n, asked[:, :n], sought[:, :n])
    for path in given.models:
        ours = path.endswith(".safetensors") and Path(path).is_file()
        encoder = sf.load(path) if ours else sf.load_sae(path)
        encoder = getattr(encoder, "encoder_", encoder)
        for k in given.k:
            tell(f"{Path(path).stem}, k = {k}", 8 * k, encoder(queries, k=k), encoder(documents, k=k))


if __name__ == "__main__":
    main()
