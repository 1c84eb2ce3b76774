"""The least and the most of many numbers in one pass, by the native core where it is built."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np

# Below this many numbers NumPy's two passes stay in the cache.
_MANY = 1 << 16


@cache
def _kernel() -> Any:
    try:
        return importlib.import_module("kantor._core").extremes
    except ImportError:
        return None


def extremes(values: np.ndarray[Any, Any], empty: tuple[float, float] = (np.inf, -np.inf)) -> tuple[float, float]:
    """(least, most) of an array; (NaN, NaN) if any entry is NaN, ``empty`` if there is none.

    >>> extremes(np.array([2.0, -1.0, 3.0]))
    (-1.0, 3.0)
    """
    if not values.size:
        return empty
    plain = values.dtype == np.float64 and values.flags.c_contiguous
    kernel = _kernel() if plain and values.size >= _MANY else None
    if kernel is None:
        return float(values.min()), float(values.max())
    least, most = kernel(values)
    return float(least), float(most)
