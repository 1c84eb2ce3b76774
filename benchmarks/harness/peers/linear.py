"""A linear programme as the packages want it, built from the arrays of an instance."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..files import get_matrix


class Rows:
    """The rows by kind: equalities, and one-sided inequalities ``G x >= h``; duals are mapped back by :meth:`duals`."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        K, low, high = get_matrix(arrays, "K"), arrays["row_lower"], arrays["row_upper"]
        self.rows = K.shape[0]
        self.equal = np.flatnonzero(low == high)
        self.at_least = np.flatnonzero(np.isfinite(low) & (low != high))
        self.at_most = np.flatnonzero(np.isfinite(high) & (low != high))
        self.A, self.b = K[self.equal], low[self.equal]
        self.G = sp.csr_array(sp.vstack([K[self.at_least], -K[self.at_most]], format="csr"))
        self.h = np.concatenate([low[self.at_least], -high[self.at_most]])

    def duals(self, equal: Any, inequality: Any) -> Any:
        """Multipliers of the original rows from those of ``A x = b`` and ``G x >= h`` (>= 0)."""
        y = np.zeros(self.rows)
        y[self.equal] = equal
        first = self.at_least.size
        y[self.at_least] += inequality[:first]
        y[self.at_most] -= inequality[first:]
        return y


class Cone:
    """min c.x subject to A x + s = b, s in {0} x R+: what SCS and Clarabel take. Finite bounds become rows."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.split = Rows(arrays)
        low, high = arrays["lower"], arrays["upper"]
        n = low.size
        one = sp.eye_array(n, format="csr")
        below, above = np.flatnonzero(np.isfinite(low)), np.flatnonzero(np.isfinite(high))
        parts = [self.split.A, -self.split.G, -one[below], one[above]]
        self.A = sp.csc_matrix(sp.vstack(parts, format="csc"))
        self.b = np.concatenate([self.split.b, -self.split.h, -low[below], high[above]])
        self.zero, self.positive = self.split.b.size, self.b.size - self.split.b.size

    def duals(self, z: Any) -> Any:
        """Row multipliers from z with c + A'z = 0, z >= 0 on the inequalities."""
        return self.split.duals(-z[: self.zero], z[self.zero : self.zero + self.split.h.size])
