"""The tables of units and losses are what types and messages say, and what the core does."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import _core
from sae_fast.network import _losses
from sae_fast.network._checks import listed
from sae_fast.network._deep import deep_forward
from sae_fast.network._losses import LOSSES, AnyLoss, Loss
from sae_fast.network._units import HIDDEN, NUMBER, OUTPUT, UNITS, Hidden, Output


def test_types_name_the_units_and_losses_of_the_tables():
    """A type checker allows just the names that the tables have."""
    assert get_args(Hidden) == HIDDEN
    assert get_args(Output) == OUTPUT == tuple(UNITS)
    assert get_args(Loss) == _losses.RECONSTRUCTION
    assert set(get_args(AnyLoss)) == set(LOSSES)


@pytest.mark.parametrize("unit", UNITS)
def test_units_reach_just_their_range(unit):
    """The core's activations come as near to the ends of the table's range as rounding lets them, and not beyond."""
    z = np.array([[-1e3], [-1.0], [0.0], [1.0], [1e3]])
    a = deep_forward([(np.ones((1, 1)), np.zeros(1))], z, units=[unit])
    low, high = UNITS[unit].low, UNITS[unit].high
    assert a.min() == max(low, -1e3)
    assert a.max() == min(high, 1e3)
    assert UNITS[unit].bounded == (np.isfinite(low) and np.isfinite(high))


def test_messages_list_all_names():
    """A name that is none is answered with all that there are."""
    params, X = sf.init_params(4, 2, random_state=0), np.full((3, 4), 0.5)
    for name, names in (("hidden", HIDDEN), ("output", OUTPUT)):
        with pytest.raises(ValueError, match=f"^{name} must be {listed(names)}, got 'softsign'$"):
            sf.cost(params, X, rho=0.1, beta=0.0, weight_decay=0.0, **{name: "softsign"})
    with pytest.raises(ValueError, match=rf"^units\[0\] must be {listed(OUTPUT)}, got 'softsign'$"):
        deep_forward([params[:2]], X, units=["softsign"])
    with pytest.raises(ValueError, match=f"^loss must be {listed(LOSSES)}, got 'hinge'$"):
        deep_forward([params[:2]], X, units=["sigmoid"], loss="hinge")


def test_the_core_knows_the_same_names():
    """The tables have the core's units and losses, under the core's numbers."""
    for table, number, core in ((UNITS, NUMBER, _core.UNITS), (LOSSES, _losses.NUMBER, _core.LOSSES)):
        assert set(table) == set(core)
        assert [number[name] for name in core] == list(range(len(table)))


def test_units_without_bound_have_no_penalty_on_their_mean(impl):
    """Beta > 0 is refused for them, with the bound that is missing."""
    params, X = sf.init_params(4, 2, random_state=0), np.full((3, 4), 0.5)
    rest = {"rho": 0.1, "weight_decay": 0.0}
    with pytest.raises(
        ValueError, match=r"hidden='relu', whose mean activation has no upper bound; take l1=\.\.\., got 3"
    ):
        impl.cost(params, X, **rest, beta=3.0, hidden="relu")
    assert impl.cost(params, X, **rest, beta=0.0, hidden="relu").sparsity == 0


def test_names_in_a_sentence():
    """One, two and more names."""
    assert [listed(names) for names in ("a", "ab", "abc")] == ["'a'", "'a' or 'b'", "'a', 'b' or 'c'"]
