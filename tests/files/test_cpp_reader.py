"""The C++ reader of model files takes what Python's takes, with the same weights to the last bit, and no more."""

from __future__ import annotations

import json
import math
import os
import threading

import numpy as np
import pytest

import sae_fast as sf
from tests.helpers import cpp_reader
from tests.helpers.cpp_reader import READ, by_python, check_equal, judge
from tests.helpers.hostile_files import KINDS, Generator, serialised, stored


@pytest.mark.parametrize("kind", READ)
def test_weights_are_those_of_python(tmp_path, kind):
    """Each kind of file that it reads, with its scaling; from a file and from memory."""
    path = tmp_path / "m.safetensors"
    KINDS[kind]().save(path)
    found = cpp_reader.read(path, ignore_clip=True)
    assert found.kind == kind.split()[0]
    assert found.checksum == stored(path)[1]["checksum"]
    check_equal(found, by_python(path))
    check_equal(cpp_reader.parse(path.read_bytes(), ignore_clip=True), by_python(path))


@pytest.mark.parametrize("kind", READ)
def test_damaged_and_hostile_files_are_judged_alike(tmp_path, kind):
    """Where Python refuses a file C++ does, and else the weights are equal."""
    generator = Generator(kind, 11, tmp_path)
    path = tmp_path / "m.safetensors"
    taken = 0
    for _ in range(150):
        path.write_bytes(next(generator)[0])
        judge(path)
        taken += by_python(path) is not None
    assert taken > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", ["minmax", "ufldl"])
@pytest.mark.parametrize("shape", [(1, 1), (9, 3), (65, 7)])
def test_scaling_is_folded_alike(tmp_path, dtype, scale, shape):
    """Features of any size and constant ones."""
    n, units = shape
    rng = np.random.default_rng(n)
    X = (rng.normal(size=(50, n)) * 10.0 ** rng.integers(-6, 6, n) + rng.normal(size=n)).astype(dtype)
    X[:, ::4] = X[0, ::4]
    sf.SparseAutoencoder(units, scale=scale, max_iter=2, random_state=0).fit(X).save(tmp_path / "m")
    check_equal(cpp_reader.read(tmp_path / "m", ignore_clip=True), by_python(tmp_path / "m"))
    if scale == "ufldl":
        with pytest.raises(cpp_reader.RefusedError, match=r"cuts data.*Clip::ignore"):
            cpp_reader.read(tmp_path / "m")


