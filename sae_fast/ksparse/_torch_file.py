"""What ``torch.save`` wrote, read without torch: tensors and plain containers, and nothing else.

The file is a zip archive with a pickle, whose tensors are records of their own. A pickle may name any function for its
reader to call; this one knows four names, of which none does more than to make a container or a view of a record.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files._model_file import ModelFileError
from ._weight_files import widened

_LONGEST = 16_000_000  # bytes of the pickle
_STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_OPCODES = frozenset(
    [
        "PROTO",
        "FRAME",
        "MARK",
        "STOP",
        "POP",
        "EMPTY_DICT",
        "EMPTY_LIST",
        "EMPTY_TUPLE",
        "GLOBAL",
        "STACK_GLOBAL",
        "BINPUT",
        "LONG_BINPUT",
        "MEMOIZE",
        "BINGET",
        "LONG_BINGET",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
        "NEWTRUE",
        "NEWFALSE",
        "NONE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "REDUCE",
        "BUILD",
        "SETITEM",
        "SETITEMS",
        "APPEND",
        "APPENDS",
        "BINPERSID",
    ]
)


class _Storage(NamedTuple):
    """The numbers of a record."""

    numbers: NDArray[Any]
    bfloat16: bool


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> NDArray[Any]:
    """torch._utils._rebuild_tensor_v2: a view of a storage, within it."""
    if not isinstance(storage, _Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise ValueError("a tensor is not made of a storage, a size and a stride")
    numbers = [offset, *size, *stride]
    if len(size) != len(stride) or not all(type(n) is int and 0 <= n < 2**62 for n in numbers):
        raise ValueError("a tensor has no such size, stride or offset")
    held = storage.numbers
    if not 0 < math.prod(size) <= len(held):
        raise ValueError("a tensor is empty, or larger than its storage")
    if offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) >= len(held):
        raise ValueError("a tensor reaches beyond its storage")
    steps = [s * held.itemsize for s in stride]
    view = np.lib.stride_tricks.as_strided(held[offset:], size, steps, writeable=False)
    return widened(view, bfloat16=storage.bfloat16)


def _parameter(data: Any, *_: Any) -> Any:
    """torch._utils._rebuild_parameter."""
    return data


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


def _check_known(module: str, name: str) -> None:
    if (module, name) not in _KNOWN:
        raise ValueError(
            f"it holds a {module}.{name}, which only running its code could load; what is understood is a state "
            "dict: tensors and plain containers"
        )


class _Reader(pickle._Unpickler):
    """The one in Python: what it keeps in memory is as large as what is there."""

    def __init__(self, text: bytes, archive: zipfile.ZipFile, folder: str, order: str) -> None:
        super().__init__(io.BytesIO(text))
        self._archive, self._folder, self._order = archive, folder, order
        self._storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGES:
            return name
        _check_known(module, name)
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[2], str):
            raise ValueError("a storage has no name")
        _, kind, key, _, count = pid
        if key not in self._storages:
            if kind not in _STORAGES:
                raise ValueError(f"a storage has the type {kind!r:.40}")
            record = self._archive.getinfo(f"{self._folder}data/{key}")
            dtype = np.dtype(self._order + _STORAGES[kind])
            # Compressed records are none of torch's, and may be far larger than the file.
            if record.compress_type != zipfile.ZIP_STORED or record.file_size != count * dtype.itemsize:
                raise ValueError(f"storage {key!r:.40} has not the size that it must have")
            numbers = np.frombuffer(self._archive.read(record), dtype)
            self._storages[key] = _Storage(numbers.astype(dtype.newbyteorder("=")), kind == "BFloat16Storage")
        return self._storages[key]


def read_torch(path: Path) -> Any:
    """The object in the file."""
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("it is no zip archive, as torch.save has written them since version 1.6")
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
            if len(names) != 1:
                raise ValueError("it has no data.pkl; torch.save writes one since version 1.6")
            folder = names[0].removesuffix("data.pkl")
            if archive.getinfo(names[0]).file_size > _LONGEST:
                raise ValueError("its pickle is larger than any state dict's")
            text = archive.read(names[0])
            for opcode, argument, _ in pickletools.genops(text):
                if opcode.name == "GLOBAL":  # before what is made of it
                    module, _, name = str(argument).partition(" ")
                    if module != "torch" or name not in _STORAGES:
                        _check_known(module, name)
                if opcode.name not in _OPCODES:
                    raise ValueError(f"its pickle does what no state dict does ({opcode.name})")
            has_order = f"{folder}byteorder" in archive.namelist()
            order = archive.read(f"{folder}byteorder") if has_order else b"little"
            return _Reader(text, archive, folder, {b"little": "<", b"big": ">"}[order]).load()
    except OSError:
        raise
    except Exception as error:  # of zipfile and of pickle, who have many
        raise ModelFileError(
            f"{path} is damaged, or no file of torch.save that is understood: {error!s:.300}"
        ) from error
