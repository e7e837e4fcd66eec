"""The model file of a monitor: that of its model, with the reference and what was found beside it.

Tensors ``reference.mean``, ... and ``found.metrics``, ``found.rho_hat``, ``found.sizes``, ``found.counts``; fields
``chunk_size`` and ``every``. What no row could tell is NaN in memory and -1 in the file: nothing else there is < 0.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimators._estimator_file import contents_of, hyper_parameters
from ..files._kinds import KIND, MONITOR
from ..files._model_file import maker_of, write
from ._reference import Reference


def save(monitor: Any, path: str | PathLike[str]) -> None:
    """Write a monitor; see :meth:`sae_fast.Monitor.save`."""
    contents = contents_of(monitor.model, hyper_parameters(monitor.model))
    report = monitor.report()
    contents.arrays |= {f"reference.{name}": array for name, array in monitor._reference._asdict().items()}
    contents.arrays |= {
        "found.metrics": np.where(np.isnan(report.metrics), -1.0, report.metrics),
        "found.rho_hat": np.where(np.isnan(report.rho_hat), -1.0, report.rho_hat),
        "found.sizes": report.sizes.astype(np.float64),
        "found.counts": monitor._counts,
    }
    write(path, contents, {"kind": MONITOR, "chunk_size": monitor.chunk_size, "every": monitor.every})


def monitor_from(
    kind: type[Any], path: str | PathLike[str], tensors: dict[str, NDArray[Any]], about: dict[str, Any]
) -> Any:
    """The monitor that checked contents hold."""
    own = {name: array for name, array in tensors.items() if name.startswith(("reference.", "found."))}
    rest = {name: array for name, array in tensors.items() if name not in own}
    monitor: Any = object.__new__(kind)
    reference = Reference(*(own[f"reference.{name}"] for name in Reference._fields))
    model = maker_of(KIND)(path, rest, about)
    monitor._begin(model, reference, about["chunk_size"], about["every"])
    metrics, rho_hat = (np.where(a < 0, np.nan, a) for a in (own["found.metrics"], own["found.rho_hat"]))
    monitor._metrics, monitor._rho_hat = list(metrics), list(rho_hat)
    monitor._sizes = [int(n) for n in own["found.sizes"]]
    monitor._counts = own["found.counts"].copy()
    return monitor
