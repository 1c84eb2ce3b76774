"""Whether a plan asks what its parent asked with the entered change applied, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import KantorError
from ..planning.plan import Plan
from .change import Change
from .stored import open_plan

_SAME = 1e-9  # of the largest entry: two ways of rounding the same number


def wrong_question(parent: Path, child: Path, change: Change, how: dict[str, Any]) -> tuple[list[str], str]:
    """(reasons, why it could not be done): the parent's question is read again and changed as the books say."""
    from .replan import Replanner
    from .stability import Stability

    try:
        stability = how.get("stability")
        planner = Replanner(
            open_plan(parent),
            stability=None if stability is None else Stability(**stability),
            backlog=bool(how.get("backlog", True)),
        )
        expected = planner.ask(change, next_period=bool(how.get("next_period", False))).plan
        stated = open_plan(child).plan
    except KantorError as error:
        return [], str(error)
    assert stated is not None
    return list(_differences(expected, stated)), ""


def _differences(expected: Plan, stated: Plan) -> Any:
    one, other = expected.economy, stated.economy
    for what, mine, theirs in (
        ("products", one.products, other.products),
        ("techniques", one.techniques, other.techniques),
    ):
        if not mine.equals(theirs):
            yield f"its {what} are not those of the parent's question with the change applied"
            return
    for what, matrix, stored in (
        ("input coefficients", one.input_coefficients, other.input_coefficients),
        ("output coefficients", one.output_coefficients, other.output_coefficients),
        ("uses", one.intensity_matrix, other.intensity_matrix),
    ):
        off = abs(sp.csr_array(matrix) - sp.csr_array(stored))
        if off.nnz and off.data.max() > _SAME * max(float(abs(matrix).max()), 1e-300):
            yield f"{what} differ from the parent's by more than the change entered"
    for what, wanted, kept in (
        ("targets", expected.targets.to_numpy(), stated.targets.to_numpy()),
        ("capacities", expected.capacities.to_numpy(), stated.capacities.to_numpy()),
    ):
        if not np.allclose(wanted, kept, rtol=_SAME, atol=0.0):
            yield f"{what} differ from the parent's by more than the change entered"
    bounds = [{limit.name: (limit.lower, limit.upper) for limit in plan.limits} for plan in (expected, stated)]
    if bounds[0].keys() != bounds[1].keys() or any(
        not np.allclose(bounds[0][name], bounds[1][name], rtol=_SAME, atol=0.0) for name in bounds[0]
    ):
        yield "limits differ from the parent's by more than the change entered"
    if type(expected.objective) is not type(stated.objective):
        yield f"the objective is {stated.objective.name!r}, the parent's is {expected.objective.name!r}"
