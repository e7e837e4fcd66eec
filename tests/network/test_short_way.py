"""The short way of cost_and_grad: it takes what is just right, and nothing that the long way would refuse or change."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import _core

pytestmark = pytest.mark.core

SETTINGS = {"rho": 0.1, "beta": 2.0, "weight_decay": 1e-3}


class Matrix(np.ndarray):
    """An array of a class of its own."""


def small(dtype, m=9, v=7, h=5):
    """Samples, parameters and room for gradients."""
    X = np.random.default_rng(1).uniform(0.1, 0.9, (m, v)).astype(dtype)
    params = sf.init_params(v, h, random_state=2, dtype=dtype)
    return X, params, sf.Params(*(np.full_like(p, np.nan) for p in params))


def short(params, X, out, *, hidden="sigmoid", output="sigmoid", n_threads=None, loss="squared", l1=0.0, **changed):
    """J by the short way alone; None where it leaves a call to the long one."""
    s = SETTINGS | changed
    return _core.quick_cost_and_grad(
        params, X, s["rho"], s["beta"], s["weight_decay"], hidden, output, out, n_threads, loss, l1
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 7, 5), (16, 64, 25), (300, 33, 65)])  # the last one without the GIL
@pytest.mark.parametrize("view", [lambda X: X, np.asfortranarray, lambda X: np.repeat(X, 2, 0)[::2], lambda X: X[::-1]])
def test_short_and_long_way_agree_to_the_bit(dtype, shape, view):
    """One result, whichever way a call takes; samples may have any strides."""
    X, params, out = small(dtype, *shape)
    X = view(X)
    J = short(params, X, out)
    grad = sf.cost_and_grad(list(params), X, **SETTINGS)
    assert grad[0] == J
    for a, b in zip(out, grad[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert sf.cost_and_grad(params, X, **SETTINGS, out=out) == (J, out)


def test_short_way_is_taken():
    """By any class of tuple and of array, and by all units that the long way knows."""
    X, params, out = small(np.float64)
    assert short(tuple(params), X.view(Matrix), tuple(out), n_threads=3) is not None
    for hidden in ("sigmoid", "tanh", "satlin"):
        for output in _core.UNITS:
            assert short(params, X, out, hidden=hidden, output=output) is not None
    assert short(params, X, out, hidden="relu", beta=0.0) is not None


@pytest.mark.parametrize("loss", [loss for loss in _core.LOSSES if loss != "softmax"])
@pytest.mark.parametrize("l1", [0.0, 0.7])
def test_short_way_takes_losses_and_l1(loss, l1):
    """With the bits of the core's evaluation."""
    X, params, out = small(np.float64)
    J = short(params, X, out, loss=loss, l1=l1)
    units = [_core.UNITS.index("sigmoid")] * 2
    rho, beta, weight_decay = SETTINGS.values()
    settings = _core.Settings(
        units, [rho] * 2, [beta, 0.0], [weight_decay] * 2, _core.LOSSES.index(loss), [l1, 0.0]
    )  # fmt: skip
    grad = sf.Params(*(np.empty_like(p) for p in params))
    assert _core.evaluate(params, X, None, None, None, settings, grad)[0] == J
    for a, b in zip(out, grad, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "changed",
    [
        {"rho": 0.0}, {"rho": 1.0}, {"rho": float("nan")}, {"rho": 1}, {"rho": np.float64(0.1)}, {"rho": "0.1"},
        {"beta": -1.0}, {"beta": float("inf")}, {"beta": float("nan")}, {"beta": None},
        {"weight_decay": -1e-9}, {"weight_decay": float("inf")},
        {"hidden": "linear"}, {"hidden": "Sigmoid"}, {"hidden": 0}, {"hidden": "sigmoid\0"}, {"output": "softmax"},
        {"hidden": "relu"}, {"loss": "softmax"}, {"loss": "l2"}, {"loss": 0},
        {"loss": "cross_entropy", "output": "tanh"},
        {"l1": -0.1}, {"l1": float("nan")}, {"l1": float("inf")}, {"l1": 1},
        {"n_threads": 0}, {"n_threads": -1}, {"n_threads": 10**30}, {"n_threads": True}, {"n_threads": 2.0},
    ],
)  # fmt: skip
def test_short_way_leaves_other_settings_alone(changed):
    """None, and nothing is written."""
    X, params, out = small(np.float64)
    assert short(params, X, out, **changed) is None
    assert all(np.isnan(a).all() for a in out)


