"""Planning programs recognised among linear programs, and handed to the planning engine.

Rows are goods (a lower side and something positive in them) or resources (an upper side and nothing negative), written
either way round; columns are techniques, which make a good, and at most one column of the scale. What the planning
engine finds is an answer like any other: it is judged by the residuals of the linear program it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend
from ..errors import ProblemError
from . import terms as separable
from .answer import answer
from .bounds import planning_prices
from .choice import coupling
from .clock import Clock
from .evaluate import Evaluator
from .options import StoppingCriteria
from .problem import FloatArray, LinearProgram
from .program import PlanningProgram, value_scaling
from .program_solution import ProgramSolution
from .rays import polished_farkas, polished_recession
from .reduced import reducible
from .solution import Solution, SolveInfo, Status
from .start import Start
from .termination import multiplier_range, residuals

# Below this many entries the simplex method and plain PDHG need no help.
LEAST_NONZEROS = 20_000


@dataclass(frozen=True)
class PlanForm:
    """``program`` is the linear program read as a plan.

    goods (n,), resources (r,): its rows; sign (M,): -1 for rows written the other way round; techniques (m,): its
    columns; scale: the column of the scale or -1, and ``worth`` what a unit of it adds to the (maximised) objective.
    """

    program: PlanningProgram
    goods: Any
    resources: Any
    sign: FloatArray
    techniques: Any
    scale: int = -1
    worth: float = 1.0

    def point(self, plan: ProgramSolution) -> tuple[FloatArray, FloatArray]:
        """x (N,), y (M,) of the linear program (a minimisation) from a plan, its prices and its rents."""
        x, y = np.zeros(self.techniques.size + (self.scale >= 0)), np.zeros(self.sign.size)
        x[self.techniques] = plan.activity
        if self.scale >= 0:
            x[self.scale] = plan.scale if np.isfinite(plan.scale) else 0.0
        y[self.goods] = plan.prices
        y[self.resources] = plan.floor_rents - plan.rents
        return x, self.worth * self.sign * y

    def values(self, backend: Backend) -> tuple[FloatArray, FloatArray]:
        """What a unit of every row (M,) and column (N,) is worth: scaled by that, the program is free of units."""
        rows, columns = value_scaling(self.program, planning_prices(Evaluator(self.program), backend))
        row, column = np.ones(self.sign.size), np.ones(self.techniques.size + (self.scale >= 0))
        row[self.goods], row[self.resources] = rows[: self.goods.size], rows[self.goods.size :]
        column[self.techniques] = columns[: self.techniques.size]
        if self.scale >= 0:
            column[self.scale] = columns[-1]
        return row, column

    def warm(self, start: Start) -> ProgramSolution | None:
        """A starting point of the linear program as an earlier plan; None if none was given."""
        if not start.given:
            return None
        y = self.sign * start.y / self.worth
        nothing, prices, resources = np.nan, np.maximum(y[self.goods], 0.0), y[self.resources]
        return ProgramSolution(
            Status.ITERATION_LIMIT, nothing, nothing, nothing, nothing, start.x[self.techniques], nothing,
            np.zeros(prices.size), prices, np.maximum(-resources, 0.0), np.maximum(resources, 0.0),
            np.zeros(self.techniques.size),
        )  # fmt: skip


def read_plan(lp: LinearProgram) -> tuple[PlanForm | None, str]:
    """(the linear program read as a plan whose structure the planning engine can use, "") or (None, why not).

    >>> import numpy as np
    >>> lp = LinearProgram([1.0, 1.0], np.array([[1.0, -0.5], [-0.2, 1.0]]), row_lower=[2.0, 1.0])
    >>> form, _ = read_plan(lp)
    >>> form.program.kind, form.program.input.toarray().tolist()
    ('use', [[0.0, 0.5], [0.2, 0.0]])
    """
    if separable.active_columns(lp.terms).size:
        return None, "it has concave terms"
    if lp.lower.any():
        return None, "some columns have a lower bound other than zero"
    sign, is_resource, why = _orient(lp)
    if why:
        return None, why
    goods, resources = np.flatnonzero(~is_resource), np.flatnonzero(is_resource)
    side = sign * np.where(np.isfinite(lp.row_lower), lp.row_lower, lp.row_upper)
    net = sp.csr_array(sp.diags_array(sign[goods]) @ lp.K[goods])
    use = sp.csr_array(sp.diags_array(sign[resources]) @ lp.K[resources])
    scale = _scale_column(lp, side[goods])
    techniques = np.delete(np.arange(lp.shape[1]), scale) if scale >= 0 else np.arange(lp.shape[1])
    targets, worth, cost = side[goods], 1.0, lp.c
    if scale >= 0:
        targets = -net[:, [scale]].toarray().ravel()
        if use[:, [scale]].nnz or np.isfinite(lp.upper[scale]):
            return None, "the scale uses resources or has a limit of its own"
        worth, cost = float(-lp.c[scale]), np.zeros(techniques.size)
        net, use = net[:, techniques], use[:, techniques]
    own, why = _own_goods(net)
    if why:
        return None, why
    try:
        program = _program("use" if scale < 0 else "scale", net, own, targets, use, side[resources],
                           lp.upper[techniques], cost)  # fmt: skip
    except ProblemError as error:
        return None, str(error)
    why = reducible(program)
    if why and not coupling(program):
        return None, f"no structure: {why}"
    return PlanForm(program, goods, resources, sign, techniques, scale, worth), ""


def _orient(lp: LinearProgram) -> tuple[FloatArray, Any, str]:
    """(sign (M,) that turns goods rows to >= and resource rows to <=, which rows are resources, why not)."""
    M = lp.shape[0]
    row = np.repeat(np.arange(M), np.diff(lp.K.indptr))
    positive, negative = (np.bincount(row[part], minlength=M) for part in (lp.K.data > 0, lp.K.data < 0))
    low, high = np.isfinite(lp.row_lower), np.isfinite(lp.row_upper)
    equal = low & (lp.row_lower == lp.row_upper)
    if ((low == high) & ~equal).any():
        return np.zeros(M), None, "some rows have two different sides or none"
    # The makers of a good are fewer than its users: that tells which side of an equation is output.
    as_output = (lp.row_lower > 0) | (lp.row_lower == 0) & (positive <= negative)
    plus = np.where(equal, as_output, low)
    makes = np.where(plus, positive, negative) > 0
    resource = ~equal & np.where(low, positive == 0, negative == 0)
    if (~makes & ~resource).any():
        return np.zeros(M), None, "some rows are neither goods nor resources"
    return np.where(np.where(resource, high, plus), 1.0, -1.0), resource, ""


def _scale_column(lp: LinearProgram, targets: FloatArray) -> int:
    """The one column with a (negative) cost in a program that demands nothing else, or -1."""
    costly = np.flatnonzero(lp.c)
    return int(costly[0]) if costly.size == 1 and lp.c[costly[0]] < 0.0 and not targets.any() else -1


def _own_goods(net: sp.csr_array) -> tuple[Any, str]:
    """(the good each technique makes, ""): its only positive entry, or in a square table the one left over for it."""
    n, m = net.shape
    csc = net.tocsc()
    column = np.repeat(np.arange(m), np.diff(csc.indptr))
    positive = csc.data > 0
    count = np.bincount(column[positive], minlength=m)
    if (count == 0).any():
        return None, "some columns make nothing"
    own = np.full(m, -1)
    single = positive & (count[column] == 1)
    own[column[single]] = csc.indices[single]
    several = np.flatnonzero(count > 1)
    if several.size and n != m:
        return None, "some columns make several goods"
    taken = np.zeros(n, bool)
    taken[own[own >= 0]] = True
    for j in several:
        # A table may hold some negative inputs; the diagonal is the product unless another column has claimed it.
        candidates = csc.indices[csc.indptr[j] : csc.indptr[j + 1]][positive[csc.indptr[j] : csc.indptr[j + 1]]]
        free = candidates[~taken[candidates]]
        if j in free:
            own[j] = j
        elif free.size == 1:
            own[j] = free[0]
        else:
            return None, "some columns make several goods"
        taken[own[j]] = True
    return own, ""


def _program(
    kind: Any, net: sp.csr_array, own: Any, targets: FloatArray, use: Any, limits: FloatArray, capacity: FloatArray,
    cost: FloatArray,
) -> PlanningProgram:  # fmt: skip
    coo = net.tocoo()
    main = coo.row == own[coo.col]
    output = sp.csr_array((coo.data[main], (coo.row[main], coo.col[main])), shape=net.shape)
    inputs = sp.csr_array((-coo.data[~main], (coo.row[~main], coo.col[~main])), shape=net.shape)
    return PlanningProgram.build(
        kind, output, inputs, targets, resource_use=use, resource_upper=limits, capacity=capacity, cost=cost
    )


def plan_answer(
    lp: LinearProgram, form: PlanForm, stopping: StoppingCriteria, clock: Clock, backend: Backend, start: Start,
    on_progress: Callable[[dict[str, float]], Any] | None = None,
) -> tuple[Solution, bool]:  # fmt: skip
    """(the planning engine's answer to ``lp``, whether it stands: optimal, a proved ray, or a limit reached)."""
    from .dispatch import solve_program  # which itself solves linear programs

    with clock.phase("planning"):
        left = clock.left()
        plan = solve_program(
            form.program, stopping.tolerance, "auto", backend, None if left is None else max(left, 1e-3),
            stopping.iteration_limit, form.warm(start), on_progress,
        )  # fmt: skip
    x, y = form.point(plan)
    info = plan.info
    why = f"a plan among one-product techniques: {info.why}"
    found = SolveInfo(
        "planning:" + info.method, why, info.backend, info.device, info.iterations, info.products,
        history=info.history, notes=list(info.notes),
    )  # fmt: skip
    status = plan.status
    if status is Status.PRIMAL_INFEASIBLE:
        ray = polished_farkas(lp, y)
        y, status = (y, Status.NUMERICAL_ERROR) if ray is None else (ray.vector, status)
    elif status is Status.DUAL_INFEASIBLE:
        ray = polished_recession(lp, x)
        x, status = (x, Status.NUMERICAL_ERROR) if ray is None else (ray.vector, status)
    if status is Status.DUAL_INFEASIBLE:
        return answer(lp, status, x, y, residuals(lp, np.clip(x, lp.lower, lp.upper), y), found, stopping, clock), True
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        x, y = np.nan_to_num(start.x), np.nan_to_num(start.y)
        status = status if status is Status.INTERRUPTED else Status.NUMERICAL_ERROR
    x, y = np.clip(x, lp.lower, lp.upper), np.clip(y, *multiplier_range(lp.row_lower, lp.row_upper))
    judged = residuals(lp, x, y)
    if status is not Status.PRIMAL_INFEASIBLE and judged.within(stopping.tolerance):
        status = Status.OPTIMAL
    elif status is Status.OPTIMAL:
        status, found.why = Status.NUMERICAL_ERROR, f"{why}, but the residuals on the raw data exceed the tolerance"
    stands = status is not Status.NUMERICAL_ERROR and not _could_go_on(status, stopping, plan.info.iterations)
    return answer(lp, status, x, y, judged, found, stopping, clock), stands


def _could_go_on(status: Status, stopping: StoppingCriteria, iterations: int) -> bool:
    """Whether the planning engine gave up before the user's limit."""
    limit = stopping.iteration_limit
    return status is Status.ITERATION_LIMIT and (limit is None or iterations < limit)
