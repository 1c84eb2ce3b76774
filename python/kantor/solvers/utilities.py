"""Utilities U = -phi of consumption with proved rounding, from the formulas of :mod:`kantor.solvers.terms`.

U°(p) = sup_{C >= 0} U(C) - p C bounds what a good can contribute beyond its price, for any p >= 0; the C that attains
it is what consumers take at price p (docs/notation.md). It is evaluated at the computed maximiser, whose own
rounding enters only squared.
"""

from __future__ import annotations

import numpy as np

from . import terms as separable
from .problem import FloatArray, SeparableTerms, TermKind
from .rigour import UNIT_ROUNDOFF

# Library functions (log, pow, sqrt) err by a few units in the last place; every formula has fewer than ten operations.
_OPERATIONS = 64.0


def utility(terms: SeparableTerms, consumption: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(U_i(C_i), bound on its rounding error), (n,) each; 0 for goods without utility, -inf where U is."""
    value = np.where(_valued(terms), -separable.value(terms, consumption), 0.0)
    return value, np.where(np.isfinite(value), _OPERATIONS * UNIT_ROUNDOFF * _size(terms, consumption, value), 0.0)


def conjugate(terms: SeparableTerms, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(U°_i(p_i), bound on its rounding error), (n,) each, for p >= 0; 0 for goods without utility, +inf where U° is.

    >>> log = SeparableTerms(np.array([3], np.uint8), np.ones(1), np.zeros(1), np.zeros(1))
    >>> float(conjugate(log, np.ones(1))[0][0])    # sup ln C - C
    -1.0
    """
    n = prices.size
    value = np.where(_valued(terms), -separable.infimum(terms, prices, np.zeros(n), np.full(n, np.inf)), 0.0)
    taken = demand(terms, prices)
    taken = np.where(np.isfinite(taken), taken, 1.0)
    inside = np.where(_valued(terms), -separable.value(terms, taken), 0.0)
    size = prices * taken + _size(terms, taken, inside)
    return value, np.where(np.isfinite(value), _OPERATIONS * UNIT_ROUNDOFF * size, 0.0)


def demand(terms: SeparableTerms, prices: FloatArray) -> FloatArray:
    """(n,) the consumption that attains U°(p); 0 for goods without utility, +inf where no price ends it."""
    n = prices.size
    return np.where(_valued(terms), separable.minimiser(terms, prices, np.zeros(n), np.full(n, np.inf)), 0.0)


def demand_slope(terms: SeparableTerms, prices: FloatArray) -> FloatArray:
    """(n,) dC_i/dp_i <= 0 of :func:`demand` for p > 0: -1/phi''(C) where C > 0, and 0 where nothing is taken."""
    c = demand(terms, prices)
    k, a, b, e = terms.kind, terms.a, terms.b, terms.e
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = np.select(
            [
                k == TermKind.QUADRATIC,
                k == TermKind.LOG,
                k == TermKind.POWER,
                k == TermKind.HYPERBOLIC,
                k == TermKind.HARMONY,
            ],
            [
                -1.0 / a,
                -a / prices**2,
                -c / (e * prices),
                -0.5 * np.sqrt(a * e * b / prices) / prices,
                np.where(c >= b, -a / prices**2, -(b * b) / a),
            ],
            0.0,
        )
    return np.where(_valued(terms) & (c > 0.0), slope, 0.0)


def _valued(terms: SeparableTerms) -> np.ndarray:
    return (terms.kind != TermKind.LINEAR) & (terms.a > 0.0)


def _size(terms: SeparableTerms, c: FloatArray, value: FloatArray) -> FloatArray:
    """Magnitudes of the parts of U(C) whose rounding adds up."""
    k, a, b, e = terms.kind, terms.a, terms.b, terms.e
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.abs(value) + 4.0 * a
        size = np.where(k == TermKind.QUADRATIC, a * (c * c + b * b), size)
        # An exponent good to u moves a power by u |exponent ln base|.
        power = np.abs(value) * (2.0 + np.abs((1.0 - e) * np.log(np.maximum(c, 1e-300))))
        size = np.where(k == TermKind.POWER, power, size)
        if terms.user is not None:  # whose formulas are not known: as if each were a hundred operations long
            size = np.where(k == TermKind.USER, 100.0 * (np.abs(value) + terms.user.size), size)
    return np.where(_valued(terms), size, 0.0)
