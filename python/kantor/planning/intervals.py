"""Sums of products in extended precision, as intervals that are sure to hold the exact value.

Sums are taken in ``numpy.longdouble`` (64-bit mantissa on x86, more or less elsewhere) and carry a guard

    |computed - exact| <= gamma(k + 3) sum |terms|,   gamma(k) = k u / (1 - k u),   u = unit roundoff of longdouble,

for k terms, so that "holds" means: holds in exact arithmetic for the numbers stored in the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
LongArray = np.ndarray[Any, np.dtype[np.longdouble]]

CHUNK = 2_000_000  # nonzeros widened to longdouble at a time: 16 bytes each, three arrays
UNIT = np.finfo(np.longdouble).eps / 2


@dataclass(frozen=True)
class Interval:
    """low <= exact <= high, elementwise; longdouble arrays or scalars."""

    low: Any
    high: Any

    def __add__(self, other: Interval) -> Interval:
        return widened(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return widened(self.low - other.high, self.high - other.low)


def product(matrix: sp.csr_array, vector: FloatArray) -> Interval:
    """matrix @ vector, row by row, in extended precision with its guard."""
    rows = matrix.shape[0]
    total, size = np.zeros(rows, np.longdouble), np.zeros(rows, np.longdouble)
    pointer, wide = matrix.indptr.astype(np.int64), np.asarray(vector, np.longdouble)
    start = 0
    while start < rows:
        stop = int(np.searchsorted(pointer, pointer[start] + CHUNK, side="right")) - 1
        stop = min(max(stop, start + 1), rows)
        first, last = pointer[start], pointer[stop]
        terms = matrix.data[first:last].astype(np.longdouble) * wide[matrix.indices[first:last]]
        filled = start + np.flatnonzero(np.diff(pointer[start : stop + 1]))
        if filled.size:
            total[filled] = np.add.reduceat(terms, pointer[filled] - first)
            size[filled] = np.add.reduceat(np.abs(terms), pointer[filled] - first)
        start = stop
    guard = gamma(np.diff(pointer) + 3) * size
    return widened(total - guard, total + guard)


def inner(x: Any, y: Any) -> Interval:
    """x.y with its guard; infinity times zero is zero, an infinite product leaves the sum unknown."""
    x, y = np.asarray(x, np.longdouble), np.asarray(y, np.longdouble)
    used = (x != 0) & (y != 0)
    terms = x[used] * y[used]
    if not np.isfinite(terms).all():
        return Interval(-np.longdouble(np.inf), np.longdouble(np.inf))
    guard = gamma(terms.size + 3) * np.abs(terms).sum()
    total = terms.sum()
    return widened(total - guard, total + guard)


def exactly(values: FloatArray) -> Interval:
    """Numbers as they are."""
    wide = np.asarray(values, np.longdouble)
    return Interval(wide, wide)


def scaled(value: Interval, factor: float) -> Interval:
    """The interval times a number >= 0."""
    f = np.longdouble(factor)
    return widened(value.low * f, value.high * f)


def widened(low: Any, high: Any) -> Interval:
    """Move the ends outwards by the rounding of the one operation that made each."""
    return Interval(low - 2 * UNIT * np.abs(low), high + 2 * UNIT * np.abs(high))


def gamma(k: Any) -> Any:
    """k u / (1 - k u) for a count or an array of counts."""
    ku = np.asarray(k, np.longdouble) * UNIT
    return ku / (1 - ku)


def down(value: Any) -> float:
    """The largest double not above the value."""
    d = float(value)
    return d if np.longdouble(d) <= value else float(np.nextafter(d, -np.inf))


def up(value: Any) -> float:
    """The smallest double not below the value."""
    d = float(value)
    return d if np.longdouble(d) >= value else float(np.nextafter(d, np.inf))
