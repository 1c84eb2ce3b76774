"""The verifier of certificates of infeasibility; independent of kantor.solvers.rays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .problem import LinearProgram, TermKind
from .wide import Wide, products, row_value

# A ray's entry of K'y within this of zero, relative to sum |K_ij| |y_i|, is zero up to the rounding of the data.
_ROUNDING = 32.0 * 2.0**-53
# Without a bound, a variable (dual) is not believed beyond this times the largest side (cost) over its coefficient.
_BEYOND_BELIEF = 1e11


@dataclass(frozen=True)
class RayCheck:
    """``value`` of a ray, what it has to exceed, and what is wrong with it."""

    value: float
    slack: float
    reasons: list[str]


def check_farkas(lp: LinearProgram, y: Any) -> RayCheck:
    """y proves infeasibility if its value exceeds what its own defects could hide; the objective plays no part."""
    reasons = [] if np.isfinite(y).all() and y.any() else ["the ray y is zero or not finite"]
    y = np.where(np.isfinite(y), y, 0.0).astype(Wide)
    wrong = (y > 0) & np.isinf(lp.row_lower) | (y < 0) & np.isinf(lp.row_upper)
    if wrong.any():
        reasons.append(f"y[{int(np.argmax(wrong))}] has the sign of a side that is infinite")
    zero = np.zeros(lp.shape[1], dtype=Wide)
    _, prices = products(lp.K, zero, y)
    _, size = products(abs(lp.K), zero, np.abs(y))
    rho = -prices
    free = (rho > 0) & np.isinf(lp.lower) | (rho < 0) & np.isinf(lp.upper)
    end = np.where(rho > 0, lp.lower, lp.upper)
    counted = ~free & (rho != 0)
    columns = np.sum(np.where(counted, rho, 0) * np.where(counted, end, 0.0).astype(Wide))
    value = float(row_value(lp, np.where(wrong, 0, y)) + columns)
    defect = np.where(free, np.maximum(np.abs(rho) - _ROUNDING * size, 0), 0)
    slack = 0.0
    if defect.any():
        slack = float(np.sum(defect * _believable(lp, by_row=False)))
    # Utilities that are minus infinity at zero need x_j > 0: a strictly positive rho_j then makes up for value zero.
    strict = value >= 0.0 and slack == 0.0 and bool((_needs_more_than_zero(lp) & (rho > _ROUNDING * size)).any())
    if not (value > slack or strict):
        reasons.append(f"the ray's value {value:.3e} does not exceed {slack:.3e}, what its defects could hide")
    return RayCheck(value, slack, reasons)


def _needs_more_than_zero(lp: LinearProgram) -> Any:
    """Columns whose term is infinite at zero, their lower bound."""
    if lp.terms is None:
        return np.zeros(lp.c.size, bool)
    kind, terms = lp.terms.kind, lp.terms
    infinite = (kind == TermKind.LOG) & (terms.b == 0) | (kind == TermKind.POWER) & (terms.e > 1)
    return infinite & (terms.a > 0) & (lp.lower >= 0)


def check_recession(lp: LinearProgram, d: Any) -> RayCheck:
    """d proves dual infeasibility: bounds and rows allow it for ever and the objective falls along it."""
    reasons = [] if np.isfinite(d).all() and d.any() else ["the direction x is zero or not finite"]
    d = np.where(np.isfinite(d), d, 0.0).astype(Wide)
    blocked = (d < 0) & np.isfinite(lp.lower) | (d > 0) & np.isfinite(lp.upper)
    if blocked.any():
        reasons.append(f"the direction leaves the bounds of column {int(np.argmax(blocked))}")
    value, endless = -float(np.sum(lp.c * d)), False
    if lp.terms is not None:
        curved = lp.terms.a > 0
        if (curved & (lp.terms.kind == TermKind.QUADRATIC) & (d != 0)).any():
            reasons.append("the direction moves a column whose quadratic term grows")
        if (curved & (lp.terms.kind == TermKind.USER) & (d != 0)).any():
            reasons.append("the direction moves a column with a user's function, of which nothing is known far out")
        growing = (lp.terms.kind == TermKind.HARMONY) | (lp.terms.kind == TermKind.LOG)
        growing |= (lp.terms.kind == TermKind.POWER) & (lp.terms.e < 1)
        endless = bool((curved & growing & (d > 0)).any())
    moved, _ = products(lp.K, d, np.zeros(lp.shape[0], dtype=Wide))
    size, _ = products(abs(lp.K), np.abs(d), np.zeros(lp.shape[0], dtype=Wide))
    off = np.where(np.isfinite(lp.row_lower), np.maximum(-moved, 0), 0) + np.where(
        np.isfinite(lp.row_upper), np.maximum(moved, 0), 0
    )
    defect = np.maximum(off - _ROUNDING * size, 0)
    slack = float(np.sum(defect * _believable(lp, by_row=True))) if defect.any() else 0.0
    # A utility that grows for ever needs no falling cost, but a direction without defects.
    if not (value > slack or (endless and value >= 0.0 and slack == 0.0)):
        reasons.append(
            f"the objective falls by {value:.3e} along x, not more than {slack:.3e}, what its defects could hide"
        )
    return RayCheck(value, slack, reasons)


def _believable(lp: LinearProgram, by_row: bool) -> Any:
    """A size no |x_j| (or, by row, |y_i|) is believed to exceed: implied by rows and bounds, or the data's sizes."""
    size = np.zeros(lp.shape[0] if by_row else lp.shape[1])
    row = np.repeat(np.arange(lp.shape[0]), np.diff(lp.K.indptr))
    np.maximum.at(size, row if by_row else lp.K.indices, np.abs(lp.K.data))
    given = (lp.c,) if by_row else (lp.row_lower, lp.row_upper, lp.lower, lp.upper)
    known = np.concatenate(given)
    known = np.abs(known[np.isfinite(known)])
    belief = _BEYOND_BELIEF * max(1.0, float(np.max(known, initial=0.0))) / np.where(size > 0, size, 1.0)
    return belief if by_row else np.where(np.isfinite(implied := _implied_sizes(lp, row)), implied, belief)


