"""Square coefficient tables and their right-hand sides, checked at the door; labels in, labels out.

Big sparse matrices are not copied: only the direction that is multiplied (A, or A' for values) is ever built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError
from .problem import FloatArray

Wrap = Callable[[FloatArray], Any]


@dataclass(frozen=True)
class SquareTable:
    """A checked n x n table; ``stored`` is CSR or CSC, whichever came in, and ``labels`` those of a DataFrame."""

    stored: Any
    labels: pd.Index | None
    nonnegative: bool

    @property
    def n(self) -> int:
        """Number of rows and columns."""
        return int(self.stored.shape[0])

    def oriented(self, transpose: bool) -> sp.csr_array:
        """A or A' as CSR; without a copy if it is stored that way."""
        return sp.csr_array(self.stored.T if transpose else self.stored)

    def name(self, i: Any) -> str:
        """The label of sector i, or its number, for a message."""
        return f"sector {int(i)}" if self.labels is None else show(self.labels[int(i)])

    def names(self, sectors: Any, limit: int = 5) -> str:
        """The first names, and how many more there are."""
        more = f" and {len(sectors) - limit} more" if len(sectors) > limit else ""
        return ", ".join(self.name(i) for i in sectors[:limit]) + more


def read_table(A: Any, labels: Any = None) -> SquareTable:
    """Check a SciPy sparse matrix, 2-D array or DataFrame. ``labels`` names the sectors of an unlabelled one."""
    if isinstance(A, SquareTable):
        return A
    index = None
    if isinstance(A, pd.DataFrame):
        A, index = _labelled(A)
    elif labels is not None:
        index = unique_index(labels, "labels")
    matrix: Any = A
    if not sp.issparse(matrix):
        matrix = real_array(matrix, "A")
        if matrix.ndim != 2:
            raise ProblemError(f"A: {matrix.ndim} dimensions, expected a square table")
        matrix = sp.csr_array(matrix)
    elif (kind := getattr(matrix, "dtype", np.dtype(float))).kind not in "fiub":
        raise ProblemError(f"A: dtype {kind}, expected real numbers")
    rows, columns = matrix.shape
    if rows != columns:
        raise ProblemError(
            f"A: shape {matrix.shape}, expected a square table (inputs of every sector from every sector)"
        )
    if rows == 0:
        raise ProblemError("A: the table is empty, expected at least one sector")
    if index is not None and len(index) != rows:
        raise ProblemError(f"labels: {len(index)} given, expected {rows}, one a sector")
    stored: Any = (sp.csc_array if matrix.format == "csc" else sp.csr_array)(matrix, dtype=np.float64)
    _require_finite(stored, index)
    return SquareTable(stored, index, stored.nnz == 0 or bool(stored.data.min() >= 0.0))


def _labelled(frame: pd.DataFrame) -> tuple[Any, pd.Index]:
    """Values of a table with its columns in the order of its rows."""
    index, columns = unique_index(frame.index, "A rows"), unique_index(frame.columns, "A columns")
    order = match(columns, index, "A columns", "rows of A")
    if order is not None:
        frame = frame.iloc[:, order]
    if frame.shape[1] and all(isinstance(kind, pd.SparseDtype) for kind in frame.dtypes):
        sparse: Any = frame.sparse
        return sp.csr_array(sparse.to_coo()), index
    return frame_values(frame, "A"), index


def _require_finite(stored: Any, labels: pd.Index | None) -> None:
    if np.isfinite(stored.data.sum()):  # no temporary of the size of the matrix; overflow alone also ends up below
        return
    bad = np.flatnonzero(~np.isfinite(stored.data))
    if bad.size == 0:
        return
    at = int(bad[0])
    major = int(np.searchsorted(stored.indptr, at, side="right")) - 1
    minor = int(stored.indices[at])
    row, column = (major, minor) if stored.format == "csr" else (minor, major)
    names: tuple[object, object] = (row, column) if labels is None else (labels[row], labels[column])
    more = f" ({bad.size} such entries)" if bad.size > 1 else ""
    where = f"row {show(names[0])}, column {show(names[1])}"
    raise ProblemError(f"A: entry in {where} is {float(stored.data[at])!r}, expected a finite number{more}")


