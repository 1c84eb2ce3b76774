"""Square coefficient tables and their right-hand sides, checked at the door; labels in, labels out.

Big tables are not copied: of a sparse one only the direction that is multiplied (A, or A' for values) is ever built, an
array most of whose cells are filled stays the array it is.
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


FILLED = 1.0 / 3.0  # share of non-zero cells from which an array is multiplied as it is: 8 bytes a cell against 12
ODD_SECTORS = 0.05  # share of column sums above 1 that a table in money may have
SMALL = 512  # smaller tables are kept sparse: nothing is gained there
CHUNK = 1 << 18  # entries that are looked at in one go, so that several looks read memory once


@dataclass(frozen=True)
class SquareTable:
    """A checked n x n table.

    Attributes
    ----------
    stored : CSR or CSC, whichever came in, or an array (C- or Fortran-ordered) if most of its cells are filled
    labels : those of a DataFrame, or None
    lowest, largest : the extreme entries, 0 included
    """

    stored: Any
    labels: pd.Index | None
    lowest: float
    largest: float

    @property
    def n(self) -> int:
        """Number of rows and columns."""
        return int(self.stored.shape[0])

    @property
    def nonnegative(self) -> bool:
        """No entry is below zero."""
        return self.lowest >= 0.0

    @property
    def dense(self) -> bool:
        """The table is kept as an array."""
        return isinstance(self.stored, np.ndarray)

    @property
    def negatives(self) -> int:
        """How many entries are below zero."""
        if self.nonnegative:
            return 0
        values = self.stored if self.dense else self.stored.data
        return int(np.count_nonzero(values < 0.0))

    def column_sums(self) -> FloatArray:
        """(n,) inputs of every sector added up."""
        if self.dense:
            return np.asarray(self.stored.sum(axis=0))
        sums: FloatArray = np.zeros(self.n)
        if self.stored.format == "csc":
            filled = np.diff(self.stored.indptr) > 0
            if filled.any():
                sums[filled] = np.add.reduceat(self.stored.data, self.stored.indptr[:-1][filled])
            return sums
        step = max(self.n, 16 * CHUNK)  # some entries at a time: np.bincount makes 64-bit copies of the indices
        for at in range(0, self.stored.nnz, step):
            part = slice(at, at + step)
            sums += np.bincount(self.stored.indices[part], weights=self.stored.data[part], minlength=self.n)
        return sums

    def in_many_units(self) -> bool:
        """Goods are not all counted in money or another common unit: many sectors seem to use more than they make."""
        return self.largest > 1.0 and float(np.mean(self.column_sums() > 1.0)) > ODD_SECTORS

    def oriented(self, transpose: bool) -> Any:
        """A or A' as CSR, or as an array if the table is kept so; without a copy where it lies that way."""
        turned = self.stored.T if transpose else self.stored
        return turned if self.dense else sp.csr_array(turned)

    def sparse(self, transpose: bool = False) -> sp.csr_array:
        """A or A' as CSR, also if the table is kept as an array."""
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
    stored: Any = None
    if not isinstance(matrix, np.ndarray):
        stored = (sp.csc_array if matrix.format == "csc" else sp.csr_array)(matrix, dtype=np.float64)
    else:
        dense = rows > SMALL and _mostly_filled(matrix)
        stored = _kept_dense(matrix) if dense else sp.csr_array(matrix)
    lowest, largest = extremes(stored if isinstance(stored, np.ndarray) else stored.data)
    if not (np.isfinite(lowest) and np.isfinite(largest)):
        _name_bad_entry(stored, index)
    return SquareTable(stored, index, lowest, largest)


def _mostly_filled(array: FloatArray) -> bool:
    """At least a third of the cells of some evenly spread rows is not zero."""
    rows = array[:: max(1, array.shape[0] // 64)]
    return int(np.count_nonzero(rows)) >= FILLED * rows.size


def _kept_dense(array: FloatArray) -> FloatArray:
    """The array itself if BLAS takes it without a copy at every product."""
    return array if array.flags.c_contiguous or array.flags.f_contiguous else np.ascontiguousarray(array)


def extremes(values: FloatArray) -> tuple[float, float]:
    """Smallest and largest number, 0 included; NaN if there is one. Reads the values once, without a copy."""
    flat = values if values.ndim == 1 else values.ravel(order="K")
    lowest, largest = 0.0, 0.0
    for at in range(0, flat.size, CHUNK):
        part = flat[at : at + CHUNK]
        # np.minimum, not min(): a NaN must not get lost
        lowest = float(np.minimum(lowest, part.min()))
        largest = float(np.maximum(largest, part.max()))
    return lowest, largest


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


def _name_bad_entry(stored: Any, labels: pd.Index | None) -> None:
    """ProblemError with row and column of the first entry that is not finite."""
    if isinstance(stored, np.ndarray):
        bad = np.argwhere(~np.isfinite(stored))
        count, (row, column), value = len(bad), bad[0], stored[tuple(bad[0])]
    else:
        at = np.flatnonzero(~np.isfinite(stored.data))
        count, value = at.size, stored.data[at[0]]
        major = int(np.searchsorted(stored.indptr, at[0], side="right")) - 1
        minor = int(stored.indices[at[0]])
        row, column = (major, minor) if stored.format == "csr" else (minor, major)
    names: tuple[object, object] = (int(row), int(column)) if labels is None else (labels[row], labels[column])
    more = f" ({count} such entries)" if count > 1 else ""
    where = f"row {show(names[0])}, column {show(names[1])}"
    raise ProblemError(f"A: entry in {where} is {float(value)!r}, expected a finite number{more}")


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


def read_groups(groups: Any, table: SquareTable) -> np.ndarray[Any, Any]:
    """Group numbers 0, 1, ... (n,) from labels (n,), or from the name of an index level of a labelled table."""
    if isinstance(groups, str):
        if table.labels is None or groups not in table.labels.names:
            known = "none: the table has no labels" if table.labels is None else list(table.labels.names)
            raise ProblemError(f"groups: no index level is called {groups!r} (levels: {known})")
        groups = table.labels.get_level_values(groups)
    elif isinstance(groups, pd.Series) and table.labels is not None:
        order = match(unique_index(groups.index, "groups"), table.labels, "groups", "table")
        groups = groups if order is None else groups.iloc[order]
    given = np.asarray(groups)
    if given.shape != (table.n,):
        raise ProblemError(f"groups: shape {given.shape}, expected ({table.n},), one group a sector")
    numbers = pd.factorize(given)[0]
    if (numbers < 0).any():
        at = int(np.argmin(numbers))
        raise ProblemError(f"groups: {table.name(at)} has none")
    return np.asarray(numbers)


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
