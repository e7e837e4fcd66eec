"""Convolution and pooling: filters of small patches tell whole images apart.

UFLDL, "Exercise: Convolution and Pooling": the codes of all patches of an image, averaged over a few large regions,
are features for a classifier. Published: about 80 % on four classes of STL-10, with the 400 filters of the linear
decoder.

STL-10 is not at hand, so the question is asked of handwritten digits: 5,000 to train the classifier, 10,000 to test.
The filters are learned from whitened patches of the training digits by a linear decoder. The same classifier gets the
raw pixels, and the codes of a sparse autoencoder of whole digits (784-196, as for the pen strokes). Its weight decay is
chosen on a quarter of the training digits.
"""

from __future__ import annotations

from _common import F32, Clock, Figure, Options, Result, digits, main, quiet, save, softmax_accuracy
from matplotlib.figure import Figure as Canvas
from sklearn.model_selection import ShuffleSplit

import sae_fast as sf


def run(options: Options) -> Result:
    """Learn filters, convolve and pool, classify."""
    data = digits(options)
    n = 5_000
    X, y, side = data.X[:n], data.y[:n], data.side
    small = side != 28
    patch, pool, n_filters, n_hidden = (3, 3, 32, 49) if small else (8, 7, 100, 196)

    clock = Clock()
    extractor = sf.PatchExtractor(patch, options.size(30_000, 500), random_state=0)
    patches = extractor.fit_transform(X.reshape(-1, side, side))
    whitener = sf.ZCAWhitener(epsilon=0.1)
    filters = sf.SparseAutoencoder(
        n_filters,
        rho=0.035,
        beta=5.0,
        weight_decay=3e-3,
        output="linear",
        max_iter=options.size(200, 5),
        random_state=0,
    )
    with quiet():
        filters.fit(whitener.fit_transform(patches))
    learned = clock()
    convolved = sf.ConvolvedFeatures(filters, patch, pool, whitener=whitener, image_shape=(side, side))
    clock = Clock()
    pooled, pooled_test = convolved.fit_transform(X), convolved.transform(data.X_test)
    seconds = clock()
    coder = sf.SparseAutoencoder(
        n_hidden, rho=0.1, beta=3.0, weight_decay=3e-3, max_iter=options.size(200, 5), random_state=0
    )
    with quiet():
        coder.fit(X)

    views = {
        f"convolved and pooled ({pooled.shape[1]} features)": (pooled, pooled_test),
        f"codes of whole digits ({n_hidden})": (coder.transform(X), coder.transform(data.X_test)),
        f"raw pixels ({X.shape[1]})": (X, data.X_test),
    }
    split = ShuffleSplit(1, test_size=0.25, random_state=0)
    figures = [
        Figure(
            f"accuracy, {name}", softmax_accuracy(a, y, b, data.y_test, options, split).per_cent, form=".2f", unit="%"
        )
        for name, (a, b) in views.items()
    ]
    figures += [
        Figure("time to learn the filters", learned, form=".1f", unit="s"),
        Figure(f"time to convolve and pool {len(X) + len(data.X_test):,} images", seconds, form=".1f", unit="s"),
    ]
    name = picture(filters, whitener, convolved, X[:6], options)
    caption = "Filters as they act on pixels; below, digits, and the pooled codes of the filter that each excites most."
    return Result("Convolution and pooling", figures, [(name, caption)], data.smaller)


def picture(
    filters: sf.SparseAutoencoder, whitener: sf.ZCAWhitener, convolved: sf.ConvolvedFeatures, X: F32, options: Options
) -> str:
    """All filters on the left; digits and one pooled map of each on the right."""
    canvas = Canvas(figsize=(9, 4), layout="constrained")
    left, right = canvas.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.3))[0]
    sf.plot.filters(filters.components_ @ whitener.whitening_, ax=left.subplots())
    maps = convolved.transform(X).reshape(len(X), *convolved.map_shape_)
    side = round(X.shape[1] ** 0.5)
    for column, image, codes in zip(right.subplots(2, len(X)).T, X, maps, strict=True):
        loudest = codes.std(axis=(0, 1)).argmax()
        column[0].imshow(image.reshape(side, side), cmap="gray")
        column[1].imshow(codes[:, :, loudest], cmap="gray", vmin=0, vmax=1)
        for ax in column:
            ax.set(xticks=[], yticks=[])
    return save(canvas, options, "convolution.png")


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