def _implied_sizes(lp: LinearProgram, row: Any, passes: int = 3) -> Any:
    """Largest |x_j| that bounds and rows leave possible, inf where they leave it open.

    A row l <= sum K_ij x_j <= u is taken as two of the form sum k_j x_j <= s; then k_j x_j <= s - least of the others.
    """
    column, rows = lp.K.indices, lp.shape[0]
    lower, upper = lp.lower.astype(Wide), lp.upper.astype(Wide)
    for _ in range(passes):
        before = lower.copy(), upper.copy()
        for sign, side in ((1.0, lp.row_upper), (-1.0, -lp.row_lower)):
            k = sign * lp.K.data
            with np.errstate(invalid="ignore", divide="ignore"):
                least = np.where(k > 0, k * before[0][column], k * before[1][column])
                open_ended = (k != 0) & ~np.isfinite(least)
                least = np.where(open_ended | (k == 0), 0, least)
                total, size, number = np.zeros(rows, Wide), np.zeros(rows, Wide), np.zeros(rows)
                np.add.at(total, row, least)
                np.add.at(size, row, np.abs(least))
                np.add.at(number, row, open_ended)
                room = side[row] - (total[row] - least)
                room += 1e-9 * (np.abs(room) + size[row] * 1e-3) + 1e-12
                limit = room / k
                usable = (number[row] - open_ended == 0) & np.isfinite(limit)
            for chosen, bound, ufunc in ((usable & (k > 0), upper, np.minimum), (usable & (k < 0), lower, np.maximum)):
                ufunc.at(bound, column[chosen], limit[chosen])
    return np.maximum(np.abs(lower), np.abs(upper)).astype(np.float64)
