"""The columns' part of the verifier: terms, their infima by bisection, reduced costs; without kantor.solvers.terms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .problem import LinearProgram, SeparableTerms, TermKind
from .wide import Wide


class Columns:
    """The columns' part: value of the terms, share of the dual objective, inadmissible reduced costs, gradient."""

    def __init__(self, lp: LinearProgram, x: Any, rho: Any) -> None:
        kind = np.zeros(lp.c.size, np.uint8) if lp.terms is None else np.where(lp.terms.a > 0, lp.terms.kind, 0)
        plain = kind == TermKind.LINEAR
        bad = plain & ((rho > 0) & np.isinf(lp.lower) | (rho < 0) & np.isinf(lp.upper))
        self.inadmissible = np.where(bad, rho, Wide(0))
        end = np.where(rho > 0, lp.lower, lp.upper)
        counted = plain & ~bad & (rho != 0)
        self.bound = np.sum(np.where(counted, rho, 0) * np.where(counted, end, 0.0).astype(Wide))
        self.gradient = lp.c.astype(Wide)
        self.value = Wide(0)
        for code in np.unique(kind[~plain]):
            assert lp.terms is not None
            if code == TermKind.USER:
                self._own(lp, np.flatnonzero(kind == code), x, rho)
                continue
            self._curved(lp, lp.terms, TermKind(int(code)), np.flatnonzero(kind == code), x, rho)

    def _own(self, lp: LinearProgram, at: Any, x: Any, rho: Any) -> None:
        """Add the columns with a user's function: bounded by its own conjugate, which is all that is known of it."""
        assert lp.terms is not None
        assert lp.terms.user is not None
        user, x, rho = lp.terms.user.take(at), x[at].astype(np.float64), rho[at].astype(np.float64)
        steep = user.slopes(x)
        self.value += np.sum(user.values(x).astype(Wide))
        self.gradient[at] += np.where(np.isfinite(steep), steep, 0)
        least = user.infimum(rho, lp.lower[at], lp.upper[at])
        lost = ~np.isfinite(least)
        self.inadmissible[at] = np.where(lost, rho + steep, 0)
        self.bound += np.sum(np.where(lost, user.infimum(-steep, lp.lower[at], lp.upper[at]), least).astype(Wide))

    def _curved(self, lp: LinearProgram, terms: SeparableTerms, kind: TermKind, at: Any, x: Any, rho: Any) -> None:
        """Add the columns ``at``, all of one kind of term."""
        a, b, e = (v[at].astype(Wide) for v in (terms.a, terms.b, terms.e))
        x, rho = x[at], rho[at]
        value, steep = _phi(kind, a, b, e, x), _dphi(kind, a, b, e, x)
        self.value += np.sum(value)
        self.gradient[at] += np.where(np.isfinite(steep), steep, 0)
        least = _lowest(kind, a, b, e, rho, lp.lower[at].astype(Wide), lp.upper[at].astype(Wide))
        lost = ~np.isfinite(least)
        # Where rho admits no lower bound the marginal value at x does, and the difference is dual residual.
        self.inadmissible[at] = np.where(lost, rho + steep, 0)
        with np.errstate(invalid="ignore"):
            at_x = np.where(np.isfinite(steep), value - steep * x, -np.inf)
        self.bound += np.sum(np.where(lost, at_x, least))


def _phi(kind: TermKind, a: Any, b: Any, e: Any, x: Any) -> Any:
    """The term's value in extended precision."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind is TermKind.QUADRATIC:
            return a * (x - b) * (x - b) / 2
        if kind is TermKind.HARMONY:
            u = x / b
            return -a * np.where(u >= 1, np.log(np.maximum(u, 1)), (u - 1) * (3 - u) / 2)
        if kind is TermKind.LOG:
            return -a * np.log(x + b)
        if kind is TermKind.POWER:
            return a * x ** (1 - e) / (e - 1)
        return -a * x / (e * b + x)


def _dphi(kind: TermKind, a: Any, b: Any, e: Any, x: Any) -> Any:
    """The term's slope in extended precision; minus infinity where the marginal utility is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind is TermKind.QUADRATIC:
            return a * (x - b)
        if kind is TermKind.HARMONY:
            return np.where(x >= b, -a / np.maximum(x, b), -a * (2 * b - x) / (b * b))
        if kind is TermKind.LOG:
            return -a / (x + b)
        if kind is TermKind.POWER:
            return -a * x ** (-e)
        return -a * e * b / ((e * b + x) * (e * b + x))


def _lowest(kind: TermKind, a: Any, b: Any, e: Any, rho: Any, lower: Any, upper: Any) -> Any:
    """inf over [lower, upper] of rho z + phi(z), by bisection on the slope rho + phi'(z), which never falls.

    No conjugate formula is used: the search is on the interval itself, in ratio where it spans decades.
    """

    def falling(z: Any) -> Any:
        return rho + _dphi(kind, a, b, e, z) < 0

    scale = np.where((b > 0) & (kind is not TermKind.POWER), b, Wide(1))
    low = np.where(np.isfinite(lower), lower, -scale)
    high = np.where(np.isfinite(upper), upper, np.maximum(scale, 2 * np.abs(low)))
    for _ in range(260):  # 16^260 is beyond any double
        further = np.isinf(upper) & falling(high) & (high < 1e300)
        back = np.isinf(lower) & ~falling(low) & (low > -1e300)
        if not (further.any() or back.any()):
            break
        high, low = np.where(further, high * 16, high), np.where(back, low * 16, low)
    endless = np.isinf(upper) & falling(high)
    # Ends where the slope has one sign only are the answer themselves; bisection leaves them in place.
    low, high = np.where(falling(high), high, low), np.where(falling(low), high, low)
    for _ in range(400):
        with np.errstate(invalid="ignore"):
            middle = np.where((low > 0) & (high > 4 * low), np.sqrt(low) * np.sqrt(high), (low + high) / 2)
        inside = (low < middle) & (middle < high)
        if not inside.any():
            break
        down = falling(middle)
        low, high = np.where(inside & down, middle, low), np.where(inside & ~down, middle, high)
    return np.where(endless, _at_infinity(kind, a, e, rho), rho * low + _phi(kind, a, b, e, low))


def _at_infinity(kind: TermKind, a: Any, e: Any, rho: Any) -> Any:
    """The infimum where rho z + phi(z) falls for ever."""
    limit = np.full(a.shape, -np.inf, dtype=Wide)
    if kind is TermKind.HYPERBOLIC:
        limit = -a
    elif kind is TermKind.POWER:
        limit = np.where(e > 1, Wide(0), limit)
    return np.where(rho == 0, limit, -np.inf)
