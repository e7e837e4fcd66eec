"""Pictures of a model, drawn with matplotlib on the axes given or on new ones, which are returned.

Figures are matplotlib's own, not pyplot's: nothing has to be closed and no display is needed. The style is this
module's, whatever the caller's settings are, and leaves them alone. Symbols are those of UFLDL: W1, a2, a3, rho, J.
"""

from ._filters import filters
from ._ksparse import dead_latents, densities, pareto
from ._loss import loss
from ._penalty import kl_penalty
from ._samples import latent, reconstructions
from ._style import new_figure, save, style
from ._summary import summary
from ._units import activations, mean_activations
from ._watching import anomalies, monitor

__all__ = [
    "activations",
    "anomalies",
    "dead_latents",
    "densities",
    "filters",
    "kl_penalty",
    "latent",
    "loss",
    "mean_activations",
    "monitor",
    "new_figure",
    "pareto",
    "reconstructions",
    "save",
    "style",
    "summary",
]
