"""A sparse autoencoder beside PCA with as many components, on handwritten digits.

UFLDL names PCA as the way of linear data to fewer numbers, and the autoencoder as one that may keep more of use.
Nothing is published to be met; the table says what each is better at. No linear code of this length reconstructs its
training data better than PCA's. Accuracies are those of the same cross-validated logistic regression.
"""

from __future__ import annotations

from _common import Figure, Options, Result, digits, main, quiet, save

import sae_fast as sf


def run(options: Options) -> Result:
    """Compare on 5,000 digits at 64 components (32 on the small ones)."""
    data = digits(options)
    with quiet():
        found = sf.compare_with_pca(
            data.X[:5_000],
            data.y[:5_000],
            n_components=64 if data.side == 28 else 32,
            cv=3,
            rho=0.1,
            beta=3.0,
            weight_decay=1e-4,
            max_iter=options.size(400, 10),
            random_state=0,
        )
    figures = []
    for name, coder in (
        (f"sparse autoencoder, {found.sae.n_components}", found.sae),
        (f"PCA, {found.pca.n_components}", found.pca),
    ):
        figures += [
            Figure(f"{name}: variance explained", 100 * coder.explained, form=".1f", unit="%"),
            Figure(f"{name}: sparsity of a code (Hoyer)", coder.hoyer, form=".2f"),
            Figure(f"{name}: accuracy on its codes", 100 * coder.accuracy, form=".2f", unit="%"),
            Figure(f"{name}: samples coded in a second", coder.rows_per_second, form=",.0f"),
        ]
    if found.raw is not None:
        figures.append(Figure("raw pixels: accuracy", 100 * found.raw.accuracy, form=".2f", unit="%"))
    name = save(found.plot(), options, "pca_comparison.png")
    caption = "The same comparison, drawn."
    return Result("PCA at equal dimension", figures, [(name, caption)], data.smaller)


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
