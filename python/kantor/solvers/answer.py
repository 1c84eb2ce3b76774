"""Answers put together: in the user's sense, judged on the original data, with the certificate of an infeasible one."""

from __future__ import annotations

import numpy as np

from .clock import Clock
from .exact import solve_exact
from .options import StoppingCriteria
from .problem import FloatArray, LinearProgram
from .rays import polished_farkas, polished_recession
from .settle import Settled
from .solution import RAYS, Solution, SolveInfo, Status
from .start import Start
from .termination import Residuals, multiplier_range, residuals


def simplex_answer(
    lp: LinearProgram, stopping: StoppingCriteria, clock: Clock, start: Start | None, presolve: bool = True
) -> Solution:
    """By HiGHS' simplex, held to the same residuals and certificates as everything else."""
    info = SolveInfo(method="highs", backend="highspy", device="cpu")
    if start is not None:
        x, y = np.clip(start.x, lp.lower, lp.upper), np.clip(start.y, *multiplier_range(lp.row_lower, lp.row_upper))
        judged = residuals(lp, x, y)
        if judged.within(stopping.tolerance):
            info.why = "the warm start is optimal already"
            return answer(lp, Status.OPTIMAL, x, y, judged, info, stopping, clock)
    with clock.phase("simplex"):
        status, info.why, x, y, info.iterations = solve_exact(lp, stopping, clock, presolve)
    if status in RAYS:
        ray = polished_farkas(lp, y) if status is Status.PRIMAL_INFEASIBLE else polished_recession(lp, x)
        if ray is None:
            status, info.why = Status.NUMERICAL_ERROR, f"{info.why}, but its ray proves nothing on the raw data"
        elif status is Status.PRIMAL_INFEASIBLE:
            y = ray.vector
        else:
            x = ray.vector
    x_in = x if status in RAYS else np.clip(x, lp.lower, lp.upper)
    judged = residuals(lp, x_in, y)
    if status is Status.OPTIMAL and not judged.within(stopping.tolerance):
        status, info.why = Status.NUMERICAL_ERROR, f"{info.why}, but the residuals on the raw data exceed the tolerance"
    return answer(lp, status, x_in, y, judged, info, stopping, clock)


def unstarted(
    lp: LinearProgram, start: Start, status: Status, why: str, stopping: StoppingCriteria, clock: Clock
) -> Solution:
    """Nothing but the start to return, moved to the bounds and to the signs of the rows."""
    x, y = np.clip(start.x, lp.lower, lp.upper), np.clip(start.y, *multiplier_range(lp.row_lower, lp.row_upper))
    info = SolveInfo(why=why, backend="none", device="cpu")
    return answer(lp, status, x, y, residuals(lp, x, y), info, stopping, clock)


def settled_answer(lp: LinearProgram, settled: Settled, stopping: StoppingCriteria, clock: Clock) -> Solution:
    """An answer that needed no iterations."""
    x, y = settled.x, np.zeros(lp.shape[0])
    if settled.status is Status.PRIMAL_INFEASIBLE and settled.ray is not None:
        y = settled.ray
    elif settled.status is Status.DUAL_INFEASIBLE and settled.ray is not None:
        x = settled.ray
    assert settled.status is not None
    judged = residuals(lp, x, y)
    info = SolveInfo(method="direct", why=settled.why, backend="none", device="cpu")
    return answer(lp, settled.status, x, y, judged, info, stopping, clock)


def answer(
    lp: LinearProgram, status: Status, x: FloatArray, y: FloatArray, judged: Residuals, info: SolveInfo,
    stopping: StoppingCriteria, clock: Clock,
) -> Solution:  # fmt: skip
    """Put the answer in the user's sense; x, y are those of the minimisation, or a ray."""
    sign = -1.0 if lp.maximise else 1.0
    info.tolerance = stopping.tolerance
    reduced_costs = lp.c - lp.K.T @ y
    objective, dual_objective = sign * (judged.objective + lp.offset), sign * (judged.dual_objective + lp.offset)
    if status in RAYS:
        objective = dual_objective = np.nan
        if status is Status.PRIMAL_INFEASIBLE:
            sign, reduced_costs = 1.0, -(lp.K.T @ y)
    else:
        info.primal_residual, info.dual_residual, info.gap = judged.primal, judged.dual, judged.gap
    info.seconds = {**clock.phases, "total": clock.elapsed()}
    return Solution(x, sign * y, sign * reduced_costs, objective, dual_objective, status, info)