def test_sums_are_rounded_once():
    """As those of math.fsum, for numbers of any size, and NaN where one is too large."""
    rng = np.random.default_rng(0)
    for n in (0, 1, 2, 3, 10, 1000):
        for spread in (0, 20, 300):
            terms = rng.normal(size=n) * 10.0 ** rng.uniform(-spread, spread, n)
            terms = np.concatenate([terms, -terms[: n // 2], [2.0**53, 1.0, 2.0**-60][: n % 4]])
            assert cpp_reader.exact_sum(terms) == math.fsum(terms)
    assert np.isnan(cpp_reader.exact_sum([1e308, 1e308, -1e308]))
    assert np.isnan(cpp_reader.exact_sum([np.inf, 1.0]))


NUMBERS = [
    0.1,
    1e16,
    1e15,
    123456789012345680.0,
    1e-4,
    1e-5,
    5e-324,
    2.0**-44,
    1.7976931348623157e308,
    -0.0,
    1e22,
    1e23,
]


@pytest.mark.parametrize("value", [
    *NUMBERS, -1, 10**30, 4**600, True, None, "é\u2028\U0001f600\x7f\x00\"\\/\b\f\n\r\t", "\ud800", "\ude00\ud83d",
    math.inf, -math.inf, math.nan, [], {}, [[], {}],
    {"b": 1, "a": [1.5, {"z": None, "é": 2, "\ue000": 3, "\U00010000": 4}]},
])  # fmt: skip
def test_any_json_is_written_as_python_writes_it(tmp_path, value):
    """The checksum is over the JSON: an unknown hyper-parameter of any kind is read, and verified."""
    path = tmp_path / "m"
    KINDS["SparseAutoencoder"]().save(path)
    tensors, about = stored(path)
    about["hyper_parameters"]["of a newer version"] = value
    path.write_bytes(serialised(tensors, about))
    assert judge(path) == "equal"


@pytest.mark.parametrize("text", [
    "1E5", "1e+05", "-0", "-0.0", "1e400", "-1e999", "1e-400", "0." + "0" * 400 + "1", "1" + "0" * 400 + "e-400",
    "1" * 4300, "1" * 4301, "01", "1.", ".5", "+1", "1e", "-", "nan", "NaN", "-Infinity", "[1,]", "[,1]", '{"a":1,}',
    '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', "'a'", '"\\x41"', '"\\u12"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\ud83dx"',
    '"\\u 123"', '"a\tb"', "true", "True", "[" * 100 + "]" * 100, "1 2", "\u00a01", " \r\n1", "1\f",
])  # fmt: skip
def test_any_spelling_of_json_is_judged_alike(tmp_path, text):
    """What Python's parser takes, and no more, whatever the checksum of what it takes would be."""
    path = tmp_path / "m"
    KINDS["SparseAutoencoder"]().save(path)
    tensors, about = stored(path)
    about["hyper_parameters"]["new"] = "@"
    try:
        value = json.loads(text)
    except ValueError:
        value = "@"
    about["hyper_parameters"]["new"] = value
    data = serialised(tensors, about)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    fields = json.loads(header["__metadata__"]["sae_fast"])
    fields["hyper_parameters"]["new"] = "@"
    header["__metadata__"]["sae_fast"] = json.dumps(fields).replace('"@"', text)
    out = json.dumps(header).encode()
    path.write_bytes(len(out).to_bytes(8, "little") + out + data[8 + length :])
    judge(path)


def test_names_may_hold_anything(tmp_path):
    """Zeros, quotes, halves of surrogate pairs."""
    names = ["a\0b", '"', "\\", "\ud800", "\U0001f600", ""]
    sf.Encoder(sf.init_params(6, 2, random_state=0), feature_names=names).save(tmp_path / "m")
    assert cpp_reader.read(tmp_path / "m").feature_names == tuple(names)


def test_what_is_no_file_is_refused(tmp_path):
    """Missing files, folders, devices, and headers that promise more than there is."""
    for path, words in (
        (tmp_path / "none", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        ("/dev/zero", "is not a model file"),
        ("/dev/null", "is not a model file"),
    ):
        with pytest.raises(cpp_reader.RefusedError, match=f"^{path} {words}"):
            cpp_reader.read(path)
    path = tmp_path / "m"
    for length in (0, 2, 50, 10**8, 10**9, 2**63, 2**64 - 1):
        path.write_bytes(length.to_bytes(8, "little") + b"{}")
        with pytest.raises(cpp_reader.RefusedError, match="is not a model file"):
            cpp_reader.read(path)
    KINDS["Encoder"]().save(path)
    data = path.read_bytes()
    for damaged, words in ((data[:-1], "is cut short"), (data + b"\0", "behind its end"), (data[:7], "not a model")):
        path.write_bytes(damaged)
        for read, file in ((cpp_reader.read, path), (cpp_reader.parse, damaged)):
            with pytest.raises(cpp_reader.RefusedError, match=words):
                read(file)


def test_a_model_comes_through_a_pipe(tmp_path):
    """A named pipe is read like the file, and no further."""
    KINDS["Encoder"]().save(tmp_path / "m")
    os.mkfifo(tmp_path / "pipe")
    data = (tmp_path / "m").read_bytes()
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data + b"more"))
    writer.start()
    found = cpp_reader.read(tmp_path / "pipe")
    writer.join(60)
    check_equal(found, sf.Encoder.load(tmp_path / "m"))


@pytest.mark.parametrize("kind", ["StackedAutoencoder", "StackedAutoencoderClassifier"])
def test_stacks_that_train_are_refused_with_advice(tmp_path, kind):
    """What is trained further is Python's; the advice works."""
    model = KINDS[kind]()
    model.save(tmp_path / "m")
    with pytest.raises(cpp_reader.RefusedError, match=r"sae_fast\.fold\(model\)\.save\(path\) writes the encoder"):
        cpp_reader.read(tmp_path / "m")
    encoder = sf.fold(model)
    encoder.save(tmp_path / "e")
    check_equal(cpp_reader.read(tmp_path / "e"), encoder)


def test_newer_formats_are_refused_with_advice(tmp_path):
    """By their number, whatever else is in them."""
    path = tmp_path / "m"
    path.write_bytes(serialised({"rows": np.arange(3)}, {"format": 99, "kind": "Tree"}))
    with pytest.raises(cpp_reader.RefusedError, match=r"has format 99 of a newer sae_fast.*upgrade"):
        cpp_reader.read(path)
