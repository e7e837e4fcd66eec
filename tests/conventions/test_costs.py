"""Other packages' costs, computed naively as they word them, are the promised multiple of ours."""

from __future__ import annotations

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import conventions
from tests.helpers.networks import make

SIZES = [(1, 1), (1, 7), (7, 1), (9, 9), (17, 8)]  # n_visible, n_hidden
OURS = {"rho": 0.07, "beta": 1.3, "weight_decay": 0.02}
UNITS = {  # the pairs (hidden, output) that each can represent
    "h2o": [("tanh", "tanh"), ("relu", "relu")],
    "matlab": [(hidden, output) for hidden in ("sigmoid", "satlin") for output in ("sigmoid", "satlin", "linear")],
    "mlpack": [("sigmoid", "sigmoid")],
    "r-autoencoder": [("sigmoid", "sigmoid"), ("tanh", "tanh")],
    "ruta": [(hidden, output) for hidden in ("sigmoid", "tanh", "relu") for output in ("sigmoid", "relu", "linear")],
    "saenet": [("sigmoid", "sigmoid"), ("tanh", "tanh")],
    "sklearn": [("sigmoid", "linear"), ("tanh", "linear"), ("relu", "linear")],
    "ufldl": [("sigmoid", "sigmoid"), ("sigmoid", "linear")],
}
CASES = [(name, *pair) for name, pairs in UNITS.items() for pair in pairs]


def logistic(z):
    return 1 / (1 + np.exp(-z))


def relu(z):
    return np.maximum(z, 0)


def satlin(z):
    return np.clip(z, 0, 1)


THEIR_UNITS = {  # by all the names that packages give them
    "logsig": logistic, "logistic": logistic, "sigmoid": logistic, "tanh": np.tanh, "Tanh": np.tanh, "relu": relu,
    "Rectifier": relu, "satlin": satlin, "purelin": lambda z: z, "linear": lambda z: z,
}  # fmt: skip


def network_of(hidden, m, v, h, seed=0):
    """Random parameters and data; satlin units have 1/2 in the middle, so that none is 0, or 1, for all samples."""
    params, X = make(m, v, h, seed=seed)
    return (params._replace(b1=0.5 - (X @ params.W1.T).mean(axis=0)) if hidden == "satlin" else params), X


def kl(rho, rho_hat):
    return rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))


# Their costs as they word them: from their vector of parameters and their hyper-parameters, sample by sample.


def matlab_naive(wb, X, d, h, t, elements=False):
    """E = mse + L2 * 1/2 sum of all weights squared + sparsity; samples are columns."""
    b1, IW, b2, LW = np.split(wb, np.cumsum([h, h * d, d]))
    IW, LW = IW.reshape((h, d), order="F"), LW.reshape((d, h), order="F")
    mse, average = 0.0, np.zeros(h)
    for x in X:
        code = THEIR_UNITS[t["EncoderTransferFunction"]](IW @ x + b1)
        y = THEIR_UNITS[t["DecoderTransferFunction"]](LW @ code + b2)
        mse += sum((x - y) ** 2) / len(X) / (d if elements else 1)
        average += code / len(X)
    sparsity = sum(kl(t["SparsityProportion"], a) for a in average)
    squares = sum(w**2 for w in [*IW.flat, *LW.flat])
    return mse + t["L2WeightRegularization"] * 0.5 * squares + t["SparsityRegularization"] * sparsity


def r_naive(theta, X, d, h, t):
    """J.matrix of autoencoder.R: 0.5 rowSums, averaged, lambda/2, beta; theta is W[[1]], b[[1]], W[[2]], b[[2]]."""
    W1, b1, W2, b2 = np.split(theta, np.cumsum([h * d, h, h * d]))
    W1, W2 = W1.reshape((h, d), order="F"), W2.reshape((d, h), order="F")
    f = THEIR_UNITS[t["unit_type"]]
    a2 = np.array([f(W1 @ x + b1) for x in X])
    a3 = np.array([f(W2 @ a + b2) for a in a2])
    rho_hat = np.mean(a2, axis=0) if t["unit_type"] == "logistic" else np.mean(a2 + 1, axis=0) / 2
    example = 0.5 * np.sum((a3 - X) ** 2, axis=1)
    weights = np.sum(W1**2) + np.sum(W2**2)
    return np.mean(example) + weights * t["lambda_"] / 2 + t["beta"] * np.sum(kl(t["rho"], rho_hat))


