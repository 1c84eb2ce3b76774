"""HiGHS: simplex, interior point, PDLP (cuPDLP-C on the CPU) and HiPDLP.

Entries down to 1e-12 are kept (the default deletes those below 1e-9). The first-order modes and the interior point get
the requested tolerance as ``kkt_tolerance``; simplex keeps its 1e-7.
"""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np

from ..clock import RunClock
from . import Answer, Request

_h = highspy.Highs()
VERSION = _h.version()
_STATUS = {
    "kOptimal": "optimal", "kInfeasible": "infeasible", "kUnbounded": "unbounded", "kTimeLimit": "limit",
    "kIterationLimit": "limit",
}  # fmt: skip


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """``options["solver"]``: simplex, ipm, pdlp or hipdlp; ``options["crossover"]`` for ipm, off by default."""
    solver = request.options["solver"]
    highs = highspy.Highs()
    highs.silent()
    settings: dict[str, Any] = {
        "solver": solver, "time_limit": request.limit_s, "threads": request.threads, "small_matrix_value": 1e-12,
        "run_crossover": "on" if request.options.get("crossover") else "off",
    }  # fmt: skip
    if solver != "simplex":
        settings["kkt_tolerance"] = request.tolerance
    for name, value in settings.items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(f"HiGHS refuses {name} = {value!r}")
    with clock.phase("model"):
        highs.passModel(_model(arrays))
    with clock.phase("solve"):
        highs.run()
    status = highs.getModelStatus().name
    solution, info = highs.getSolution(), highs.getInfo()
    found: dict[str, Any] = {}
    if solution.value_valid:
        found["x"] = np.array(solution.col_value)
    if solution.dual_valid:
        found["y"] = np.array(solution.row_dual)
    if status == "kInfeasible" and solver == "simplex":
        found |= _ray(highs)
    counts = ("simplex", "ipm", "pdlp", "crossover")
    iterations = sum(max(0, getattr(info, f"{kind}_iteration_count")) for kind in counts)
    return Answer(_STATUS.get(status, "unknown"), status, found, {"iterations": iterations})


def _model(arrays: dict[str, Any]) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    rows, columns = (int(k) for k in arrays["K_shape"])
    lp.num_row_, lp.num_col_ = rows, columns
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = arrays["c"], arrays["lower"], arrays["upper"]
    lp.row_lower_, lp.row_upper_ = arrays["row_lower"], arrays["row_upper"]
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.num_row_, lp.a_matrix_.num_col_ = rows, columns
    lp.a_matrix_.start_, lp.a_matrix_.index_ = arrays["K_indptr"], arrays["K_indices"]
    lp.a_matrix_.value_ = arrays["K_data"]
    return lp


def _ray(highs: highspy.Highs) -> dict[str, Any]:
    """A dual ray where the simplex method found infeasibility itself; presolve leaves none."""
    outcome = highs.getDualRay()
    return {"y": -np.array(outcome[2])} if len(outcome) > 2 and outcome[1] else {}
