"""Training of sparse codes: each term of the gradient against finite differences of what it states, and the step."""

from __future__ import annotations

import numpy as np
import pytest

from sae_fast import reference

D, H, N = 7, 13, 11
NAMES = ("W_enc", "b_enc", "W_dec", "b_dec", "threshold", "b_gate", "r_mag")


def arrays(architecture, rng, d=D, h=H, dtype=np.float64):
    """What a trainer is made of."""
    given = {
        "W_enc": rng.normal(size=(h, d)) / np.sqrt(d),
        "b_enc": 0.1 * rng.normal(size=h),
        "W_dec": rng.normal(size=(h, d)) / np.sqrt(d),
        "b_dec": 0.2 * rng.normal(size=d),
    }
    if architecture == "jumprelu":
        given["threshold"] = rng.uniform(0.05, 0.4, h)
    if architecture == "gated":
        given |= {"b_gate": 0.1 * rng.normal(size=h), "r_mag": 0.2 * rng.normal(size=h)}
    return {name: value.astype(dtype) for name, value in given.items()}


def trainer_of(kind, architecture, seed=0, *, d=D, h=H, dtype=np.float64, **options):
    """A trainer and samples for it."""
    rng = np.random.default_rng(seed)
    trainer = kind(**arrays(architecture, rng, d, h, dtype), architecture=architecture, **options)
    return trainer, rng.normal(size=(N, d)).astype(dtype)


class Surrogate:
    """What the gradient is one of: choices, thresholds of kernels, residuals and gates' decoder are constants."""

    def __init__(self, P, X, architecture, *, groups, tied_b_dec, dead, k, l1, l0, bandwidth, aux, multi, normalized):
        self.X, self.architecture, self.groups, self.tied = X, architecture, groups, tied_b_dec
        self.l1, self.l0, self.bandwidth = l1, l0, bandwidth
        self.P0 = {name: p.copy() for name, p in P.items()}
        self.aux_k, self.aux_weight, self.aux_normalized = aux
        self.multi_k, self.multi_weight = multi
        self.scale = 1 / ((X - X.mean(axis=0)) ** 2).sum() if normalized else 1 / len(X)
        y, z = self.pre(P)
        self.z0 = z
        order = np.argsort(-z, axis=1, kind="stable").argsort(axis=1)
        if architecture == "topk":
            self.kept = (order < k) & (z > 0)
        elif architecture == "batchtopk":
            self.kept = (np.argsort(-z.ravel(), kind="stable").argsort().reshape(z.shape) < k * len(X)) & (z > 0)
        elif architecture == "jumprelu":
            self.kept = z > P["threshold"]
        elif architecture == "relu":
            self.kept = z > 0
        else:
            self.kept = (y + P["b_gate"] > 0) & (z > 0)
        self.many = (order < self.multi_k) & (z > 0)
        masked = np.where(dead, z, -np.inf)
        rank = np.argsort(-masked, axis=1, kind="stable").argsort(axis=1)
        self.revived = (rank < self.aux_k) & dead & (z > 0)
        self.residual = X - (np.where(self.kept, z, 0) @ P["W_dec"] + P["b_dec"])

    def pre(self, P):
        y = (self.X - P["b_dec"] if self.tied else self.X) @ P["W_enc"].T
        return y, (np.exp(P["r_mag"]) * y if self.architecture == "gated" else y) + P["b_enc"]

    def smooth(self, threshold):
        """A step over `bandwidth`, in place of the one at 0."""
        return np.clip((self.z0 - threshold) / self.bandwidth + 0.5, 0, 1)

    def __call__(self, P):
        y, z = self.pre(P)
        a = np.where(self.kept, z, 0)
        n, J = len(self.X), 0.0
        if self.architecture == "jumprelu":
            theta0 = self.P0["threshold"]
            a = a + theta0 * (self.smooth(P["threshold"]) - self.smooth(theta0))
            J += self.l0 * self.smooth(P["threshold"]).sum() / n
        for size in self.groups:
            e = a[:, :size] @ P["W_dec"][:size] + P["b_dec"] - self.X
            J += self.scale * (e**2).sum() / len(self.groups)
            if self.multi_k:
                e = np.where(self.many, z, 0)[:, :size] @ P["W_dec"][:size] + P["b_dec"] - self.X
                J += self.multi_weight * self.scale * (e**2).sum() / len(self.groups)
        if self.aux_k:
            error = np.where(self.revived, z, 0) @ P["W_dec"] - self.residual
            of = ((self.residual - self.residual.mean(axis=0)) ** 2).sum() if self.aux_normalized else n
            J += self.aux_weight * (error**2).sum() / of
        if self.architecture == "gated":
            opened = np.maximum(y + P["b_gate"], 0)
            J += self.l1 * opened.sum() / n
            J += self.scale * ((opened @ self.P0["W_dec"] + self.P0["b_dec"] - self.X) ** 2).sum()
        else:
            J += self.l1 * (a * np.linalg.norm(P["W_dec"], axis=1)).sum() / n
        return J


