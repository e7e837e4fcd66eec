"""Exported C: what can be exported, how it compiles, what its functions promise."""

from __future__ import annotations

import ctypes
import re
import subprocess

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import sae_fast as sf
from sae_fast.export._c_weights import c_arrays, literals
from sae_fast.export._exported import exported
from tests.helpers.c_encoders import DTYPES, WARNINGS, Library, compiler, layer, run
from tests.helpers.estimators import correlated, model, patches, stack

ALL_UNITS = sf.StackEncoder([layer(7, 20, "relu"), layer(20, 16, "satlin"), layer(16, 9, "tanh"), layer(9, 4)])
COMPILERS = {
    "gcc": (("gcc",), ("-std=c99",)),
    "clang": (("clang", "clang-14"), ("-std=c99",)),
    "g++": (("g++",), ("-std=c++17", "-x", "c++")),
}
OK, NULL_POINTER, NEGATIVE_SIZE, UNALIGNED, OTHER_WEIGHTS, OTHER_BYTE_ORDER, DAMAGED = range(7)


@pytest.mark.parametrize("weights", [None, "digits.bin"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", COMPILERS)
def test_no_compiler_warns(tmp_path, kind, dtype, weights):
    """C99 and C++17, with all that a careful project asks of its sources."""
    names, flags = COMPILERS[kind]
    sf.export_c(ALL_UNITS, tmp_path / "digits.c", dtype=dtype, weights=weights and tmp_path / weights)
    for optimised in ("-O0", "-O2"):
        run(compiler(*names), *flags, *WARNINGS, optimised, "-c", "digits.c", "-o", "digits.o", cwd=tmp_path)


@pytest.mark.parametrize("dtype", DTYPES)
def test_needs_nothing_and_writes_to_nothing(tmp_path, dtype):
    """The object takes at most memory functions from outside, and has no data but constants."""
    sf.export_c(ALL_UNITS, tmp_path / "digits.c", dtype=dtype, weights=tmp_path / "digits.bin")
    run(compiler("gcc"), "-std=c99", "-O2", "-fno-pic", "-c", "digits.c", cwd=tmp_path)
    compiler("nm")
    symbols = [line.split()[-2:] for line in run("nm", "digits.o", cwd=tmp_path).splitlines()]
    assert {name for kind, name in symbols if kind == "U"} <= {"memcpy", "memcmp", "memset"}
    assert {name for kind, name in symbols if kind == "T"} == {"digits_encode", "digits_encode_rows", "digits_check"}
    assert {kind for kind, _ in symbols} <= set("UTtr")


@pytest.mark.parametrize("dtype", DTYPES)
def test_stack_is_what_the_header_says(tmp_path, dtype):
    """All frames together are within DIGITS_STACK_BYTES, which the number of features does not move."""
    wide = sf.StackEncoder([layer(5000, 40), layer(40, 70)])
    sf.export_c(wide, tmp_path / "digits.c", dtype=dtype, weights=tmp_path / "digits.bin")
    run(compiler("gcc"), "-std=c99", "-O2", "-fstack-usage", "-c", "digits.c", cwd=tmp_path)
    used = sum(int(line.split("\t")[1]) for line in (tmp_path / "digits.su").read_text().splitlines())
    told = int(re.search(r"DIGITS_STACK_BYTES (\d+)", (tmp_path / "digits.h").read_text())[1])
    assert used <= told < 8192


def test_fast_math_is_refused(tmp_path):
    """What -ffast-math would make of it would be wrong: the compiler says so."""
    sf.export_c(layer(3, 2), tmp_path / "digits.c")
    command = [compiler("gcc"), "-ffast-math", "-c", "digits.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "compile this file without -ffast-math" in done.stderr


def test_pointers_and_sizes_are_checked(tmp_path):
    """NULL and a negative number of rows are return codes; no row is no work."""
    sf.export_c(layer(3, 2), tmp_path / "digits.c")
    library = Library(tmp_path)
    x, codes = np.zeros(3), np.full(2, 9.0)
    a, b, size = ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(codes.ctypes.data), ctypes.c_ssize_t
    encode, encode_rows = library.function("encode"), library.function("encode_rows")
    assert encode(None, b) == encode(a, None) == NULL_POINTER
    assert encode_rows(None, size(1), b) == encode_rows(a, size(1), None) == NULL_POINTER
    assert encode_rows(a, size(-1), b) == NEGATIVE_SIZE
    assert encode_rows(a, size(0), b) == OK
    assert codes.tolist() == [9, 9]


MAIN = """
#include <pthread.h>
#include <stdio.h>
#include "one.h"
#include "two.h"
static void *work(void *argument)
{
    double *codes = (double *)argument, x[ONE_N_FEATURES], first[ONE_N_CODES];
    for (int round = 0; round < 2000; ++round) {
        for (int i = 0; i < ONE_N_FEATURES; ++i) x[i] = codes[0] * i / 100;
        if (one_encode(x, first) || two_encode(first, codes + 1)) return argument;
    }
    return NULL;
}
int main(void)
{
    static double codes[2][1 + TWO_N_CODES] = {{1}, {2}};
    pthread_t threads[2];
    for (int k = 0; k < 2; ++k)
        if (pthread_create(&threads[k], NULL, work, codes[k])) return 1;
    for (int k = 0; k < 2; ++k) {
        void *failed;
        if (pthread_join(threads[k], &failed) || failed) return 2;
        for (int j = 0; j < TWO_N_CODES; ++j) printf("%.17g\\n", codes[k][1 + j]);
    }
    return 0;
}
"""


def test_two_models_in_one_program_from_two_threads(tmp_path):
    """One feeds the other, in two threads at once, and each thread gets the codes of its own samples."""
    lower, upper = layer(30, 20), layer(20, 5, "tanh")
    for name, encoder in (("one", lower), ("two", upper)):
        sf.export_c(encoder, tmp_path / f"{name}.c")
    (tmp_path / "main.c").write_text(MAIN)
    program = tmp_path / "program"
    run(compiler("gcc"), "-std=c99", "-pthread", "-O2", "-o", program, "main.c", "one.c", "two.c", cwd=tmp_path)
    codes = np.array(run(program).split(), float).reshape(2, 5)
    X = np.outer([1, 2], np.arange(30) / 100)
    np.testing.assert_allclose(codes, upper(lower(X)), rtol=1e-12)


@pytest.fixture(name="stored")
def _stored(tmp_path):
    """A library whose weights are in a file, and these: an array of whole words."""
    sf.export_c(ALL_UNITS, tmp_path / "digits.c", dtype="float", weights=tmp_path / "digits.bin")
    return np.fromfile(tmp_path / "digits.bin", np.uint8), tmp_path


def check(library, weights, n_bytes=None, at=0):
    """What digits_check says."""
    pointer = ctypes.c_void_p(weights.ctypes.data + at)
    return library.function("check")(pointer, ctypes.c_size_t(len(weights) if n_bytes is None else n_bytes))


def test_weights_in_a_file_give_the_same_bits(tmp_path, stored):
    """As those in the source; the header says how many bytes there are."""
    weights, folder = stored
    library = Library(folder, weights=weights.ctypes.data)
    assert check(library, weights) == OK
    assert int(library.macros["WEIGHTS_BYTES"]) == len(weights)
    sf.export_c(ALL_UNITS, tmp_path / "same.c", dtype="float")
    X = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    np.testing.assert_array_equal(library.encode(X), Library(tmp_path, prefix="same").encode(X))
    encode = library.function("encode")
    assert encode(None, *[ctypes.c_void_p(X.ctypes.data)] * 2) == NULL_POINTER


def test_wrong_weights_are_told(tmp_path, stored):
    """Each kind by a return code of its own; any damaged byte is found."""
    weights, folder = stored
    library = Library(folder)
    assert library.function("check")(None, ctypes.c_size_t(len(weights))) == NULL_POINTER
    assert check(library, weights[:-1]) == check(library, weights, 64) == DAMAGED
    assert check(library, weights, 63) == OTHER_WEIGHTS
    shifted = np.concatenate([weights[:1], weights])
    assert check(library, shifted, len(weights), at=1) == UNALIGNED
    sf.export_c(ALL_UNITS, tmp_path / "digits.c", dtype="float", weights=tmp_path / "big.bin", byte_order="big")
    assert check(library, np.fromfile(tmp_path / "big.bin", np.uint8)) == OTHER_BYTE_ORDER
    sf.export_c(layer(3, 2), tmp_path / "digits.c", dtype="float", weights=tmp_path / "other.bin")
    assert check(library, np.fromfile(tmp_path / "other.bin", np.uint8)) == OTHER_WEIGHTS
    for at in (0, 8, 12, 16, 24, 32, 64, len(weights) // 2, len(weights) - 1):
        damaged = weights.copy()
        damaged[at] ^= 64
        assert check(library, damaged) in (OTHER_WEIGHTS, DAMAGED)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decimals_are_the_weights(dtype):
    """Literals are numbers of C, and read as the same bits, subnormal ones and both zeros included."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            [0.0, -0.0, 1.0, -3.0, 1e16, 1e22, 123456789.0, info.max, info.tiny, info.smallest_subnormal],
            rng.normal(size=2000) * 10.0 ** rng.integers(-30, 30, 2000),
        ]
    ).astype(dtype)
    words = [word for line in literals(values) for word in line.replace("\n", "").replace(" ", "").split(",") if word]
    suffix = "F" if dtype == np.float32 else ""
    assert all(re.fullmatch(r"-?\d+(\.\d+(e[+-]\d+)?|e[+-]\d+)" + suffix, word) for word in words)
    read = np.array([word.rstrip("F") for word in words]).astype(dtype)
    np.testing.assert_array_equal(read.view(f"u{info.bits // 8}"), values.view(f"u{info.bits // 8}"))


def test_weights_lie_transposed_in_panels():
    """Features of 16 units side by side; what fills the last panel is zero."""
    encoder = layer(3, 20)
    w, b = (array.values for array in c_arrays(exported(encoder, None, "error")))
    panels = w.reshape(2, 3, 16)
    np.testing.assert_array_equal(panels[1, 2, :4], encoder.W1[16:, 2])
    np.testing.assert_array_equal(np.concatenate([panels[0], panels[1, :, :4]], axis=1), encoder.W1.T)
    assert not panels[1, :, 4:].any()
    assert not b[20:].any()


def test_fitted_models_and_their_files(tmp_path):
    """An autoencoder with its scaling, and its file, whose checksum is told, in the types asked for."""
    X = correlated()
    fitted = model(scale="minmax", max_iter=5).fit(X)
    fitted.save(tmp_path / "model.safetensors")
    sf.export_c(fitted, tmp_path / "digits.c")
    sf.export_c(tmp_path / "model.safetensors", tmp_path / "stored.c")
    codes = Library(tmp_path).encode(X)
    np.testing.assert_allclose(codes, fitted.transform(X), rtol=1e-12)
    np.testing.assert_array_equal(codes, Library(tmp_path, prefix="stored").encode(X))
    assert (
        sf.files.read_tensors(tmp_path / "model.safetensors").about["checksum"] in (tmp_path / "stored.h").read_text()
    )
    sf.export_c(str(tmp_path / "model.safetensors"), tmp_path / "digits.c", dtype="float")
    codes = Library(tmp_path).encode(X.astype(np.float32))
    np.testing.assert_allclose(codes, fitted.transform(X), rtol=1e-4)


def test_the_same_model_is_the_same_source(tmp_path):
    """Nothing in the files depends on when or where they are written."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        sf.export_c(ALL_UNITS, tmp_path / folder / "digits.c", weights=tmp_path / folder / "digits.bin")
    for name in ("digits.c", "digits.h", "digits.bin"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def wrong(**changes):
    """Arguments of export_c with something wrong, and what the error says."""
    return {"model": layer(3, 2), "path": "digits.c"} | changes


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (wrong(path="digits.cpp"), ValueError, r"path must end in \.c, got '.*digits\.cpp'"),
        (wrong(path=3), TypeError, "path must be a path, got 3"),
        (wrong(path="2 digits.c"), ValueError, "prefix must be a C identifier .* got '2 digits', from the name of the"),
        (wrong(prefix="_d"), ValueError, r"prefix must be a C identifier .*, got '_d'$"),
        (wrong(prefix="dé"), ValueError, "prefix must be a C identifier"),
        (wrong(prefix=""), ValueError, "prefix must be a C identifier"),
        (wrong(prefix=3), TypeError, "prefix must be a str, got 3"),
        (wrong(dtype="float32"), ValueError, "dtype must be one of float, double, got 'float32'"),
        (wrong(dtype=float), ValueError, "dtype must be one of float, double, got <class 'float'>"),
        (wrong(byte_order="native"), ValueError, "byte_order must be one of little, big, got 'native'"),
        (wrong(clip=None), ValueError, "clip must be"),
        (wrong(weights="digits.h"), ValueError, "weights must be a file of its own, got '.*digits.h'"),
        (wrong(model=layer(1001, 1000)), ValueError, r"at most 1,000,000 weights, got 1,009,008 .* give weights="),
        (wrong(model=layer(3, 2, scale=1e300), dtype="float"), ValueError, "they overflow float32"),
        (wrong(model=layer(3, 2, bias=np.nan)), ValueError, "weights must be finite"),
        (wrong(model=model()), ValueError, "not fitted"),
        (wrong(model=np.ones((3, 2))), TypeError, "the last step must be a SparseAutoencoder.* got ndarray"),
        (wrong(model=make_pipeline(sf.UnitScaler())), TypeError, "the last step must be"),
        (wrong(model="missing.safetensors"), FileNotFoundError, "missing"),
    ],
)
def test_wrong_arguments(tmp_path, monkeypatch, arguments, error, words):
    """The error names the argument, what it was and what is wanted, and no file is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        sf.export_c(**arguments)
    assert not list(tmp_path.iterdir())


def test_weights_beyond_the_limit_go_into_a_file(tmp_path):
    """What is refused as source is taken with weights=."""
    sf.export_c(layer(1001, 1000), tmp_path / "digits.c", dtype="float", weights=tmp_path / "digits.bin")
    assert (tmp_path / "digits.bin").stat().st_size == 64 + 4 * (1001 * 1008 + 1008)
    assert (tmp_path / "digits.c").stat().st_size < 20_000


def test_files_are_written_together_or_not_at_all(tmp_path):
    """Where one of the three cannot be written, the others stay as they were."""
    sf.export_c(layer(3, 2), tmp_path / "digits.c")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OSError, match="nowhere"):
        sf.export_c(ALL_UNITS, tmp_path / "digits.c", weights=tmp_path / "nowhere" / "digits.bin")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_stacks_and_classifiers_give_their_codes(tmp_path):
    """A stack's last layer; a classifier's too, without its softmax; what comes before them is folded in."""
    X = patches()
    deep = stack(max_iter=3, fine_tune_max_iter=2).fit(X)
    labelled = sf.StackedAutoencoderClassifier((6, 4), max_iter=3, fine_tune_max_iter=2, random_state=0)
    pipeline = make_pipeline(sf.ZCAWhitener(epsilon=0.1), sf.UnitScaler(), labelled).fit(X, np.arange(len(X)) % 3)
    sf.export_c(deep, tmp_path / "deep.c")
    np.testing.assert_allclose(Library(tmp_path, prefix="deep").encode(X), deep.transform(X), rtol=1e-12)
    sf.export_c(pipeline, tmp_path / "pipeline.c")
    np.testing.assert_allclose(Library(tmp_path, prefix="pipeline").encode(X), pipeline.transform(X), rtol=1e-11)
