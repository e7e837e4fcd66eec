"""Linear decoders: colour patches teach an autoencoder edges of colour.

UFLDL, "Exercise: Learning color features with Sparse Autoencoders": 400 units on patches of 8x8 pixels in three
colours, ZCA-whitened (`epsilon` 0.1), with a linear output layer; `rho` 0.035, `weight_decay` 3e-3, `beta` 5, 400
iterations. Published is a picture, from 100,000 patches of the STL-10 set: edges, many grey, many from one colour to
another.

Kodak's 24 photographs, halved, stand in for STL-10 (`natural/kodak_colour.npz` in the data folder), and where they are
not there the two that scikit-learn ships. Those are halved here, since JPEG has blurred the colours of neighbouring
pixels; they hold so few colours that half of the filters are uniform. A filter is seen as a profile in space times a
colour, its best approximation of rank one: the Gabor fit judges the profile, and the colour says whether the edge is
one of brightness or of hue.
"""

from __future__ import annotations

import numpy as np
from _common import F64, Clock, Figure, Options, Result, main, quiet, save
from gabor import gabor_r2
from sklearn.datasets import load_sample_images

import sae_fast as sf

SMALLER = "patches of scikit-learn's two photographs"


def run(options: Options) -> Result:
    """Whiten, train, judge the filters."""
    clock = Clock()
    photographs, smaller = colour_photographs(options)
    n_patches = options.size(25_000 if smaller else 100_000, 500)
    patches = sf.PatchExtractor(8, n_patches, random_state=0).fit_transform(photographs)
    whitener = sf.ZCAWhitener(epsilon=0.1)
    X = whitener.fit_transform(patches).astype(np.float32)
    model = sf.SparseAutoencoder(
        options.size(400, 16),
        rho=0.035,
        beta=5.0,
        weight_decay=3e-3,
        output="linear",
        max_iter=options.size(400, 10),
        tol=0.0,
        random_state=0,
    )
    with quiet():
        model.fit(X)
    seconds = clock()
    # What a filter looks for in the pixels themselves: its weights behind the whitening.
    in_pixels = model.components_ @ whitener.whitening_
    profiles, colours = separate(in_pixels)
    # Brightness is the grey direction (1, 1, 1) / sqrt 3; what is left of the unit vector is hue.
    hue = 1 - colours.sum(axis=1) ** 2 / 3
    # Some units look for one colour all over the patch: nearly all of such a profile's energy is its mean.
    structured = profiles.var(axis=1) > 0.1 * (profiles**2).mean(axis=1)
    edges = gabor_r2(profiles[structured][: options.size(len(profiles), 3)])
    figures = [
        Figure(
            "median Gabor R² of profiles that are not uniform", float(np.median(edges)), "picture of edges", form=".3f"
        ),
        Figure("uniform filters", 100 * float(1 - structured.mean()), form=".0f", unit="%"),
        Figure(
            "of the others, of hue rather than brightness",
            100 * float((hue[structured] > 0.5).mean()),
            form=".0f",
            unit="%",
        ),
        Figure("J", model.cost_.total),
        Figure("time to whiten and train", seconds, form=".1f", unit="s"),
    ]
    order = np.argsort(hue, kind="stable")
    axes = sf.plot.filters(in_pixels[order], shape=(8, 8, 3))
    caption = "What each unit looks for, in the order of hue: brightness first, then colour."
    return Result(
        "Linear decoder on colour patches", figures, [(save(axes, options, "colour_patches.png"), caption)], smaller
    )


def colour_photographs(options: Options) -> tuple[list[F64], str]:
    """Photographs (rows, columns, 3) in [0, 1], and of which, where they are not Kodak's."""
    path = options.file("natural/kodak_colour.npz")
    if path is None:
        return [halve(p / 255) for p in load_sample_images().images], SMALLER
    with np.load(path) as z:
        return [p / 255 for p in z["images"][: options.size(24, 2)]], ""


def halve(picture: F64) -> F64:
    """Means of 2x2 pixels."""
    rows, columns = (n // 2 for n in picture.shape[:2])
    mean: F64 = picture[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 3).mean(axis=(1, 3))
    return mean


def separate(filters: F64) -> tuple[F64, F64]:
    """Profile in space (n_filters, 64) and colour (n_filters, 3) of the best approximation of rank one."""
    u, s, vt = np.linalg.svd(filters.reshape(len(filters), 64, 3).astype(np.float64), full_matrices=False)
    return u[:, :, 0] * s[:, :1], vt[:, 0]


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