OFF = {
    "groups": (H,),
    "tied_b_dec": True,
    "k": 4,
    "l1": 0.0,
    "l0": 0.0,
    "bandwidth": 0.3,
    "aux": (0, 0.0, True),
    "multi": (0, 0.0),
    "normalized": False,
}
TERMS = [
    ("topk", {}),
    ("topk", {"tied_b_dec": False}),
    ("topk", {"normalized": True}),
    ("topk", {"aux": (3, 0.7, True)}),
    ("topk", {"aux": (20, 0.7, False)}),
    ("topk", {"multi": (9, 0.125)}),
    ("topk", {"groups": (2, 3, 8, H)}),
    ("batchtopk", {}),
    ("batchtopk", {"groups": (5, H), "aux": (2, 0.3, True)}),
    ("relu", {"l1": 0.3}),
    ("relu", {"l1": 0.3, "groups": (4, H)}),
    ("jumprelu", {}),
    ("jumprelu", {"l0": 0.05}),
    ("jumprelu", {"l0": 0.05, "groups": (4, 9, H), "aux": (2, 0.3, False)}),
    ("gated", {}),
    ("gated", {"l1": 0.3, "tied_b_dec": False}),
    ("gated", {"l1": 0.3, "groups": (6, H)}),
]


@pytest.mark.parametrize(("architecture", "given"), TERMS)
def test_gradients_are_finite_differences(architecture, given):
    """Each term's gradient, by every parameter, is that of the surrogate that it states."""
    o = OFF | given
    trainer, X = trainer_of(
        reference.KSparseTrainer, architecture, groups=o["groups"], tied_b_dec=o["tied_b_dec"], project=False
    )
    dead = np.arange(H) % 3 == 0
    trainer.samples_since_fired[dead] = 100
    P = {name: p.copy() for name, p in trainer.params.items()}
    J = Surrogate(P, X, architecture, dead=dead, **o)
    aux_k, aux_weight, aux_normalized = o["aux"]
    multi_k, multi_weight = o["multi"]
    grads, metrics, _ = trainer.gradient(
        X,
        **{name: o[name] for name in ("k", "l1", "l0", "bandwidth")},
        aux_k=aux_k,
        aux_weight=aux_weight,
        aux_normalized=aux_normalized,
        dead_after=100,
        multi_k=multi_k,
        multi_weight=multi_weight,
        loss_normalized=o["normalized"],
    )
    if not o["l0"]:
        assert metrics["loss"] == pytest.approx(J(P), rel=1e-12)
    assert metrics["n_dead"] == dead.sum()
    assert set(grads) == set(P)
    for name, p in P.items():
        wanted = np.empty(p.size)
        for i in range(p.size):
            ends = []
            for sign in (1, -1):
                moved = p.copy()
                moved.flat[i] += sign * 1e-5
                ends.append(J(P | {name: moved}))
            wanted[i] = (ends[0] - ends[1]) / 2e-5
        assert np.abs(wanted).max() > 1e-3, name  # nothing is proved by zeros
        np.testing.assert_allclose(grads[name].ravel(), wanted, rtol=1e-6, atol=2e-8, err_msg=name)


def test_jumprelu_thresholds_stay_positive():
    """A threshold that would become negative is 0."""
    trainer, X = trainer_of(reference.KSparseTrainer, "jumprelu")
    trainer.params["threshold"][...] = 0.01
    for _ in range(20):
        trainer.step(X, learning_rate=0.1, bandwidth=0.5)
    assert trainer.threshold.min() == 0


