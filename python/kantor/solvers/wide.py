"""Sums in extended precision for the verifier; shares nothing with the solvers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .problem import LinearProgram

Wide = np.longdouble
# Entries handled at a time.
_CHUNK = 1 << 21


def products(K: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """K x and K'y, term by term in extended precision, a bounded number of entries at a time."""
    down, across = np.zeros(K.shape[0], dtype=Wide), np.zeros(K.shape[1], dtype=Wide)
    pointer = K.indptr
    for start in range(0, K.nnz, _CHUNK):
        stop = min(start + _CHUNK, K.nnz)
        row = np.searchsorted(pointer, np.arange(start, stop), side="right") - 1
        column, data = K.indices[start:stop], K.data[start:stop].astype(Wide)
        np.add.at(down, row, data * x[column])
        np.add.at(across, column, data * y[row])
    return down, across


def length(v: Any) -> float:
    """The 2-norm."""
    unit = largest(v)
    if unit == 0.0 or not math.isfinite(unit):
        return unit
    return unit * float(np.sqrt(np.sum((v / Wide(unit)) ** 2)))


def largest(v: Any) -> float:
    """The largest magnitude."""
    return float(np.max(np.abs(v), initial=0))


def row_value(lp: LinearProgram, y: Any) -> Any:
    """sum of l y+ - u y-, multipliers of infinite sides being zero."""
    low = np.where(y > 0, lp.row_lower, 0.0)
    high = np.where(y < 0, lp.row_upper, 0.0)
    return np.sum(y * low.astype(Wide)) + np.sum(y * high.astype(Wide))
