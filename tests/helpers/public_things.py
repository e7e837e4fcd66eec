"""One of every public thing that holds something, to be stored and read again.

``python -m tests.helpers.public_things`` writes them, pickled by the version at hand, to
``tests/data/pickles_<version>.zip``: once for a released version, so that ``tests/package/test_stored.py`` sees that
later ones still read it.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings
import zipfile

import numpy as np

import sae_fast as sf
from sae_fast import conventions
from tests.helpers.paths import DATA


def samples():
    """30 samples of 6 features, and their classes."""
    rng = np.random.default_rng(0)
    return rng.uniform(0.1, 0.9, (30, 6)), np.array(["no", "yes"])[rng.integers(0, 2, 30)]


def things(X, y):
    """One of every public thing that holds something, by its name."""
    params = sf.init_params(6, 3, random_state=0)
    upper = sf.init_params(3, 2, random_state=1)
    layers = sf.Encoder(params), sf.Encoder(upper, hidden="tanh")
    penalty = {"rho": 0.1, "beta": 1.0}
    stacked = {"max_iter": 3, "random_state": 0}

    def fitted(**options):
        return sf.SparseAutoencoder(3, max_iter=4, random_state=0, **options).fit(X)

    model = fitted()
    cost = sf.cost(params, X, **penalty, weight_decay=0.0)
    monitor = model.monitor(np.tile(X, (2, 1)), chunk_size=20, every=4).update(X)
    comparison = sf.compare_with_pca(X, y, model=model, cv=2, random_state=0)
    search = sf.suggest_beta(X, n_components=3, max_iter=5, max_trials=2, random_state=0)
    detector = sf.SparseAutoencoderOutlierDetector(3, max_iter=4, random_state=0).fit(X)
    tuned = []
    stack = sf.StackedAutoencoder((4, 3), **stacked, callback=tuned.append).fit(X).set_params(callback=None)
    objective = sf.Objective(X, 3)
    objective(sf.flatten(params))
    grad = sf.cost_and_grad(params, X, **penalty, weight_decay=0.0)[1]
    sgd = sf.SGD(copy.deepcopy(params), learning_rate=0.1, momentum=0.9)
    adam = sf.Adam(copy.deepcopy(params), learning_rate=0.1)
    for optimizer in (sgd, adam, adam):
        optimizer.step(grad)
    return {
        "Params": params,
        "Cost": cost,
        "Forward": sf.forward(params, X[:2]),
        "Deltas": sf.deltas(params, X[:2], **penalty),
        "History": sf.train(params, X, n_epochs=2, random_state=0)[1],
        "EpochInfo": sf.EpochInfo(1, 2, cost, 0.5, params, 0.1),
        "DeepEpochInfo": tuned[-1]._replace(seconds=0.1),
        "Encoder": layers[0],
        "Encoder32": sf.Encoder(sf.Params(*(a.astype(np.float32) for a in params)), hidden="tanh"),
        "StackEncoder": sf.StackEncoder(layers),
        "KSparseEncoder": sf.KSparseEncoder(params.W1, params.b1, params.W1, params.b2, k=2),
        "KSparseAutoencoder": sf.KSparseAutoencoder(8, k=2, max_iter=2, batch_size=8, random_state=0).fit(X),
        "SparseAutoencoder": model,
        "SparseAutoencoderMinmax": fitted(scale="minmax"),
        "SparseAutoencoderUFLDL": fitted(scale="ufldl"),
        "SparseAutoencoderPartial": sf.SparseAutoencoder(3, solver="adam", random_state=0).partial_fit(X),
        "SparseAutoencoderOutlierDetector": detector,
        "Monitor": monitor,
        "MonitorReport": monitor.report(),
        "OddFeature": detector.explain(X[0])[0],
        "StackedAutoencoder": stack,
        "StackedAutoencoderClassifier": sf.StackedAutoencoderClassifier((4, 3), **stacked).fit(X, y),
        "ConvolvedFeatures": sf.ConvolvedFeatures(params, patch_size=(1, 6)).fit(X),
        "UnitScaler": sf.UnitScaler().fit(X),
        "UFLDLScaler": sf.UFLDLScaler().fit(X),
        "PCAWhitener": sf.PCAWhitener(epsilon=0.1).fit(X),
        "ZCAWhitener": sf.ZCAWhitener(epsilon=0.1).fit(X),
        "PatchExtractor": sf.PatchExtractor((2, 2), n_patches=5, random_state=0).fit(X.reshape(5, 6, 6)),
        "PruneResult": sf.prune_units(model, X),
        "PCAComparison": comparison,
        "Coder": comparison.rows[0],
        "BetaSearch": search,
        "Trial": search.trials[0],
        "UnitReport": model.unit_report(X),
        "ReviveUnits": sf.ReviveUnits(X, random_state=0),
        "Objective": objective,
        "SGD": sgd,
        "Adam": adam,
        "WithCallback": fitted(solver="adam", callback=sf.ReviveUnits(X, random_state=0)),
        "conventions.Mapped": conventions.matlab.to_ours(),
        "conventions.Rescaling": conventions.h2o.rescaling(X),
    }


def codes(thing, X):
    """What a thing makes of samples; None of one that makes nothing."""
    if hasattr(thing, "score_samples") and not hasattr(thing, "transform"):
        return thing.score_samples(X)
    if isinstance(thing, (sf.KSparseAutoencoder, sf.KSparseEncoder)):
        return thing.transform(X).toarray()
    if hasattr(thing, "transform"):
        return None if isinstance(thing, sf.PatchExtractor) else thing.transform(X)
    return thing(X) if isinstance(thing, (sf.Encoder, sf.StackEncoder)) else None


def contents(thing):
    """All that a thing holds, to the bit, in values that ``==`` compares."""
    if isinstance(thing, np.ndarray):
        return str(thing.dtype), thing.shape, thing.tolist() if thing.dtype.hasobject else thing.tobytes()
    if isinstance(thing, np.random.Generator):
        return contents(thing.bit_generator.state)
    if isinstance(thing, dict):
        return {name: contents(value) for name, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return type(thing), [contents(value) for value in thing]
    if type(thing).__module__.startswith("sae_fast"):
        return type(thing), contents(thing.__getstate__())
    return type(thing), thing if thing == thing else repr(thing)


def write(archive, name, array):
    """An array as an ``.npy`` member."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    archive.writestr(name, buffer.getvalue())


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # so few samples and iterations
    X, y = samples()
    with zipfile.ZipFile(DATA / f"pickles_{sf.__version__}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        write(archive, "X.npy", X)
        for name, thing in things(X, y).items():
            archive.writestr(f"{name}.pkl", pickle.dumps(thing, protocol=4))
            made = codes(thing, X)
            if made is not None:
                write(archive, f"{name}.npy", made)