@pytest.mark.parametrize("clip", [None, 0.01])
def test_a_step_is_adam(clip):
    """Moments, projection, clipping and renormalisation, written out once more."""
    trainer, X = trainer_of(reference.KSparseTrainer, "topk")
    W = trainer.params["W_dec"]
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    P = {name: p.copy() for name, p in trainer.params.items()}
    m, v = {n: np.zeros_like(p) for n, p in P.items()}, {n: np.zeros_like(p) for n, p in P.items()}
    for t in range(1, 4):
        trainer.project = False
        raw, _, _ = trainer.gradient(X, k=3)
        trainer.project = True
        raw["W_dec"] = raw["W_dec"] - np.einsum("jd,jd->j", raw["W_dec"], P["W_dec"])[:, None] * P["W_dec"]
        if clip is not None:
            length = np.linalg.norm(np.concatenate([g.ravel() for g in raw.values()]))
            raw = {n: g * clip / length for n, g in raw.items()}
        trainer.step(X, k=3, learning_rate=0.01, clip=clip)
        for n, p in P.items():
            m[n] = 0.9 * m[n] + 0.1 * raw[n]
            v[n] = 0.999 * v[n] + 0.001 * raw[n] ** 2
            p -= 0.01 * (m[n] / (1 - 0.9**t)) / (np.sqrt(v[n] / (1 - 0.999**t)) + 1e-8)
        P["W_dec"] /= np.linalg.norm(P["W_dec"], axis=1, keepdims=True)
        for n, p in P.items():
            np.testing.assert_allclose(trainer.params[n], p, rtol=1e-11, atol=1e-13)


def test_batchtopk_threshold_is_a_running_mean():
    """It begins with the smallest number that the first minibatch kept, and follows later ones."""
    trainer, X = trainer_of(reference.KSparseTrainer, "batchtopk", threshold_momentum=0.75)
    least = []
    for _ in range(3):
        z = np.sort(trainer.codes(X, 2).z.ravel())[::-1][: 2 * N]
        least.append(z[z > 0].min())
        trainer.step(X, k=2, learning_rate=0.01)
    wanted = least[0]
    for value in least[1:]:
        wanted = 0.75 * wanted + 0.25 * value
    assert trainer.threshold == pytest.approx(wanted, rel=1e-12)


def test_batchtopk_ties_go_to_the_first():
    """Of equal numbers those of lower rows are kept, in a row those of lower latents."""
    W = np.ones((4, 1))
    trainer = reference.KSparseTrainer(W, np.zeros(4), W, np.zeros(1), architecture="batchtopk")
    kept = trainer.codes(np.ones((3, 1)), 2).kept
    np.testing.assert_array_equal(kept, [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])


KINDS = [reference.KSparseTrainer]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["topk", "batchtopk", "relu", "jumprelu", "gated"])
def test_state_goes_on_to_the_bit(kind, architecture):
    """A trainer that takes over another's state takes the same steps."""
    options = {"k": 3, "learning_rate": 0.01, "bandwidth": 0.2, "n_threads": 1}
    if architecture != "gated":
        options |= {"aux_k": 2, "aux_weight": 0.1, "dead_after": 2 * N}
    one, X = trainer_of(kind, architecture)
    for _ in range(3):
        one.step(X, **options)
    other, _ = trainer_of(kind, architecture, seed=1)
    other.load_state(one.state())
    assert [one.step(X, **options) for _ in range(3)] == [other.step(X, **options) for _ in range(3)]
    a, b = one.state(), other.state()
    assert set(a) == set(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_bad_rows_change_nothing(kind, bad):
    """The row is named, and the state stays what it was."""
    trainer, X = trainer_of(kind, "topk")
    trainer.step(X, k=2, learning_rate=0.01, n_threads=1)
    before = trainer.state()
    before["W_enc"] *= 1 if not np.isfinite(bad) else 1e200
    trainer.load_state(before)
    X[5, 2] = bad
    words = "X must be finite, got NaN or infinity in row 5" if not np.isfinite(bad) else "leave the range .* row 5"
    if np.isfinite(bad):
        X[:5] = X[6:] = 0
        X[5, 2] = 1e200
        before["b_dec"][...] = 0
        trainer.load_state(before)
    with pytest.raises(ValueError, match=words):
        trainer.step(X, k=2, learning_rate=0.01, n_threads=1)
    for name, value in trainer.state().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("kind", KINDS)
def test_latents_are_counted(kind):
    """Samples since a latent fired; those that have been silent for long are dead."""
    trainer, X = trainer_of(kind, "topk")
    fired = np.zeros(H, bool)
    for i in range(1, 4):
        metrics = trainer.step(X, k=1, learning_rate=0.0, dead_after=2 * N, n_threads=1)
        assert metrics["n_dead"] == (0 if i < 3 else (~fired).sum())
        state = trainer.state()
        fired = state["samples_since_fired"] == 0
        assert set(state["samples_since_fired"]) == {0, i * N}
    assert fired.any()
    assert not fired.all()
