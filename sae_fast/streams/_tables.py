"""Tables read whole, for what needs all samples at once."""

from __future__ import annotations

from collections.abc import Sequence

from ..files._table import AS_IT_IS, Table, TableOptions
from ._files import open_files


def read_table(path: str, options: TableOptions = AS_IT_IS) -> Table:
    r"""Read a table of real numbers.

    Parameters
    ----------
    path : str
        File name; its ending tells the kind. ``-`` is CSV on stdin.
    options : TableOptions
        What the file itself does not tell.

    Returns
    -------
    Table
        ``values`` of shape (n_samples, n_features), memory-mapped from .npy; of a CSV file they are float64.

    Raises
    ------
    ArrayFileError
        Damaged, or not a table of real numbers.
    OSError
        It cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "x.csv")
    >>> _ = path.write_text("id,a,b\nk1,1,2\nk2,3,4\n")
    >>> read_table(str(path), TableOptions(drop=["id"]))
    Table(values=array([[1., 2.], [3., 4.]]), names=['a', 'b'], labels=None)
    """
    return open_files([path], options).whole()


def read_tables(paths: Sequence[str], options: TableOptions = AS_IT_IS) -> Table:
    r"""Read several files as one table, the rows of one after those of another; patterns and folders stand for files.

    Raises
    ------
    ArrayFileError, SourceError
        A file cannot be read, or has other columns than the first one.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "1.csv").write_text("a,b\n1,2\n"), (folder / "2.csv").write_text("a,b\n3,4\n")
    >>> read_tables([f"{folder}/*.csv"]).values
    array([[1., 2.], [3., 4.]])
    """
    return open_files(paths, options).whole()
