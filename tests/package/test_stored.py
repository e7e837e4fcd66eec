"""Public things have addresses that stay, and are the same after pickle, joblib, skops, MLflow and copies."""

from __future__ import annotations

import copy
import doctest
import io
import pickle
import subprocess
import sys
import typing
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline

import sae_fast as sf
from sae_fast import conventions
from tests.helpers.public_things import DATA, codes, contents, samples, things

X, Y = samples()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # so few samples and iterations
    THINGS = things(X, Y)
ESTIMATORS = {name: thing for name, thing in THINGS.items() if isinstance(thing, BaseEstimator)}
SKOPS = {
    **ESTIMATORS,
    **{k: v for k, v in THINGS.items() if isinstance(v, (sf.Encoder, sf.KSparseEncoder, sf.StackEncoder, sf.Params))},
}
PUBLIC = {f"sae_fast.{name}": getattr(sf, name) for name in sf.__all__}
PUBLIC |= {f"sae_fast.conventions.{name}": getattr(conventions, name) for name in conventions.__all__}
CONVENTIONS = {address: thing for address, thing in PUBLIC.items() if isinstance(thing, conventions.Convention)}
CALLABLE = {address: thing for address, thing in PUBLIC.items() if callable(thing)}


def elsewhere(code, *arguments):
    """Run code in a new process that has imported nothing of ours; what it prints."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("address", CALLABLE)
def test_address_is_public(address):
    """Classes and functions say that they are of the package that shows them, and pickle finds them there."""
    thing = CALLABLE[address]
    if thing is sf.DeepCost:  # an alias
        address = "sae_fast.Cost"
    assert f"{thing.__module__}.{thing.__name__}" == address
    assert pickle.loads(pickle.dumps(thing)) is thing


def test_addresses_resolve_when_nothing_is_imported(tmp_path):
    """A new process that only unpickles finds every class, function and convention."""
    stored = tmp_path / "all.pkl"
    found = [*CALLABLE.values(), *CONVENTIONS.values()]
    stored.write_bytes(pickle.dumps(found))
    code = "import pickle, sys; print(len(pickle.load(open(sys.argv[1], 'rb'))))"
    assert int(elsewhere(code, stored)) == len(found)


@pytest.mark.parametrize("address", CONVENTIONS)
def test_conventions_are_pickled_by_reference(address):
    """A convention is the same object again."""
    convention = CONVENTIONS[address]
    assert pickle.loads(pickle.dumps(convention)) is convention
    assert copy.deepcopy(convention) is convention


@pytest.mark.parametrize("address", CALLABLE)
def test_examples_and_annotations_are_found(address):
    """Doctest finds the examples in the module that holds the code, and names in annotations resolve as they did."""
    thing = CALLABLE[address]
    if thing is sf.DeepCost:  # an alias
        address = "sae_fast.Cost"
    ours = [module for name, module in sys.modules.items() if name.startswith("sae_fast")]
    homes = [module for module in ours if thing in vars(module).get("__test__", {}).values()]
    if len(homes) == 0:  # defined in the package itself
        assert vars(sys.modules[thing.__module__])[thing.__name__] is thing
        homes = [sys.modules[thing.__module__]]
    found = [test for test in doctest.DocTestFinder(exclude_empty=False).find(homes[0]) if test.docstring]
    assert thing.__doc__ in [test.docstring for test in found]
    if isinstance(thing, type) and thing.__name__ not in ("EpochInfo", "BetaSearch"):
        assert typing.get_type_hints(thing) is not None  # those two name what is imported for type checkers alone


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", THINGS)
def test_pickle(name, protocol):
    """Every thing is the same to the bit after pickle, in all protocols, and its pickle names no private module."""
    stored = pickle.dumps(THINGS[name], protocol=protocol)
    named = []

    class Reader(pickle.Unpickler):
        def find_class(self, module, qualname):
            named.append(module)
            return super().find_class(module, qualname)

    assert contents(Reader(io.BytesIO(stored)).load()) == contents(THINGS[name])
    ours = {module for module in named if module.startswith("sae_fast")}
    assert ours <= {"sae_fast", "sae_fast.conventions"}
    assert ours


@pytest.mark.parametrize("name", THINGS)
def test_copies(name):
    """Both copies are the same to the bit, and the deep one shares nothing."""
    thing = THINGS[name]
    assert contents(copy.copy(thing)) == contents(copy.deepcopy(thing)) == contents(thing)
    for array, other in zip(arrays(copy.deepcopy(thing)), arrays(thing), strict=True):
        assert not np.shares_memory(array, other)


def arrays(thing):
    """Arrays that a thing holds, at any depth."""
    if isinstance(thing, np.ndarray):
        return [thing]
    if isinstance(thing, dict):
        return [array for value in thing.values() for array in arrays(value)]
    if isinstance(thing, (list, tuple)):
        return [array for value in thing for array in arrays(value)]
    return arrays(thing.__getstate__()) if type(thing).__module__.startswith("sae_fast") else []


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if n not in ("ConvolvedFeatures", "PatchExtractor")])
def test_clone_of_what_was_stored(name):
    """A clone of an unpickled estimator, fitted anew, is a clone of the estimator itself, fitted anew."""
    again = pickle.loads(pickle.dumps(ESTIMATORS[name]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = (clone(model).set_params(**fixed(model)).fit(X, Y) for model in (again, ESTIMATORS[name]))
    assert np.array_equal(codes(one, X), codes(other, X))


def fixed(estimator):
    """A ``ReviveUnits`` has a state of its own, which clones share."""
    return {"callback": None} if "callback" in estimator.get_params() else {}


READ = """
import pickle, sys, warnings
warnings.simplefilter("ignore")
{load}
from sae_fast import skops_types
from tests.helpers.public_things import samples, things, contents, codes
X, y = samples()
wanted = things(X, y)
n = 0
for name, stored in found.items():
    # times of what was measured differ from one process to the next
    if name not in ("PCAComparison", "Coder"):
        assert contents(stored) == contents(wanted[name]), name
    made = codes(stored, X)
    assert made is None or made.tobytes() == codes(wanted[name], X).tobytes(), name
    n += 1