def mlpack_naive(memory, X, d, h, t):
    """Evaluate() of mlpack: one matrix [w1 b1; w2' 0; b2' 0], by columns; data in columns."""
    P, data = memory.reshape((2 * h + 1, d + 1), order="F"), X.T
    hidden = logistic(P[:h, :d] @ data + P[:h, [d]])
    output = logistic(P[h : 2 * h, :d].T @ hidden + P[[2 * h], :d].T)
    rho_cap = hidden.sum(axis=1) / data.shape[1]
    decay = 0.5 * t["lambda_"] * np.sum(P[: 2 * h, :d] ** 2)
    return 0.5 * np.sum((output - data) ** 2) / data.shape[1] + decay + t["beta"] * np.sum(kl(t["rho"], rho_cap))


def ufldl_naive(theta, X, d, h, t):
    """sparseAutoencoderCost: theta = [W1(:); W2(:); b1; b2], data in columns."""
    W1 = theta[: h * d].reshape((h, d), order="F")
    W2 = theta[h * d : 2 * h * d].reshape((d, h), order="F")
    b1, b2 = theta[2 * h * d : 2 * h * d + h, None], theta[2 * h * d + h :, None]
    a2 = logistic(W1 @ X.T + b1)
    z3 = W2 @ a2 + b2
    a3 = z3 if t["linear_decoder"] else logistic(z3)
    J = 0.5 / len(X) * np.sum((a3 - X.T) ** 2) + t["lambda_"] / 2 * (np.sum(W1**2) + np.sum(W2**2))
    return J + t["beta"] * np.sum(kl(t["sparsityParam"], a2.mean(axis=1)))


def h2o_naive(theta, X, d, h, t):
    """Mean over samples of half the squared error and half of l2 times all squares; nothing for sparsity."""
    W1, b1, W2, b2 = np.split(theta, np.cumsum([h * d, h, h * d]))
    W1, W2 = W1.reshape(h, d), W2.reshape(d, h)
    f = THEIR_UNITS[t["activation"]]
    losses = [0.5 * np.sum((f(W2 @ f(W1 @ x + b1) + b2) - x) ** 2) for x in X]
    return np.mean(losses) + t["l2"] / 2 * np.sum(theta**2)


def sklearn_naive(theta, X, d, h, t):
    """squared_loss and the L2 term of _backprop: mean over samples and outputs; coefs_, then intercepts_."""
    first, second, b1, b2 = np.split(theta, np.cumsum([h * d, h * d, h]))
    first, second = first.reshape(d, h), second.reshape(h, d)
    y = THEIR_UNITS[t["activation"]](X @ first + b1) @ second + b2
    loss = 0.5 * np.average((X - y) ** 2, axis=0).mean()
    return loss + 0.5 * t["alpha"] * (np.sum(first**2) + np.sum(second**2)) / len(X)


def ruta_naive(weights, X, d, h, t):
    """Keras's losses, means over samples and features, of kernels (n_in, n_out) that R has by columns."""
    first, b1, second, b2 = np.split(weights, np.cumsum([d * h, h, h * d]))
    a = THEIR_UNITS[t["activation"]](X @ first.reshape((d, h), order="F") + b1)
    y = THEIR_UNITS[t["output_activation"]](a @ second.reshape((h, d), order="F") + b2)
    if t["loss"] == "binary_crossentropy":
        return -np.mean(X * np.log(y) + (1 - X) * np.log(1 - y))
    if t["loss"] == "huber":
        return np.mean(np.where(np.abs(y - X) <= 1, (y - X) ** 2 / 2, np.abs(y - X) - 0.5))
    return np.mean((y - X) ** 2 if t["loss"] == "mean_squared_error" else np.abs(y - X))


NAIVE = {
    "h2o": h2o_naive,
    "matlab": matlab_naive,
    "mlpack": mlpack_naive,
    "r-autoencoder": r_naive,
    "ruta": ruta_naive,
    "saenet": r_naive,
    "sklearn": sklearn_naive,
    "ufldl": ufldl_naive,
}


def sizes_of(convention, m, v):
    """What a convention must be told of the data, besides its own parameters."""
    return {"sklearn": {"n_samples": m, "n_visible": v}, "ruta": {"n_visible": v}}.get(convention.name, {})


def ours_of(convention):
    """OURS, without what H2O does beside its loss, and what scikit-learn and ruta do not do."""
    none = {"beta": 0.0, "weight_decay": 0.0}
    return OURS | {"h2o": none, "ruta": none, "sklearn": {"beta": 0.0}}.get(convention.name, {})


