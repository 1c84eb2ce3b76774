"""OR-tools: PDLP (defaults, with GLOP's presolve, with feasibility polishing) and GLOP.

The stopping rule of PDLP is that of docs/notation.md when both of its tolerances get the same value: 2-norms,
absolute plus relative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import ortools
import scipy.sparse as sp
from ortools.linear_solver.python import model_builder_helper
from ortools.pdlp import solve_log_pb2, solvers_pb2
from ortools.pdlp.python import pdlp as pdlp_package

from ..clock import RunClock
from ..files import get_matrix
from . import Answer, Request

VERSION = ortools.__version__
_STATUS = {
    "OPTIMAL": "optimal", "PRIMAL_INFEASIBLE": "infeasible", "DUAL_INFEASIBLE": "unbounded",
    "PRIMAL_OR_DUAL_INFEASIBLE": "infeasible", "TIME_LIMIT": "limit", "ITERATION_LIMIT": "limit",
    "INFEASIBLE": "infeasible", "UNBOUNDED": "unbounded", "FEASIBLE": "limit", "NOT_SOLVED": "limit",
}  # fmt: skip


def pdlp(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """``options``: "presolve" and "polishing", both off by default as in the package."""
    with clock.phase("model"):
        program = _program(arrays)
    parameters = solvers_pb2.PrimalDualHybridGradientParams()
    parameters.num_threads = request.threads
    parameters.termination_criteria.time_sec_limit = request.limit_s
    criteria = parameters.termination_criteria.simple_optimality_criteria
    criteria.eps_optimal_absolute = criteria.eps_optimal_relative = request.tolerance
    if request.options.get("presolve"):
        parameters.presolve_options.use_glop = True
    if request.options.get("polishing"):
        # The documentation asks for the second with the first.
        parameters.use_feasibility_polishing = True
        parameters.handle_some_primal_gradients_on_finite_bounds_as_residuals = False
    with clock.phase("solve"):
        result = pdlp_package.primal_dual_hybrid_gradient(program, parameters)
    reason = solve_log_pb2.TerminationReason.Name(result.solve_log.termination_reason)
    status = _STATUS.get(reason.removeprefix("TERMINATION_REASON_"), "unknown")
    found = {"x": np.array(result.primal_solution), "y": np.array(result.dual_solution)}
    return Answer(status, reason, found, {"iterations": result.solve_log.iteration_count})


def _program(arrays: dict[str, Any]) -> Any:
    rows, columns = (int(k) for k in arrays["K_shape"])
    program = pdlp_package.QuadraticProgram()
    program.resize_and_initialize(columns, rows)
    program.objective_vector = arrays["c"]
    program.constraint_matrix = sp.csr_matrix(get_matrix(arrays, "K"))
    program.constraint_lower_bounds, program.constraint_upper_bounds = arrays["row_lower"], arrays["row_upper"]
    program.variable_lower_bounds, program.variable_upper_bounds = arrays["lower"], arrays["upper"]
    return program


def glop(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """GLOP, the simplex method, at its defaults."""
    with clock.phase("model"):
        model = model_builder_helper.ModelBuilderHelper()
        model.fill_model_from_sparse_data(
            arrays["lower"], arrays["upper"], arrays["c"], arrays["row_lower"], arrays["row_upper"],
            sp.csr_matrix(get_matrix(arrays, "K")),
        )  # fmt: skip
    solver = model_builder_helper.ModelSolverHelper("GLOP")
    solver.set_time_limit_in_seconds(request.limit_s)
    with clock.phase("solve"):
        solver.solve(model)
    said = solver.status().name
    found = {}
    if solver.has_solution():
        found = {"x": np.array(solver.variable_values()), "y": np.array(solver.dual_values())}
    return Answer(_STATUS.get(said, "unknown"), said, found)
