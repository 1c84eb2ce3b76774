"""Is an answer what was asked for? By kantor's verifier and by a recomputation that shares no code with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from kantor.errors import KantorError
from kantor.solvers.solution import Solution, Status
from kantor.solvers.verify import verify_lp

from . import check_lp
from .files import Arrays, get_matrix

RAY_RADIUS = 1e6  # a ray counts if it excludes every point with a smaller sum of |x|


def program(arrays: Arrays) -> Any:
    """The instance as kantor has it."""
    from kantor.solvers.problem import LinearProgram

    return LinearProgram(
        arrays["c"], get_matrix(arrays, "K"), arrays["row_lower"], arrays["row_upper"], arrays["lower"],
        arrays["upper"], offset=float(arrays["offset"]),
    )  # fmt: skip


def judge(arrays: Arrays, known: dict[str, Any], status: str, answer: Arrays, tolerance: float) -> dict[str, Any]:
    """The record's fields ``check``, ``verified``, ``verified_10x``, ``objective``.

    A feasible programme: verified if the vectors have primal residual, dual residual and gap within the tolerance, by
    both computations, whatever the solver says of them. An infeasible one: verified if a ray is proved.
    """
    if not all(np.isfinite(answer.get(k, np.array(np.nan))).all() for k in ("x", "y")) and not known.get("infeasible"):
        return {"check": {"finite": False}, "verified": False, "verified_10x": False}
    if known.get("infeasible"):
        return _ray(arrays, status, answer, tolerance)
    lp = program(arrays)
    x, y, moved = check_lp.tidy(arrays, answer)
    plain = check_lp.residuals(arrays, x, y)
    rho = lp.c - lp.K.T @ y
    again = verify_lp(lp, Solution(x, y, rho, plain["objective"], plain["dual_objective"], Status.OPTIMAL), tolerance)
    ours = {"primal": again.primal_residual, "dual": again.dual_residual, "gap": again.gap}
    worst = max(max(plain[k], ours[k]) for k in ours)
    # Both computations round; the second decimal of a residual is no claim.
    found: dict[str, Any] = {
        "check": {"plain": plain, "verify_lp": ours, "worst": worst, "moved": moved},
        "objective": plain["objective"],
        "verified": bool(worst <= 1.001 * tolerance),
        "verified_10x": bool(worst <= 10.0 * tolerance),
    }
    if status in ("infeasible", "unbounded"):
        found |= {"verified": False, "verified_10x": False}
    if known.get("optimum") is not None:
        found["objective_error"] = abs(plain["objective"] - known["optimum"]) / (1.0 + abs(known["optimum"]))
    return found


def _ray(arrays: Arrays, status: str, answer: Arrays, tolerance: float) -> dict[str, Any]:
    """An infeasible programme: the claim alone counts as "within 10x", a proved ray as verified."""
    claimed = status == "infeasible"
    proved, radius = False, 0.0
    y = answer.get("y")
    if claimed and y is not None and np.isfinite(y).all():
        lp = program(arrays)
        nothing = np.zeros(lp.shape[1])
        try:
            claim = Solution(nothing, y, nothing, np.nan, np.nan, Status.PRIMAL_INFEASIBLE)
            proved = verify_lp(lp, claim, tolerance).ok
        except KantorError:
            proved = False
        radius = check_lp.ray_radius(arrays, y)
    check = {"ray_accepted": proved, "ray_radius": radius}
    return {"check": check, "verified": bool(proved and radius >= RAY_RADIUS), "verified_10x": claimed}
