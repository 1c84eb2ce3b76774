"""Separable convex terms on the host: value, slope, and the infimum of rho x + phi(x) on an interval, in closed form.

The infimum is minus a conjugate: inf over [l, u] of rho x + phi(x) = -phi*(-rho) with phi restricted to [l, u]. With
U = -phi and U'(x*) = rho the unbounded minimiser x* is explicit for every kind, and in one dimension the bounded one is
x* clipped to [l, u]. The table of U is in :class:`kantor.solvers.problem.TermKind`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .problem import FloatArray, SeparableTerms, TermKind
from .user_terms import UserTerm

_Formula = Callable[[Any, Any, Any, Any], Any]


def active_columns(terms: SeparableTerms | None) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Indices of the columns that carry a term (a kind other than LINEAR and a > 0)."""
    if terms is None:
        return np.zeros(0, np.intp)
    return np.flatnonzero((terms.kind != TermKind.LINEAR) & (terms.a > 0))


def select(terms: SeparableTerms, columns: Any) -> SeparableTerms:
    """The terms of some columns."""
    user = None if terms.user is None else terms.user.take(columns)
    return SeparableTerms(terms.kind[columns], terms.a[columns], terms.b[columns], terms.e[columns], user)


def user_columns(terms: SeparableTerms | None) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Indices of the columns that carry a function of the user's own."""
    if terms is None or terms.user is None:
        return np.zeros(0, np.intp)
    return np.flatnonzero(terms.kind == TermKind.USER)


def value(terms: SeparableTerms, x: FloatArray) -> FloatArray:
    """phi_j(x_j), shape (n,); +inf outside the domain."""
    out = _by_kind(terms, x, _VALUE)
    for at, user in _own(terms):
        out[at] = user.values(x[at])
    return out


def slope(terms: SeparableTerms, x: FloatArray) -> FloatArray:
    """phi_j'(x_j), shape (n,); -inf where the marginal utility is infinite (LOG with b = 0 and POWER at 0)."""
    out = _by_kind(terms, x, _SLOPE)
    for at, user in _own(terms):
        out[at] = user.slopes(x[at])
    return out


