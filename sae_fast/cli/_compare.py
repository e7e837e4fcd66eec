"""``sae-fast compare``."""

from __future__ import annotations

import argparse
import json

from ..inspection._compare import compare_with_pca
from ..streams._source import check_finite
from ._inputs import check_columns, check_labels_usage, labels_of, read_inputs, title
from ._models import for_arrays, load_model
from ._network import check_network

_OPTIONS = [
    "n_components", "rho", "beta", "l1", "weight_decay", "loss", "hidden", "output", "scale", "solver", "max_iter",
]  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the table on stdout."""
    check_labels_usage(arguments)
    if arguments.model is None:
        check_network(arguments)
    table = read_inputs(arguments)
    check_finite(table.values, table.names, title(arguments))
    X = table.values
    y = labels_of(arguments, table)
    given = {name: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None}
    if arguments.model is None:
        verbose = 0 if arguments.quiet else 1
        given |= {"n_threads": arguments.n_threads, "verbose": verbose}
        result = compare_with_pca(X, y, cv=arguments.cv, random_state=arguments.random_state, **given)
    else:
        if given:
            option = "--" + next(iter(given)).replace("_", "-")
            raise ValueError(f"{option} is for a model that is fitted here, and {arguments.model} is fitted")
        model = load_model(arguments.model)
        if not hasattr(model, "reconstruct"):
            raise ValueError(f"{arguments.model} must hold a model that reconstructs, got {type(model).__name__}")
        check_columns(model, table, title(arguments))
        model = for_arrays(model).set_params(n_threads=arguments.n_threads)
        result = compare_with_pca(X, y, model=model, cv=arguments.cv, random_state=arguments.random_state)
    print(json.dumps(result.to_dict(), indent=2) if arguments.json else result)
    return 0
