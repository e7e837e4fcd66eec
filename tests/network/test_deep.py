"""Networks of any depth: cost, gradients and output, of the core and of the NumPy twin."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast.network import _deep
from tests.helpers.deep_networks import IMPLEMENTATIONS, Layer, flat, make_data, make_layers
from tests.helpers.networks import DTYPES, HIDDEN, OUTPUT, SIZES, TOLERANCE, error, make

pytestmark = pytest.mark.core

ENDS = [("squared", "sigmoid"), ("squared", "tanh"), ("squared", "linear"), ("softmax", "linear")]


def settings(n_layers, hidden, loss, output, penalised=True):
    """Another rho, beta and weight decay for each layer; hidden: one unit, or "mixed"."""
    mixed = ("sigmoid", "linear", "tanh")
    units = [mixed[i % 3] if hidden == "mixed" else hidden for i in range(n_layers - 1)]
    beta = [(2.0 + i) * (penalised and unit != "linear") for i, unit in enumerate(units)]
    rho = [0.1 + 0.1 * i for i in range(n_layers - 1)]
    decay = [0.01 * (i + 1) * penalised for i in range(n_layers)]
    return {"units": [*units, output], "loss": loss, "rho": rho, "beta": beta, "weight_decay": decay}


@pytest.mark.unsanitized  # thousands of evaluations, on paths that other tests take once
@pytest.mark.parametrize("impl", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize(("loss", "output"), ENDS)
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "linear", "mixed"])
@pytest.mark.parametrize("n_layers", [2, 3, 4])
def test_every_layer_against_finite_differences(impl, n_layers, hidden, loss, output, penalised):
    """Every entry of every W and b gradient is the slope of the cost, within 1e-7 of the largest."""
    sizes = (*(4, 3, 5, 3, 4)[:n_layers], 3)
    layers = make_layers(sizes, seed=n_layers)
    X, y = make_data(7, sizes, loss)
    network = settings(n_layers, hidden, loss, output, penalised)
    network["sample_weight"] = np.random.default_rng(2).uniform(0, 2, len(X))
    for array, grad in zip(flat(layers), flat(impl.deep_cost_and_grad(layers, X, y, **network)[1]), strict=True):
        measured = np.empty_like(grad)
        for at in np.ndindex(grad.shape):
            was, J = array[at], []
            for step in (1e-3, -1e-3, 2e-3, -2e-3):
                array[at] = was + step
                J.append(impl.deep_cost(layers, X, y, **network).total)
            array[at] = was
            measured[at] = (8 * (J[0] - J[1]) - (J[2] - J[3])) / 12e-3
        assert np.abs(measured - grad).max() <= 1e-7 * np.abs(grad).max()


def assert_same(layers, X, y, network, tolerance, n_threads=None):
    """Cost, its parts, gradients and output, from both implementations."""
    ours, twin = IMPLEMENTATIONS.values()
    J, grad = ours.deep_cost_and_grad(layers, X, y, **network, n_threads=n_threads)
    wanted, twin_grad = twin.deep_cost_and_grad(layers, X, y, **network)
    assert pytest.approx(wanted, rel=tolerance) == J
    assert error(flat(grad), flat(twin_grad)) <= 20 * tolerance
    parts = ours.deep_cost(layers, X, y, **network, n_threads=n_threads)
    assert parts == pytest.approx(twin.deep_cost(layers, X, y, **network), rel=tolerance)
    assert parts.total == J == pytest.approx(sum(parts[1:]), rel=1e-15)
    ends = {"units": network["units"], "loss": network["loss"]}
    assert error(ours.deep_forward(layers, X, **ends, n_threads=n_threads), twin.deep_forward(layers, X, **ends)) <= (
        2 * tolerance
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("where", ["samples", "features", "first", "second", "outputs"])
def test_any_size(where, size, loss, dtype):
    """Awkward numbers of samples, features, units and outputs give the twin's results."""
    dimensions = {"samples": 33, "features": 17, "first": 9, "second": 20, "outputs": 10} | {where: size}
    m, *sizes = dimensions.values()
    network = settings(3, "sigmoid", loss, "linear")
    assert_same(make_layers(sizes, dtype), *make_data(m, sizes, loss, dtype), network, TOLERANCE[dtype])


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize(("loss", "output"), ENDS)
@pytest.mark.parametrize("m", [40, 3000], ids=["few", "several blocks"])
def test_any_units_and_threads(m, loss, output, penalised, dtype, n_threads):
    """Mixed units, with and without penalties, give the twin's results on any number of threads."""
    sizes = (40, 30, 17, 20, 11)
    network = settings(4, "mixed", loss, output, penalised)
    assert_same(make_layers(sizes, dtype), *make_data(m, sizes, loss, dtype), network, TOLERANCE[dtype], n_threads)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("output", OUTPUT)
