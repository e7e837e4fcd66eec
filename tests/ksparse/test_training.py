"""Training of sparse codes: each term of the gradient against finite differences of what it states, and the step."""

from __future__ import annotations

import numpy as np
import pytest

from sae_fast import _core, reference

D, H, N = 7, 13, 11
ARCHITECTURES = ["topk", "batchtopk", "relu", "jumprelu", "gated"]


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


KINDS = [reference.KSparseTrainer, pytest.param(_core.KSparseTrainer, marks=pytest.mark.core)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
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


@pytest.mark.parametrize("kind", KINDS)
def test_jumprelu_latents_below_their_thresholds_do_not_fire(kind):
    """Not even those in the window of the kernel, which have a gradient."""
    trainer, X = trainer_of(kind, "jumprelu")
    state = trainer.state()
    state["threshold"][...] = 50
    trainer.load_state(state)
    metrics = trainer.step(X, learning_rate=0.01, bandwidth=200.0, l0=0.1)
    assert metrics["n_active"] == 0
    assert (trainer.threshold != 50).all()
    assert (trainer.state()["samples_since_fired"] == N).all()


BOTH = [
    *TERMS,
    ("topk", {"multi": (2, 0.5), "groups": (5, H), "aux": (3, 0.7, True)}),
    ("batchtopk", {"l1": 0.1, "normalized": True}),
    ("gated", {"l1": 0.3, "aux": (3, 0.5, True)}),
]


@pytest.mark.core
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize(("architecture", "given"), BOTH)
def test_core_takes_the_steps_of_the_twin(architecture, given, clip, dtype):
    """State and metrics after each of some steps, a third of the latents being called dead."""
    o = OFF | given
    options = {name: o[name] for name in ("k", "l1", "l0", "bandwidth")} | {
        "learning_rate": 0.01, "unit": 1.5, "clip": clip, "dead_after": 100, "loss_normalized": o["normalized"],
        "aux_k": o["aux"][0], "aux_weight": o["aux"][1], "aux_normalized": o["aux"][2],
        "multi_k": o["multi"][0], "multi_weight": o["multi"][1],
    }  # fmt: skip
    made = {"groups": o["groups"], "tied_b_dec": o["tied_b_dec"], "dtype": dtype, "epsilon": 1e-3}
    twin, X = trainer_of(reference.KSparseTrainer, architecture, **made)
    core, _ = trainer_of(_core.KSparseTrainer, architecture, **made)
    exact = 1e-11 if dtype == np.float64 else 1e-4
    for _ in range(4):
        for trainer in (twin, core):
            state = trainer.state()
            state["samples_since_fired"][::3] = 100
            trainer.load_state(state)
        wanted, got = twin.step(X, **options), core.step(X, **options)
        assert got == pytest.approx(wanted, rel=exact, abs=exact)
        before, after = twin.state(), core.state()
        assert list(before) == list(after)
        for name, value in before.items():
            np.testing.assert_allclose(after[name], value, rtol=exact, atol=exact, err_msg=name)
    if o["aux"][0]:
        assert wanted["aux_loss"] > 0


@pytest.mark.core
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_core_gives_the_same_bits_for_any_threads(architecture, dtype):
    """Metrics and state, with dead latents and clipping, on sizes that are no multiple of anything."""
    d, h, n = 65, 257, 333
    X = np.random.default_rng(5).normal(size=(n, d))
    more = {"multi_k": 17} if architecture == "topk" else {}
    states = []
    for n_threads in (1, 2, 3, 8):
        trainer, _ = trainer_of(_core.KSparseTrainer, architecture, d=d, h=h, dtype=dtype, groups=(33, h))
        state = trainer.state()
        state["samples_since_fired"][::5] = 10_000
        trainer.load_state(state)
        metrics = [
            trainer.step(
                X, k=9, learning_rate=0.01, l1=0.01, l0=0.01, bandwidth=0.2, aux_k=7, aux_weight=0.1,
                dead_after=1000, clip=0.1, n_threads=n_threads, **more,
            )
            for _ in range(3)
        ]  # fmt: skip
        states.append({**trainer.state(), "metrics": metrics})
    assert states[0]["metrics"][0]["aux_loss"] > 0
    for other in states[1:]:
        for name, value in states[0].items():
            np.testing.assert_array_equal(other[name], value, err_msg=name)


@pytest.mark.core
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
def test_core_reads_rows_as_they_lie(dtype):
    """Rows of any type, order and stride take the step that the numbers take."""
    X = np.round(np.random.default_rng(0).normal(size=(40, D)) * 4).astype(dtype)
    views = [X, np.asfortranarray(X), np.repeat(np.repeat(X, 2, 0), 3, 1)[::2, ::3], X[::-1].copy()[::-1]]
    found = []
    for rows in views:
        trainer, _ = trainer_of(_core.KSparseTrainer, "topk", tied_b_dec=dtype == np.float32)
        trainer.step(rows, k=3, learning_rate=0.01, unit=2.5)
        found.append(trainer.W_enc)
    twin, _ = trainer_of(reference.KSparseTrainer, "topk", tied_b_dec=dtype == np.float32)
    twin.step(X, k=3, learning_rate=0.01, unit=2.5)
    np.testing.assert_allclose(found[0], twin.W_enc, rtol=1e-9)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.core
def test_batchtopk_keeps_the_first_of_equal_numbers():
    """Also where most rows have none that is kept, and where there are fewer than are wanted."""
    W, zeros = np.ones((4, 1)), np.zeros(1)
    for n in (3, 700):  # of 700, a guess is made from the first rows
        for fill in (1.0, -1.0):
            X = np.full((n, 1), fill)
            X[-1] = 5
            for kind in (reference.KSparseTrainer, _core.KSparseTrainer):
                trainer = kind(W, np.zeros(4), W, zeros, architecture="batchtopk", tied_b_dec=False)
                metrics = trainer.step(X, k=2, learning_rate=0.0)
                assert metrics["n_active"] == (2 * n if fill > 0 else 4)
                assert trainer.threshold == (1 if fill > 0 else 5)
                # Of much smaller numbers as many are kept.
                assert trainer.step(X / 4, k=2, learning_rate=0.0)["n_active"] == metrics["n_active"]


@pytest.mark.core
@pytest.mark.parametrize(
    ("architecture", "given", "words"),
    [
        ("topk", {"k": 0}, r"k must be in \[1, 13\], got 0"),
        ("batchtopk", {"k": 14}, r"k must be in \[1, 13\], got 14"),
        ("topk", {"multi_k": 14}, r"multi_k must be in \[1, 13\], got 14"),
        ("relu", {"multi_k": 2}, "multi_k must be 0, unless architecture='topk'"),
        ("topk", {"aux_k": -1}, "aux_k must be >= 0, got -1"),
        ("topk", {"learning_rate": np.nan}, "learning_rate must be finite and >= 0, got nan"),
        ("topk", {"l1": -1.0}, "must be finite and >= 0"),
        ("jumprelu", {"bandwidth": 0.0}, "bandwidth must be > 0, got 0"),
        ("topk", {"clip": 0.0}, "clip must be None or > 0, got 0"),
        ("topk", {"unit": 0.0}, "unit must be > 0, got 0"),
        ("topk", {"X": np.ones((3, D + 1))}, rf"X must have shape \(n_samples, {D}\)"),
        ("topk", {"X": np.ones((0, D))}, "X must have from 1 to"),
    ],
)
def test_core_refuses(architecture, given, words):
    """What cannot be a step changes nothing, and the error says what is wanted."""
    trainer, X = trainer_of(_core.KSparseTrainer, architecture)
    before = trainer.state()
    options = {"X": X, "k": 3, "learning_rate": 0.1} | given
    with pytest.raises(ValueError, match=words):
        trainer.step(options.pop("X"), **options)
    for name, value in trainer.state().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.core
def test_core_refuses_arrays_that_do_not_fit():
    """Of a trainer, and of a state."""
    good = arrays("topk", np.random.default_rng(0))
    for name, value, error, words in [
        ("b_enc", np.zeros(H + 1), ValueError, r"b_enc must have shape \(13,\), got \(14,\)"),
        ("W_dec", good["W_dec"].T.copy(), ValueError, r"W_dec must have shape \(13, 7\), got \(7, 13\)"),
        ("W_dec", good["W_dec"].astype(np.float32), TypeError, "W_dec must be .* dtype of the parameters"),
        ("W_enc", np.zeros((0, D)), ValueError, "W_enc must have 2 dimensions"),
        ("groups", (5, 4, H), ValueError, "groups must be rising numbers of latents, the last of them n_latents=13"),
        ("groups", (5,), ValueError, "groups must be rising"),
        ("architecture", "top", ValueError, "architecture must be 'topk', .* got 'top'"),
        ("architecture", "gated", ValueError, "b_gate must be given"),
        ("beta1", 1.0, ValueError, r"beta1 and beta2 must be in \[0, 1\)"),
    ]:
        with pytest.raises(error, match=words):
            _core.KSparseTrainer(**(good | {name: value}))
    trainer, _ = trainer_of(_core.KSparseTrainer, "topk")
    state = trainer.state()
    for name, value in [("first.W_enc", np.zeros((H, D - 1))), ("samples_since_fired", np.zeros(3, np.int64))]:
        with pytest.raises((TypeError, ValueError), match=name):
            trainer.load_state(state | {name: value})
    with pytest.raises(KeyError):
        trainer.load_state({})
    for name, value in trainer.state().items():
        np.testing.assert_array_equal(value, state[name])
