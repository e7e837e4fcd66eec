"""Training of sparse codes against PyTorch: gradients are those of autograd, a step is that of torch.optim.Adam.

Codes are made as PyTorch makes them, by topk and scatter; the gradients of a threshold are an autograd function's, by
the formulas of Rajamanoharan et al., "Jumping Ahead", 2024. The gates of "Improving Dictionary Learning with Gated
Sparse Autoencoders" (2024) have a decoder that is detached, and AuxK a residual that is.
"""

from __future__ import annotations

import numpy as np
import pytest

from sae_fast import _core, reference
from tests.ksparse.test_training import BOTH, OFF, D, H, N, trainer_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

KINDS = [reference.KSparseTrainer, pytest.param(_core.KSparseTrainer, marks=pytest.mark.core)]
DEAD = np.arange(H) % 3 == 0


def window(z, theta, width):
    """The kernel of the paper, divided by its width: 1 / width where ``|z - theta| < width / 2``."""
    return (((z - theta) / width).abs() < 0.5).to(z.dtype) / width


class JumpReLU(torch.autograd.Function):
    """``z H(z - theta)``."""

    @staticmethod
    def forward(ctx, z, theta, width):
        ctx.save_for_backward(z, theta)
        ctx.width = width
        return z * (z > theta)

    @staticmethod
    def backward(ctx, g):
        z, theta = ctx.saved_tensors
        return g * (z > theta), (-theta * window(z, theta, ctx.width) * g).sum(0), None


class Active(torch.autograd.Function):
    """``H(z - theta)``, which teaches thresholds alone."""

    @staticmethod
    def forward(ctx, z, theta, width):
        ctx.save_for_backward(z, theta)
        ctx.width = width
        return (z > theta).to(z.dtype)

    @staticmethod
    def backward(ctx, g):
        z, theta = ctx.saved_tensors
        return None, (-window(z, theta, ctx.width) * g).sum(0), None


def topk(z, k):
    values, indices = torch.topk(z, k, dim=-1)
    return torch.zeros_like(z).scatter(-1, indices, torch.relu(values))


def spread(rows):
    return ((rows - rows.mean(0)) ** 2).sum()


def loss_of(P, X, architecture, o):
    """All terms of the loss for parameters that require gradients."""
    n, scale = len(X), 1 / spread(X) if o["normalized"] else 1 / len(X)
    y = (X - P["b_dec"] if o["tied_b_dec"] else X) @ P["W_enc"].T
    z = y + P["b_enc"]
    if architecture == "gated":
        z = torch.exp(P["r_mag"]) * y + P["b_enc"]
    codes = {
        "topk": lambda: topk(z, o["k"]),
        "batchtopk": lambda: topk(z.flatten(), o["k"] * n).reshape(z.shape),
        "relu": lambda: torch.relu(z),
        "jumprelu": lambda: JumpReLU.apply(z, P["threshold"], o["bandwidth"]),
        "gated": lambda: (y + P["b_gate"] > 0) * torch.relu(z),
    }
    a = codes[architecture]()

    def error(a, size):
        return a[:, :size] @ P["W_dec"][:size] + P["b_dec"] - X

    def squares(a):
        return scale * sum((error(a, size) ** 2).sum() for size in o["groups"]) / len(o["groups"])

    loss = squares(a)
    multi_k, multi_weight = o["multi"]
    if multi_k:
        loss = loss + multi_weight * squares(topk(z, multi_k))
    aux_k, aux_weight, aux_normalized = o["aux"]
    if aux_k:
        residual = -error(a, H).detach()
        left = topk(torch.where(torch.from_numpy(DEAD), z, -torch.inf), min(aux_k, H)) @ P["W_dec"] - residual
        loss = loss + aux_weight * (left**2).sum() / (spread(residual) if aux_normalized else n)
    if architecture == "gated":
        opened = torch.relu(y + P["b_gate"])
        by_gates = opened @ P["W_dec"].detach() + P["b_dec"].detach() - X
        return loss + scale * (by_gates**2).sum() + o["l1"] * opened.sum() / n
    if architecture == "jumprelu":
        loss = loss + o["l0"] * Active.apply(z, P["threshold"], o["bandwidth"]).sum() / n
    return loss + o["l1"] * (a * torch.linalg.vector_norm(P["W_dec"], dim=1)).sum() / n


