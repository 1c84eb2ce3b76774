"""Arithmetic that is never wrong about a sign: guarded matrix products and exact sums of products.

Two tools. A *guard* bounds the rounding error of a floating-point sum of k products from above by
gamma_k sum |terms|, gamma_k = k u / (1 - k u), u = 2^-53, for every order of summation (Higham, Accuracy and Stability
of Numerical Algorithms, 2nd ed., section 3.1). An *exact sum* splits every product into two floats without error
(Dekker 1971) and adds them with one rounding at the end, so its sign is the true one.

Both need products that neither overflow nor underflow: :func:`flush` and the range check of PlanningProgram see to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from .problem import FloatArray

UNIT_ROUNDOFF = 2.0**-53
# Vectors: smaller entries count as zero, larger ones prove nothing, so products with data in 1e-+100 stay in range.
SMALLEST, LARGEST = 1e-150, 1e150
_SPLITTER = 2.0**27 + 1.0
_ADDABLE = 1e290


def gamma(count: Any) -> Any:
    """k u / (1 - k u) for k = ``count`` (an integer or an array), with a little more for the guard's own rounding."""
    k = 1.02 * np.asarray(count, dtype=np.float64)
    return k * UNIT_ROUNDOFF / (1.0 - k * UNIT_ROUNDOFF)


def flush(vector: FloatArray) -> FloatArray:
    """Entries below 1e-150 in magnitude become zero (a new array)."""
    return np.where(np.abs(vector) < SMALLEST, 0.0, vector)


def two_product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(p, e) with p + e = a b exactly, p = fl(a b).

    >>> two_product(np.array([0.1]), np.array([0.1]))[1][0] != 0.0
    np.True_
    """
    p = a * b
    ca, cb = _SPLITTER * a, _SPLITTER * b
    a1, b1 = ca - (ca - a), cb - (cb - b)
    a2, b2 = a - a1, b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def exact_dot(a: FloatArray, b: FloatArray) -> float:
    """a.b rounded once: the nearest float64 to the exact value, so the sign is exact."""
    used = (a != 0.0) & (b != 0.0)
    p, e = two_product(a[used], b[used])
    return math.fsum(np.concatenate([p, e]))


def exact_sum(*parts: FloatArray) -> float:
    """The sum of all entries rounded once; NaN if one is not finite or too large to add up safely.

    >>> exact_sum(np.array([1e16, 1.0]), np.array([-1e16])), exact_sum(np.array([np.inf]))
    (1.0, nan)
    """
    values = np.concatenate(parts)
    return math.fsum(values) if (np.abs(values) <= _ADDABLE).all() else math.nan


def up(value: float) -> float:
    """The next float above: turns a correctly rounded value into an upper bound."""
    return math.nextafter(value, math.inf)


def down(value: float) -> float:
    """The next float below: turns a correctly rounded value into a lower bound."""
    return math.nextafter(value, -math.inf)


@dataclass(frozen=True)
class GuardedMatrix:
    """A CSR matrix and what guards need: its matrix of magnitudes (itself if nothing is negative), entry counts."""

    matrix: sp.csr_array
    magnitude: sp.csr_array
    row_count: np.ndarray[Any, Any]
    column_count: np.ndarray[Any, Any]

    @staticmethod
    def of(matrix: sp.csr_array) -> GuardedMatrix:
        """Prepare ``matrix`` (canonical CSR, float64); nothing is copied unless an entry is negative."""
        magnitude = matrix
        if matrix.nnz and matrix.data.min() < 0.0:
            magnitude = sp.csr_array((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
        columns = np.bincount(matrix.indices, minlength=matrix.shape[1])
        return GuardedMatrix(matrix, magnitude, np.diff(matrix.indptr), columns)

    @cached_property
    def _transposed(self) -> tuple[Any, Any]:
        """M' and |M|' as views of the same arrays; to make one takes longer than a product with a small matrix."""
        return self.matrix.T, self.magnitude.T

    @property
    def nonnegative(self) -> bool:
        """Whether no entry is negative."""
        return self.magnitude is self.matrix

    def times(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(fl(M x), fl(|M| x)) for x >= 0."""
        value = self.matrix @ x
        return value, value if self.nonnegative else self.magnitude @ x

    def transposed_times(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(fl(M' p), fl(|M|' p)) for p >= 0."""
        value = self._transposed[0] @ p
        return value, value if self.nonnegative else self._transposed[1] @ p

    def row(self, i: int) -> tuple[np.ndarray[Any, Any], FloatArray]:
        """Column indices and values of row i."""
        part = slice(self.matrix.indptr[i], self.matrix.indptr[i + 1])
        return self.matrix.indices[part], self.matrix.data[part]
