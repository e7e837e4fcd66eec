"""Checkpoints of a fit: when they are written, and whether one is of this fit."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files._checkpoint_file import read_checkpoint, write_checkpoint
from ..files._model_file import ModelFileError, import_safetensors
from ..files._targets import check_target
from ..network._checks import check_in
from ..preprocessing._transformer import rng_of
from ._estimator_file import hyper_parameters

_FREE = ("verbose", "n_threads", "warm_start")  # parameters that no result depends on
_BLOCK = 1 << 22

Path = str | PathLike[str]
Arrays = dict[str, NDArray[Any]]


class Digest:
    """What tells data from other data: a SHA-256 over all rows, however they come."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._n_rows, self._kind = 0, ""

    def update(self, X: NDArray[Any]) -> None:
        """Further rows."""
        self._n_rows += len(X)
        self._kind = f"{X.shape[1]} features, {X.dtype}"
        rows = max(1, _BLOCK // max(1, X.shape[1] * X.itemsize))
        for i in range(0, len(X), rows):
            self._hash.update(np.ascontiguousarray(X[i : i + rows]).view(np.uint8).reshape(-1).data)

    @property
    def facts(self) -> dict[str, str]:
        """Size and kind in words, and the digest."""
        return {"size": f"{self._n_rows} samples of {self._kind}", "sha256": self._hash.hexdigest()}


class Keeper:
    """The checkpoints of one fit.

    Parameters
    ----------
    checkpoint : path-like or None
        The file to write; None to write none.
    every : float, optional
        Seconds between two of them, 60 by default.
    resume_from : path-like or None
        The file to go on from.

    Raises
    ------
    OSError
        There is no such file, or no folder for the checkpoint.
    ModelFileError
        It is damaged, or no checkpoint.
    """

    def __init__(self, checkpoint: Path | None, every: float | None, resume_from: Path | None) -> None:
        import_safetensors()
        self._every = check_in("checkpoint_every", 60.0 if every is None else every, 0.0, np.inf, ">= 0 and finite")
        self._path = None if checkpoint is None else os.fspath(checkpoint)
        if self._path is not None:
            check_target(self._path)
        self._source = "" if resume_from is None else os.fspath(resume_from)
        self._found, about = ({}, {}) if resume_from is None else read_checkpoint(resume_from)
        self._stored: dict[str, Any] = about.get("fit", {})
        self.stage = 0
        self._begins = about.get("stage", 0)  # with the stage that the checkpoint was written in
        self._resumes = resume_from is not None
        self._done: Arrays = {}  # of stages that have ended
        self.digest = Digest()
        self._last = time.monotonic()

    def open(
        self,
        model: Any,
        weight: NDArray[Any] | None,
        free: Iterable[str] = (),
        labels: NDArray[np.intp] | None = None,
    ) -> np.random.RandomState:
        """Say what the fit is of, when the digest has seen the data; the generator that it draws from.

        Raises
        ------
        ValueError
            The checkpoint is of another model, of other settings or other data.
        """
        settings = {k: v for k, v in hyper_parameters(model).items() if k not in (*_FREE, *free)}
        rng = rng_of(model.random_state)
        fit = {
            "model": type(model).__name__,
            "settings": settings,
            "data": self.digest.facts,
            "sample_weight": _sha256(weight),
            "labels": _sha256(labels),
            "random": _as_json(rng.get_state(legacy=False)),
        }
        self._fit: dict[str, Any] = json.loads(json.dumps(fit))
        if not self._resumes:
            return rng
        try:
            self._check(self._stored)
            self._fit["random"] = self._stored["random"]
            self._done = {k: v for k, v in self._found.items() if k.startswith("done.")}
            return _generator(self._stored["random"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{self._source} does not hold the state of a fit: {error}") from error

    def _check(self, stored: dict[str, Any]) -> None:
        fit, path = self._fit, self._source
        if stored["model"] != fit["model"]:
            raise ValueError(f"{path} is a checkpoint of another model: a {stored['model']}, not a {fit['model']}")
        was, now = stored["settings"], fit["settings"]
        for name in sorted({*was, *now}):
            if was.get(name) != now.get(name):
                raise ValueError(
                    f"{path} is a checkpoint of other settings: {name} was {was.get(name)!r}, and is {now.get(name)!r}"
                )
        if stored["data"]["size"] != fit["data"]["size"]:
            raise ValueError(
                f"{path} is a checkpoint of other data: {stored['data']['size']}, not {fit['data']['size']}"
            )
        if stored["data"]["sha256"] != fit["data"]["sha256"]:
            raise ValueError(f"{path} is a checkpoint of other data, of the same size: {fit['data']['size']}")
        for name, what in (("sample_weight", "sample_weight"), ("labels", "labels y")):
            if stored[name] != fit[name]:
                raise ValueError(f"{path} is a checkpoint of other {what}")

    @property
    def resumes(self) -> bool:
        """Has the checkpoint a state of the current stage, to go on from?"""
        return self._resumes and self.stage == self._begins

    def take(self) -> Arrays | None:
        """That state, or None."""
        return {k: v for k, v in self._found.items() if not k.startswith("done.")} if self.resumes else None

    def finish(self, theta: NDArray[Any], curve: NDArray[np.float64]) -> None:
        """The current stage has ended with these parameters; what follows is the next one."""
        self._done |= {f"done.{self.stage}.theta": theta, f"done.{self.stage}.curve": curve}
        self.stage += 1

    def finished(self, like: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
        """Parameters and curve of the current stage, if the checkpoint was written in a later one."""
        if not self._resumes or self.stage >= self._begins:
            return None
        try:
            theta, curve = (self._done[f"done.{self.stage}.{name}"] for name in ("theta", "curve"))
            if theta.shape != like.shape or theta.dtype != like.dtype:
                raise ValueError(f"parameters must have {like.dtype} {like.shape}, got {theta.dtype} {theta.shape}")
        except (KeyError, ValueError) as error:
            raise self.wrong(error) from error
        return theta, curve

    def close(self) -> None:
        """Write no more: what was interrupted is to go on from the last checkpoint."""
        self._path = None

    def wrong(self, error: Exception) -> ModelFileError:
        """What to raise where a state does not fit."""
        return ModelFileError(f"{self._source} does not hold the state of this fit: {error}")

    def write_if_due(self, state: Callable[[], Arrays]) -> None:
        """Write the state if the time has come."""
        if self._path is not None and time.monotonic() - self._last >= self._every:
            self.write(state())

    def write(self, state: Arrays) -> None:
        """Write the state now, if there is a file for it."""
        if self._path is None:
            return
        write_checkpoint(self._path, self._done | state, {"fit": self._fit, "stage": self.stage})
        self._last = time.monotonic()

    @property
    def advice(self) -> str:
        """What a message on an end before the end adds."""
        return "" if self._path is None else f"; {self._path} resumes it"


def keeper_of(checkpoint: Path | None, every: float | None, resume_from: Path | None) -> Keeper | None:
    """None where nobody asks for checkpoints."""
    for name, path in (("checkpoint", checkpoint), ("resume_from", resume_from)):
        if path is not None and not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"{name} must be a path, got {path!r}")
    if every is not None and checkpoint is None:
        raise ValueError(f"checkpoint_every={every!r} needs checkpoint=, the file to write")
    return None if checkpoint is None and resume_from is None else Keeper(checkpoint, every, resume_from)


def generator_of(
    model: Any,
    keeper: Keeper | None,
    X: NDArray[Any],
    weight: NDArray[np.float64] | None,
    labels: NDArray[np.intp] | None = None,
) -> np.random.RandomState:
    """What a fit to an array draws from: the generator of its checkpoint, or that of its ``random_state``."""
    if keeper is None:
        return rng_of(model.random_state)
    keeper.digest.update(X)
    return keeper.open(model, weight, labels=labels)


def _sha256(values: NDArray[Any] | None) -> str | None:
    return None if values is None else hashlib.sha256(values.tobytes()).hexdigest()


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _as_json(v) for k, v in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _generator(state: Mapping[str, Any]) -> np.random.RandomState:
    """A generator in a state that was stored."""
    name, generators = state["bit_generator"], np.random
    if name == "MT19937":
        rng = np.random.RandomState()
        rng.set_state(_as_arrays(state))
        return rng
    kinds: dict[str, Any] = {"PCG64": generators.PCG64, "PCG64DXSM": generators.PCG64DXSM}
    kinds |= {"Philox": generators.Philox, "SFC64": generators.SFC64}
    generator = kinds[name]()
    generator.state = _as_arrays({k: v for k, v in state.items() if k not in ("has_gauss", "gauss")})
    return np.random.RandomState(generator)


def _as_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _as_arrays(v) for k, v in value.items()}
    if isinstance(value, list):
        return np.array(value, np.uint32 if len(value) > 4 else np.uint64)
    return value
