"""Matrices made of slots: blocks (row slot, column slot, matrix) in which one stored matrix may appear many times.

A plan over years uses the same technology every year. Stored once and multiplied with all years at a time, it costs the
memory of one year, and one pass over it serves all of them (sparse matrix times a few dense columns). Slots that differ
in row and column couple years: what is built in one is there in the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError
from .problem import FloatArray
from .rigour import GuardedMatrix

Block = tuple[int, int, sp.csr_array]


@dataclass(frozen=True)
class SlotMatrix:
    """Blocks of matrices on a grid of slots; vectors are the concatenation of their slots.

    Attributes
    ----------
    blocks: (row slot, column slot, matrix); the same matrix object in several blocks is stored and read once.
    row_sizes, column_sizes: lengths of the slots.

    >>> A = sp.csr_array([[0.5, 0.1]])
    >>> two = SlotMatrix([(0, 0, A), (1, 1, A)], [1, 1], [2, 2])
    >>> (two @ np.array([1.0, 2.0, 3.0, 4.0])).round(9).tolist(), two.stored_nnz, two.nnz
    ([0.7, 1.9], 2, 4)
    """

    blocks: Sequence[Block]
    row_sizes: Sequence[int]
    column_sizes: Sequence[int]

    def __post_init__(self) -> None:
        for number, (i, j, matrix) in enumerate(self.blocks):
            inside = 0 <= i < len(self.row_sizes) and 0 <= j < len(self.column_sizes)
            expected = (self.row_sizes[i], self.column_sizes[j]) if inside else None
            if matrix.shape != expected:
                raise ProblemError(f"blocks[{number}]: slot ({i}, {j}) has shape {matrix.shape}, expected {expected}")

    @staticmethod
    def repeated(matrix: sp.csr_array, times: int) -> SlotMatrix:
        """The same matrix in ``times`` slots along the diagonal."""
        n, m = matrix.shape
        return SlotMatrix([(k, k, matrix) for k in range(times)], [n] * times, [m] * times)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the whole."""
        return sum(self.row_sizes), sum(self.column_sizes)

    @property
    def nnz(self) -> int:
        """Entries of the whole; ``stored_nnz`` counts every stored matrix once."""
        return sum(matrix.nnz for _, _, matrix in self.blocks)

    @property
    def stored_nnz(self) -> int:
        """Entries that are stored."""
        return sum(matrix.nnz for matrix, _ in self._groups)

    @cached_property
    def _groups(self) -> list[tuple[sp.csr_array, list[tuple[int, int]]]]:
        """Every stored matrix with its slots."""
        found: dict[int, tuple[sp.csr_array, list[tuple[int, int]]]] = {}
        for i, j, matrix in self.blocks:
            found.setdefault(id(matrix), (matrix, []))[1].append((i, j))
        return list(found.values())

    def __matmul__(self, x: FloatArray) -> FloatArray:
        """The product with a vector: one pass over each stored matrix."""
        return self._product(x, self.row_sizes, self.column_sizes, transposed=False)

    def transposed_times(self, y: FloatArray) -> FloatArray:
        """The product of the transpose with a vector."""
        return self._product(y, self.column_sizes, self.row_sizes, transposed=True)

    def _product(self, x: FloatArray, out: Sequence[int], given: Sequence[int], transposed: bool) -> FloatArray:
        starts, ends = np.cumsum([0, *given]), np.cumsum([0, *out])
        result = np.zeros(int(ends[-1]))
        for matrix, slots in self._groups:
            turned = [(j, i) for i, j in slots] if transposed else slots
            columns = np.stack([x[starts[j] : starts[j + 1]] for _, j in turned], axis=-1)
            product: Any = (matrix.T if transposed else matrix) @ columns
            for k, (i, _) in enumerate(turned):
                result[ends[i] : ends[i + 1]] += product[:, k]
        return result

    def row(self, i: int) -> tuple[np.ndarray[Any, Any], FloatArray]:
        """Column indices and values of row i of the whole."""
        rows, starts = np.cumsum([0, *self.row_sizes]), np.cumsum([0, *self.column_sizes])
        slot = int(np.searchsorted(rows, i, side="right")) - 1
        at, data = [np.zeros(0, np.int64)], [np.zeros(0)]
        for r, c, matrix in self.blocks:
            if r == slot:
                part = slice(matrix.indptr[i - rows[slot]], matrix.indptr[i - rows[slot] + 1])
                at.append(starts[c] + matrix.indices[part].astype(np.int64))
                data.append(matrix.data[part])
        return np.concatenate(at), np.concatenate(data)

    def counts(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Entries of every row and of every column of the whole."""
        rows, columns = np.zeros(self.shape[0], np.int64), np.zeros(self.shape[1], np.int64)
        at, to = np.cumsum([0, *self.row_sizes]), np.cumsum([0, *self.column_sizes])
        for matrix, slots in self._groups:
            by_row, by_column = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=matrix.shape[1])
            for i, j in slots:
                rows[at[i] : at[i + 1]] += by_row
                columns[to[j] : to[j + 1]] += by_column
        return rows, columns

    def magnitude(self) -> SlotMatrix:
        """The matrix of magnitudes; itself if no entry is negative."""
        if all(not matrix.nnz or matrix.data.min() >= 0.0 for matrix, _ in self._groups):
            return self
        sizes = {id(matrix): abs(matrix) for matrix, _ in self._groups}
        return SlotMatrix(
            [(i, j, sizes[id(matrix)]) for i, j, matrix in self.blocks], self.row_sizes, self.column_sizes
        )

    def expanded(self) -> sp.csr_array:
        """The whole as one matrix, every block written out."""
        whole = sp.csr_array(self.shape)
        rows, starts = np.cumsum([0, *self.row_sizes]), np.cumsum([0, *self.column_sizes])
        parts = [matrix.tocoo() for _, _, matrix in self.blocks]
        if parts:
            i = np.concatenate([p.row + rows[r] for p, (r, _, _) in zip(parts, self.blocks, strict=True)])
            j = np.concatenate([p.col + starts[c] for p, (_, c, _) in zip(parts, self.blocks, strict=True)])
            whole = sp.csr_array((np.concatenate([p.data for p in parts]), (i, j)), shape=self.shape)
        return whole


class GuardedSlots(GuardedMatrix):
    """A SlotMatrix with what guards need, for the judges of :mod:`kantor.solvers.evaluate`."""

    @staticmethod
    def of_slots(matrix: SlotMatrix) -> GuardedMatrix:
        """Prepare ``matrix``; nothing is copied unless an entry is negative."""
        rows, columns = matrix.counts()
        anything: Any = matrix
        return GuardedSlots(anything, matrix.magnitude(), rows, columns)  # type: ignore[arg-type]

    def transposed_times(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(fl(M' p), fl(|M|' p)) for p >= 0."""
        matrix: Any = self.matrix
        size: Any = self.magnitude
        value = matrix.transposed_times(p)
        return value, value if self.nonnegative else size.transposed_times(p)

    def row(self, i: int) -> tuple[np.ndarray[Any, Any], FloatArray]:
        """Column indices and values of row i."""
        matrix: Any = self.matrix
        found: tuple[np.ndarray[Any, Any], FloatArray] = matrix.row(i)
        return found