def minimiser(terms: SeparableTerms, rho: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """argmin over [lower, upper] of rho x + phi(x), shape (n,); infinite where only infinity attains the infimum."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        x = _by_kind(terms, rho, _MINIMISER)
    linear = (terms.kind == TermKind.LINEAR) | (terms.a == 0)
    at_zero = linear & (rho == 0)
    x = np.where(linear, np.where(rho > 0, -np.inf, np.inf), x)
    x = np.where(at_zero, 0.0, x)
    for at, user in _own(terms):
        x[at] = user.minimiser(rho[at], lower[at], upper[at])
    return np.clip(x, lower, upper)


def infimum(terms: SeparableTerms, rho: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """inf over [lower, upper] of rho x + phi(x), shape (n,): the column's share of the dual objective, or -inf.

    >>> import numpy as np
    >>> log = SeparableTerms(np.array([3], np.uint8), np.ones(1), np.zeros(1), np.zeros(1))
    >>> infimum(log, np.array([0.5]), np.zeros(1), np.array([np.inf]))    # inf of x/2 - ln x is 1 - ln 2
    array([0.30685282])
    """
    own = user_columns(terms)
    if own.size:
        return _infimum_with_own(terms, rho, lower, upper, own)
    x = minimiser(terms, rho, lower, upper)
    finite = np.isfinite(x)
    at = np.where(finite, x, 1.0)
    with np.errstate(divide="ignore", over="ignore"):
        inside = rho * at + value(terms, at)
    return np.where(finite, inside, np.where(rho == 0, _value_at_infinity(terms), -np.inf))


def _infimum_with_own(
    terms: SeparableTerms, rho: FloatArray, lower: FloatArray, upper: FloatArray, own: Any
) -> FloatArray:
    """The infimum where some columns carry a user's function: theirs by its conjugate, the others' as ever."""
    assert terms.user is not None
    out, rest = np.zeros(rho.shape), np.flatnonzero(terms.kind != TermKind.USER)
    if rest.size:
        plain = select(terms, rest)
        out[rest] = infimum(plain, rho[rest], lower[rest], upper[rest])
    out[own] = terms.user.take(own).infimum(rho[own], lower[own], upper[own])
    return out


def admissible(
    terms: SeparableTerms, rho: FloatArray, x: FloatArray, lower: FloatArray, upper: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The part of rho with a finite infimum, and that infimum; both (n,).

    Where rho itself has none (no upper bound, and rho too small for marginal utility ever to fall to it) the part is
    the marginal utility -phi'(x) at the point at hand: the rest, rho + phi'(x), is dual residual, and the infimum is
    reached at x itself.
    """
    low = infimum(terms, rho, lower, upper)
    lost = ~np.isfinite(low)
    if not lost.any():
        return rho, low
    part = np.where(lost, -slope(terms, x), rho)
    with np.errstate(invalid="ignore"):
        at_x = part * x + value(terms, x)
    if user_columns(terms).size:  # whose slope is not exact: the conjugate says what its part is worth
        at_x = np.minimum(at_x, infimum(terms, np.where(np.isfinite(part), part, 0.0), lower, upper))
    return part, np.where(lost, np.where(np.isfinite(at_x), at_x, -np.inf), low)


def typical_slope(terms: SeparableTerms) -> FloatArray:
    """The size of the marginal utility where the term bends: only used to scale the objective, so any size is right.

    POWER bends nowhere; its b, otherwise unused, may name a typical x > 0, so that units cancel for it too.
    """
    shift = np.where(terms.b > 0, terms.b, 1.0)
    size = np.where(terms.kind == TermKind.POWER, terms.a * np.power(shift, -terms.e), terms.a / shift)
    size = np.where(terms.kind == TermKind.QUADRATIC, terms.a * np.abs(terms.b), size)
    for at, user in _own(terms):
        steep = np.abs(user.slopes(terms.b[at]))
        size[at] = np.where(np.isfinite(steep) & (steep > 0.0), steep, user.size * user.unit)
    return np.where(terms.kind == TermKind.LINEAR, 0.0, size)


def _own(terms: SeparableTerms) -> list[tuple[Any, UserTerm]]:
    """The columns of a user's function, and it, if there is one."""
    at = user_columns(terms)
    return [(at, terms.user.take(at))] if at.size and terms.user is not None else []


def _by_kind(terms: SeparableTerms, argument: FloatArray, formulas: dict[TermKind, _Formula]) -> FloatArray:
    out = np.zeros(argument.shape)
    for kind, formula in formulas.items():
        at = np.flatnonzero(terms.kind == kind)
        if at.size:
            out[at] = formula(argument[at], terms.a[at], terms.b[at], terms.e[at])
    return out


def _harmony(s: Any) -> Any:
    return np.where(s < 0, s - 0.5 * s * s, np.log1p(np.maximum(s, 0.0)))


def _log_value(x: Any, a: Any, b: Any, e: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x + b >= 0, -a * np.log(np.maximum(x + b, 0.0)), np.inf)


def _power_value(x: Any, a: Any, b: Any, e: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.where(x >= 0, -a * np.power(np.maximum(x, 0.0), 1.0 - e) / (1.0 - e), np.inf)


_VALUE: dict[TermKind, _Formula] = {
    TermKind.QUADRATIC: lambda x, a, b, e: 0.5 * a * (x - b) ** 2,
    TermKind.HARMONY: lambda x, a, b, e: -a * _harmony(x / b - 1.0),
    TermKind.LOG: _log_value,
    TermKind.POWER: _power_value,
    TermKind.HYPERBOLIC: lambda x, a, b, e: -a * (x / b) / (e + x / b),
}


def _reciprocal_slope(x: Any, a: Any, b: Any, e: Any) -> Any:
    with np.errstate(divide="ignore"):
        return -a / (x + b)


def _power_slope(x: Any, a: Any, b: Any, e: Any) -> Any:
    with np.errstate(divide="ignore"):
        return -a * np.power(np.maximum(x, 0.0), -e)


_SLOPE: dict[TermKind, _Formula] = {
    TermKind.QUADRATIC: lambda x, a, b, e: a * (x - b),
    TermKind.HARMONY: lambda x, a, b, e: -(a / b) * np.where(x < b, 2.0 - x / b, b / np.maximum(x, b)),
    TermKind.LOG: _reciprocal_slope,
    TermKind.POWER: _power_slope,
    TermKind.HYPERBOLIC: lambda x, a, b, e: -(a * e / b) / (e + x / b) ** 2,
}


def _harmony_minimiser(rho: Any, a: Any, b: Any, e: Any) -> Any:
    beta = rho * b / a
    return np.where(beta <= 0, np.inf, np.where(beta <= 1, b / beta, b * (2.0 - beta)))


# U'(x) = rho solved for x; +inf where U' never falls to rho. A column with a = 0 is overwritten by the caller.
_MINIMISER: dict[TermKind, _Formula] = {
    TermKind.QUADRATIC: lambda rho, a, b, e: b - rho / a,
    TermKind.HARMONY: _harmony_minimiser,
    TermKind.LOG: lambda rho, a, b, e: np.where(rho > 0, a / rho - b, np.inf),
    TermKind.POWER: lambda rho, a, b, e: np.where(rho > 0, np.power(a / np.maximum(rho, 0.0), 1.0 / e), np.inf),
    TermKind.HYPERBOLIC: lambda rho, a, b, e: np.where(
        rho > 0, b * (np.sqrt(a * e / (b * np.maximum(rho, 0.0))) - e), np.inf
    ),
}


def _value_at_infinity(terms: SeparableTerms) -> FloatArray:
    """lim of phi as x grows without limit: finite only for LINEAR, HYPERBOLIC and POWER with e > 1."""
    limit = np.full(terms.a.shape, -np.inf)
    limit = np.where((terms.kind == TermKind.LINEAR) | (terms.a == 0), 0.0, limit)
    limit = np.where((terms.kind == TermKind.POWER) & (terms.e > 1), 0.0, limit)
    return np.where(terms.kind == TermKind.HYPERBOLIC, -terms.a, limit)
