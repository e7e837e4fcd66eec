"""Epochs of a k-sparse autoencoder: minibatches, schedules, what is told of them, checkpoints, Ctrl-C."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..ksparse._recipes import Plan
from ..network._window_solver import rows_of_a_window
from ..streams._source import Source
from ._checkpoint import Keeper
from ._fit import FitInterruptedWarning
from ._progress import Progress
from ._streamed import windows

HISTORY = ("loss", "fvu", "l0", "dead", "aux_loss", "learning_rate", "k")
_SUMS = ("loss", "squared_error", "variance", "n_active", "aux_loss")


def trainer_of(
    weights: Mapping[str, Any], architecture: str, groups: tuple[int, ...], plan: Plan
) -> _core.KSparseTrainer:
    """What takes the steps."""
    recipe = plan.recipe
    return _core.KSparseTrainer(
        **weights,
        architecture=architecture,
        groups=groups,
        beta1=0.0 if architecture == "jumprelu" else recipe.beta1,
        epsilon=recipe.epsilon,
        threshold_momentum=recipe.threshold_momentum,
    )


class Minibatches:
    """Samples in minibatches, in an order that seed and epoch decide.

    All rows of an array are shuffled together; those of a source within windows of some 64 MiB, each a whole number of
    minibatches, so that one window gives what an array gives.
    """

    def __init__(self, samples: NDArray[Any] | Source, batch_size: int, seed: int) -> None:
        self._samples, self._batch, self._seed = samples, batch_size, seed
        self.n_samples = len(samples)
        self.n_steps = -(-self.n_samples // batch_size)
        self._window = self.n_samples
        if isinstance(samples, Source):
            self._window = rows_of_a_window(samples.n_features, samples.dtype, batch_size)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[NDArray[Any]]:
        """The minibatches of an epoch, from number ``first`` on."""
        done = first * self._batch
        start = done - done % self._window
        for number, rows in enumerate(self._windows(start), start // self._window):
            order = np.random.RandomState([self._seed, epoch, number]).permutation(len(rows))
            for i in range(done - start, len(rows), self._batch):
                # The order within a minibatch does not matter; rising rows are read faster.
                yield rows[np.sort(order[i : i + self._batch])]
            start += len(rows)
            done = start

    def _windows(self, start: int) -> Iterator[NDArray[Any]]:
        if isinstance(self._samples, Source):
            yield from windows(self._samples, self._window, start)
        elif start < self.n_samples:
            yield self._samples


class _Shown(NamedTuple):
    """What progress tells after a minibatch."""

    epoch: int
    seconds: float
    words: str


class Training:
    """A run of epochs.

    Attributes
    ----------
    history : dict of list
        A number for each epoch that was ended.
    n_iter : int
        Epochs done.
    """

    def __init__(
        self, trainer: _core.KSparseTrainer, plan: Plan, unit: float, n_threads: int, keeper: Keeper | None = None
    ) -> None:
        self.trainer, self._plan, self._unit, self._n_threads, self._keeper = trainer, plan, unit, n_threads, keeper
        self.history: dict[str, list[float]] = {name: [] for name in HISTORY}
        self.n_steps = self._in_epoch = 0
        self._sums = np.zeros(len(_SUMS) + 1)  # of the epoch: metrics times samples where they are means, and samples
        self._l0, self._n_dead = float(plan.k), 0
        if keeper is not None and (state := keeper.take()) is not None:
            try:
                self._restore(state)
            except (KeyError, ValueError, TypeError, IndexError) as error:
                raise keeper.wrong(error) from error

    def use(self, plan: Plan, n_threads: int) -> None:
        """Go on by another plan for the same network."""
        self._plan, self._n_threads = plan, n_threads

    @property
    def n_iter(self) -> int:
        """Epochs done."""
        return len(self.history["loss"])

    def run(
        self,
        batches: Minibatches,
        max_iter: int,
        verbose: int = 0,
        callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        """Train until ``max_iter`` epochs are done, the callback has enough, or Ctrl-C ends it."""
        progress = Progress(max_iter * batches.n_steps, "minibatch", describe=_words) if verbose else None
        began = time.perf_counter()
        try:
            with progress or contextlib.nullcontext():
                n_before = self.n_steps
                while self.n_iter < max_iter:
                    for X in batches.epoch(self.n_iter, self._in_epoch):
                        self.step(X)
                        self._write()
                        if progress is not None:
                            seconds = time.perf_counter() - began
                            speed = (self.n_steps - n_before) * batches.n_samples / batches.n_steps / seconds
                            progress.show(_Shown(self.n_steps, seconds, self._tell(speed)))
                    ended = self.end_epoch()
                    if callback is not None and callback({"epoch": self.n_iter, "n_epochs": max_iter} | ended):
                        break
        except KeyboardInterrupt:
            if not self.n_steps:
                raise
            advice = self._last_words()
            warnings.warn(
                f"fit was interrupted in epoch {self.n_iter + 1} of {max_iter}, after {self.n_steps} minibatches; the "
                f"parameters so far are kept{advice}",
                FitInterruptedWarning,
                stacklevel=3,
            )
            if not self.n_iter:  # a model has a history, of what there was of its first epoch
                self.end_epoch()
            return
        if self._keeper is not None:
            self._keeper.write(self._state())

    def step(self, X: NDArray[Any]) -> None:
        """Learn from a minibatch."""
        plan, recipe = self._plan, self._plan.recipe
        k = plan.k_of(self.n_steps)
        options: dict[str, Any] = {}
        aux_weight = recipe.aux_weight
        if recipe.aux_by_dead and plan.aux_k:
            aux_weight *= min(1.0, self._n_dead / plan.aux_k)
        architecture = self.trainer.architecture
        if architecture == "jumprelu":
            # The slope of l0 (L0 / k - 1)^2 at the L0 of the minibatch before; what pulls L0 up is the loss itself.
            slope = 2 * recipe.l0 * max(0.0, self._l0 / k - 1) / k
            options = {"l0": slope, "bandwidth": recipe.bandwidth}
        elif architecture in ("relu", "gated"):
            options = {"l1": recipe.l1}
        elif architecture == "topk" and plan.multi_k > k:
            options = {"multi_k": plan.multi_k, "multi_weight": recipe.multi_weight}
        try:
            found = self.trainer.step(
                X,
                learning_rate=plan.learning_rate(self.n_steps),
                k=k if architecture in ("topk", "batchtopk") else 0,
                n_threads=self._n_threads,
                unit=self._unit,
                aux_k=plan.aux_k if aux_weight else 0,
                aux_weight=aux_weight,
                aux_normalized=recipe.aux_normalized,
                dead_after=plan.dead_after,
                loss_normalized=recipe.loss_normalized,
                clip=recipe.clip,
                **options,
            )
        except ValueError as error:
            raise self._diverged(str(error)) from error
        if not np.isfinite(found["loss"]):
            raise self._diverged(f"loss = {found['loss']}")
        n = len(X)
        self._l0, self._n_dead = found["n_active"] / n, found["n_dead"]
        self._sums += [
            found["loss"] * n, found["squared_error"], found["variance"], found["n_active"], found["aux_loss"] * n, n
        ]  # fmt: skip
        self.n_steps += 1
        self._in_epoch += 1

    def _diverged(self, what: str) -> ValueError:
        return ValueError(
            f"fit diverged after {self.n_steps} minibatches ({what}): choose a smaller learning_rate, or look for rows "
            "that are far larger than others"
        )

    def _means(self) -> dict[str, float]:
        loss, error, variance, active, aux, n = self._sums.tolist()
        return {
            "loss": loss / n,
            "fvu": error / variance if variance > 0 else 0.0 if error == 0 else np.inf,
            "l0": active / n,
            "aux_loss": aux / n,
        }

    def _dead(self, n: float) -> float:
        return float(np.mean(self.trainer.samples_since_fired >= n))

    def end_epoch(self) -> dict[str, float]:
        """Book an epoch; its numbers."""
        found = self._means() | {"dead": self._dead(self._sums[-1])}
        last = self.n_steps - 1
        found |= {"learning_rate": self._plan.learning_rate(last), "k": float(self._plan.k_of(last))}
        for name in HISTORY:
            self.history[name].append(found[name])
        self._sums = np.zeros(len(_SUMS) + 1)
        self._in_epoch = 0
        return {name: found[name] for name in HISTORY}

    def check(self) -> None:
        """ValueError unless all parameters are finite."""
        state = self.trainer.state()
        if not all(np.isfinite(state[name]).all() for name in ("W_enc", "b_enc", "W_dec", "b_dec")):
            raise self._diverged("parameters are not finite")

    def weights(self) -> dict[str, Any]:
        """Of the trainer, for samples divided by the unit."""
        names = "W_enc", "b_enc", "W_dec", "b_dec", "threshold", "b_gate", "r_mag"
        return {name: value for name in names if (value := getattr(self.trainer, name)) is not None}

    def _tell(self, speed: float) -> str:
        found = self._means()
        dead = self._dead(min(self._plan.dead_after, self._sums[-1])) if self._in_epoch else 0.0
        return (
            f"loss {found['loss']:.4g}, FVU {found['fvu']:.4g}, L0 {found['l0']:.4g}, dead {100 * dead:.3g} %, "
            f"{speed:.0f} samples/s"
        )

    def _state(self) -> dict[str, NDArray[Any]]:
        found = {f"trainer.{name}": np.atleast_1d(value) for name, value in self.trainer.state().items()}
        history = np.array([self.history[name] for name in HISTORY], np.float64).reshape(len(HISTORY), -1)
        place = np.array([self.n_steps, self._in_epoch], np.int64)
        numbers = np.array([self._l0, self._n_dead, self._unit], np.float64)
        return found | {"history": history, "place": place, "sums": self._sums.copy(), "numbers": numbers}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        stored = {k.removeprefix("trainer."): v for k, v in state.items() if k.startswith("trainer.")}
        like = self.trainer.state()
        for name, value in like.items():
            want, got = np.atleast_1d(value), stored[name]
            if want.shape != got.shape or want.dtype != got.dtype:
                raise ValueError(f"{name} must be {want.dtype} {want.shape}, got {got.dtype} {got.shape}")
        self.trainer.load_state({name: stored[name] if np.ndim(like[name]) else stored[name].item() for name in like})
        rows = state["history"].tolist()
        self.history = {name: list(row) for name, row in zip(HISTORY, rows, strict=True)}
        self.n_steps, self._in_epoch = (int(n) for n in state["place"])
        self._sums = np.array(state["sums"], np.float64)
        self._l0, n_dead, unit = state["numbers"].tolist()
        self._n_dead = int(n_dead)
        if unit != self._unit or self._sums.shape != (len(_SUMS) + 1,):
            raise ValueError("it is of samples in another unit")

    def _write(self) -> None:
        if self._keeper is not None:
            self._keeper.write_if_due(self._state)

    def _last_words(self) -> str:
        if self._keeper is None:
            return ""
        try:
            self._keeper.write(self._state())
        except OSError as error:
            advice = f"; no checkpoint was written: {error}"
        else:
            advice = self._keeper.advice
        self._keeper.close()
        return advice


def _words(info: Any) -> str:
    words: str = info.words
    return words