# ---- right-hand sides ------------------------------------------------------------------------------------------------
def read_columns(d: Any, table: SquareTable, name: str) -> tuple[FloatArray, Wrap]:
    """Right-hand sides as a C-ordered float64 array (n,) or (n, k), and what turns an answer into the caller's kind.

    A Series or DataFrame is put into the order of the table's labels. A labelled table gives labelled answers.
    """
    labels, columns = table.labels, None
    if isinstance(d, (pd.Series, pd.DataFrame)):
        index = unique_index(d.index, f"{name} rows")
        if labels is None:
            labels = index
        else:
            order = match(index, labels, name, "table")
            d = d if order is None else d.iloc[order]
        if isinstance(d, pd.DataFrame):
            columns = d.columns
            values = frame_values(d, name)
        else:
            columns = d.name
            values = real_array(d, name)
    else:
        dense: Any = d.toarray() if hasattr(d, "toarray") else d
        values = real_array(dense, name)
    if values.ndim not in (1, 2) or values.shape[0] != table.n or values.size == 0:
        raise ProblemError(
            f"{name}: shape {values.shape}, expected ({table.n},) or ({table.n}, k), one row a sector of A"
        )
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        at = tuple(int(i) for i in bad[0])
        where = show(at[0] if labels is None else labels[at[0]])
        if len(at) == 2:
            where += f", column {show(at[1] if columns is None else columns[at[1]])}"
        more = f" ({len(bad)} such entries)" if len(bad) > 1 else ""
        raise ProblemError(f"{name}: entry {where} is {float(values[at])!r}, expected a finite number{more}")
    return np.ascontiguousarray(values), _wrapper(labels, columns)


def named_like(table: SquareTable, d: Any) -> SquareTable:
    """An unlabelled table takes the labels of its right-hand side, for messages."""
    if table.labels is None and isinstance(d, (pd.Series, pd.DataFrame)):
        return replace(table, labels=d.index)
    return table


def _wrapper(labels: pd.Index | None, columns: Any) -> Wrap:
    def wrap(answer: FloatArray) -> Any:
        if labels is None:
            return answer
        if answer.ndim == 1:
            return pd.Series(answer, index=labels, name=columns)
        return pd.DataFrame(answer, index=labels, columns=columns)

    return wrap


# ---- arrays and labels -----------------------------------------------------------------------------------------------
def real_array(values: Any, name: str) -> FloatArray:
    """Values as float64; ProblemError for complex numbers, objects and text."""
    if isinstance(values, pd.Series) and pd.api.types.is_numeric_dtype(values.dtype):
        values = values.to_numpy(dtype=np.float64, na_value=np.nan) if values.dtype.kind != "c" else values.to_numpy()
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ProblemError(f"{name}: dtype {array.dtype}, expected real numbers")
    return array.astype(np.float64, copy=False)


def frame_values(frame: pd.DataFrame, name: str) -> FloatArray:
    """The numbers of a DataFrame; ProblemError naming the first column that holds something else."""
    for position, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind) or kind.kind == "c":
            raise ProblemError(
                f"{name}: column {show(frame.columns[position])} has dtype {kind}, expected real numbers"
            )
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def unique_index(labels: Any, name: str) -> pd.Index:
    """Labels as an Index; ProblemError naming the first repeated one."""
    index = labels if isinstance(labels, pd.Index) else pd.Index(list(labels))
    if not index.is_unique:
        raise ProblemError(f"{name}: label {show(index[index.duplicated()][0])} occurs more than once")
    return index


def match(given: pd.Index, wanted: pd.Index, name: str, of: str) -> np.ndarray[Any, Any] | None:
    """Positions that put ``given`` into the order of ``wanted``, None if it is; ProblemError unless both agree."""
    if given.equals(wanted):
        return None
    order = given.get_indexer(wanted)
    if (order < 0).any():
        missing = wanted[order < 0]
        raise ProblemError(
            f"{name}: no entry for {show(missing[0])} of the {of} ({len(missing)} of {len(wanted)} labels missing)"
        )
    if len(given) != len(wanted):
        unknown = given[~given.isin(wanted)]
        raise ProblemError(f"{name}: label {show(unknown[0])} is not in the {of} ({len(unknown)} such labels)")
    return np.asarray(order)


def show(label: object) -> str:
    """A label, or a position, in a message."""
    return " / ".join(str(part) for part in label).join("''") if isinstance(label, tuple) else repr(label)
