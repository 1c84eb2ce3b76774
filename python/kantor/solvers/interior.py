"""A plan's linear program by an interior point method: HiGHS' IPX without crossover, on the program in value units.

Few, dear iterations, whose number hardly grows with the program: for plans with some thousands of balances that bind
everywhere at once, as between regions that trade, this takes a tenth of the time of the first-order method. Its point
lies strictly inside all restrictions that are not needed, which is what a certificate likes. Nothing here is trusted:
:func:`kantor.solvers.certificate.certify` judges what comes out.
Source: Schork and Gondzio, Implementation of an interior point method with basis preconditioning (2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends.world import once
from . import highs_run
from .bounds import DualPoint, planning_prices
from .evaluate import Evaluator
from .exact import SMALL_MATRIX_VALUE, highs_model, import_highspy
from .problem import FloatArray, LinearProgram
from .program import PlanningProgram, to_linear_program, value_scaling
from .repair import PlanPoint
from .value_units import ValueUnits

# Programs between these are given to the interior point method without being asked: below, others are as fast; above,
# the factors of a basis may fill memory.
FEWEST_NONZEROS, MOST_NONZEROS, MOST_ROWS = 50_000, 3_000_000, 40_000
# Techniques a balance or limit, below which inputs of many products fill the factors; so few rows may be full of them.
_WIDE, _FEW_ROWS = 4, 2_500
_MOST_ITERATIONS = 300


def worth_trying(program: PlanningProgram) -> bool:
    """Whether the linear program is of a size at which this method is the fastest, and can be."""
    n, m, r = program.shape
    nonzeros = program.output.nnz + program.input.nnz + program.resource_use.nnz
    sized = FEWEST_NONZEROS <= nonzeros <= MOST_NONZEROS and n + r <= MOST_ROWS
    fills_little = m >= _WIDE * (n + r) or n + r <= _FEW_ROWS
    return program.kind != "utility" and sized and fills_little


@dataclass(frozen=True)
class InteriorAnswer:
    """An approximate plan and its prices, or neither; ``why`` says how the method ended."""

    plan: PlanPoint | None
    dual: DualPoint | None
    iterations: int
    why: str


def interior_point(
    evaluator: Evaluator, tolerance: float, backend: Any = "auto", time_limit_s: float | None = None,
    iteration_limit: int | None = None,
) -> InteriorAnswer:  # fmt: skip
    """The answer, which has no plan where the method came to none within its limits.

    ``tolerance``: of the plan's gap; the method goes on to a hundredth of it. ``backend``: of the scaling by values.
    Ctrl-C ends it between two iterations.
    """
    program = evaluator.program
    lp, layout = to_linear_program(program)
    units = ValueUnits(*value_scaling(program, planning_prices(evaluator, backend)))
    options: dict[str, Any] = {
        "output_flag": False,
        "solver": "ipx",
        "run_crossover": "off",
        "small_matrix_value": SMALL_MATRIX_VALUE,
        "ipm_optimality_tolerance": min(1e-6, max(1e-12, 0.01 * tolerance)),
        "ipm_iteration_limit": min(_MOST_ITERATIONS, _MOST_ITERATIONS if iteration_limit is None else iteration_limit),
    }
    if time_limit_s is not None:
        options["time_limit"] = max(time_limit_s, 1e-3)
    point, iterations, why = _by_highs(units.program(lp), options)
    if point is None:
        return InteriorAnswer(None, None, iterations, why)
    x, y = point
    plan = PlanPoint(*layout.split_primal(x / units.columns, program.targets))
    dual = DualPoint(*layout.split_dual(y * units.rows))
    return InteriorAnswer(plan, dual, iterations, why)


@once
def _by_highs(
    lp: LinearProgram, options: dict[str, Any]
) -> tuple[tuple[FloatArray, FloatArray] | None, int, str]:  # fmt: skip
    """((x, y) or None, iterations, how it ended)."""
    highspy = import_highspy()
    solver = highspy.Highs()
    for name, value in options.items():
        solver.setOptionValue(name, value)
    if solver.passModel(highs_model(highspy, lp)) == highspy.HighsStatus.kError:
        return None, 0, "HiGHS refused the program"
    highs_run.run(highspy, solver)
    status = solver.getModelStatus()
    found, iterations = solver.getSolution(), max(0, int(solver.getInfo().ipm_iteration_count))
    why = f"HiGHS: {solver.modelStatusToString(status)}"
    if status != highspy.HighsModelStatus.kOptimal and not found.value_valid:
        return None, iterations, why
    x, y = np.asarray(found.col_value, np.float64), np.asarray(found.row_dual, np.float64)
    if x.shape != (lp.shape[1],) or y.shape != (lp.shape[0],) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None, iterations, why
    return (x, y), iterations, why
