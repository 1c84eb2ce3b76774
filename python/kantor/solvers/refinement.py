"""Iterative refinement: solve for the correction of a point, magnified until it has the size of the program itself.

With s = clip(K x, l, u) and the residuals of (x, y) summed in extended precision, the correction solves

    min  D_d (c - K'y).dx + D_d y.ds    subject to  K dx - ds = -D_p (K x - s),
         D_p (lower - x) <= dx <= D_p (upper - x),  D_p (l - s) <= ds <= D_p (u - s)

(no ds where l = u), and x + dx/D_p, y + dy/D_d is the better point: D_p, D_d are one over the residuals, so each round
wins the digits the correction is solved to, whatever the precision of the iterations. Without the cost of ds the signs
of y would be lost. Source: Gleixner, Steffy, Wolter, "Iterative refinement for linear programming", INFORMS J. Comput.
28 (2016); the form with slacks is ours. The program is refined in its equilibrated units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from .problem import FloatArray, LinearProgram
from .scaling import ScaledProgram
from .termination import Residuals, multiplier_range, norm, side_norm

# The largest magnification, and to what tolerance a correction is solved.
_MOST = 1e13
CORRECTION = 1e-3
_MOST_ROUNDS = 12

Correct = Callable[[LinearProgram], tuple[FloatArray, FloatArray] | None]


@dataclass(frozen=True)
class Correction:
    """``lp`` is the program of the correction of (x, y); its last columns are the slacks of the rows ``loose``."""

    lp: LinearProgram
    loose: Any
    primal: float
    dual: float


def correction(lp: LinearProgram, x: FloatArray, y: FloatArray) -> Correction:
    """The program of the correction; x inside its bounds, y of the signs of its rows.

    >>> one = LinearProgram([1.0], np.eye(1), row_lower=[1.0], row_upper=[1.0])
    >>> c = correction(one, np.array([1.0 + 2.0**-20]), np.array([1.0]))
    >>> bool(c.lp.row_lower[0] == -c.primal * 2.0**-20)
    True
    """
    wide = lp.K.astype(np.longdouble)
    activity, prices = wide @ x.astype(np.longdouble), wide.T @ y.astype(np.longdouble)
    s = np.clip(activity, lp.row_lower, lp.row_upper)
    off = (activity - s).astype(np.float64)
    rho = (lp.c - prices).astype(np.float64)
    wrong = rho - np.clip(rho, *multiplier_range(lp.lower, lp.upper))
    # Complementarity counts as well: a wide gap with feasible points is an error in both.
    gap = _complementarity(lp, x, s.astype(np.float64), y, rho)
    primal = _magnification(max(norm(off) / (1.0 + side_norm(lp.row_lower, lp.row_upper)), gap))
    dual = _magnification(max(norm(wrong) / (1.0 + norm(lp.c)), gap))
    loose = np.flatnonzero(lp.row_lower != lp.row_upper)
    slack = sp.csr_array((np.full(loose.size, -1.0), (loose, np.arange(loose.size))), shape=(y.size, loose.size))
    away = lambda bound, at: primal * (bound - at)  # noqa: E731
    at = s[loose]
    program = LinearProgram(
        dual * np.concatenate([rho, y[loose]]),
        sp.hstack([lp.K, slack], format="csr"),
        row_lower=-primal * off,
        row_upper=-primal * off,
        lower=np.concatenate([away(lp.lower, x), away(lp.row_lower[loose], at)]).astype(np.float64),
        upper=np.concatenate([away(lp.upper, x), away(lp.row_upper[loose], at)]).astype(np.float64),
    )
    return Correction(program, loose, primal, dual)


def _complementarity(lp: LinearProgram, x: FloatArray, s: FloatArray, y: FloatArray, rho: FloatArray) -> float:
    """sqrt of the relative gap: the size of an error that both sides share."""
    with np.errstate(invalid="ignore"):
        row = np.where(y > 0, y * (s - lp.row_lower), np.where(y < 0, y * (s - lp.row_upper), 0.0))
        column = np.where(rho > 0, rho * (x - lp.lower), np.where(rho < 0, rho * (x - lp.upper), 0.0))
    total = float(np.sum(row[np.isfinite(row)]) + np.sum(column[np.isfinite(column)]))
    return float(np.sqrt(max(total, 0.0) / (1.0 + 2.0 * abs(float(lp.c @ x)))))


def _magnification(residual: float) -> float:
    """One over the residual as a power of two, which rounds nothing."""
    return float(np.exp2(np.floor(np.log2(min(_MOST, 1.0 / max(residual, 1.0 / _MOST))))))


def as_linear_program(scaled: ScaledProgram) -> LinearProgram:
    """The equilibrated program on its own."""
    return LinearProgram(
        scaled.c, scaled.K, scaled.row_lower, scaled.row_upper, lower=scaled.lower, upper=scaled.upper
    )  # fmt: skip


def refine(
    lp: LinearProgram, x: FloatArray, y: FloatArray, judge: Callable[[FloatArray, FloatArray], Residuals],
    tolerance: float, correct: Correct,
) -> tuple[FloatArray, FloatArray, int, list[float]]:  # fmt: skip
    """(x, y, rounds, largest residual before and after each) of the best point on the way to ``tolerance``.

    ``correct`` solves a correction to :data:`CORRECTION`, or returns None where limits leave no room. It ends when the
    tolerance is met, or a round gains less than a factor of two.
    """
    x = np.clip(x, lp.lower, lp.upper)
    y = np.clip(y, *multiplier_range(lp.row_lower, lp.row_upper))
    worst = [judge(x, y).worst]
    rounds = 0
    while worst[-1] > tolerance and rounds < _MOST_ROUNDS:
        step = correction(lp, x, y)
        found = correct(step.lp)
        if found is None:
            break
        dx, dy = found
        new_x = np.clip(x + dx[: x.size] / step.primal, lp.lower, lp.upper)
        new_y = np.clip(y + dy / step.dual, *multiplier_range(lp.row_lower, lp.row_upper))
        now = judge(new_x, new_y).worst
        rounds += 1
        if not now < worst[-1]:
            break
        x, y = new_x, new_y
        worst.append(now)
        if now > 0.5 * worst[-2]:
            break
    return x, y, rounds, worst
