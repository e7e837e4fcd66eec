"""Files as other packages write them, made from the documentation of their formats, without these packages."""

from __future__ import annotations

import collections
import json
import pickle
import sys
import types
import zipfile

import numpy as np

_SAFETENSORS = {"float32": "F32", "float64": "F64", "float16": "F16", "int32": "I32", "int64": "I64"}
_STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage"}
_STORAGES |= {"int32": "IntStorage", "int64": "LongStorage"}


def to_bfloat16(array):
    """The upper halves of float32, which must hold all."""
    bits = array.astype(np.float32).view(np.uint32)
    assert not (bits & 0xFFFF).any()
    return (bits >> 16).astype(np.uint16)


def write_safetensors(path, tensors, bfloat16=()):
    """Tensors one after another, and a header that says where; those named in ``bfloat16`` in that type."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        stored = to_bfloat16(array) if name in bfloat16 else np.asarray(array)
        kind = "BF16" if name in bfloat16 else _SAFETENSORS[stored.dtype.name]
        end = len(data) + stored.nbytes
        header[name] = {"dtype": kind, "shape": list(np.shape(array)), "data_offsets": [len(data), end]}
        data += stored.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


class _Tensor:
    """Pickled as torch pickles a tensor."""

    def __init__(self, array, key):
        self.array, self.key = array, key

    def __reduce__(self):
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        storage = _Storage(self)
        arguments = storage, 0, self.array.shape, strides, False, collections.OrderedDict()
        return sys.modules["torch._utils"]._rebuild_tensor_v2, arguments


class _Storage:
    def __init__(self, tensor):
        self.tensor = tensor


class _Pickler(pickle.Pickler):
    def persistent_id(self, thing):
        if not isinstance(thing, _Storage):
            return None
        array = thing.tensor.array
        kind = getattr(sys.modules["torch"], _STORAGES[array.dtype.name])
        return "storage", kind, thing.tensor.key, "cpu", array.size


def _wrapped(state, tensors):
    """A state dict with its tensors as torch has them, or a dict in which there is one."""
    if not any(isinstance(value, np.ndarray) for value in state.values()):
        return {name: _wrapped(value, tensors) if isinstance(value, dict) else value for name, value in state.items()}
    wrapped = collections.OrderedDict(state)
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            wrapped[name] = _Tensor(value, str(len(tensors)))
            tensors.append(wrapped[name])
    wrapped._metadata = collections.OrderedDict({"": {"version": 1}})
    return wrapped


def write_torch(path, state, compression=zipfile.ZIP_STORED, protocol=2):
    """A zip archive with a pickle, and a record for each tensor; a state dict with ``_metadata``, as modules have."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in _STORAGES.values():
        made = type(name, (), {"__module__": "torch", "__qualname__": name})
        setattr(torch, name, made)

    def rebuild(*_):
        raise AssertionError

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *["_rebuild_tensor_v2"] * 2
    utils._rebuild_tensor_v2 = rebuild
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        tensors = []
        wrapped = _wrapped(state, tensors)
        with zipfile.ZipFile(path, "w", compression) as archive:
            with archive.open("model/data.pkl", "w") as file:
                _Pickler(file, protocol).dump(wrapped)
            archive.writestr("model/byteorder", "little")
            for thing in tensors:
                archive.writestr(f"model/data/{thing.key}", thing.array.tobytes(order="A"))
            archive.writestr("model/version", "3\n")
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
