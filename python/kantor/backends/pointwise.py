"""The per-element formulas in NumPy, as csrc/pointwise.hpp writes them; the oracle for that header.

prox(v) = argmin_u phi(u) + (u - v)^2 / (2 tau), without bounds: in one dimension the bounded prox is the clipped one.
Sources: mathematics of each term in docs/notation.md; the scalar Newton has a fixed number of steps, so no branch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NEWTON_STEPS = 8  # six reach 1e-14 over e^+-30; two spare ones cost nothing measurable


def _positive_root(v: Any, q: Any) -> Any:
    """The positive root of u^2 - v u - q = 0, q >= 0, without cancellation for v < 0."""
    root = np.sqrt(v * v + 4.0 * q)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(v >= 0.0, 0.5 * (v + root), np.where(root == 0.0, 0.0, 2.0 * q / (root - v)))


def _power_root(v: Any, k0: Any, sigma: Any) -> Any:
    """Solve u - v - k0 u^-sigma = 0 for u > 0: Newton in u for v >= 0, in ln u for v < 0 (both monotone)."""
    a = np.power(k0, 1.0 / (1.0 + sigma))
    negative = v < 0.0
    minus_v = np.where(negative, -v, 1.0)
    v = np.where(negative, 0.0, v)
    u = np.maximum(v, a)
    z = np.minimum(np.log(a), (np.log(k0) - np.log(minus_v)) / sigma)
    for _ in range(NEWTON_STEPS):
        slope = k0 * np.power(u, -sigma - 1.0)
        u = u - (u - v - slope * u) / (1.0 + sigma * slope)
        total = np.exp(z) + minus_v
        z = z - (sigma * z + np.log(total) - np.log(k0)) / (sigma + np.exp(z) / total)
    return np.where(negative, np.exp(z), u)


def prox(kind: Any, tau: float, v: Any, a: Any, b: Any, e: Any) -> Any:
    """The unbounded prox of one term a column; arguments broadcast, ``kind`` as in TermKind."""
    u = np.array(v, dtype=np.float64)
    for value in np.unique(kind):
        at = kind == value
        if value == 0:
            continue
        u[at] = _PROX[int(value)](tau, v[at], a[at], b[at], e[at])
    return u


def _quadratic(tau: float, v: Any, a: Any, b: Any, e: Any) -> Any:
    return (v + tau * a * b) / (1.0 + tau * a)


def _harmony(tau: float, v: Any, a: Any, b: Any, e: Any) -> Any:
    upper = _positive_root(v, tau * a)
    lower = np.maximum(0.0, (v + 2.0 * tau * a / b) / (1.0 + tau * a / (b * b)))
    return np.where(v >= b - tau * a / b, upper, lower)


def _log(tau: float, v: Any, a: Any, b: Any, e: Any) -> Any:
    return np.maximum(0.0, _positive_root(v + b, tau * a) - b)


def _power(tau: float, v: Any, a: Any, b: Any, e: Any) -> Any:
    return np.where(a > 0.0, _power_root(v, np.where(a > 0.0, tau * a, 1.0), e), v)


def _hyperbolic(tau: float, v: Any, a: Any, b: Any, e: Any) -> Any:
    shift = e * b
    k0 = tau * a * shift
    return np.where(a > 0.0, np.maximum(0.0, _power_root(v + shift, np.where(a > 0.0, k0, 1.0), 2.0) - shift), v)


_PROX = {1: _quadratic, 2: _harmony, 3: _log, 4: _power, 5: _hyperbolic}