print(n)
"""


@pytest.mark.parametrize("module", ["pickle", "joblib"])
def test_a_new_process_reads_all_things(module, tmp_path):
    """What another process trains by itself is what it reads, to the bit: parameters, state and codes."""
    stored = tmp_path / "things"
    with open(stored, "wb") as file:
        {"pickle": pickle, "joblib": joblib}[module].dump(THINGS, file)
    load = f"import {module}\nfound = {module}.load(open(sys.argv[1], 'rb'))"
    assert int(elsewhere(READ.format(load=load), stored)) == len(THINGS)


def test_a_new_process_reads_skops_files(tmp_path):
    """So are estimators, encoders and parameters of skops files, given ``skops_types()``."""
    for name, thing in SKOPS.items():
        skops.io.dump(thing, tmp_path / f"{name}.skops")
    load = (
        "import skops.io, sae_fast as sf, pathlib\n"
        "found = {p.stem: skops.io.load(p, trusted=sf.skops_types()) for p in pathlib.Path(sys.argv[1]).iterdir()}"
    )
    assert int(elsewhere(READ.format(load=load), tmp_path)) == len(SKOPS)


@pytest.mark.parametrize("name", SKOPS)
def test_skops_types_are_those_that_skops_asks_for(name):
    """Without the list skops refuses each file; all that it finds in it is on the list."""
    stored = skops.io.dumps(SKOPS[name])
    wanted = set(skops.io.get_untrusted_types(data=stored))
    assert wanted
    assert wanted <= set(sf.skops_types())
    assert contents(skops.io.loads(stored, trusted=sf.skops_types())) == contents(SKOPS[name])


def test_skops_types_are_all_in_use():
    """Each type of the list is in one of the files; ``DeepCost`` is what files of older versions call ``Cost``."""
    stored = [skops.io.get_untrusted_types(data=skops.io.dumps(thing)) for thing in SKOPS.values()]
    assert set().union(*stored) | {"sae_fast.DeepCost"} == set(sf.skops_types())


def test_skops_reads_pipelines():
    """A pipeline of ours and scikit-learn's, with names of columns."""
    import pandas as pd

    frame = pd.DataFrame(X, columns=list("abcdef"))
    coder = sf.SparseAutoencoder(3, output="linear", max_iter=5)
    pipeline = make_pipeline(sf.ZCAWhitener(epsilon=0.1), coder).fit(frame)
    again = skops.io.loads(skops.io.dumps(pipeline), trusted=sf.skops_types())
    assert np.array_equal(again.transform(frame), pipeline.transform(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        again.transform(frame[list("fedcba")])


@pytest.mark.parametrize("archive", sorted(DATA.glob("pickles_*.zip")), ids=lambda path: path.stem)
def test_pickles_of_older_versions_are_read(archive):
    """What an older version pickled, by names of private modules of its time, works as it did then."""
    with zipfile.ZipFile(archive) as stored:
        members = set(stored.namelist())
        then = np.load(io.BytesIO(stored.read("X.npy")))
        names = sorted(name.removesuffix(".pkl") for name in members if name.endswith(".pkl"))
        assert len(names) > 25
        for name in names:
            thing = pickle.loads(stored.read(f"{name}.pkl"))
            assert type(thing) is type(THINGS[name])
            if isinstance(thing, BaseEstimator):  # with the parameters that came later
                assert thing.get_params(deep=False).keys() == THINGS[name].get_params(deep=False).keys()
            if f"{name}.npy" in members:
                made = np.load(io.BytesIO(stored.read(f"{name}.npy")))
                assert np.allclose(codes(thing, then), made, rtol=1e-5 if made.dtype == np.float32 else 1e-12, atol=0)
            assert contents(pickle.loads(pickle.dumps(thing))) == contents(thing)


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred")  # MLflow, of ArrayLike
def test_mlflow_saves_models_by_its_default(tmp_path):
    """``mlflow.sklearn`` saves, given ``skops_types()``, what another process reads to the bit."""
    mlflow_sklearn = pytest.importorskip("mlflow.sklearn", reason="MLflow is not installed")
    for name, thing in ESTIMATORS.items():
        mlflow_sklearn.save_model(thing, tmp_path / name, skops_trusted_types=sf.skops_types(), pip_requirements=[])
        assert list(Path(tmp_path, name).glob("*.skops")), "no longer saved by skops"
    load = (
        "import mlflow.sklearn, pathlib\n"
        "found = {p.name: mlflow.sklearn.load_model(str(p)) for p in pathlib.Path(sys.argv[1]).iterdir()}"
    )
    assert int(elsewhere(READ.format(load=load), tmp_path)) == len(ESTIMATORS)