def parameters_of(trainer):
    names = "W_enc", "b_enc", "W_dec", "b_dec", "threshold", "b_gate", "r_mag"
    found = {name: getattr(trainer, name) for name in names}
    return {n: torch.tensor(p, requires_grad=True) for n, p in found.items() if isinstance(p, np.ndarray)}


def pronounce_dead(trainer):
    state = trainer.state()
    state["samples_since_fired"][DEAD] = 100
    trainer.load_state(state)


def options_of(o):
    names = ("aux_k", "aux_weight", "aux_normalized"), ("multi_k", "multi_weight")
    parts = zip(names[0] + names[1], o["aux"] + o["multi"], strict=True)
    same = {name: o[name] for name in ("k", "l1", "l0", "bandwidth")}
    return same | dict(parts) | {"loss_normalized": o["normalized"], "dead_after": 100}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("architecture", "given"), BOTH)
def test_gradients_are_those_of_autograd(architecture, given, kind):
    """Each term's, by every parameter: the first moment after a step, where Adam forgets everything else."""
    o = OFF | given
    made = {"groups": o["groups"], "tied_b_dec": o["tied_b_dec"]}
    trainer, X = trainer_of(kind, architecture, unit_norm=False, project=False, beta1=0.0, **made)
    pronounce_dead(trainer)
    P = parameters_of(trainer)
    loss = loss_of(P, torch.from_numpy(X), architecture, o)
    loss.backward()
    metrics = trainer.step(X, learning_rate=0.0, **options_of(o))
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-12)
    state = trainer.state()
    assert {name.removeprefix("first.") for name in state if name.startswith("first.")} == set(P)
    for name, p in P.items():
        assert p.grad.abs().max() > 1e-3, name  # nothing is proved by zeros
        np.testing.assert_allclose(state[f"first.{name}"], p.grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("architecture", "given"), [BOTH[0], ("topk", {"aux": (3, 0.7, True)}), ("relu", {"l1": 0.3})])
def test_a_projected_gradient_is_that_of_rows_by_their_lengths(architecture, given, kind):
    """What is left of a row's gradient is that by the row, where the row counts as divided by its length."""
    o = OFF | given
    trainer, X = trainer_of(kind, architecture, beta1=0.0)
    state = trainer.state()
    state["W_dec"] /= np.linalg.norm(state["W_dec"], axis=1, keepdims=True)
    trainer.load_state(state)
    pronounce_dead(trainer)
    P = parameters_of(trainer)
    units = P["W_dec"] / torch.linalg.vector_norm(P["W_dec"], dim=1, keepdim=True)
    loss_of(P | {"W_dec": units}, torch.from_numpy(X), architecture, o).backward()
    trainer.step(X, learning_rate=0.0, **options_of(o))
    after = trainer.state()
    for name, p in P.items():
        np.testing.assert_allclose(after[f"first.{name}"], p.grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["topk", "batchtopk", "relu", "jumprelu", "gated"])
def test_steps_are_those_of_adam(architecture, kind):
    """Some steps, on a minibatch each: parameters are those of torch.optim.Adam."""
    o = OFF | {"l1": 0.1 if architecture in ("relu", "gated") else 0.0}
    trainer, _ = trainer_of(kind, architecture, unit_norm=False, project=False, beta1=0.8, beta2=0.95, epsilon=1e-3)
    P = parameters_of(trainer)
    adam = torch.optim.Adam(list(P.values()), lr=0.01, betas=(0.8, 0.95), eps=1e-3)
    for seed in range(4):
        X = np.random.default_rng(seed).normal(size=(N, D))
        adam.zero_grad()
        loss = loss_of(P, torch.from_numpy(X), architecture, o)
        loss.backward()
        adam.step()
        assert trainer.step(X, learning_rate=0.01, **options_of(o))["loss"] == pytest.approx(loss.item(), rel=1e-9)
    for name, p in P.items():
        np.testing.assert_allclose(getattr(trainer, name), p.detach().numpy(), rtol=1e-9, atol=1e-11, err_msg=name)