def theirs_of(convention, hidden, output, m, v):
    """Their words for that, and what the convention must be told."""
    told = sizes_of(convention, m, v)
    if convention.name == "ruta":
        return convention.from_ours(**ours_of(convention), hidden=hidden, output=output) | told
    return convention.from_ours(**ours_of(convention), hidden=hidden, output=output, **told) | told


def test_every_convention_is_tested():
    """The registry holds the conventions of this file and no other."""
    assert conventions.names() == tuple(UNITS) == tuple(NAIVE)


@pytest.mark.parametrize(("v", "h"), SIZES)
@pytest.mark.parametrize(("name", "hidden", "output"), CASES)
def test_their_cost_is_factor_times_ours(impl, name, hidden, output, v, h):
    """The naive cost of packed parameters is cost_factor times our cost with the mapped hyper-parameters, to 1e-12."""
    convention = conventions.get(name)
    params, X = network_of(hidden, 13, v, h, seed=v + h)
    theirs = theirs_of(convention, hidden, output, 13, v)
    mapped = convention.to_ours(**theirs)
    wanted = NAIVE[name](convention.pack(params), X, v, h, theirs)
    assert mapped.cost_factor * impl.cost(params, X, **mapped.settings).total == pytest.approx(wanted, rel=1e-12)
    assert convention.cost(params, X, **theirs) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_matlab_mean_over_elements(output):
    """The other reading of MATLAB's cost, squared error over m d, is 2/d of ours, with both regularisers times d/2."""
    v, h = 17, 8
    params, X = make(13, v, h)
    context = {"mean_over": "elements", "n_visible": v}
    theirs = conventions.matlab.from_ours(**OURS, output=output, **context)
    wanted = matlab_naive(conventions.matlab.pack(params), X, v, h, theirs, elements=True)
    assert conventions.matlab.cost(params, X, **theirs, **context) == pytest.approx(wanted, rel=1e-12)
    assert conventions.matlab.to_ours(**theirs, **context).settings == pytest.approx(
        OURS | {"hidden": "sigmoid", "output": output, "loss": "squared"}
    )


@pytest.mark.parametrize(("theirs", "output"), [("mean_absolute_error", "linear"), ("huber", "tanh"),
                                                ("binary_crossentropy", "sigmoid")])  # fmt: skip
def test_losses_of_ruta(impl, theirs, output):
    """Keras's losses are our losses, divided by the number of features; both ways."""
    v, h = 17, 8
    params, X = make(13, v, h)
    X = X if output == "sigmoid" else 3 * X  # errors of more than 1 for huber
    told = {"activation": "relu", "output_activation": output, "loss": theirs}
    mapped = conventions.ruta.to_ours(**told, n_visible=v)
    wanted = ruta_naive(conventions.ruta.pack(params), X, v, h, told)
    assert mapped.cost_factor * impl.cost(params, X, **mapped.settings).total == pytest.approx(wanted, rel=1e-12)
    assert conventions.ruta.cost(params, X, **told, n_visible=v) == pytest.approx(wanted, rel=1e-12)
    assert conventions.ruta.from_ours(**mapped.settings) == told


@pytest.mark.parametrize(("name", "hidden", "output"), CASES)
def test_their_gradient_is_factor_times_ours(name, hidden, output):
    """Finite differences of the naive cost over their vector are cost_factor times our gradient, packed as theirs."""
    v, h, step = 5, 3, 1e-5
    convention = conventions.get(name)
    params, X = network_of(hidden, 7, v, h)
    theirs = theirs_of(convention, hidden, output, 7, v)
    mapped, theta = convention.to_ours(**theirs), convention.pack(params)
    J = [[NAIVE[name](theta + s * e, X, v, h, theirs) for s in (step, -step)] for e in np.eye(len(theta))]
    numeric = np.array([(up - down) / (2 * step) for up, down in J])
    _, grad = sf.cost_and_grad(params, X, **mapped.settings)
    exact = mapped.cost_factor * convention.pack(grad)
    assert np.abs(numeric - exact).max() <= 1e-8 * max(1, np.abs(exact).max())


