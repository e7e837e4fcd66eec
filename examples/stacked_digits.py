"""Stacked digits: a deep network, before and after fine-tuning.

UFLDL, "Exercise: Implement deep networks for digit classification": sparse autoencoders of 200 and again 200 units
(`rho` 0.1, `weight_decay` 3e-3, `beta` 3) on 60,000 digits, a softmax classifier on top, then all layers tuned
together with the labels. Published: 87.7 % before fine-tuning, 97.6 % after.

Each layer gets 200 iterations of L-BFGS, and fine-tuning 100 over all digits. Its weight decay, 1e-5 on every layer,
was chosen on the last 10,000 of the training digits.
"""

from __future__ import annotations

import numpy as np
from _common import Clock, Figure, Options, Result, digits, main, quiet, save
from matplotlib.figure import Figure as Canvas

import sae_fast as sf


def run(options: Options) -> Result:
    """Train layer by layer, then together; accuracy on the test digits before and after."""
    data = digits(options)
    full = not (data.smaller or options.quick)
    clock = Clock()
    model = sf.StackedAutoencoderClassifier(
        (200, 200) if data.side == 28 else (64, 64),
        rho=0.1,
        beta=3.0,
        weight_decay=3e-3,
        max_iter=options.size(200, 10),
        fine_tune_solver="lbfgs",
        fine_tune_max_iter=options.size(100, 10),
        fine_tune_weight_decay=1e-5,
        random_state=0,
    )
    with quiet():
        model.fit(data.X, data.y)
    seconds = clock()
    before = 100 * model.before_fine_tuning().score(data.X_test, data.y_test)
    after = 100 * model.score(data.X_test, data.y_test)
    figures = [
        Figure("accuracy before fine-tuning", before, "87.7 %" if full else "", form=".2f", unit="%"),
        Figure(
            "accuracy after", after, "97.6 %" if full else "", at_least=98.0 if full else None, form=".2f", unit="%"
        ),
        Figure("time to train", seconds, at_most=600.0 if full else None, form=".1f", unit="s"),
    ]
    caption = "Costs of the three stages, and the test digits that are still taken for others: their number, by pair."
    return Result(
        "Stacked digits", figures, [(picture(model, data.X_test, data.y_test, options), caption)], data.smaller
    )


def picture(model: sf.StackedAutoencoderClassifier, X: np.ndarray, y: np.ndarray, options: Options) -> str:
    """Loss curves of the stages; confusion of the digits without the diagonal."""
    canvas = Canvas(figsize=(9, 3.8), layout="constrained")
    left, right = canvas.subplots(1, 2)
    for name, curve in zip(("layer 1: J", "layer 2: J"), model.loss_curves_, strict=True):
        left.plot(np.arange(1, len(curve) + 1), curve, label=name)
    left.plot(
        np.arange(1, len(model.fine_tune_loss_curve_) + 1), model.fine_tune_loss_curve_, label="fine-tuning: loss"
    )
    left.set(xlabel="iteration", xscale="log", yscale="log")
    left.legend()
    wrong = np.zeros((10, 10), dtype=int)
    np.add.at(wrong, (y, model.predict(X)), 1)
    np.fill_diagonal(wrong, 0)
    right.imshow(wrong, cmap="Reds")
    for i, j in zip(*np.nonzero(wrong), strict=True):
        right.text(j, i, wrong[i, j], ha="center", va="center", fontsize=7)
    right.set(xlabel="taken for", ylabel="digit", xticks=range(10), yticks=range(10))
    return save(canvas, options, "stacked_digits.png")


if __name__ == "__main__":
    raise SystemExit(main(run, __doc__))
