"""Residuals, the gap and the stopping rule: pure functions of vectors and scalars, on the host.

Formulas (minimisation; y >= 0 on >= rows; ||.|| the 2-norm):

    primal = ||K x - clip(K x, l, u)|| / (1 + ||b||)          b: the finite u_i, and the finite l_i that differ from u_i
    dual   = ||rho - admissible part|| / (1 + ||c||)          rho = c - K'y; with terms c_j + phi_j'(x_j) in ||c||
    gap    = |P - D| / (1 + |P| + |D|)                        P = c.x + phi(x)
    D      = sum_i (l_i y_i+ - u_i y_i-) + sum_j inf over [lower_j, upper_j] of (rho_j x + phi_j(x))

rho_j is admissible where that infimum is finite: rho_j >= 0 without an upper bound, <= 0 without a lower one, 0 without
either. D uses the admissible part only. The constant of the objective is in neither P nor D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import terms as separable
from .problem import FloatArray, LinearProgram


@dataclass(frozen=True)
class Residuals:
    """The three relative residuals of a point and both objectives (minimisation, without the constant).

    ``scaled_primal``, ``scaled_dual`` are those of the equilibrated program, relative to its own sizes; zero where only
    the original one was looked at. They keep rows and columns honest that are small only because of their units.
    """

    primal: float
    dual: float
    gap: float
    objective: float
    dual_objective: float
    scaled_primal: float = 0.0
    scaled_dual: float = 0.0

    @property
    def scaled(self) -> float:
        """The larger residual of the equilibrated program; NaN counts as infinite."""
        return max(math.inf if math.isnan(r) else r for r in (self.scaled_primal, self.scaled_dual))

    @property
    def worst(self) -> float:
        """The largest of them; NaN counts as infinite."""
        return max(math.inf if math.isnan(r) else r for r in (self.primal, self.dual, self.gap, self.scaled))

    def within(self, tolerance: float) -> bool:
        """Whether all are at most ``tolerance``.

        >>> Residuals(1e-7, 1e-7, 1e-6, 0.0, 0.0).within(1e-6), Residuals(1e-7, 1e-7, 1.1e-6, 0.0, 0.0).within(1e-6)
        (True, False)
        """
        return self.worst <= tolerance


def relative_gap(primal: float, dual: float) -> float:
    """|P - D| / (1 + |P| + |D|), infinite if either is not finite.

    >>> relative_gap(3.0, 1.0)
    0.4
    """
    if not (math.isfinite(primal) and math.isfinite(dual)):
        return math.inf
    return abs(primal - dual) / (1.0 + abs(primal) + abs(dual))


def side_norm(lower: FloatArray, upper: FloatArray) -> float:
    """||b||: the 2-norm of the finite upper sides and the finite lower sides that differ from them.

    >>> float(side_norm(np.array([3.0, -np.inf, 0.0]), np.array([3.0, 4.0, np.inf])))
    5.0
    """
    high = upper[np.isfinite(upper)]
    low = lower[np.isfinite(lower) & (lower != upper)]
    return math.hypot(norm(high), norm(low))


def norm(v: FloatArray) -> float:
    """The 2-norm, safe against overflow of the squares."""
    largest = float(np.max(np.abs(v), initial=0.0))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    if 1e-140 < largest < 1e140:
        return float(np.sqrt(np.dot(v, v)))
    return largest * float(np.sqrt(np.dot(v / largest, v / largest)))


def multiplier_range(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The signs a multiplier may have, [0 or -inf, 0 or inf]: positive only with a finite lower side, negative only
    with a finite upper one. For rows the range of y, for columns without a term the range of rho.
    """
    return np.where(np.isfinite(upper), -np.inf, 0.0), np.where(np.isfinite(lower), np.inf, 0.0)


def support(multiplier: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    """sum of l m+ - u m-, for multipliers inside :func:`multiplier_range`."""
    low = np.where(multiplier > 0, lower, 0.0)
    high = np.where(multiplier < 0, upper, 0.0)
    return float(np.dot(np.where(multiplier > 0, low, high), multiplier))


def residuals(lp: LinearProgram, x: FloatArray, y: FloatArray) -> Residuals:
    """The residuals of (x, y) from the raw arrays; x inside its bounds. A sign of y its row cannot have counts as dual
    residual.
    """
    activity = lp.K @ x
    primal = norm(activity - np.clip(activity, lp.row_lower, lp.row_upper)) / (
        1.0 + side_norm(lp.row_lower, lp.row_upper)
    )
    signed = np.clip(y, *multiplier_range(lp.row_lower, lp.row_upper))
    rho = lp.c - lp.K.T @ signed
    columns = separable.active_columns(lp.terms)
    part, bound, gradient = _columns(lp, x, rho, columns)
    wrong = math.hypot(norm(rho - part), norm(y - signed))
    dual = wrong / (1.0 + norm(gradient)) if np.isfinite(wrong) else math.inf
    objective = float(lp.c @ x)
    if lp.terms is not None:
        objective += float(np.sum(separable.value(lp.terms, x)))
    dual_objective = support(signed, lp.row_lower, lp.row_upper) + bound
    return Residuals(primal, dual, relative_gap(objective, dual_objective), objective, dual_objective)


def _columns(lp: LinearProgram, x: FloatArray, rho: FloatArray, columns: Any) -> tuple[FloatArray, float, FloatArray]:
    """Admissible part of rho, the columns' share of D, and the gradient of the objective (finite part)."""
    low, high = multiplier_range(lp.lower, lp.upper)
    part = np.clip(rho, low, high)
    if lp.terms is None or not columns.size:
        return part, support(part, lp.lower, lp.upper), lp.c
    terms = separable.select(lp.terms, columns)
    part[columns], infima = separable.admissible(terms, rho[columns], x[columns], lp.lower[columns], lp.upper[columns])
    linear = part.copy()
    linear[columns] = 0.0
    return part, support(linear, lp.lower, lp.upper) + float(np.sum(infima)), gradient(lp, x, columns, terms)


def gradient(lp: LinearProgram, x: FloatArray, columns: Any, terms: Any) -> FloatArray:
    """c + phi'(x), with c alone where phi' is infinite."""
    slopes = separable.slope(terms, x[columns])
    out = lp.c.copy()
    out[columns] += np.where(np.isfinite(slopes), slopes, 0.0)
    return out
