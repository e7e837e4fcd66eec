"""What is known of each loss, by the name that the core gives it; nothing else in Python tells losses apart."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Loss: TypeAlias = Literal["squared", "softmax"]


class LossFacts(NamedTuple):
    """Facts of a loss.

    Attributes
    ----------
    outputs : tuple of str
        Units of the last layer that it can be taken of; empty for all.
    labels : bool
        The targets are integer labels, one a sample, instead of a number for each output.
    """

    outputs: tuple[str, ...] = ()
    labels: bool = False


LOSSES = {
    "squared": LossFacts(),
    "softmax": LossFacts(outputs=("linear",), labels=True),
}
NUMBER = {name: number for number, name in enumerate(LOSSES)}
