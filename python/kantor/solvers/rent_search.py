"""The dual of a reduced concave plan: minimise sum_i U°_i((M'rents)_i) + rents.b over rents >= 0.

Convex and continuously differentiable in a handful of rents; its gradient is b - M C(p), the unused part of every
limit, with consumption C(p) at prices p = M'rents. Newton's method, every step the minimum of the quadratic model over
rents >= 0 (non-negative least squares: Lawson and Hanson 1974) with an Armijo search towards it, ends at the precision
of the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from .problem import FloatArray, SeparableTerms
from .terms import infimum
from .utilities import demand, demand_slope

_MOST_STEPS = 100
_ARMIJO = 1e-4
_HALVINGS = 60
_CURVATURE = 1e-11
_PRECISION = 1e-14
_START_DOUBLINGS, _START_BISECTIONS = 400, 30


@dataclass(frozen=True)
class Rents:
    """Rents (k,) >= 0, the consumption (n,) they lead to, and the Newton steps it took."""

    rents: FloatArray
    consumption: FloatArray
    iterations: int


def minimise_rents(terms: SeparableTerms, content: FloatArray, limit: FloatArray) -> Rents | None:
    """Rents of k limits (k,) for goods that need ``content`` (k, n) >= 0 of them; None if a limit is not positive."""
    if not (limit > 0.0).all():
        return None
    dual = _Dual(terms, content / limit[:, None])
    value = dual.start()
    if value is None:
        return None
    best, best_residual, iterations = value, dual.residual(value), 0
    point = dual.at(value)
    for _ in range(_MOST_STEPS):
        if best_residual <= _PRECISION:
            break
        iterations += 1
        new = dual.step(value, point)
        if new is None:
            break
        value = new
        point = dual.at(value)
        residual = dual.residual(value)
        if residual < best_residual:
            best, best_residual = value, residual
        elif iterations > 3 and residual > 0.5 * best_residual and best_residual < 1e-10:
            break  # rounding has taken over
    return Rents(best / limit, demand(terms, dual.content.T @ best), iterations)


class _Dual:
    """The dual in values mu_k = rent_k b_k, where every limit is one."""

    def __init__(self, terms: SeparableTerms, content: FloatArray):
        self.terms, self.content = terms, content
        self.valued = (terms.kind != 0) & (terms.a > 0.0)

    def at(self, values: FloatArray) -> float:
        """The dual function."""
        prices = self.content.T @ values
        n = prices.size
        with np.errstate(invalid="ignore"):
            parts = infimum(self.terms, prices, np.zeros(n), np.full(n, np.inf))
        return float(np.sum(values) - np.sum(parts[self.valued]))

    def gradient(self, values: FloatArray) -> FloatArray:
        """(k,) the unused share of every limit; -inf where consumption has no end."""
        taken = demand(self.terms, self.content.T @ values)
        if not np.isfinite(taken).all():
            return np.full(values.shape, -np.inf)
        return 1.0 - self.content @ taken

    def residual(self, values: FloatArray) -> float:
        """Largest violation of mu >= 0, g >= 0, mu_k g_k = 0, with mu relative to the sum of all."""
        g = self.gradient(values)
        share = values / max(float(values.sum()), 1e-300)
        return float(np.max(np.where(g >= 0.0, np.minimum(g, share), -g)))

    def start(self) -> FloatArray | None:
        """Equal values whose sum is the worth of consumption, found by bisection; None if consumption never fits."""
        k = self.content.shape[0]
        even = np.full(k, 1.0 / k)
        used = lambda log_sum: float(1.0 - even @ self.gradient(np.exp(log_sum) * even))  # noqa: E731
        low = high = 0.0
        for _ in range(_START_DOUBLINGS):
            if used(high) <= 1.0:
                break
            high += 1.0 if high < 50.0 else 10.0
        else:
            return None
        while used(low) < 1.0 and low > -600.0:
            low -= 1.0 if low > -50.0 else 10.0
        for _ in range(_START_BISECTIONS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if used(middle) > 1.0 else (low, middle)
        return np.exp(high) * even

    def step(self, values: FloatArray, point: float) -> FloatArray | None:
        """Towards the minimum of the quadratic model over values >= 0, or None if nothing improves any more."""
        g = self.gradient(values)
        total = float(values.sum())
        H = (self.content * -demand_slope(self.terms, self.content.T @ values)) @ self.content.T
        # With fewer goods than limits H is singular, and a little curvature picks the nearest of equal minima.
        H += np.eye(values.size) * (_CURVATURE * float(np.trace(H)) + _CURVATURE / total)
        root = np.linalg.cholesky(H)
        try:
            aim, _ = nnls(root.T, np.linalg.solve(root, H @ values - g))
        except RuntimeError:  # its iteration limit
            return None
        gain, noise = float(g @ (values - aim)), 1e-15 * (abs(point) + total)
        if not gain > -noise:
            return None
        size = 1.0
        for _ in range(_HALVINGS):
            new = values + size * (aim - values)
            if self.at(new) <= point - _ARMIJO * size * gain + noise:
                return np.maximum(new, 0.0)
            size *= 0.5
        return None