def test_r_tanh_follows_twice_the_beta():
    """The gradient that autoencoder.R computes for tanh units is ours with beta doubled, as the note says."""
    params, X = make(13, 9, 4)
    theirs = {"lambda_": 0.02, "beta": 1.3, "rho": 0.07, "unit_type": "tanh"}
    mapped = conventions.r_autoencoder.to_ours(**theirs)
    assert any("twice" in text for text in mapped.differs)
    z2 = X @ params.W1.T + params.b1
    a2 = np.tanh(z2)
    a3 = np.tanh(a2 @ params.W2.T + params.b2)
    rho_hat = (a2 + 1).mean(axis=0) / 2
    delta3 = (a3 - X) * (1 - a3**2)
    delta2 = (delta3 @ params.W2 + 1.3 * (-0.07 / rho_hat + 0.93 / (1 - rho_hat))) * 2 / (1 + np.cosh(2 * z2))
    _, grad = sf.cost_and_grad(params, X, **mapped.settings | {"beta": 2.6})
    assert np.allclose(delta2.T @ X / 13 + 0.02 * params.W1, grad.W1, rtol=1e-12, atol=1e-14)
    assert conventions.r_autoencoder.to_ours(**theirs | {"beta": 0}).differs == ()


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_h2o_pull_on_the_biases(spread):
    """Our penalty's slope in b1: H2O's pull times 1 - var/(rho_hat (1 - rho_hat)): the pull itself for equal codes."""
    params, X = make(50, 9, 4)
    params = params._replace(W1=spread * params.W1)
    theirs = {"sparsity_beta": 0.7, "average_activation": -0.8}
    mapped = conventions.h2o.to_ours(**theirs)
    slope = [sf.cost_and_grad(params, X, **mapped.settings | {"beta": beta})[1].b1 for beta in (mapped.beta, 0.0)]
    a2 = sf.encode(params, X, hidden="tanh")
    s = (a2 + 1) / 2
    pull = theirs["sparsity_beta"] * (a2.mean(axis=0) - theirs["average_activation"])
    weaker = 1 - s.var(axis=0) / (s.mean(axis=0) * (1 - s.mean(axis=0)))
    assert np.all(weaker < 1) if spread else np.allclose(weaker, 1, rtol=1e-12)
    assert np.allclose(slope[0] - slope[1], pull * weaker, rtol=1e-10)


@pytest.mark.parametrize("arguments", [{"sparsity_beta": 0.5}, {"l2": 1e-4}])
def test_h2o_has_no_cost_of_ours(arguments):
    """With sparsity or decay H2O's cost is no multiple of ours: factor None, a reason, and an error from cost()."""
    mapped = conventions.h2o.to_ours(**arguments)
    assert mapped.cost_factor is None
    assert len(mapped.differs) == 1
    with pytest.raises(ValueError, match="no cost that is a multiple of ours: its"):
        conventions.h2o.cost(*make(3, 4, 2), **arguments)


@pytest.mark.parametrize(("name", "hidden", "output"), CASES)
def test_from_ours_and_back_is_the_identity(name, hidden, output):
    """to_ours(from_ours(x)) is x, and from_ours(to_ours(x)) is x."""
    convention = conventions.get(name)
    told = sizes_of(convention, 30, 7)
    ours = OURS | {"hidden": hidden, "output": output}
    if convention.name in ("sklearn", "ruta") or hidden == "relu":
        ours |= {"rho": 0.05, "beta": 0.0}  # what it has no word for
    if convention.name == "ruta":
        ours |= {"weight_decay": 0.0}
    words = {} if convention.name == "ruta" else told
    theirs = convention.from_ours(**ours, **words)
    back = convention.to_ours(**theirs, **told).settings
    assert (back["hidden"], back["output"]) == (hidden, output)
    assert [back[k] for k in OURS] == pytest.approx([ours[k] for k in OURS], rel=4e-16)
    again = convention.from_ours(**back, **words)
    assert again.keys() == theirs.keys()
    for key, value in theirs.items():
        assert again[key] == (pytest.approx(value, rel=4e-16) if isinstance(value, float) else value)


def test_saenet_layers():
    """One Mapped for each layer; short sequences are repeated, long ones cut, as SAENET does."""
    layers = conventions.saenet_layers((5, 4, 3), lambda_=1e-5, beta=(1.0, 2.0), rho=(0.1, 0.2, 0.3, 0.4))
    assert [m.beta for m in layers] == [1, 2, 1]
    assert [m.rho for m in layers] == [0.1, 0.2, 0.3]
    assert {m.weight_decay for m in layers} == {1e-5}
    with pytest.raises(ValueError, match="beta must be a number, or one for each layer, got"):
        conventions.saenet_layers((5,), lambda_=0, beta=(), rho=0.1)


def test_settings_fit_the_estimator():
    """Mapped.settings are keyword arguments of SparseAutoencoder."""
    settings = conventions.matlab.to_ours(DecoderTransferFunction="purelin").settings
    model = sf.SparseAutoencoder(3, **settings, max_iter=5, random_state=0).fit(make(20, 6, 3)[1])
    assert (model.output, model.beta, model.rho) == ("linear", 0.5, 0.05)
