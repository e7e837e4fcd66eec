"""``sae-fast compare``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..inspection._compare import compare_with_pca
from ..ksparse._compare import KSparseComparison, compare_k_sparse
from ..plot._ksparse import pareto
from ..plot._style import save
from ..streams._files import files_of
from ..streams._source import check_finite
from ..streams._tables import read_tables
from ._inputs import check_columns, check_labels_usage, labels_of, read_inputs, table_options, title
from ._labels import read_labels
from ._models import for_arrays, load_k_sparse, load_model
from ._network import check_network
from ._outputs import say
from ._pictures import check_picture

_OPTIONS = [
    "n_components", "rho", "beta", "l1", "weight_decay", "loss", "hidden", "output", "scale", "solver", "max_iter",
]  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the table on stdout."""
    _check_k_sparse(arguments)
    if arguments.k_sparse is not None:
        if arguments.plot is not None:
            inputs = [*arguments.k_sparse, *files_of(arguments.data), arguments.queries, arguments.relevant]
            check_picture(arguments.plot, inputs, None)
        result: Any = _k_sparse(arguments)
        print(json.dumps(result.to_dict(), indent=2) if arguments.json else result)
        if arguments.plot is not None:
            save(pareto(result), arguments.plot)
            say(f"wrote {arguments.plot}")
        return 0
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


def _check_k_sparse(arguments: argparse.Namespace) -> None:
    """Options of one table with the other one are wrong usage, rather than left out of account."""
    if arguments.k_sparse is None:
        for name in ("k", "fvu", "queries", "relevant", "plot"):
            if getattr(arguments, name) is not None:
                arguments.wrong(f"--{name} needs --k-sparse MODEL")
        return
    for name in ("model", "labels", "labels_column", *_OPTIONS):
        if getattr(arguments, name) is not None:
            arguments.wrong(f"--{name.replace('_', '-')} is not for --k-sparse, whose models are trained")
    if (arguments.queries is None) != (arguments.relevant is None):
        arguments.wrong("--queries and --relevant: give both or none")


def _k_sparse(arguments: argparse.Namespace) -> KSparseComparison:
    paths = arguments.k_sparse
    stems = [Path(path).stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else paths
    models = dict(zip(names, map(load_k_sparse, paths), strict=True))
    table = read_inputs(arguments)
    check_finite(table.values, table.names, title(arguments))
    queries = relevant = None
    if arguments.queries is not None:
        asked = read_tables([arguments.queries], table_options(arguments))
        check_finite(asked.values, asked.names, arguments.queries)
        queries = asked.values
        relevant = _numbers(read_labels(arguments.relevant, len(queries), table_options(arguments)), arguments.relevant)
    fvu = arguments.fvu or "total"
    options: dict[str, Any] = {"queries": queries, "relevant": relevant, "fvu": fvu, "n_threads": arguments.n_threads}
    return compare_k_sparse(models, table.values, k=arguments.k, **options)


def _numbers(found: Any, path: str) -> Any:
    """Numbers of rows, as integers."""
    try:
        numbers = np.asarray(found, np.float64)
        whole = bool(np.all(numbers == np.round(numbers)))
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"{path} must hold numbers of rows, integers from 0")
    return numbers.astype(np.int64)
