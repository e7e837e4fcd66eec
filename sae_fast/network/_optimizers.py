"""The update rules of minibatch training: SGD and Adam."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from .. import _core
from .._public import public_in
from ._checks import (
    ParamsLike,
    check_grad,
    check_in,
    check_in_place,
    check_n_threads,
    listed,
)

Rule = Literal["sgd", "adam"]
RULES = ("sgd", "adam")


def rate_of(solver: str, learning_rate: float | None) -> float:
    """The learning rate, by default that of the update rule."""
    if learning_rate is not None:
        return learning_rate
    return 1e-3 if solver == "adam" else 0.1


def check_rule(
    solver: str,
    learning_rate: object,
    momentum: object = 0.0,
    nesterov: bool = False,
    beta1: object = 0.9,
    beta2: object = 0.999,
    eps: object = 1e-8,
) -> dict[str, Any]:
    """Arguments of the core's update rule, checked."""
    if not isinstance(solver, str) or solver not in RULES:
        raise ValueError(f"solver must be {listed(RULES)}, got {solver!r}")
    rate = check_in("learning_rate", learning_rate, 0.0, np.inf, "> 0 and finite")
    if rate == 0.0:
        raise ValueError(f"learning_rate must be > 0 and finite, got {learning_rate!r}")
    rule = {
        "solver": RULES.index(solver),
        "learning_rate": rate,
        "momentum": check_in("momentum", momentum, 0.0, 1.0, "in [0, 1)"),
        "nesterov": bool(nesterov),
        "beta1": check_in("beta1", beta1, 0.0, 1.0, "in [0, 1)"),
        "beta2": check_in("beta2", beta2, 0.0, 1.0, "in [0, 1)"),
        "eps": check_in("eps", eps, 0.0, np.inf, ">= 0 and finite"),
    }
    if rule["nesterov"] and rule["momentum"] == 0.0:
        raise ValueError("momentum must be > 0 with nesterov=True, got 0.0")
    return rule


def rule_of(solver: str, learning_rate: float | None, momentum: float) -> dict[str, Any]:
    """The update rule of an estimator's solver, which has a learning rate of its own and may have no momentum."""
    return check_rule(solver, rate_of(solver, learning_rate), momentum if solver == "sgd" else 0.0)


class _Optimizer:
    """A rule bound to parameters; :meth:`step` updates them in place.

    Threads that step one optimiser do so one after another. Copies and pickles go on from the state that they were
    made in; ``copy.copy`` works on the same ``params``, ``copy.deepcopy`` and pickle on copies of them.
    """

    def __init__(self, params: ParamsLike, rule: dict[str, Any], n_threads: int | None) -> None:
        self.params = check_in_place(params)
        self._threads = check_n_threads(n_threads)
        self._rule = rule
        self._bind()

    def _bind(self) -> None:
        kind = _core.OptimizerF32 if self.params.W1.dtype == np.float32 else _core.OptimizerF64
        self._core = kind(self.params, self._rule)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_core": self._core.state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()
        self._core.restore(*state["_core"])

    @property
    def n_steps(self) -> int:
        """Updates so far."""
        return int(self._core.n_steps)

    def step(self, grad: ParamsLike) -> None:
        """Update the parameters in place by ``grad``, in their shapes and dtype."""
        self._core.step(check_grad(grad, self.params), self._threads)


@public_in("sae_fast")
class SGD(_Optimizer):
    """Gradient descent: ``v = momentum v + g``, then ``p -= learning_rate v``.

    With ``nesterov`` the last step is ``p -= learning_rate (g + momentum v)`` (Sutskever et al., ICML 2013, in the
    form that looks ahead from the stored parameters).

    Parameters
    ----------
    params : Params
        float32 or float64 arrays, C-contiguous and writable; updated in place.
    learning_rate : float
        > 0.
    momentum : float
        In [0, 1).
    nesterov : bool
        Look ahead; needs ``momentum`` > 0.
    n_threads : int, optional
        Threads to use; the result does not depend on it.

    Raises
    ------
    TypeError, ValueError
        Arrays that cannot be updated in place; a rate or momentum out of its range.

    Examples
    --------
    >>> import sae_fast as sf
    >>> params = sf.init_params(4, 2, random_state=0)
    >>> opt = sf.SGD(params, learning_rate=0.1)
    >>> opt.step(params)
    >>> opt.n_steps
    1
    """

    def __init__(
        self,
        params: ParamsLike,
        *,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(params, check_rule("sgd", learning_rate, momentum, nesterov), n_threads)


@public_in("sae_fast")
class Adam(_Optimizer):
    """Adam (Kingma and Ba, ICLR 2015): steps scaled by running moments of the gradient.

    ``m = beta1 m + (1 - beta1) g``, ``v = beta2 v + (1 - beta2) g^2``,
    ``p -= learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)``.

    Parameters
    ----------
    params : Params
        float32 or float64 arrays, C-contiguous and writable; updated in place.
    learning_rate : float
        > 0.
    beta1, beta2 : float
        In [0, 1).
    eps : float
        >= 0.
    n_threads : int, optional
        Threads to use; the result does not depend on it.

    Raises
    ------
    TypeError, ValueError
        Arrays that cannot be updated in place; a rate or factor out of its range.

    Examples
    --------
    >>> import sae_fast as sf
    >>> params = sf.init_params(4, 2, random_state=0)
    >>> opt = sf.Adam(params)
    >>> opt.step(params)
    """

    def __init__(
        self,
        params: ParamsLike,
        *,
        learning_rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(params, check_rule("adam", learning_rate, beta1=beta1, beta2=beta2, eps=eps), n_threads)
