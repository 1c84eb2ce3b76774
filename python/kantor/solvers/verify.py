"""verify_lp: recompute all that a solution claims, from the raw arrays, with code that shares nothing with the solver.

Sums run in extended precision (numpy.longdouble; on machines where that is plain double, products still are summed row
by row in a fixed order). Formulas: docs/notation.md, "Residuals"; they are restated here on purpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import OptionError, ProblemError
from .problem import LinearProgram
from .solution import Solution, Status
from .verify_columns import Columns
from .verify_rays import RayCheck, check_farkas, check_recession
from .wide import Wide, largest, length, products, row_value

_NUMBERS = (
    "primal_residual", "dual_residual", "gap", "primal_absolute", "dual_absolute", "primal_value", "dual_value",
    "bound_violation", "sign_violation", "objective", "dual_objective",
)  # fmt: skip


@dataclass(frozen=True)
class LpVerification:
    """What was recomputed. ``ok`` says whether the claim of the status holds; ``reasons`` says why not.

    With off_i = distance of (K x)_i from its sides, wrong_j = inadmissible part of rho_j = c_j - (K'y)_j (or of y_i,
    for a sign its row cannot have), P and D the objectives of solve_lp, b and c as there:

    =================================== ============================================================
    primal_residual, dual_residual      ||off|| / (1 + ||b||), ||wrong|| / (1 + ||c||), 2-norms
    gap                                 |P - D| / (1 + |P| + |D|)
    primal_absolute, dual_absolute      max |off_i|, max |wrong_j|: in the problem's units
    primal_value, dual_value            max |off_i y_i| / (1 + |P|), max |wrong_j x_j| / (1 + |P|): what an entry is
                                        worth, whatever its unit
    bound_violation                     max distance of x_j from its bounds / (1 + |bound|)
    sign_violation                      max wrong-signed |y_i|
    =================================== ============================================================

    OPTIMAL needs the first three and the bounds; the others are reported. objective and dual_objective are in the
    user's sense.
    For a ray, ``certificate`` is its value (D0(y), or -c.x), ``certificate_slack`` what it has to exceed, and the
    residuals are NaN. For limits and interruptions ``ok`` only says that the vectors are sound: finite and in bounds.
    """

    ok: bool
    status: Status
    tolerance: float
    primal_residual: float
    dual_residual: float
    gap: float
    primal_absolute: float
    dual_absolute: float
    primal_value: float
    dual_value: float
    bound_violation: float
    sign_violation: float
    objective: float
    dual_objective: float
    certificate: float = math.nan
    certificate_slack: float = math.nan
    reasons: list[str] = field(default_factory=list)


def verify_lp(lp: LinearProgram, solution: Solution, tolerance: float | None = None) -> LpVerification:
    """Check a solution of ``lp`` independently.

    Parameters
    ----------
    lp : LinearProgram
        The original program.
    solution : Solution
        What solve_lp, or anything else, returned; x (N,), y (M,) in the user's sense (see solve_lp).
    tolerance : float or None
        For the relative residuals and the gap; None takes ``solution.info.tolerance``. What OPTIMAL claims is checked
        at this tolerance; x may leave its bounds by 1e-12 (1 + |bound|). Reported objectives must agree with the
        recomputed ones to 1e-9 relative.

    Returns
    -------
    LpVerification

    Raises
    ------
    ProblemError, OptionError
        If the vectors do not fit the program, or no tolerance is known.

    Examples
    --------
    >>> import numpy as np
    >>> lp = LinearProgram(c=[2.0, 3.0], K=np.array([[1.0, 1.0]]), row_lower=[2.0])
    >>> good = Solution(np.array([2.0, 0.0]), np.array([2.0]), np.array([0.0, 1.0]), 4.0, 4.0, Status.OPTIMAL)
    >>> verify_lp(lp, good, tolerance=1e-9).ok
    True
    """
    rows, columns = lp.shape
    x, y = _entry("x", solution.x, columns), _entry("y", solution.y, rows)
    if tolerance is None:
        tolerance = float(solution.info.tolerance)
    if not (math.isfinite(tolerance) and tolerance > 0):
        raise OptionError(f"tolerance: got {tolerance!r}, expected a number > 0 (the solution carries none)")
    if solution.status is Status.PRIMAL_INFEASIBLE:
        return _ray_result(solution.status, tolerance, check_farkas(lp, y))
    if solution.status is Status.DUAL_INFEASIBLE:
        return _ray_result(solution.status, tolerance, check_recession(lp, x))
    return _verify_point(lp, solution, x, y, tolerance)


def _entry(name: str, value: Any, size: int) -> Any:
    vector = np.asarray(value, dtype=np.float64)
    if vector.shape != (size,):
        raise ProblemError(f"solution.{name}: shape {vector.shape}, expected ({size},)")
    return vector


# ---- points --------------------------------------------------------------------------------------------------------
def _verify_point(lp: LinearProgram, solution: Solution, x: Any, y: Any, tolerance: float) -> LpVerification:
    reasons = []
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        reasons.append("x or y holds a number that is not finite")
        return LpVerification(
            ok=False, status=solution.status, tolerance=tolerance, reasons=reasons, **dict.fromkeys(_NUMBERS, math.nan)
        )
    sense = -1.0 if lp.maximise else 1.0
    wide_x, wide_y = x.astype(Wide), sense * y.astype(Wide)
    activity, prices = products(lp.K, wide_x, wide_y)
    off = np.maximum(lp.row_lower - activity, 0) + np.maximum(activity - lp.row_upper, 0)
    sides = np.concatenate([lp.row_upper[np.isfinite(lp.row_upper)],
                            lp.row_lower[np.isfinite(lp.row_lower) & (lp.row_lower != lp.row_upper)]])  # fmt: skip
    outside = np.maximum(lp.lower - x, x - lp.upper)
    scale = 1.0 + np.abs(np.where(x < lp.lower, lp.lower, lp.upper))
    wrong = np.where((wide_y > 0) & np.isinf(lp.row_lower) | (wide_y < 0) & np.isinf(lp.row_upper), np.abs(wide_y), 0)
    columns = Columns(lp, wide_x, lp.c.astype(Wide) - prices)
    value = float(np.sum(lp.c * wide_x) + columns.value)
    bound = float(row_value(lp, np.where(wrong > 0, 0, wide_y)) + columns.bound)
    dual_norm = math.hypot(length(columns.inadmissible), length(wrong))
    result = LpVerification(
        ok=False,
        status=solution.status,
        tolerance=tolerance,
        primal_residual=length(off) / (1.0 + length(sides.astype(Wide))),
        dual_residual=dual_norm / (1.0 + length(columns.gradient)),
        gap=abs(value - bound) / (1.0 + abs(value) + abs(bound))
        if math.isfinite(value) and math.isfinite(bound)
        else math.inf,
        primal_absolute=largest(off),
        dual_absolute=max(largest(columns.inadmissible), largest(wrong)),
        primal_value=largest(off * wide_y) / (1.0 + abs(value)),
        dual_value=largest(columns.inadmissible * wide_x) / (1.0 + abs(value)),
        bound_violation=largest(np.where(outside > 0, outside, 0.0) / np.where(np.isfinite(scale), scale, 1.0)),
        sign_violation=largest(wrong),
        objective=sense * (value + lp.offset),
        dual_objective=sense * (bound + lp.offset),
    )
    if result.bound_violation > 1e-12:
        j = int(np.argmax(outside))
        reasons.append(f"x[{j}] = {x[j]} is outside its bounds [{lp.lower[j]}, {lp.upper[j]}]")
    if solution.status is Status.OPTIMAL:
        reasons += _optimality(solution, result)
    if solution.status is Status.NUMERICAL_ERROR:
        reasons.append("the solver reports a numerical error")
    return LpVerification(**{**result.__dict__, "ok": not reasons, "reasons": reasons})


def _optimality(solution: Solution, got: LpVerification) -> list[str]:
    reasons = []
    for name in ("primal_residual", "dual_residual", "gap"):
        size = getattr(got, name)
        if not size <= got.tolerance:
            reasons.append(f"{name.replace('_', ' ')} {size:.3e} exceeds the tolerance {got.tolerance:.3e}")
    for name in ("objective", "dual_objective"):
        said, found = float(getattr(solution, name)), getattr(got, name)
        if not abs(said - found) <= 1e-9 * (1.0 + abs(found)):
            reasons.append(f"{name.replace('_', ' ')}: reported {said!r}, recomputed {found!r}")
    return reasons


def _ray_result(status: Status, tolerance: float, check: RayCheck) -> LpVerification:
    return LpVerification(
        ok=not check.reasons,
        status=status,
        tolerance=tolerance,
        certificate=check.value,
        certificate_slack=check.slack,
        reasons=check.reasons,
        **dict.fromkeys(_NUMBERS, math.nan),
    )
