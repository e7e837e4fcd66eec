"""One training step of sparse codes in NumPy, by way of all latents of all samples; arguments are taken as they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..network._types import FloatArray
from ._ksparse import largest

Bools = NDArray[np.bool_]
Grads = dict[str, FloatArray]


class Codes(NamedTuple):
    """Of a minibatch, each (n_samples, n_latents)."""

    y: FloatArray  # (x - b_dec) W_enc^T
    z: FloatArray  # before selection
    kept: Bools
    a: FloatArray


class KSparseTrainer:
    """One step at a time: codes, loss, gradient, Adam; the formulas are those of ``docs/k-sparse.md``, "A step".

    With ``e`` the reconstruction minus the sample, the loss is the mean over samples of the sum over features of
    ``e^2``: of all latents, or the mean of that over the first ``groups[0]``, ``groups[1]`` ... latents (Bussmann et
    al., "Learning multi-level features with Matryoshka sparse autoencoders", 2025). Arrays are copied.

    Parameters
    ----------
    W_enc, W_dec : ndarray of shape (n_latents, n_features)
        Weights, float32 or float64, which is the type of all that is computed.
    b_enc, b_dec : ndarray of shape (n_latents,) and (n_features,)
        Biases.
    threshold : ndarray of shape (n_latents,) or float, optional
        Of ``"jumprelu"`` a parameter for each latent; of ``"batchtopk"`` the running mean of the smallest number kept.
    b_gate, r_mag : ndarray of shape (n_latents,), optional
        Of ``"gated"``.
    architecture : {"topk", "batchtopk", "jumprelu", "relu", "gated"}
        What a code keeps.
    groups : tuple of int, optional
        Rising numbers of latents, the last of them all.
    unit_norm, project : bool
        Whether rows of ``W_dec`` are made to have length 1 after each step, and their gradients made orthogonal to them
        before.
    beta1, beta2, epsilon : float
        Of Adam.
    tied_b_dec : bool
        Whether ``b_dec`` is subtracted from the samples that are encoded.
    threshold_momentum : float
        How much of the running mean stays in a step.
    """

    def __init__(
        self,
        W_enc: FloatArray,
        b_enc: FloatArray,
        W_dec: FloatArray,
        b_dec: FloatArray,
        threshold: FloatArray | float | None = None,
        b_gate: FloatArray | None = None,
        r_mag: FloatArray | None = None,
        *,
        architecture: str = "topk",
        groups: tuple[int, ...] | None = None,
        unit_norm: bool = True,
        project: bool = True,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        tied_b_dec: bool = True,
        threshold_momentum: float = 0.99,
    ) -> None:
        self.architecture, self.groups = architecture, (len(b_enc),) if groups is None else tuple(groups)
        self.unit_norm, self.project, self.tied_b_dec = unit_norm, project, tied_b_dec
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.threshold_momentum, self.ema_threshold = threshold_momentum, np.nan
        given: dict[str, Any] = {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec}
        if architecture == "jumprelu":
            given["threshold"] = threshold
        elif architecture == "gated":
            given |= {"b_gate": b_gate, "r_mag": r_mag}
        elif architecture == "batchtopk" and threshold is not None:
            self.ema_threshold = float(threshold)
        self.params = {name: np.array(value, order="C") for name, value in given.items()}
        self.first = {name: np.zeros_like(p) for name, p in self.params.items()}
        self.second = {name: np.zeros_like(p) for name, p in self.params.items()}
        self.n_steps, self.samples_since_fired = 0, np.zeros(len(b_enc), np.int64)

    W_enc = property(lambda self: self.params["W_enc"].copy())
    b_enc = property(lambda self: self.params["b_enc"].copy())
    W_dec = property(lambda self: self.params["W_dec"].copy())
    b_dec = property(lambda self: self.params["b_dec"].copy())
    b_gate = property(lambda self: self.params["b_gate"].copy() if "b_gate" in self.params else None)
    r_mag = property(lambda self: self.params["r_mag"].copy() if "r_mag" in self.params else None)

    @property
    def threshold(self) -> FloatArray | float | None:
        """Of ``"jumprelu"`` (n_latents,); of ``"batchtopk"`` a number, 0 as long as there was no step."""
        if self.architecture == "batchtopk":
            return 0.0 if np.isnan(self.ema_threshold) else self.ema_threshold
        return self.params["threshold"].copy() if "threshold" in self.params else None

    def state(self) -> dict[str, Any]:
        """All that a step reads or changes, copied."""
        moments = {"first": self.first, "second": self.second}
        found: dict[str, Any] = {name: p.copy() for name, p in self.params.items()}
        found |= {f"{moment}.{name}": m.copy() for moment, of in moments.items() for name, m in of.items()}
        counts = {"n_steps": self.n_steps, "samples_since_fired": self.samples_since_fired.copy()}
        return found | counts | {"ema_threshold": self.ema_threshold}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        for name, p in self.params.items():
            for prefix, to in (("", p), ("first.", self.first[name]), ("second.", self.second[name])):
                to[...] = state[prefix + name]
        self.n_steps, self.ema_threshold = int(state["n_steps"]), float(state["ema_threshold"])
        self.samples_since_fired[...] = state["samples_since_fired"]

    def step(
        self, X: ArrayLike, *, learning_rate: float, n_threads: int | None = None, **options: Any
    ) -> dict[str, Any]:
        """Take one step by a minibatch (n_samples, n_features); options and result are those of :meth:`gradient`."""
        grads, metrics, codes = self.gradient(X, **options)
        if self.architecture == "batchtopk" and codes.kept.any():
            least, keep = float(codes.z[codes.kept].min()), self.threshold_momentum
            self.ema_threshold = (
                least if np.isnan(self.ema_threshold) else keep * self.ema_threshold + (1 - keep) * least
            )
        fired = codes.a.any(axis=0)
        self.samples_since_fired[...] = np.where(fired, 0, self.samples_since_fired + len(codes.a))
        self.n_steps += 1
        for name, p in self.params.items():
            self._adam(p, self.first[name], self.second[name], grads[name], learning_rate)
        if self.architecture == "jumprelu":
            np.maximum(self.params["threshold"], 0, out=self.params["threshold"])
        if self.unit_norm:
            W = self.params["W_dec"]
            length = np.linalg.norm(W, axis=1, keepdims=True)
            W /= np.where(length > 0, length, 1)
        return metrics

    def _adam(self, p: FloatArray, m: FloatArray, v: FloatArray, g: FloatArray, learning_rate: float) -> None:
        m[...] = self.beta1 * m + (1 - self.beta1) * g
        v[...] = self.beta2 * v + (1 - self.beta2) * g * g
        root = np.sqrt(v) / np.sqrt(1 - self.beta2**self.n_steps)
        p -= learning_rate / (1 - self.beta1**self.n_steps) * m / (root + self.epsilon)

    def codes(self, X: FloatArray, k: int) -> Codes:
        """What a minibatch (n_samples, n_features) of the type of the weights excites."""
        P = self.params
        y = (X - P["b_dec"] if self.tied_b_dec else X) @ P["W_enc"].T
        z = y + P["b_enc"]
        if self.architecture == "gated":
            kept = y + P["b_gate"] > 0
            z = np.exp(P["r_mag"]) * y + P["b_enc"]
        elif self.architecture == "jumprelu":
            kept = z > P["threshold"]
        elif self.architecture == "relu":
            kept = z > 0
        else:
            every = z.reshape(1, -1) if self.architecture == "batchtopk" else z
            kept = np.zeros(every.shape, bool)
            np.put_along_axis(kept, largest(every, k * (len(z) if every is not z else 1)), True, axis=1)
            kept = kept.reshape(z.shape)
        kept &= z > 0
        return Codes(y, z, kept, np.where(kept, z, 0).astype(z.dtype))

    def gradient(
        self,
        X: ArrayLike,
        *,
        unit: float = 1.0,
        k: int = 0,
        l1: float = 0.0,
        l0: float = 0.0,
        bandwidth: float = 1e-3,
        aux_k: int = 0,
        aux_weight: float = 0.0,
        aux_normalized: bool = True,
        dead_after: int = 10_000_000,
        multi_k: int = 0,
        multi_weight: float = 0.125,
        loss_normalized: bool = False,
        clip: float | None = None,
    ) -> tuple[Grads, dict[str, Any], Codes]:
        """Gradients as Adam gets them, what is reported, and the codes.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Samples.
        unit : float
            What samples are divided by first.
        k : int
            Of ``"topk"`` latents of a sample, of ``"batchtopk"`` the mean of that.
        l1 : float
            Weight of the mean over samples of ``sum_j a_j |W_dec_j|``; of ``"gated"``, of
            ``sum_j max(y_j + b_gate_j, 0)``.
        l0, bandwidth : float
            Of ``"jumprelu"``: weight of the mean number of active latents, and the width of the kernel by which
            thresholds have a gradient.
        aux_k, aux_weight, aux_normalized, dead_after
            ``aux_weight |e_hat - e|^2``, where e_hat is made of the ``aux_k`` largest positive z of latents that the
            last ``dead_after`` samples did not excite, and e is what is missing in the reconstruction: the mean over
            samples, or the sum over the variance of e in the minibatch.
        multi_k, multi_weight
            Of ``"topk"``: the loss with ``multi_k`` latents is added, times its weight.
        loss_normalized : bool
            Whether the loss is divided by the variance of the samples in the minibatch, the mean over samples.
        clip : float, optional
            The length that all gradients together may have.
        """
        P = self.params
        dtype = P["W_enc"].dtype
        rows = np.asarray(X).astype(dtype) * dtype.type(1 / unit)
        _check(np.isfinite(rows), "X must be finite, got NaN or infinity")
        n = len(rows)
        with np.errstate(over="ignore", invalid="ignore"):
            c = self.codes(rows, k)
        _check(np.isfinite(c.z), "X must have finite pre-activations, but they leave the range of the type")
        variance = float(((rows - rows.mean(axis=0)) ** 2).sum())
        scale = (1 / variance if variance > 0 else 0.0) if loss_normalized else 1 / n
        grads, da, e, loss = self._reconstruction(rows, c, scale)
        dz = np.where(c.kept, da, 0)
        squared_error = float((e**2).sum())
        if multi_k:
            more = self.codes(rows, multi_k)
            also, dmore, _, multi = self._reconstruction(rows, more, multi_weight * scale)
            dz += np.where(more.kept, dmore, 0)
            loss += multi
            for name, g in also.items():
                grads[name] += g
        dead = self.samples_since_fired >= dead_after
        aux = 0.0
        if aux_k and aux_weight and dead.any():
            aux, extra = self._aux(c.z, -e, dead, aux_k, aux_weight, aux_normalized, grads)
            dz += extra
        penalty = self._penalties(c, da, dz, grads, l1, l0, bandwidth)
        if self.architecture == "gated":
            penalty += self._through_gates(rows, c, dz, grads, scale, l1)
        else:
            grads["b_enc"] = dz.sum(axis=0)
        shifted = rows - P["b_dec"] if self.tied_b_dec else rows
        grads["W_enc"] = dz.T @ shifted
        if self.tied_b_dec:
            grads["b_dec"] -= dz.sum(axis=0) @ P["W_enc"]
        if self.project:
            W, g = P["W_dec"], grads["W_dec"]
            square = (W * W).sum(axis=1, keepdims=True)
            g -= (g * W).sum(axis=1, keepdims=True) / np.where(square > 0, square, 1) * W
        if clip is not None:
            length = np.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in grads.values()))
            for g in grads.values() if length > clip else ():
                g *= clip / length
        metrics = {
            "loss": loss + penalty + aux_weight * aux,
            "squared_error": squared_error,
            "variance": variance,
            "n_active": int(np.count_nonzero(c.a)),
            "aux_loss": aux,
            "n_dead": int(dead.sum()),
        }
        return grads, metrics, c

    # The loss times `scale`, its gradients by the decoder and by a; and e of all latents.
    def _reconstruction(self, rows: FloatArray, c: Codes, scale: float) -> tuple[Grads, FloatArray, FloatArray, float]:
        W, b = self.params["W_dec"], self.params["b_dec"]
        grads, da, loss = {"W_dec": np.zeros_like(W), "b_dec": np.zeros_like(b)}, np.zeros_like(c.a), 0.0
        weight = scale / len(self.groups)
        e = rows
        for size in self.groups:
            e = c.a[:, :size] @ W[:size] + b - rows
            loss += weight * float((e**2).sum())
            delta = 2 * weight * e
            grads["W_dec"][:size] += c.a[:, :size].T @ delta
            grads["b_dec"] += delta.sum(axis=0)
            da[:, :size] += delta @ W[:size].T
        return grads, da.astype(rows.dtype), e, loss

    # |e_hat - e|^2, e being a constant; adds to the gradient by the decoder, and gives that by z.
    def _aux(
        self, z: FloatArray, e: FloatArray, dead: Bools, k: int, weight: float, normalized: bool, grads: Grads
    ) -> tuple[float, FloatArray]:
        W = self.params["W_dec"]
        kept = np.zeros(z.shape, bool)
        np.put_along_axis(kept, largest(np.where(dead, z, -np.inf), min(k, int(dead.sum()))), True, axis=1)
        kept &= z > 0
        a = np.where(kept, z, 0).astype(z.dtype)
        variance = float(((e - e.mean(axis=0)) ** 2).sum())
        scale = (1 / variance if variance > 0 else 0.0) if normalized else 1 / len(z)
        error = a @ W - e
        delta = 2 * weight * scale * error
        grads["W_dec"] += (a.T @ delta).astype(z.dtype)
        return scale * float((error**2).sum()), np.where(kept, delta @ W.T, 0).astype(z.dtype)

    def _penalties(
        self, c: Codes, da: FloatArray, dz: FloatArray, grads: Grads, l1: float, l0: float, bandwidth: float
    ) -> float:
        n, P = len(c.a), self.params
        if self.architecture == "jumprelu":  # thresholds by the kernel: K((z - theta) / bandwidth) / bandwidth
            kernel = (np.abs(c.z - P["threshold"]) < bandwidth / 2) / bandwidth
            slope = -kernel * (P["threshold"] * da + l0 / n)
            grads["threshold"] = slope.sum(axis=0).astype(c.a.dtype)
            return l0 * float(c.kept.sum()) / n
        if self.architecture == "gated" or not l1:
            return 0.0
        length = np.linalg.norm(P["W_dec"], axis=1)
        dz += (l1 / n * length * c.kept).astype(c.a.dtype)
        sums = c.a.sum(axis=0) / np.where(length > 0, length, 1)
        grads["W_dec"] += (l1 / n * sums[:, None] * P["W_dec"]).astype(c.a.dtype)
        return l1 / n * float((c.a * length).sum())

    # dz becomes the gradient by y. The gates learn by |x - (max(g, 0) W_dec + b_dec)|^2 with the decoder as a constant.
    def _through_gates(
        self, rows: FloatArray, c: Codes, dz: FloatArray, grads: Grads, scale: float, l1: float
    ) -> float:
        P, n = self.params, len(rows)
        g = c.y + P["b_gate"]
        opened = np.maximum(g, 0)
        error = opened @ P["W_dec"] + P["b_dec"] - rows
        dg = np.where(g > 0, 2 * scale * (error @ P["W_dec"].T) + l1 / n, 0)
        gain = np.exp(P["r_mag"])
        grads["b_enc"] = dz.sum(axis=0)
        grads["r_mag"] = (dz * gain * c.y).sum(axis=0)
        grads["b_gate"] = dg.sum(axis=0).astype(dz.dtype)
        dz[...] = dz * gain + dg
        return scale * float((error**2).sum()) + l1 / n * float(opened.sum())


def _check(good: Bools, words: str) -> None:
    rows = np.flatnonzero(~good.all(axis=1))
    if len(rows):
        raise ValueError(f"{words} in row {rows[0]}")
