"""What is known of each unit, by the name that the core gives it; nothing else in Python tells units apart."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from numpy.typing import NDArray

from .. import _core

Hidden: TypeAlias = Literal["sigmoid", "tanh", "relu", "satlin"]
Output: TypeAlias = Literal["sigmoid", "tanh", "linear", "relu", "satlin"]


class UnitFacts(NamedTuple):
    """Facts of an activation function.

    Attributes
    ----------
    low, high : float
        What the activation reaches; infinite where it has no bound.
    hidden : bool
        It may be that of an autoencoder's hidden units. Any unit may be that of the outputs.
    middle : float, optional
        Of a unit with kinks, which learns nothing where it is flat: the z that training had better start from.
    """

    low: float
    high: float
    hidden: bool
    middle: float | None = None

    @property
    def bounded(self) -> bool:
        """Its mean activation, mapped to [0, 1], can be asked to be ``rho``: ``beta`` acts on it."""
        return self.low > -INF and self.high < INF


INF = float("inf")
UNITS = {
    "sigmoid": UnitFacts(0.0, 1.0, hidden=True),
    "tanh": UnitFacts(-1.0, 1.0, hidden=True),
    "linear": UnitFacts(-INF, INF, hidden=False),
    "relu": UnitFacts(0.0, INF, hidden=True, middle=0.0),
    "satlin": UnitFacts(0.0, 1.0, hidden=True, middle=0.5),
}
OUTPUT = tuple(UNITS)
HIDDEN = tuple(name for name, unit in UNITS.items() if unit.hidden)
NUMBER = {name: number for number, name in enumerate(_core.UNITS)}


def activity(a: NDArray[Any], unit: str) -> NDArray[Any]:
    """Activations as penalties and reports see them: mapped to [0, 1], or as they are where they have no bound."""
    low, high = UNITS[unit].low, UNITS[unit].high
    return (a - low) / (high - low) if UNITS[unit].bounded and (low, high) != (0, 1) else a
