"""A dictionary that is known is learned back from samples of it, by three architectures of k-sparse autoencoders.

Samples are sums of 5 of 512 random directions in 128 dimensions. What is learned is matched with them: the mean over
the directions of the largest cosine to any row of what was learned (MMCS; Sharkey, Braun & Millidge, 2022). It needs no
data; a smaller case runs in seconds, ``--full`` takes minutes::

    python examples/known_dictionary.py
    python examples/known_dictionary.py --full      # exits with 1 unless MMCS >= 0.95 for all three
"""

from __future__ import annotations

import argparse

import numpy as np

import sae_fast as sf


def make(n_samples: int, n_atoms: int, n_features: int, active: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples, and the unit directions that they are made of."""
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(n_atoms, n_features))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    X = np.zeros((n_samples, n_features), np.float32)
    for row in X:
        row += rng.uniform(0.5, 1.5, active) @ atoms[rng.choice(n_atoms, active, replace=False)]
    return X, atoms


def main() -> int:
    """Learn, match and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--full", action="store_true", help="512 directions in 128 dimensions, 40,000 samples")
    full = parser.parse_args().full
    n_samples, n_atoms, n_features, active, batch = (40_000, 512, 128, 5, 256) if full else (6_000, 48, 32, 3, 64)
    X, atoms = make(n_samples, n_atoms, n_features, active)
    worst = 1.0
    for architecture in ("topk", "batchtopk", "jumprelu"):
        model = sf.KSparseAutoencoder(
            n_atoms, k=active, architecture=architecture, max_iter=20, batch_size=batch, learning_rate=3e-3, decay=0.5,
            dead_after=batch * 16, aux_weight=0.1, l0=4.0, random_state=0,
        )  # fmt: skip
        found = sf.match_dictionary(model.fit(X).components_, atoms)
        judged = model.evaluate(X)
        worst = min(worst, found.mmcs)
        print(f"{architecture:<9} MMCS {found.mmcs:.3f}, FVU {judged['fvu']:.3f}, L0 {judged['l0']:.2f}")
    return int(worst < (0.95 if full else 0.9))


if __name__ == "__main__":
    raise SystemExit(main())
