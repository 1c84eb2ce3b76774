"""A plain recomputation of the residuals of a linear programme: NumPy and SciPy in double precision, nothing of kantor.

The formulas are those of docs/notation.md, restated. Every answer is first tidied, alike for all solvers: x is clipped
to its bounds, y to the signs its rows admit; what that moves is told.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .files import Arrays, get_matrix


def tidy(arrays: Arrays, answer: Arrays) -> tuple[Any, Any, float]:
    """(x inside its bounds, y of admissible sign, largest move of x relative to 1 + |x|)."""
    x = np.clip(answer["x"], arrays["lower"], arrays["upper"])
    low = np.where(np.isfinite(arrays["row_upper"]), -np.inf, 0.0)
    high = np.where(np.isfinite(arrays["row_lower"]), np.inf, 0.0)
    moved = np.abs(x - answer["x"]) / (1.0 + np.abs(x))
    return x, np.clip(answer["y"], low, high), float(moved.max(initial=0.0))


def residuals(arrays: Arrays, x: Any, y: Any) -> dict[str, float]:
    """Relative primal and dual residual, gap, both objectives, and the largest row violation and reduced-cost error."""
    K, c = get_matrix(arrays, "K"), arrays["c"]
    row_lower, row_upper, lower, upper = (arrays[k] for k in ("row_lower", "row_upper", "lower", "upper"))
    activity = K @ x
    off = np.maximum(row_lower - activity, 0.0) + np.maximum(activity - row_upper, 0.0)
    sides = [row_upper[np.isfinite(row_upper)], row_lower[np.isfinite(row_lower) & (row_lower != row_upper)]]
    rho = c - K.T @ y
    wrong = np.where((rho > 0) & np.isinf(lower), rho, 0.0) + np.where((rho < 0) & np.isinf(upper), rho, 0.0)
    primal, dual = float(c @ x), _support(y, row_lower, row_upper) + _support(rho - wrong, lower, upper)
    offset = float(arrays.get("offset", 0.0))
    return {
        "primal": float(np.linalg.norm(off) / (1.0 + np.linalg.norm(np.concatenate(sides)))),
        "dual": float(np.linalg.norm(wrong) / (1.0 + np.linalg.norm(c))),
        "gap": abs(primal - dual) / (1.0 + abs(primal) + abs(dual)),
        "objective": primal + offset,
        "dual_objective": dual + offset,
        "largest_violation": float(off.max(initial=0.0)),
        "largest_dual_error": float(np.abs(wrong).max(initial=0.0)),
    }


def _support(multiplier: Any, low: Any, high: Any) -> float:
    """sum of low m+ - high m-; only sides with a multiplier of their sign count."""
    up, down = multiplier > 0, multiplier < 0
    return float(multiplier[up] @ low[up] + multiplier[down] @ high[down])


def ray_radius(arrays: Arrays, y: Any) -> float:
    """Within which sum of |x| the ray y proves that no feasible x exists; 0 if it proves nothing.

    For feasible x: D0(y) <= y.K x - (what bounds give) <= |inadmissible part of -K'y|_inf |x|_1.
    """
    size = float(np.abs(y).max(initial=0.0))
    if not np.isfinite(size) or size == 0.0:
        return 0.0
    low = np.where(np.isfinite(arrays["row_upper"]), -np.inf, 0.0)
    high = np.where(np.isfinite(arrays["row_lower"]), np.inf, 0.0)
    y = np.clip(y / size, low, high)
    rho = -(get_matrix(arrays, "K").T @ y)
    lower, upper = arrays["lower"], arrays["upper"]
    wrong = np.where((rho > 0) & np.isinf(lower), rho, 0.0) + np.where((rho < 0) & np.isinf(upper), rho, 0.0)
    value = _support(y, arrays["row_lower"], arrays["row_upper"]) + _support(rho - wrong, lower, upper)
    if value <= 0.0:
        return 0.0
    return float(value / max(float(np.abs(wrong).max(initial=0.0)), 1e-300))
