"""Self-taught learning: features learned from digits 5 to 9 tell 0 to 4 apart.

UFLDL, "Exercise: Self-Taught Learning": a sparse autoencoder of 200 hidden units (`rho` 0.1, `weight_decay` 3e-3,
`beta` 3, 400 iterations) sees the digits 5 to 9 without labels. The labelled digits 0 to 4 are cut in halves; a
softmax classifier on the codes of one half is tested on the other. Published: 98.3 %, and about 96 % on raw pixels.

The only free choice is the classifier's weight decay. It is made by cross-validation within the training half, for
the codes and for the raw pixels alike.
"""

from __future__ import annotations

from _common import Clock, Figure, Options, Result, digits, main, quiet, save, softmax_accuracy

import sae_fast as sf


def run(options: Options) -> Result:
    """Accuracy on the second half of the digits 0 to 4, from codes and from raw pixels."""
    clock = Clock()
    data = digits(options)
    unlabelled, labelled = data.X[data.y >= 5], data.X[data.y < 5]
    labels = data.y[data.y < 5]
    half = len(labels) // 2
    # 64 pixels are too few for 200 sparse units.
    n_hidden = 200 if data.side == 28 else 64
    coder = sf.SparseAutoencoder(
        n_hidden, rho=0.1, beta=3.0, weight_decay=3e-3, max_iter=options.size(400, 20), tol=0.0, random_state=0
    )
    with quiet():
        coder.fit(unlabelled)
    codes = coder.transform(labelled)
    on_codes = softmax_accuracy(codes[:half], labels[:half], codes[half:], labels[half:], options)
    seconds = clock()
    on_pixels = softmax_accuracy(labelled[:half], labels[:half], labelled[half:], labels[half:], options)
    picture = save(sf.plot.filters(coder, n_columns=20), options, "self_taught.png")
    full = not (data.smaller or options.quick)
    figures = [
        Figure(
            "accuracy on codes",
            on_codes.per_cent,
            "98.3 %" if full else "",
            at_least=98.3 if full else None,
            form=".2f",
            unit="%",
        ),
        Figure("accuracy on raw pixels", on_pixels.per_cent, "about 96 %" if full else "", form=".2f", unit="%"),
        Figure("time to train and test", seconds, at_most=180.0 if full else None, form=".1f", unit="s"),
        Figure("classifier's weight decay, chosen on the training half", on_codes.weight_decay, "1e-04", form=".0e"),
    ]
    caption = f"What {n_hidden} units learn from the digits 5 to 9: pieces of pen strokes."
    return Result("Self-taught learning", figures, [(picture, caption)], data.smaller)


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