@pytest.mark.parametrize(("m", "h"), [(50, 7), (2000, 9)])  # neither is for the path of few samples: the same sums
def test_two_layers_are_the_sparse_autoencoder(m, h, output, hidden, dtype):
    """Two layers with squared error have the cost and gradients of cost_and_grad."""
    params, X = make(m, 17, h, dtype)
    weight = np.random.default_rng(0).uniform(0, 2, m)
    penalty = {"rho": 0.05, "beta": 3.0, "weight_decay": 1e-3, "sample_weight": weight}
    J, grad = sf.cost_and_grad(params, X, **penalty, hidden=hidden, output=output)
    layers = [(params.W1, params.b1), (params.W2, params.b2)]
    deep_J, deep_grad = _deep.deep_cost_and_grad(layers, X, units=[hidden, output], **penalty)
    assert pytest.approx(J, rel=1e-14) == deep_J
    assert error(flat(deep_grad), grad) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[::-1, ::-1],
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: np.frombuffer(b"0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
        lambda a: a.astype(np.float16),
        lambda a: (a * 99).astype(np.uint8),
        lambda a: a.astype(">f8"),
    ],
    ids=["fortran", "column stride", "negative", "zero stride", "unaligned", "float16", "uint8", "big-endian"],
)
def test_any_layout_and_dtype_of_data(layout, dtype):
    """X and targets of any strides and type, also read-only, give the results of plain copies."""
    sizes, network = (17, 9, 8), settings(2, "sigmoid", "squared", "linear")
    layers = make_layers(sizes, dtype)
    X, y = (layout(a) for a in make_data(1000, sizes, "squared", dtype))
    X.flags.writeable = y.flags.writeable = False
    plain = [np.array(a, dtype=dtype, order="C") for a in (X, y)]
    J, grad = _deep.deep_cost_and_grad(layers, X, y, **network)
    wanted, plain_grad = _deep.deep_cost_and_grad(layers, *plain, **network)
    assert wanted == J
    assert error(flat(grad), flat(plain_grad)) == 0
    ends = {"units": network["units"]}
    np.testing.assert_array_equal(_deep.deep_forward(layers, X, **ends), _deep.deep_forward(layers, plain[0], **ends))


@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_sample_weights_are_repeated_samples(dtype, loss):
    """Whole weights, zeros among them, give the cost and gradients of that many copies."""
    sizes, network = (20, 10, 6), settings(2, "tanh", loss, "linear")
    layers = make_layers(sizes, dtype)
    X, y = make_data(300, sizes, loss, dtype)
    weight = np.random.default_rng(3).integers(0, 4, len(X))
    J, grad = _deep.deep_cost_and_grad(layers, X, y, sample_weight=weight, **network)
    copies = [np.repeat(a, weight, axis=0) for a in (X, y)]
    wanted, repeated = _deep.deep_cost_and_grad(layers, *copies, **network)
    assert pytest.approx(wanted, rel=TOLERANCE[dtype]) == J
    assert error(flat(grad), flat(repeated)) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("m", [40, 3000], ids=["few", "several blocks"])
def test_means_that_underflow_above_saturated_units(m, hidden, dtype):
    """Units whose mean leaves the type's range, above units at both limits, have the twin's penalty and deltas."""
    sizes = (6, 9, 7, 5)
    layers, (X, y) = make_layers(sizes, dtype), make_data(m, sizes, "squared", dtype)
    layers[0].b[:4] = 50, -50, 50, -50
    layers[1].b[::2] = -900 if dtype == np.float64 else -150
    network = settings(3, hidden, "squared", "linear")
    network["sample_weight"] = np.random.default_rng(2).uniform(0, 3, m)
    J, grad = _deep.deep_cost_and_grad(layers, X, y, **network)
    exact = tuple(Layer(*(a.astype(np.float64) for a in layer)) for layer in layers)
    wanted, twin = IMPLEMENTATIONS["reference"].deep_cost_and_grad(exact, X.astype(np.float64), y, **network)
    assert pytest.approx(wanted, rel=TOLERANCE[dtype]) == J
    assert error(flat(grad), flat(twin)) <= 20 * TOLERANCE[dtype]


def test_one_value_serves_all_layers():
    """rho, beta and weight_decay may be one value or one for each layer; y may be X itself."""
    sizes, units = (12, 7, 5, 12), ["sigmoid", "tanh", "linear"]
    layers, (X, _) = make_layers(sizes), make_data(30, sizes, "squared")
    J, grad = _deep.deep_cost_and_grad(layers, X, units=units, rho=0.2, beta=3, weight_decay=1e-3)
    each = {"rho": [0.2, 0.2], "beta": np.array([3.0, 3.0]), "weight_decay": (1e-3,) * 3}
    same, same_grad = _deep.deep_cost_and_grad(layers, X, X.copy(), units=units, **each)
    assert same == J
    assert error(flat(grad), flat(same_grad)) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_output_is_that_of_encode_layer_by_layer(dtype):
    """deep_forward has the bits of encode applied to layer after layer, in any company of rows."""
    sizes = (65, 33, 17, 9)
    layers, (X, _) = make_layers(sizes, dtype), make_data(300, sizes, "squared", dtype)
    codes = X
    for (W, b), n in zip(layers, sizes, strict=False):
        codes = sf.encode((W, b, np.zeros((n, len(b)), dtype), np.zeros(n, dtype)), codes, hidden="tanh")
    out = np.empty((300, 9), dtype)
    assert _deep.deep_forward(layers, X, units=["tanh"] * 3, out=out) is out
    np.testing.assert_array_equal(out, codes)
    for rows in (1, 7, 65):
        np.testing.assert_array_equal(_deep.deep_forward(layers, X[:rows], units=["tanh"] * 3), codes[:rows])


