"""Names of array files, and what they tell: which kind it is, what is between its fields, whether it is compressed."""

from __future__ import annotations

import contextlib
import glob
import gzip
import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from ._arrow import import_arrow
from ._table import ArrayFileError, TableError, TableOptions

SUFFIXES = (".npy", ".npz", ".csv", ".parquet")
READABLE = (*SUFFIXES, ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst")
STREAM = "-"


def suffix_of(path: str) -> str:
    """The kind of a file that is to be written, by its name; ValueError for one that is not known."""
    if path == STREAM:
        return ".csv"
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"the name of an array file must end in {', '.join(SUFFIXES)} (or be -), got {path!r}")
    return suffix


def kind_of(path: str) -> str:
    """The kind of a file that is to be read, by its name; what a pipe without such a name brings is CSV."""
    name = path.lower()
    if path == STREAM:
        return ".csv"
    for suffix in sorted(READABLE, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    with contextlib.suppress(OSError):
        mode = os.stat(path).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode):
            return ".csv"
    raise ValueError(f"the name of an input file must end in {', '.join(READABLE)} (or be - or a pipe), got {path!r}")


def is_readable(path: str) -> bool:
    """Does its name end as those of files do that can be read?"""
    return path.lower().endswith(READABLE)


def expand(paths: Sequence[str]) -> list[str]:
    """The files that the names and patterns stand for; those of a pattern in the order of their names, as in a shell.

    Raises
    ------
    FileNotFoundError
        A pattern that no file fits.
    """
    found: list[str] = []
    for path in paths:
        if path == STREAM or os.path.lexists(path) or not glob.has_magic(path):
            found.append(path)
            continue
        matches = sorted(glob.glob(path))
        if not matches:
            raise FileNotFoundError(f"no file fits the pattern {path!r}")
        found += matches
    return found


def check_options(title: str, kind: str, options: TableOptions) -> None:
    """What is said about one kind of file is for that kind alone; what is in memory has none."""
    if options.key is not None and kind != ".npz":
        raise ArrayFileError(f"{title}: {options.word('key')} is for .npz files")
    if not kind.startswith((".csv", ".tsv")):
        for option, is_given in (
            ("header", options.header is not None),
            ("sep", options.sep is not None),
            ("decimal", options.decimal != "."),
        ):
            if is_given:
                raise ArrayFileError(f"{title}: {options.word(option)} is for CSV files")


def is_separator(text: str) -> bool:
    """Can it stand between the fields of a CSV file?"""
    return len(text) == 1 and text.isascii() and not text.isalnum() and text not in '"+-.\r\n'


def separator(kind: str, options: TableOptions) -> str:
    """What is between the fields of this kind of CSV file."""
    return options.sep or ("\t" if kind.startswith(".tsv") else ",")


@contextlib.contextmanager
def open_text(path: str, kind: str) -> Iterator[BinaryIO]:
    """The bytes of a CSV file or of stdin, decompressed."""
    if path == STREAM:
        if sys.stdin is None:
            raise TableError("it must hold a table, but it is closed")
        yield sys.stdin.buffer
    elif kind.endswith(".gz"):
        with open(path, "rb") as file, gzip.GzipFile(fileobj=file) as unzipped:
            yield cast(BinaryIO, unzipped)
    elif kind.endswith(".zst"):
        arrow = import_arrow(f"{path}: .zst")
        with open(path, "rb") as file, arrow.CompressedInputStream(file, "zstd") as unzipped:
            yield cast(BinaryIO, io.BufferedReader(unzipped, 1 << 16))
    else:
        with open(path, "rb") as file:
            yield file
