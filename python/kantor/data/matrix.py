"""Tables as canonical sparse matrices, with the row and column of a bad entry named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError
from ..extremes import extremes
from .labels import LARGEST, as_index, numbers, out_of_reach, positions, require_finite, show, unusable, within_reach


def as_csr(table: Any, rows: pd.Index, columns: pd.Index, what: str) -> sp.csr_array:
    """A table as canonical float64 CSR (sorted, no repeated entries, no stored zeros) in the order of the labels.

    ``table``: DataFrame (its labels must be the given ones, in any order), SciPy sparse matrix or 2-D array.
    Raises ProblemError naming the labels of a NaN or infinite entry, or the mismatch of shapes or labels.
    """
    if isinstance(table, pd.DataFrame):
        table = _ordered(table, rows, columns, what)
    matrix: Any = _plain(table)
    if matrix is None:
        dense = numbers(table, what)
        if dense.ndim != 2:
            raise ProblemError(
                f"{what}: got {dense.ndim} dimension(s), expected a table of shape {(len(rows), len(columns))}"
            )
        matrix = sp.csr_array(dense)
    if matrix.shape != (len(rows), len(columns)):
        raise ProblemError(f"{what}: shape {matrix.shape}, expected {(len(rows), len(columns))} as the labels say")
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # the caller's arrays stay as they are
        matrix.sum_duplicates()
    least, most = extremes(matrix.data, empty=(1.0, 1.0))
    if not 0.0 < least <= most <= LARGEST:  # else the usual case, seen in one pass
        require_finite_entries(matrix, rows, columns, what)
    if not least > 0.0 and np.count_nonzero(matrix.data) < matrix.nnz:
        matrix = matrix.copy()
        matrix.eliminate_zeros()
    return matrix


def _plain(table: Any) -> Any:
    """A sparse table as float64 CSR with 32-bit indices where they suffice, itself if it is that; None if not sparse.

    Every kernel wants such indices; converted here once, they are not converted each time.
    """
    if not sp.issparse(table):
        return None
    plain = isinstance(table, sp.csr_array) and table.dtype == np.float64
    matrix: Any = table if plain else sp.csr_array(table, dtype=np.float64)  # type: ignore[call-overload]
    if matrix.indices.dtype == np.int32 or max(matrix.nnz, *matrix.shape) > np.iinfo(np.int32).max:
        return matrix
    arrays = matrix.data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    small = sp.csr_array(arrays, shape=matrix.shape)
    if "_has_canonical_format" in vars(matrix):
        small.has_canonical_format = matrix.has_canonical_format
    return small


def require_finite_entries(matrix: sp.csr_array, rows: pd.Index, columns: pd.Index, what: str) -> None:
    """Raise ProblemError naming row and column of the first entry that is NaN, infinite or beyond LARGEST."""
    if within_reach(matrix.data):
        return
    bad = np.flatnonzero(out_of_reach(matrix.data))
    at = int(bad[0])
    row = int(np.searchsorted(matrix.indptr, at, side="right")) - 1
    column = int(matrix.indices[at])
    raise ProblemError(
        f"{what}: row {show(rows[row])!r}, column {show(columns[column])!r} is "
        + unusable(float(matrix.data[at]), bad.size)
    )


def _ordered(frame: pd.DataFrame, rows: pd.Index, columns: pd.Index, what: str) -> Any:
    """The values of a labelled table with its rows and columns in the given order."""
    at_rows = positions(as_index(frame.index, f"{what} rows"), rows, f"{what} rows", "table")
    at_columns = positions(as_index(frame.columns, f"{what} columns"), columns, f"{what} columns", "table")
    if frame.shape[1] and all(isinstance(kind, pd.SparseDtype) for kind in frame.dtypes):
        values: Any = sp.csr_array(frame.sparse.to_coo())  # type: ignore[attr-defined]
    else:
        values = numbers(frame.to_numpy(), what)
    in_order = np.array_equal(at_rows, np.arange(len(rows))) and np.array_equal(at_columns, np.arange(len(columns)))
    return values if in_order else values[np.argsort(at_rows)][:, np.argsort(at_columns)]


def per_unit(matrix: sp.csr_array, output: np.ndarray) -> sp.csr_array:
    """Column j divided by output[j] where that is positive, else zero; shares the index arrays."""
    return sp.csr_array(
        (guarded(matrix.data, output[matrix.indices]), matrix.indices, matrix.indptr), shape=matrix.shape
    )


def guarded(amounts: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Amounts / output where output > 0, else 0: the guard for sectors without output."""
    return np.divide(
        amounts, output, out=np.zeros(np.shape(amounts)), where=np.broadcast_to(output > 0, np.shape(amounts))
    )


def column_sums(matrix: sp.csr_array) -> np.ndarray:
    """The sum of every column, shape (columns,)."""
    return np.bincount(matrix.indices, weights=matrix.data, minlength=matrix.shape[1])


def is_identity(matrix: sp.csr_array) -> bool:
    """True if the matrix is exactly the identity."""
    n = matrix.shape[0]
    return (
        matrix.shape[0] == matrix.shape[1]
        and matrix.nnz == n
        and bool((matrix.data == 1.0).all())
        and np.array_equal(matrix.indices, np.arange(n))
        and np.array_equal(matrix.indptr, np.arange(n + 1))
    )


def as_frame(table: Any, rows: pd.Index | None, columns: pd.Index | None, what: str) -> pd.DataFrame:
    """A float64 DataFrame whose rows or columns are the given labels, in their order, with finite entries."""
    if not isinstance(table, pd.DataFrame):
        raise ProblemError(f"{what}: got {type(table).__name__}, expected a DataFrame")
    for axis, labels in enumerate((rows, columns)):
        own = table.axes[axis]
        if labels is None:
            as_index(own, f"{what} {'rows' if axis == 0 else 'columns'}")
        elif not own.equals(labels):
            at = positions(as_index(own, what), labels, what, "products" if axis == 0 else "techniques")
            if not np.array_equal(at, np.arange(len(labels))):
                table = table.iloc[np.argsort(at)] if axis == 0 else table.iloc[:, np.argsort(at)]
    values = numbers(table.to_numpy(), what)
    if not within_reach(values):
        i, j = (int(k) for k in np.argwhere(out_of_reach(values))[0])
        require_finite(values[i : i + 1, j], table.index[i : i + 1], f"{what}, column {show(table.columns[j])!r}")
    return pd.DataFrame(
        values, index=table.index if rows is None else rows, columns=table.columns if columns is None else columns
    )
