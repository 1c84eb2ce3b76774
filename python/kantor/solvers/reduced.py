"""Square economies without capacities: the plan eliminated to x = L (C - supply), and a dual in the few rents only.

With one technique a good and free disposal the least output x(C) = L C, L = (I - A)^-1, delivers C at the least use of
everything (Veinott, Extreme Points of Leontief Substitution Systems, 1968). So the plan has no other variables than
consumption:

* scale: with x = L y the largest scale is t* = min_k b_k / (R x)_k, the rent of that k is 1 / (R x)_k, and prices are
  the values p = A'p + R'rents;
* use: x = L y is the plan; if it breaks limit k, the values p = A'p + R_k show that the demand is worth p.y > b_k;
* scale and use with limits that this plan does not keep, lower ones above all: more of some goods is made than asked
  for, a linear program in r rows (:mod:`kantor.solvers.surplus`);
* utility: with M = R L (r values, r transposed solves) the optimum is min over rents >= 0 of
  sum_i U°_i((M'rents)_i) + rents.b, concave duality in r numbers, and C = U'^-1(M'rents).

Techniques that need nothing (supplies from outside with a capacity) are used in full. Goods with negative demand may
turn out not to be produced; they are then left out of L. Nothing here is trusted: the certificate judges it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError
from .bounds import DualPoint
from .leontief import solve_leontief
from .mix import least_output, reach
from .problem import FloatArray
from .program import PlanningProgram
from .rent_search import Rents, minimise_rents
from .repair import PlanPoint
from .solution import Status, uninterrupted
from .square_economy import ReducedAnswer, SquareEconomy, eliminate, suppliers
from .surplus_plan import MOST_RESOURCES, plan_with_surplus
from .terms import user_columns

_PRICED_ROUNDS = 12


def reducible(program: PlanningProgram) -> str:
    """Why the elimination does not apply, or "" if it does."""
    own = program.producer_of
    makers = np.flatnonzero(~suppliers(program))
    n = program.shape[0]
    if (own == -2).any():
        return "some techniques make several goods"
    if (own[makers] < 0).any():
        return "some techniques make nothing"
    if np.bincount(own[makers], minlength=n).max(initial=0) > 1:
        return "some goods are made by several techniques"
    if makers.size < n:
        return "some goods are made by no technique"
    if np.isfinite(program.capacity[makers]).any():
        return "some techniques have capacities"
    floors = np.isfinite(program.resource_lower).any()
    if user_columns(program.terms).size:
        return "the utility is a user's own"
    if program.kind == "utility" and floors:
        return "some resources have a lower limit"
    limits = int((np.isfinite(program.resource_upper) | np.isfinite(program.resource_lower)).sum())
    if (program.kind == "utility" or floors) and limits > MOST_RESOURCES:
        return f"{limits} limits, more than {MOST_RESOURCES}"
    if program.kind == "utility" and (program.resource_upper < 0.0).any():
        return "some limits are negative"
    return ""


def solve_reduced(program: PlanningProgram, backend: Any = "auto") -> ReducedAnswer | None:
    """Solve a reducible program (see :func:`reducible`); None if its Leontief systems cannot be solved."""
    economy = eliminate(program)
    solver = {"scale": _scale, "use": _use, "utility": _utility}[program.kind]
    return solver(program, economy, backend)


def _outputs(
    program: PlanningProgram, economy: SquareEconomy, backend: Any
) -> tuple[FloatArray, Any, FloatArray] | None:
    """(gross outputs, produced goods, resource use) of the targets."""
    found = least_output(economy.inputs, program.targets - economy.supply, backend=backend)
    if found is None or not np.isfinite(found[0]).all():
        return None
    output, active = found
    return output, active | ~_superfluous(economy, output, program.targets), economy.resource_use @ output


def _superfluous(economy: SquareEconomy, output: FloatArray, consumption: FloatArray) -> np.ndarray[Any, Any]:
    """Goods that supplies from outside and by-products more than cover: worth nothing, unlike those nobody needs."""
    need = economy.inputs @ output + consumption - economy.supply
    return (output == 0.0) & (need < 0.0)


def _scale(program: PlanningProgram, economy: SquareEconomy, backend: Any) -> ReducedAnswer | None:
    if economy.supply.any():
        return None  # a fixed supply does not grow with the scale, so x is not proportional to t
    found = _outputs(program, economy, backend)
    if found is None:
        return None
    output, priced, use = found
    with np.errstate(divide="ignore", invalid="ignore"):
        scales = np.where((use > 0.0) & np.isfinite(program.resource_upper), program.resource_upper / use, np.inf)
    k = int(np.argmin(scales)) if scales.size else -1
    m = program.shape[1]
    if k < 0 or not np.isfinite(scales[k]):
        if (np.isfinite(program.resource_lower) & (use <= 0.0)).any() or (program.resource_upper < 0.0).any():
            return plan_with_surplus(program, economy, backend)
        plan = PlanPoint(economy.activity(output, m, program.capacity), 1.0, program.targets.copy())
        nothing = DualPoint(np.zeros(output.size), np.zeros(use.size), np.zeros(use.size))
        return ReducedAnswer(
            Status.DUAL_INFEASIBLE, plan, nothing, "no limited resource is needed, so the scale has no end"
        )
    rents = np.zeros(use.size)
    rents[k] = 1.0 / use[k]
    prices = economy.prices(economy.resource_use.T @ rents, priced, backend)
    if prices is None:
        return None
    t = float(scales[k])
    broken = (t * use < program.resource_lower) | ((use <= 0.0) & (t * use > program.resource_upper))
    if t < 0.0 or broken.any() or _lowest(economy.resource_use)[k] < 0.0:
        return plan_with_surplus(program, economy, backend)
    plan = PlanPoint(economy.activity(t * output, m, program.capacity), t, t * program.targets)
    allowed = program.resource_upper[k]
    why = f"resource {k} sets the scale: the basket needs {use[k]:.6g} of it a unit, {allowed:.6g} are allowed"
    return ReducedAnswer(Status.OPTIMAL, plan, DualPoint(prices, rents, np.zeros(use.size)), why)


def _use(program: PlanningProgram, economy: SquareEconomy, backend: Any) -> ReducedAnswer | None:
    found = _outputs(program, economy, backend)
    if found is None:
        return None
    output, priced, use = found
    plan = PlanPoint(economy.activity(output, program.shape[1], program.capacity), np.nan, program.targets.copy())
    with np.errstate(divide="ignore", invalid="ignore"):
        # Least output means least use only of what no technique gives back.
        least = np.isfinite(program.resource_upper) & (_lowest(economy.resource_use) >= 0.0)
        over = np.where(least, use - program.resource_upper, -np.inf)
        relative = np.where(over > 0.0, over / use, 0.0)
    k = int(np.argmax(relative)) if relative.size else -1
    broken = k >= 0 and relative[k] > 0.0
    rents = np.zeros(use.size)
    if broken:
        rents[k] = 1.0 / use[k]
        cost = economy.resource_use.T @ rents
        why = f"the least plan needs {use[k]:.6g} of resource {k}, {program.resource_upper[k]:.6g} are allowed"
    elif (use > program.resource_upper).any() or (use < program.resource_lower).any() or (program.cost < 0.0).any():
        return plan_with_surplus(program, economy, backend)
    else:
        cost = economy.cost(program)
        why = "the least plan keeps every limit"
    prices = economy.prices(cost, priced, backend)
    if prices is None:
        return None
    status = Status.PRIMAL_INFEASIBLE if broken else Status.OPTIMAL
    return ReducedAnswer(status, plan, DualPoint(prices, rents, np.zeros(use.size)), why)


def _lowest(matrix: sp.csr_array) -> FloatArray:
    """The smallest entry of every row, at most 0."""
    return np.asarray(matrix.min(axis=1).toarray()).ravel() if matrix.nnz else np.zeros(matrix.shape[0])


def _utility(program: PlanningProgram, economy: SquareEconomy, backend: Any) -> ReducedAnswer | None:
    assert program.terms is not None
    limited = np.flatnonzero(np.isfinite(program.resource_upper))
    n, m, r = program.shape
    if not limited.size:
        return None
    use = economy.resource_use[limited].toarray()
    needed = np.ones(n, bool)
    for _ in range(_PRICED_ROUNDS):
        priced = needed
        solved = _consume(program, economy, use, program.resource_upper[limited], priced, backend)
        if solved is None:
            return None
        found, limit, output, values = solved
        needed = ~_superfluous(economy, output, found.consumption)
        if (needed == priced).all():
            break
    rents = np.zeros(r)
    rents[limited] = found.rents
    prices = economy.prices(economy.resource_use.T @ rents, priced, backend, start=values)
    if prices is None:
        return None
    plan = PlanPoint(economy.activity(output, m, program.capacity), np.nan, found.consumption)
    binding = int((found.rents * limit > 1e-9 * float(found.rents @ limit)).sum())
    why = f"{binding} of {limited.size} limits bind; their rents took {found.iterations} Newton steps"
    return ReducedAnswer(Status.OPTIMAL, plan, DualPoint(prices, rents, np.zeros(r)), why)


def _consume(
    program: PlanningProgram,
    economy: SquareEconomy,
    use: FloatArray,
    limit: FloatArray,
    priced: np.ndarray[Any, Any],
    backend: Any,
) -> tuple[Rents, FloatArray, FloatArray, FloatArray] | None:
    """(rents, limits plus what outside supplies save, gross outputs, values), if only ``priced`` goods have value."""
    assert program.terms is not None
    content = _content(economy, use, priced, backend)
    if content is None or (program.consumed & ~(content > 0.0).any(axis=0)).any():
        return None
    limit = limit + content @ economy.supply
    found = minimise_rents(program.terms, content, limit)
    if found is None:
        return None
    solved = least_output(economy.inputs, found.consumption - economy.supply, backend=backend)
    return None if solved is None else (found, limit, solved[0], content.T @ found.rents)


def _content(economy: SquareEconomy, use: FloatArray, priced: np.ndarray[Any, Any], backend: Any) -> FloatArray | None:
    """M = R L (k, n): what a unit of each good needs of each resource, all told; k systems in one solve."""
    buyers, direct = economy.transposed(priced), np.ascontiguousarray((use * priced).T)
    try:
        found = solve_leontief(buyers, direct, tolerance=1e-12, backend=backend, error_bound=False)
    except ProblemError:
        return None
    content = np.maximum(np.asarray(uninterrupted(found).x).T, 0.0)
    content[:, ~reach(buyers, np.any(direct, axis=1))] = 0.0
    return np.ascontiguousarray(content) if np.isfinite(content).all() else None
