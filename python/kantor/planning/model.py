"""The exact model of a plan as a linear program with names, for other solvers: MPS and LP files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.labels import show
from ..data.model_names import ModelNames
from ..errors import ProblemError
from ..solvers.problem import LinearProgram
from ..solvers.program import to_linear_program

if TYPE_CHECKING:
    from .plan import Plan

Writer = Callable[[LinearProgram, str | Path, list[str], list[str]], ModelNames]


def model_of(plan: Plan) -> tuple[LinearProgram, list[str], list[str]]:
    """The linear program of a plan, and labels of its rows and columns.

    Rows: net output of every product (>= what is asked for), then the limits. Columns: activity of every technique,
    then supplies from outside, then the scale where the largest one is sought. Its optimum is that of the plan, in
    the plan's sense and unit. Raises ProblemError for utilities, which are no linear program, and for objectives in
    an order.
    """
    if plan.in_order is not None:
        raise ProblemError(f"{plan.name!r}: objectives in an order are several models; write a plan with each of them")
    program, made = plan.compile(), plan.compiled
    if made.kind == "utility":
        raise ProblemError(
            f"{plan.name!r}: the objective {plan.objective.name} is not linear, and MPS and LP files hold linear "
            "programs; "
            "write the plan with MaxScale or MinimiseUse"
        )
    lp, layout = to_linear_program(program)
    if made.kind == "scale":
        # minimises minus the scale; what is reported is the scale and the constant
        lp = replace(lp, maximise=True, offset=-made.offset, name=plan.name)
    else:
        lp = replace(lp, maximise=made.sign < 0, offset=made.offset, name=plan.name)
    rows = [show(label) for label in plan.economy.products] + [limit.name for limit in plan.limits]
    columns = [show(label) for label in plan.economy.techniques]
    columns += [f"supply of {show(plan.economy.products[i])}" for i in plan.supplied]
    columns += ["scale"] * (layout.kind == "scale")
    assert np.array_equal(lp.shape, (len(rows), len(columns)))
    return lp, rows, columns


def write_model(plan: Plan, path: str | Path, writer: Writer) -> ModelNames:
    """Write the model of a plan (:func:`model_of`) by :func:`kantor.write_mps` or :func:`kantor.write_lp`."""
    lp, rows, columns = model_of(plan)
    return writer(lp, path, rows, columns)