def test_short_way_leaves_other_arrays_alone():
    """Wrong kinds, types, orders, shapes, byte orders and read-only outputs, in any place."""
    X, params, out = small(np.float64)
    read_only = [a.copy() for a in out]
    for a in read_only:
        a.flags.writeable = False
    others = [
        lambda a: a.tolist(),
        lambda a: None,
        lambda a: a.astype(np.float32),
        lambda a: np.zeros(a.shape, np.int64),
        lambda a: a.astype(">f8"),
        lambda a: a[..., None],
        lambda a: a[:-1],
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    ]
    for other in others:
        for i, tuple_ in [(i, t) for i in range(4) for t in (params, out)]:
            changed = list(tuple_)
            changed[i] = other(changed[i])
            if tuple_ is params:
                assert short(tuple(changed), X, out) is None
            else:
                assert short(params, X, tuple(changed)) is None
    for i in range(4):
        assert short(params, X, tuple(read_only[j] if j == i else out[j] for j in range(4))) is None
    for other in (X.tolist(), X[0], X[:0], X[:, :-1], X.astype(np.float32), X.astype(">f8"), X[None]):
        assert short(params, other, out) is None
    for wrong in (list(params), params[:3], (*params, X)):
        assert short(wrong, X, out) is None
        assert short(params, X, wrong) is None
    empty = tuple(np.empty(s) for s in ((0, 7), (0,), (7, 0), (7,)))
    assert short(empty, X, empty) is None


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_short_way_refuses_overlaps_in_the_same_words(name):
    """An output that overlaps an input or another output is an error on both ways, with one message."""
    X, params, out = small(np.float64, v=5)
    i = sf.Params._fields.index(name)
    room = np.empty(100)
    wide = room[3 : 3 + X.size].reshape(X.shape)
    wide[...] = X
    shape = out[i].shape
    overlaps = [  # input array itself, in the middle of X, in the middle of another output
        (params[i], X, out),
        (room[1 : 1 + out[i].size].reshape(shape), wide, out),
    ]
    for array, data, others in overlaps:
        aliased = others._replace(**{name: array})
        messages = []
        for call in (lambda a=aliased, d=data: short(params, d, a),
                     lambda a=aliased, d=data: sf.cost_and_grad(list(params), d, **SETTINGS, out=a)):  # fmt: skip
            with pytest.raises(ValueError, match=rf"out\.{name} must not overlap") as caught:
                call()
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
    same = out._replace(b1=room[:5], b2=room[4:9])
    with pytest.raises(ValueError, match=r"out\.b2 must not overlap"):
        short(params, X, same)


def test_short_way_counts_its_arguments():
    """As Python's own functions do."""
    with pytest.raises(TypeError, match="takes 11 arguments"):
        _core.quick_cost_and_grad(1, 2)


def test_short_calls_of_several_threads_at_once():
    """Each has memory of its own: all results are those of one thread."""
    X, params, _ = small(np.float64, 16, 64, 25)
    wanted = sf.cost_and_grad(params, X, **SETTINGS)
    wrong = []

    def work():
        out = sf.Params(*(np.empty_like(p) for p in params))
        for _ in range(200):
            J, grad = sf.cost_and_grad(params, X, **SETTINGS, out=out)
            if wanted[0] != J or any((a != b).any() for a, b in zip(grad, wanted[1], strict=True)):
                wrong.append(J)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