@pytest.mark.parametrize("impl", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS)
@pytest.mark.parametrize("n_largest", [1, 2, 5])
def test_logits_that_share_the_largest_value(impl, n_largest):
    """Each of them counts in the loss and takes its share of the probability."""
    first, last = make_layers((4, 3, 5))
    logits = np.where(np.arange(5) < n_largest, 2.0, np.linspace(-1, 1, 5))
    X, y = make_data(9, (4, 3, 5), "softmax")
    layers = (first, Layer(np.zeros_like(last.W), logits))
    J, grad = impl.deep_cost_and_grad(layers, X, y, units=["sigmoid", "linear"], loss="softmax")
    p = np.exp(logits) / np.exp(logits).sum()
    assert pytest.approx(-np.log(p[y]).mean(), rel=1e-14) == J
    np.testing.assert_allclose(grad[1].b, (p - np.eye(5)[y]).mean(axis=0), rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("dtype", DTYPES)
def test_probabilities(dtype):
    """Softmax gives probabilities whose rows sum to 1, and which do not depend on their neighbours."""
    sizes = (20, 30, 100)
    layers, (X, _) = make_layers(sizes, dtype), make_data(130, sizes, "softmax", dtype)
    ends = {"units": ["tanh", "linear"], "loss": "softmax"}
    p = _deep.deep_forward(layers, X, **ends)
    assert p.min() >= 0
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=20 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(_deep.deep_forward(layers, X[7:8], **ends), p[7:8])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", [0.0, 3.0])
@pytest.mark.parametrize(("m", "sizes"), [(12, (300, 200, 100, 10)), (256, (200, 100, 60, 10)), (2500, (130, 70, 20))])
@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_bitwise_the_same_for_any_threads(loss, m, sizes, beta, dtype):
    """1 = 2 = 3 = 8 threads in cost, gradients and output, for few and for many samples, converted or as they are."""
    layers, (X, y) = make_layers(sizes, dtype), make_data(m, sizes, loss, dtype)
    whole = (100 * X).astype(np.int16)
    ends = {"units": ["sigmoid"] * (len(layers) - 1) + ["linear"], "loss": loss}
    network = ends | {"beta": beta, "weight_decay": 1e-4}
    J, grad = _deep.deep_cost_and_grad(layers, X, y, **network, n_threads=1)
    output, converted = (_deep.deep_forward(layers, data, **ends, n_threads=1) for data in (X, whole))
    for n in (2, 3, 8):
        other, other_grad = _deep.deep_cost_and_grad(layers, X, y, **network, n_threads=n)
        assert other == J
        for a, b in zip(flat(other_grad), flat(grad), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(_deep.deep_forward(layers, X, **ends, n_threads=n), output)
        np.testing.assert_array_equal(_deep.deep_forward(layers, whole, **ends, n_threads=n), converted)


@pytest.mark.parametrize("n_threads", [2, 8])
@pytest.mark.parametrize("sizes", [(1500, 300, 200), (300, 1500, 20)], ids=["wide data", "wide units"])
def test_threads_convert_samples_apart(sizes, n_threads):
    """Strips that are converted and take a while to go through the layers are each one thread's own."""
    layers = make_layers(sizes, np.float32)
    X = make_data(3000, sizes, "squared", np.float32)[0].astype(np.float16)
    ends = {"units": ["sigmoid", "linear"]}
    one = _deep.deep_forward(layers, X, **ends, n_threads=1)
    np.testing.assert_array_equal(_deep.deep_forward(layers, X, **ends, n_threads=n_threads), one)


def test_gradients_go_where_they_are_asked_to():
    """out= is filled and returned; flattened layers come back as views."""
    sizes = (6, 5, 4)
    layers, (X, y) = make_layers(sizes), make_data(9, sizes, "softmax")
    network = {"units": ["tanh", "linear"], "loss": "softmax"}
    out = tuple(Layer(np.full_like(W, np.nan), np.full_like(b, np.nan)) for W, b in layers)
    J, grad = _deep.deep_cost_and_grad(layers, X, y, **network, out=out)
    assert grad is out
    wanted, fresh = _deep.deep_cost_and_grad(layers, X, y, **network)
    assert wanted == J
    assert error(flat(out), flat(fresh)) == 0
    theta = _deep.flatten_layers(layers)
    views = _deep.unflatten_layers(theta, sizes)
    assert error(flat(views), flat(layers)) == 0
    assert all(np.shares_memory(theta, a) for a in flat(views))
    np.testing.assert_array_equal(theta[:30], layers[0].W.ravel())
    np.testing.assert_array_equal(theta[-4:], layers[1].b)
