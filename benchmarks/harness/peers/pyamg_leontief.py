"""PyAMG on I - A: smoothed aggregation for nonsymmetric matrices as the preconditioner of GMRES."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyamg

from ..clock import RunClock
from . import Answer, Request
from .scipy_leontief import net_matrix

VERSION = pyamg.__version__


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """One hierarchy, then each right-hand side."""
    with clock.phase("model"):
        matrix = net_matrix(arrays)
    with clock.phase("hierarchy"):
        levels = pyamg.smoothed_aggregation_solver(matrix, symmetry="nonsymmetric", smooth=None)
    d = arrays["d"]
    solved, cycles = [], 0
    with clock.phase("solve"):
        for right in d.reshape(d.shape[0], -1).T:
            residuals: list[float] = []
            x = levels.solve(right, tol=request.tolerance, accel="gmres", maxiter=300, residuals=residuals)
            solved.append(x)
            cycles += len(residuals)
    x = solved[0] if d.ndim == 1 else np.column_stack(solved)
    return Answer("unknown", "returned", {"x": x}, {"iterations": cycles})
