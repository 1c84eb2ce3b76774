"""Weights of products as objectives take them, and labels found by position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..data.labels import LARGEST, show
from ..errors import ProblemError, suggest
from ..solvers.problem import FloatArray

Weights = float | Mapping[Any, float] | pd.Series | np.ndarray | None


def product_weights(weights: Weights, economy: Economy) -> FloatArray:
    """Validated weights (n,) of the products: finite, >= 0, labels known; what is not named weighs 1."""
    n = len(economy.products)
    if weights is None:
        return np.ones(n)
    if isinstance(weights, int | float | np.number):
        return _checked_weights(np.full(n, float(weights)), economy)
    if isinstance(weights, Mapping):
        weights = pd.Series(dict(weights), dtype=np.float64)
    if isinstance(weights, pd.Series):
        at = positions(weights.index, economy.products, "weights")
        out = np.ones(n)
        out[at] = weights.to_numpy(dtype=np.float64)
        return _checked_weights(out, economy)
    array = np.array(weights, dtype=np.float64)
    if array.shape != (n,):
        raise ProblemError(f"weights: shape {array.shape}, expected ({n},), one for each product")
    return _checked_weights(array, economy)


def _checked_weights(weights: FloatArray, economy: Economy) -> FloatArray:
    bad = ~((weights >= 0) & (weights <= LARGEST))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise ProblemError(
            f"weights: product {show(economy.products[i])!r} has weight {float(weights[i])!r}, "
            f"expected a number from 0 to {LARGEST:g}"
        )
    return weights


def positions(labels: pd.Index, known: pd.Index, argument: str) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Where each label stands in ``known``; ProblemError naming an unknown (and the nearest known) or double label."""
    if labels.has_duplicates:
        twice = labels[labels.duplicated()][0]
        raise ProblemError(f"{argument}: label {twice!r} occurs more than once")
    at = known.get_indexer(labels)
    if (at < 0).any():
        unknown = labels[int(np.flatnonzero(at < 0)[0])]
        nearest = suggest(show(unknown), [show(label) for label in known[:5000]])
        raise ProblemError(f"{argument}: unknown label {show(unknown)!r}{nearest}")
    return at
