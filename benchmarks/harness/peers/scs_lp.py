"""SCS, the direct solver; its tolerances are absolute plus relative in the infinity norm."""

from __future__ import annotations

from typing import Any

import scs

from ..clock import RunClock
from . import Answer, Request
from .linear import Cone

VERSION = scs.__version__
_STATUS = {1: "optimal", -2: "infeasible", -1: "unbounded"}


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """A linear programme as a cone programme with a zero and a positive cone."""
    with clock.phase("model"):
        cone = Cone(arrays)
        data = {"A": cone.A, "b": cone.b, "c": arrays["c"]}
        solver = scs.SCS(
            data, {"z": cone.zero, "l": cone.positive}, eps_abs=request.tolerance, eps_rel=request.tolerance,
            time_limit_secs=request.limit_s, max_iters=2_000_000_000, verbose=False,
        )  # fmt: skip
    with clock.phase("solve"):
        found = solver.solve()
    info = found["info"]
    status = _STATUS.get(info["status_val"], "limit")
    return Answer(
        status, info["status"], {"x": found["x"], "y": cone.duals(found["y"])}, {"iterations": int(info["iter"])}
    )
