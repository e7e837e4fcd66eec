"""What is known of each loss, by the name that the core gives it; nothing else in Python tells losses apart."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from .. import _core

Loss: TypeAlias = Literal["squared", "absolute", "huber", "cross_entropy"]
AnyLoss: TypeAlias = Literal[Loss, "softmax"]


class LossFacts(NamedTuple):
    """Facts of a loss.

    Attributes
    ----------
    outputs : tuple of str
        Units of the last layer that it can be taken of; empty for all.
    targets : (float, float), optional
        Between which the targets must be.
    labels : bool
        The targets are integer labels, one a sample, instead of a number for each output.
    """

    outputs: tuple[str, ...] = ()
    targets: tuple[float, float] | None = None
    labels: bool = False


LOSSES = {
    "squared": LossFacts(),
    "softmax": LossFacts(outputs=("linear",), labels=True),
    "absolute": LossFacts(),
    "huber": LossFacts(),
    "cross_entropy": LossFacts(outputs=("sigmoid",), targets=(0.0, 1.0)),
}
NUMBER = {name: number for number, name in enumerate(_core.LOSSES)}
RECONSTRUCTION = tuple(name for name, loss in LOSSES.items() if not loss.labels)


def serves(loss: str, output: str) -> bool:
    """Can the loss be taken of these output units?"""
    outputs = LOSSES[loss].outputs
    return not outputs or output in outputs
