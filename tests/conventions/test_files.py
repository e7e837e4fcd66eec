"""Weights from and to .mat files, and fits of R's packages, the published ones among them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import sae_fast as sf
from sae_fast import conventions
from sae_fast.conventions._mat5 import read_mat5
from tests.helpers.networks import make
from tests.helpers.paths import DATA

scipy_io = pytest.importorskip("scipy.io")
PUBLISHED = [(25, 3.98778192, 2.24568204), (100, 3.14045328, 2.02654008)]


def same(a, b):
    """Equal bits, types and memory order."""
    return all(np.array_equal(x, y) and x.dtype == y.dtype and x.flags.c_contiguous for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("n_hidden", "mean_error", "J"), PUBLISHED)
def test_published_fits(shared_data, n_hidden, mean_error, J):
    """The CRAN fits, read and scaled as they say, have the published error and J to all digits."""
    home = shared_data.HERE / "cran_autoencoder"
    fit = conventions.read_cran_fit(home / f"pretrained_h{n_hidden}.npz")
    X = fit.rescaling.transform(np.load(home / "training_matrix.npz")["X"])
    theirs = {"lambda_": 2e-4, "beta": 6, "rho": 0.01, "unit_type": "logistic"}
    mapped = conventions.r_autoencoder.to_ours(**theirs)
    cost = sf.cost(fit.params, X, **mapped.settings)
    assert (fit.hidden, fit.output) == (mapped.hidden, mapped.output)
    assert 2 * cost.reconstruction == pytest.approx(fit.mean_error, rel=1e-12)
    assert 2 * cost.reconstruction == pytest.approx(mean_error, abs=5e-9)
    assert conventions.r_autoencoder.cost(fit.params, X, **theirs) == pytest.approx(J, abs=5e-9)


def test_objects_that_r_wrote():
    """A fit from R's own .rda and .rds: weights as R indexes them, units, rescaling, error; theta is R's as.vector."""
    rdata = pytest.importorskip("rdata")
    fit = conventions.read_cran_fit(DATA / "r_fits.rda", name="tanh_fit")
    assert same(conventions.read_cran_fit(DATA / "r_fit.rds").params, fit.params)
    assert (fit.hidden, fit.output, fit.mean_error) == ("tanh", "tanh", 0.125)
    assert fit.rescaling.transform([[-2, 3]])[0] == pytest.approx([-0.999, 0.999])
    with pytest.warns(UserWarning, match="Missing constructor"):
        found = rdata.read_rda(DATA / "r_fits.rda")
    W1, b1, W2, b2 = fit.params
    corner = found["corner"]  # W[[1]][2, 5], W[[2]][5, 2], b[[1]][3], b[[2]][5] in R
    assert [W1[1, 4], W2[4, 1], b1[2], b2[4]] == np.asarray(corner).tolist()
    assert same(conventions.r_autoencoder.unpack(found["theta"], 5, 3), fit.params)


def test_a_stack_that_r_wrote():
    """Layers of a SAENET stack are read one by one, without rescaling where there was none."""
    pytest.importorskip("rdata")
    shapes = [conventions.read_cran_fit(DATA / "r_fits.rda", name="stack", layer=i).params.W1.shape for i in (1, 2)]
    assert shapes == [(4, 5), (2, 4)]
    assert conventions.read_cran_fit(DATA / "r_fits.rda", name="stack", layer=1).rescaling is None


def test_errors_of_r_files(tmp_path):
    """Several fits, wrong names and layers, damage and other content are errors that say what there is."""
    pytest.importorskip("rdata")
    path, damaged, other = DATA / "r_fits.rda", tmp_path / "cut.rda", tmp_path / "other.npz"
    damaged.write_bytes(path.read_bytes()[:500])
    np.savez(other, W1=np.zeros((2, 3)), b=np.zeros(2))
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, **make(1, 3, 2)[0]._replace(b1=np.zeros(5))._asdict())
    cases = [
        (path, {}, r"name must be that of a fit in .*\(tanh_fit, stack\), got None"),
        (path, {"name": "theta"}, "got 'theta'"),
        (path, {"name": "stack"}, "layer must be 1 to 2 for the stack .*, got None"),
        (path, {"name": "stack", "layer": 3}, "layer must be 1 to 2 .*, got 3"),
        (path, {"name": "tanh_fit", "layer": 1}, "layer must be None: .*got 1"),
        (damaged, {}, "not a file of R, or it is damaged"),
        (other, {}, "has no b1, W2, b2, only W1, b"),
        (wrong, {}, r"b1 must have shape \(2,\)"),
    ]
    for file, arguments, message in cases:
        with pytest.raises(conventions.CranFileError, match=message):
            conventions.read_cran_fit(file, **arguments)
    with pytest.raises(ValueError, match=r"path must end in \.rda.*got 'fit\.csv'"):
        conventions.read_cran_fit("fit.csv")
    with pytest.raises(FileNotFoundError):
        conventions.read_cran_fit(tmp_path / "absent.rda")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("v", "h"), [(5, 3), (4, 4), (1, 3), (3, 1), (1, 1)])
@pytest.mark.parametrize("name", [None, *conventions.names()])
def test_mat_round_trip(tmp_path, name, v, h, dtype):
    """What write_mat wrote, read_mat reads bit by bit: matrices under MATLAB's names, or a convention's vector."""
    params, _ = make(1, v, h, dtype)
    convention = None if name is None else conventions.get(name)
    conventions.write_mat(tmp_path / "weights", params, convention=convention)
    assert [f.name for f in tmp_path.iterdir()] == ["weights"]
    assert same(conventions.read_mat(tmp_path / "weights", convention=convention or conventions.ufldl), params)


@pytest.mark.parametrize("turned", [("W1",), ("W2",), ("W1", "W2")])
def test_orientation_is_seen_where_shapes_tell(tmp_path, turned):
    """Transposed matrices are recognised by the biases, each on its own; biases may be rows or columns."""
    params, _ = make(1, 5, 3)
    content = {k: a.T if k in turned else a for k, a in params._asdict().items()}
    content["b1"] = content["b1"][None]
    scipy_io.savemat(tmp_path / "w.mat", content)
    assert same(conventions.read_mat(tmp_path / "w.mat"), params)


def test_orientation_must_be_given_where_it_matters(tmp_path):
    """For n_visible = n_hidden read_mat asks, and does as told; it refuses what contradicts the shapes."""
    square, _ = make(1, 4, 4)
    scipy_io.savemat(tmp_path / "w.mat", square._asdict())
    with pytest.raises(conventions.MatFileError, match=r"4 x 4.* pass transposed=False if"):
        conventions.read_mat(tmp_path / "w.mat")
    assert same(conventions.read_mat(tmp_path / "w.mat", transposed=False), square)
    other = conventions.read_mat(tmp_path / "w.mat", transposed=True)
    assert same(other, square._replace(W1=square.W1.T.copy(), W2=square.W2.T.copy()))
    scipy_io.savemat(tmp_path / "v.mat", make(1, 5, 3)[0]._asdict())
    with pytest.raises(conventions.MatFileError, match=r"W1 .* must be \(5, 3\)"):
        conventions.read_mat(tmp_path / "v.mat", transposed=True)


def test_names_structs_and_types(tmp_path):
    """Other names, fields of structs, integers and MATLAB 4 files are read; float32 stays only where all are."""
    params, _ = make(1, 5, 3)
    net = {"enc": params.W1.astype(np.float32), "bias": np.array([1, 2, 3], dtype=np.int16)}
    scipy_io.savemat(tmp_path / "n.mat", {"net": net, "D": params.W2, "c": params.b2})
    names = {"W1": "net.enc", "b1": "net.bias", "W2": "D", "b2": "c"}
    read = conventions.read_mat(tmp_path / "n.mat", names=names)
    assert {a.dtype for a in read} == {np.dtype(np.float64)}
    assert read.b1.tolist() == [1, 2, 3]
    assert np.array_equal(read.W1, params.W1.astype(np.float32))
    scipy_io.savemat(tmp_path / "4.mat", {"t": conventions.ufldl.pack(params)}, format="4")
    assert same(conventions.read_mat(tmp_path / "4.mat", names="t", n_visible=5, n_hidden=3), params)


@pytest.mark.parametrize("compressed", [False, True])
def test_reader_agrees_with_scipy(tmp_path, compressed):
    """Numbers of every type, structs in structs and empty arrays are those that SciPy reads; the rest is None."""
    rng = np.random.default_rng(0)
    content = {f"n{k}": (100 * rng.uniform(size=(3, 4))).astype(k) for k in "fdbBhHiIqQ"}
    content |= {"cube": rng.normal(size=(2, 3, 4)), "empty": np.zeros((0, 3)), "one": 2.5, "long_name_" * 3: np.eye(2)}
    numbers = dict(content)
    content["s"] = {"a": np.arange(3.0), "t": {"b": np.eye(2), "text": "abc"}}
    content |= {"text": "abc", "cell": np.array([1, "a"], dtype=object), "z": np.eye(2) * 1j, "l": np.eye(2) > 0}
    scipy_io.savemat(tmp_path / "all.mat", content, do_compression=compressed, long_field_names=True)
    wanted = scipy_io.loadmat(tmp_path / "all.mat")
    read = read_mat5((tmp_path / "all.mat").read_bytes())
    assert set(read) == set(content)
    for name in numbers:
        assert np.array_equal(read[name], wanted[name])
        assert read[name].dtype == wanted[name].dtype
    assert np.array_equal(read["s"]["a"], [[0, 1, 2]])
    assert np.array_equal(read["s"]["t"]["b"], np.eye(2))
    assert [read[k] for k in ("text", "cell", "z", "l")] + [read["s"]["t"]["text"]] == [None] * 5


@pytest.mark.parametrize("seed", range(4))
def test_damaged_mat_files_are_errors(tmp_path, seed):
    """Bytes changed at random, or cut off, give an error or finite weights of the right shapes; never a crash."""
    params, _ = make(1, 5, 3)
    content = params._asdict() | {"s": {"a": np.eye(2)}, "text": "abc"}
    scipy_io.savemat(tmp_path / "x.mat", content, do_compression=seed == 3)
    good, rng = (tmp_path / "x.mat").read_bytes(), np.random.default_rng(seed)
    refused = 0
    for _ in range(300):
        data = bytearray(good)
        for at in rng.integers(128, len(data), 3):
            data[at] = rng.integers(256)
        (tmp_path / "x.mat").write_bytes(data[: rng.integers(len(data)) if rng.integers(4) == 0 else None])
        try:
            read = conventions.read_mat(tmp_path / "x.mat")
        except conventions.MatFileError:
            refused += 1
        else:
            assert [a.shape for a in read] == [a.shape for a in params]
            assert all(np.isfinite(a).all() for a in read)
    assert refused >= 100


def write(path, **content):
    scipy_io.savemat(path, content)
    return path


def test_errors_of_mat_files(tmp_path):
    """Version 7.3, damage, absent variables, wrong shapes, text, NaN: each error says what it is and what helps."""
    p = make(1, 5, 3)[0]._asdict()
    good = write(tmp_path / "good.mat", **p)
    hdf, old, damaged = (tmp_path / name for name in ("73.mat", "octave.hdf5", "cut.mat"))
    hdf.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(100))
    old.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    damaged.write_bytes(good.read_bytes()[:200])
    theta = write(tmp_path / "t.mat", theta=np.zeros(38))
    cases = [
        (hdf, {}, r"version 7\.3 \(HDF5\); save it as version 7: save\(.*-v7"),
        (old, {}, "version 7.3"),
        (damaged, {}, "damaged"),
        (write(tmp_path / "a.mat", x=1.0), {}, "no weights under a known name, only x; pass names="),
        (good, {"names": "nets"}, "pass n_visible and n_hidden"),
        (good, {"names": "nets", "n_visible": 5, "n_hidden": 3}, "no variable 'nets', only W1, W2, b1, b2"),
        (theta, {}, "theta in .* is one vector: pass n_visible and n_hidden"),
        (theta, {"n_visible": 5, "n_hidden": 4}, "theta must have 49 values for n_visible 5 and n_hidden 4"),
        (write(tmp_path / "b.mat", **p | {"W2": np.zeros((3, 4))}), {}, r"W2 .* \(5, 3\) or its transpose .*\(3, 4\)"),
        (
            write(tmp_path / "c.mat", **p | {"b1": "text"}),
            {},
            "b1 .* not a real numeric array; of an Auto",
        ),
        (write(tmp_path / "d.mat", **p | {"b1": p["b1"] * np.nan}), {}, "b1 .* must be finite"),
        (write(tmp_path / "e.mat", **p | {"W1": p["W1"] * 1j}), {}, "W1 .* not a real numeric array"),
    ]
    for path, arguments, message in cases:
        with pytest.raises(conventions.MatFileError, match=message):
            conventions.read_mat(path, **arguments)
    with pytest.raises(ValueError, match="names must have the keys W1, b1, W2 and b2, got 'W1'"):
        conventions.read_mat(good, names={"W1": "W1"})
    with pytest.raises(FileNotFoundError):
        conventions.read_mat(tmp_path / "absent.mat")


def test_failed_write_leaves_the_old_file(tmp_path):
    """A write that fails keeps what was there, and leaves no other file."""
    path = tmp_path / "w.mat"
    conventions.write_mat(path, make(1, 5, 3)[0])
    before = path.read_bytes()
    with pytest.raises(TypeError, match="params must be"):
        conventions.write_mat(path, "weights")
    assert path.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["w.mat"]


def test_numpy_alone_and_what_to_install(tmp_path):
    """Maps, layouts, .npz and .mat need NumPy alone; version 4 and R's files say what to install."""
    params, _ = make(1, 5, 3)
    conventions.write_mat(tmp_path / "5.mat", params)
    scipy_io.savemat(tmp_path / "4.mat", params._asdict(), format="4")
    code = (
        "import sys\n"
        "for name in ('scipy', 'sklearn', 'pandas', 'rdata'): sys.modules[name] = None\n"
        "from sae_fast import conventions as c\n"
        "c.ufldl.unpack(c.ufldl.pack(c.read_mat('5.mat')), 5, 3); c.matlab.to_ours()\n"
        "for call in (lambda: c.read_mat('4.mat'), lambda: c.read_cran_fit(sys.argv[1])):\n"
        "    try: call()\n"
        "    except ImportError as error: print(error)\n"
    )
    run = [sys.executable, "-c", code, str(DATA / "r_fit.rds")]
    out = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "sae-fast[estimators]" in out
    assert "sae-fast[r]" in out
    assert "R.matlab::writeMat" in out
