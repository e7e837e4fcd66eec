"""Training of topk codes in PyTorch as it is mostly written: dense products, topk and scatter, autograd, Adam.

The recipe is that of Gao et al., "Scaling and evaluating sparse autoencoders", 2024: the loss is divided by the
variance of the minibatch, AuxK by that of what is left, gradients of decoder rows are made orthogonal to the rows, and
the rows get length 1 again. Adam is PyTorch's fused one, which is its fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

AUX_WEIGHT = 1 / 32
EPSILON = 6.25e-10


def topk(z: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Dense codes of the k largest, these, and where they are."""
    values, indices = torch.topk(z, k, dim=1)
    values = torch.relu(values)
    return torch.zeros_like(z).scatter(1, indices, values), values, indices


def spread(rows: Tensor) -> Tensor:
    """Sum of squares about the mean."""
    return ((rows - rows.mean(0)) ** 2).sum()


def loss_of(
    W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, b_dec: Tensor, rows: Tensor, dead: Tensor, k: int, aux_k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, and the codes."""
    z = (rows - b_dec) @ W_enc.T + b_enc
    codes, values, indices = topk(z, k)
    e = codes @ W_dec + b_dec - rows
    loss = (e**2).sum() / spread(rows)
    if aux_k:
        left = -e.detach()
        error = topk(torch.where(dead, z, -torch.inf), aux_k)[0] @ W_dec - left
        loss = loss + AUX_WEIGHT * (error**2).sum() / spread(left)
    return loss, values, indices


def project(gradient: Tensor, W_dec: Tensor) -> None:
    """Take out of a gradient what is parallel to rows of length 1."""
    gradient.sub_((gradient * W_dec).sum(1, keepdim=True) * W_dec)


def normalise(W_dec: Tensor) -> None:
    """Rows to length 1."""
    W_dec.div_(W_dec.norm(dim=1, keepdim=True))


class Trainer:
    """Parameters, Adam and the latents' last samples.

    Parameters
    ----------
    W, b_dec : Tensor of shape (n_latents, n_features) and (n_features,)
        Where it begins: the decoder, and what is subtracted from samples.
    scale : float
        By how much the encoder is longer than the decoder.
    k, aux_k : int
        Latents of a sample, and dead ones that learn what these miss.
    dead_after : int
        Samples that did not excite a latent that is dead.
    learning_rate : float
    compiled : bool
        Whether torch.compile makes the loss, its gradient, and what is done to decoder rows.
    """

    def __init__(
        self,
        W: Tensor,
        b_dec: Tensor,
        *,
        scale: float = 1.0,
        k: int,
        aux_k: int,
        dead_after: int,
        learning_rate: float,
        compiled: bool = False,
    ) -> None:
        wrap: Callable[[Any], Any] = torch.compile if compiled else lambda function: function
        self._loss, self._project, self._normalise = wrap(loss_of), wrap(project), wrap(normalise)
        begin = (W * scale, torch.zeros(len(W)), W.clone(), b_dec.clone())
        self.W_enc, self.b_enc, self.W_dec, self.b_dec = self.parameters = [torch.nn.Parameter(p) for p in begin]
        self.adam = torch.optim.Adam(self.parameters, lr=learning_rate, eps=EPSILON, fused=True)
        self.k, self.aux_k, self.dead_after = k, aux_k, dead_after
        self.samples_since_fired = torch.zeros(len(W), dtype=torch.int64)

    def step(self, rows: Tensor) -> Tensor:
        """Learn from a minibatch; its loss."""
        dead = self.samples_since_fired >= self.dead_after
        aux_k = self.aux_k if bool(dead.any()) else 0
        loss, values, indices = self._loss(*self.parameters, rows, dead, self.k, aux_k)
        self.adam.zero_grad()
        loss.backward()
        with torch.no_grad():
            self._project(self.W_dec.grad, self.W_dec)
            self.adam.step()
            self._normalise(self.W_dec)
            self.samples_since_fired += len(rows)
            self.samples_since_fired[indices[values > 0]] = 0
        return loss.detach()
