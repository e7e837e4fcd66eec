"""Objects whose __init__ has not run: every method says so, and none reads memory that nobody has written."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest

import sae_fast as sf

SETTINGS = sf._core.Settings([0, 0], [0.1, 0.1], [1.0, 0.0], [0.0, 0.0], 0)
CORE = [k for _, k in sorted(vars(sf._core).items()) if inspect.isclass(k) and k is not sf._core.Settings]
X = np.zeros((2, 2))
ARGUMENTS = {
    "step": ((), 1),
    "change": (SETTINGS, {}),
    "encode_one": (np.zeros(2),),
    "encode": (X, 1, 1),
    "top": (X, 1, 1),
    "__call__": (X,),
    "run_epoch": (X, None, None, None),
    "load_state": ({},),
}

NONE = np.zeros(0)
RESTORE = {"Lbfgs": (NONE, NONE), "Trainer": (0, NONE, NONE, 0, NONE)}  # others: number of steps and moments


def methods(kind):
    names = [n for n in vars(kind) if n == "__call__" or not n.startswith("_")]
    assert names, kind
    return names


def use(thing, name):
    """The method with arguments of its kind, or the property."""
    found = getattr(thing, name)
    given = ARGUMENTS.get(name, ())
    if isinstance(thing, sf._core.KSparseTrainer) and name == "step":
        return found(X, learning_rate=0.1)
    if name == "restore":
        given = RESTORE.get(type(thing).__name__.rstrip("F3264"), (0, NONE, NONE))
    return found(*given) if callable(found) else found


@pytest.mark.parametrize("kind", CORE, ids=lambda kind: kind.__name__)
def test_methods_of_the_core(kind):
    """Each method and property of each class of the core raises TypeError that names the class."""
    for name in methods(kind):
        with pytest.raises(TypeError, match=rf"{kind.__name__} object must be initialised before it is used"):
            use(kind.__new__(kind), name)


def test_as_an_argument():
    """A workspace, or settings, without __init__ are refused where they are an argument."""
    params = sf.init_params(2, 2, random_state=0)
    empty = sf._core.Workspace.__new__(sf._core.Workspace)
    with pytest.raises(TypeError, match="Workspace object must be initialised"):
        sf._core.evaluate(params, X, None, None, None, SETTINGS, workspace=empty)
    with pytest.raises(TypeError, match="Settings object must be initialised"):
        sf._core.evaluate(params, X, None, None, None, sf._core.Settings.__new__(sf._core.Settings))


@pytest.mark.parametrize("name", ["__call__", "encode_one"])
def test_encoder(name):
    """Encoder.__new__ alone is no encoder."""
    with pytest.raises(TypeError, match="Encoder object must be initialised before it is used"):
        use(sf.Encoder.__new__(sf.Encoder), name)


def test_subclass_that_forgets_its_base():
    """A subclass whose __init__ does not call that of Encoder cannot be made, nor used while it is."""

    class Forgetful(sf.Encoder):
        def __init__(self):
            with pytest.raises(TypeError, match="Forgetful object must be initialised"):
                self.encode_one(np.zeros(2))

    with pytest.raises(TypeError, match=r"__init__\(\) must be called"):
        Forgetful()


def test_it_can_still_be_initialised():
    """After a refused use, __init__ makes a whole encoder of it."""
    params = sf.init_params(2, 3, random_state=0)
    late = sf.Encoder.__new__(sf.Encoder)
    with pytest.raises(TypeError):
        late(X)
    late.__init__(params)
    assert np.array_equal(late(X), sf.encode(params, X))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", CORE, ids=lambda kind: kind.__name__)
def test_classes_of_the_core_are_not_pickled(kind, protocol):
    """By any protocol that is a TypeError, which names the class, and so it is to copy one; none ends the process."""
    thing = kind.__new__(kind)
    for store in (lambda: pickle.dumps(thing, protocol), lambda: copy.copy(thing), lambda: copy.deepcopy(thing)):
        with pytest.raises(TypeError, match=f"cannot pickle or copy a sae_fast._core.{kind.__name__}"):
            store()


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (sf.Objective, (np.zeros(12),)),
        (sf.SGD, (sf.Params(X, X[0], X, X[0]),)),
        (sf.Adam, (sf.Params(X, X[0], X, X[0]),)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_classes_of_python(kind, arguments):
    """Those have no memory that could be read unwritten: as ever in Python, an AttributeError names what is missing."""
    empty = kind.__new__(kind)
    with pytest.raises(AttributeError, match=f"'{kind.__name__}' object has no attribute '"):
        (empty if kind is sf.Objective else empty.step)(*arguments)
