"""Pen strokes: what a sparse autoencoder learns from handwritten digits.

UFLDL, "Exercise: Vectorization": 196 hidden units on the first 10,000 MNIST images of 28x28 pixels, `rho` 0.1,
`weight_decay` 3e-3, `beta` 3. Published is a picture, of filters "like pen strokes", after 15 to 20 minutes on the
machines of 2011.
"""

from __future__ import annotations

from _common import Clock, Figure, Options, Result, digits, main, quiet, save

import sae_fast as sf


def run(options: Options) -> Result:
    """Train, draw the filters."""
    data = digits(options)
    X = data.X[:10_000]
    # 64 pixels have room for fewer strokes.
    n_hidden = 196 if data.side == 28 else 49
    clock = Clock()
    model = sf.SparseAutoencoder(
        n_hidden, rho=0.1, beta=3.0, weight_decay=3e-3, max_iter=options.size(400, 10), tol=0.0, random_state=0
    )
    with quiet():
        model.fit(X)
    seconds = clock()
    reached = model.transform(X).max(axis=0) > 0.5
    figures = [
        Figure("J", model.cost_.total),
        Figure("mean activation (wanted: 0.1)", float(model.rho_hat_.mean()), form=".3f"),
        Figure("units that some digit drives above 0.5", float(reached.mean() * 100), form=".0f", unit="%"),
        Figure("time to train", seconds, "15 to 20 minutes", form=".1f", unit="s"),
    ]
    name = save(sf.plot.filters(model), options, "pen_strokes.png")
    caption = f"What each of the {n_hidden} units looks for. White is ink, grey does not count, black is its absence."
    return Result("MNIST pen strokes", figures, [(name, caption)], data.smaller)


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
