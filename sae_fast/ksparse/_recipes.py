"""Recipes: how others train sparse codes, as defaults that explicit arguments override. Needs NumPy alone.

Sources, each of which was read for its numbers: Gao et al., "Scaling and evaluating sparse autoencoders" (2024), and
``openai/sparse_autoencoder`` (``train.py``); ``saprmarks/dictionary_learning`` (trainers of each architecture);
``jbloomAus/SAELens`` 6 (``saes/``); ``EleutherAI/sparsify`` (``config.py``, ``trainer.py``); Wen et al., "Beyond
Matryoshka: Revisiting Sparse Coding for Adaptive Representation" (2025), and ``neilwen987/CSR_Adaptive_Rep``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from ..files._ksparse_parameters import OVERRIDES

RecipeName: TypeAlias = Literal["openai", "dictionary_learning", "saelens", "sparsify", "csr"]
_WARM_UP_SHARE = 0.1


class Recipe(NamedTuple):
    """What a training is made of; None where the data or another argument decide."""

    learning_rate: float  # for 2^14 latents
    scaled_rate: bool = True  # by 1 / sqrt(n_latents / 2^14)
    warm_up: float = 0.0  # minibatches, at most a tenth of all
    decay: float = 0.0  # share of the minibatches, the last ones, over which the rate falls to 0
    k_anneal: float = 0.0  # share of the minibatches, the first ones, over which k falls from n_features
    aux_k: int | None = None  # n_features / 2
    aux_weight: float = 1 / 32
    aux_normalized: bool = True
    aux_by_dead: bool = False  # the weight is that times the number of dead latents by aux_k, at most 1
    dead_after: int = 10_000_000
    multi_k: int = 0  # times k
    multi_weight: float = 1 / 8
    loss_normalized: bool = True
    beta1: float = 0.9
    epsilon: float = 1e-8
    clip: float | None = None
    threshold_momentum: float = 0.99
    b_dec: str = "geometric_median"
    unit_output: bool = False  # encoder scaled so that reconstructions of unit vectors have unit length
    l1: float = 0.3
    l0: float = 1.0
    bandwidth: float = 1e-3
    threshold: float = 1e-3


RECIPES: dict[str, Recipe] = {
    "openai": Recipe(2e-4, epsilon=6.25e-10, unit_output=True),
    "dictionary_learning": Recipe(2e-4, warm_up=1000, loss_normalized=False, clip=1.0, threshold_momentum=0.999),
    "saelens": Recipe(
        3e-4,
        scaled_rate=False,
        aux_weight=1.0,
        aux_normalized=False,
        aux_by_dead=True,
        dead_after=1000 * 4096,
        loss_normalized=False,
        b_dec="zeros",
    ),
    "sparsify": Recipe(2e-4, warm_up=1000, decay=1.0, aux_weight=0.0, aux_by_dead=True, b_dec="mean"),
    "csr": Recipe(4e-4, scaled_rate=False, aux_k=512, dead_after=30 * 4096, multi_k=4, epsilon=6.25e-10),
}


class Plan(NamedTuple):
    """A training of so many minibatches, all of it decided."""

    recipe: Recipe
    k: int
    n_latents: int
    n_features: int
    n_steps: int  # 0: nobody knows, as in partial_fit; nothing changes from step to step
    aux_k: int
    multi_k: int
    dead_after: int

    def learning_rate(self, step: int) -> float:
        """Of a minibatch, counted from 0."""
        rate = self.recipe.learning_rate
        if not self.n_steps:
            return rate
        warm = min(self.recipe.warm_up, _WARM_UP_SHARE * self.n_steps)
        last = self.recipe.decay * self.n_steps
        rise = 1.0 if warm < 1 else min(1.0, (step + 1) / warm)
        fall = 1.0 if last < 1 else min(1.0, (self.n_steps - step) / last)
        return rate * min(rise, fall)

    def k_of(self, step: int) -> int:
        """Of a minibatch: falls on a line from the number of features."""
        last = self.recipe.k_anneal * self.n_steps
        first = max(self.k, min(self.n_features, self.n_latents))
        return self.k if step >= last else round(first + (self.k - first) * step / last)


def plan_of(name: str, given: Mapping[str, Any], k: int, shape: tuple[int, int], n_samples: int, n_steps: int) -> Plan:
    """What a recipe and the arguments that are not None make, for ``shape`` (n_latents, n_features) and these samples.

    ``dead_after`` of a recipe is at most the number of samples: there are no others that could excite a latent.
    """
    recipe = RECIPES[name]
    n_latents, n_features = shape
    rate = recipe.learning_rate / (math.sqrt(n_latents / 2**14) if recipe.scaled_rate else 1.0)
    found = {key: value for key, value in given.items() if value is not None and key in OVERRIDES}
    dead_after = found.pop("dead_after", min(recipe.dead_after, max(1, n_samples)))
    aux_k = found.pop("aux_k", recipe.aux_k if recipe.aux_k is not None else max(1, n_features // 2))
    multi_k = found.pop("multi_k", recipe.multi_k * k)
    recipe = recipe._replace(**({"learning_rate": rate} | found))
    limits = min(int(aux_k), n_latents), min(int(multi_k), n_latents)
    return Plan(recipe, k, n_latents, n_features, n_steps, *limits, int(dead_after))
