"""Clarabel, an interior point method; the requested tolerance replaces its 1e-8."""

from __future__ import annotations

from typing import Any

import clarabel
import numpy as np
import scipy.sparse as sp

from ..clock import RunClock
from . import Answer, Request
from .linear import Cone

VERSION = clarabel.__version__
_STATUS = {"Solved": "optimal", "AlmostSolved": "unknown", "PrimalInfeasible": "infeasible",
           "DualInfeasible": "unbounded", "MaxTime": "limit", "MaxIterations": "limit"}  # fmt: skip


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """A linear programme as a cone programme with a zero and a nonnegative cone."""
    with clock.phase("model"):
        cone = Cone(arrays)
        settings = clarabel.DefaultSettings()
        settings.verbose, settings.time_limit, settings.max_iter = False, request.limit_s, 1000
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = min(request.tolerance, 1e-6)
        n = arrays["c"].size
        cones = [clarabel.ZeroConeT(cone.zero), clarabel.NonnegativeConeT(cone.positive)]
        solver = clarabel.DefaultSolver(sp.csc_matrix((n, n)), arrays["c"], cone.A, cone.b, cones, settings)
    with clock.phase("solve"):
        found = solver.solve()
    said = str(found.status)
    vectors = {"x": np.array(found.x), "y": cone.duals(np.array(found.z))}
    return Answer(_STATUS.get(said, "unknown"), said, vectors, {"iterations": int(found.iterations)})
