"""Plans of square economies that make more of some goods than is asked for, because limits want it so.

The contents of all goods, one Leontief system with many right-hand sides, turn the plan into the small program of
:mod:`kantor.solvers.surplus`. Its answer is made a little safe on both sides: limits are drawn in and prices are
blended with others that leave every technique a loss, so that the certificate holds without repair.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ProblemError
from .bounds import DualPoint
from .leontief import solve_leontief
from .mix import least_output
from .problem import FloatArray
from .program import PlanningProgram
from .repair import PlanPoint
from .solution import Status, uninterrupted
from .square_economy import ReducedAnswer, SquareEconomy
from .surplus import Surplus, least_surplus

MOST_RESOURCES = 30  # limits that an elimination looks at: each is a right-hand side and a row
_DRAWN_IN = 2e-11  # limits are met with this share to spare, several times what rounding can take
_BLENDS = (2e-11, 2e-10, 2e-9)  # shares of prices at which every technique makes a loss


def plan_with_surplus(program: PlanningProgram, economy: SquareEconomy, backend: Any = "auto") -> ReducedAnswer | None:
    """The plan of "use" or "scale" whose limits the least plan does not keep; None if this does not settle it.

    Needs A >= 0 and a basket that outside supplies do not exceed, so that outputs cannot become negative.
    """
    limited = np.flatnonzero(np.isfinite(program.resource_upper) | np.isfinite(program.resource_lower))
    demand = program.targets - economy.supply
    nonnegative = not economy.inputs.nnz or economy.inputs.data.min() >= 0.0
    if limited.size > MOST_RESOURCES or (demand < 0.0).any() or not nonnegative:
        return None
    cost, use = economy.cost(program), economy.resource_use[limited].toarray()
    solved = _totals(economy, np.vstack([use, cost]), backend)
    if solved is None:
        return None
    content, value = solved[:-1], solved[-1]
    lower, upper = _drawn_in(program.resource_lower[limited], program.resource_upper[limited])
    found = least_surplus(content, value, demand, lower, upper, scaled=program.kind == "scale")
    if found is None:
        return None
    dual = _dual(program, economy, found, limited, content, value, backend)
    plan = _plan(program, economy, demand, found, backend)
    if dual is None or plan is None:
        return None
    if not found.feasible:
        return ReducedAnswer(Status.PRIMAL_INFEASIBLE, plan, dual, "the limits contradict each other")
    binding, more = int((found.net_rents != 0.0).sum()), int((found.surplus > 0.0).sum())
    why = f"{binding} of {limited.size} limits bind and more is made of {more} goods than is asked for"
    return ReducedAnswer(Status.OPTIMAL, plan, dual, why)


def _totals(economy: SquareEconomy, direct: FloatArray, backend: Any) -> FloatArray | None:
    """(k, n) direct contents (k, n) plus those of all inputs."""
    buyers = economy.transposed(np.ones(direct.shape[1], bool))
    right = np.ascontiguousarray(direct.T)
    try:
        found = solve_leontief(buyers, right, tolerance=1e-13, backend=backend, error_bound=False)
    except ProblemError:
        return None
    total = np.ascontiguousarray(np.asarray(uninterrupted(found).x).T)
    return total if np.isfinite(total).all() else None


def _drawn_in(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Limits a little narrower, but never past each other."""
    size = lambda v: _DRAWN_IN * np.abs(np.where(np.isfinite(v), v, 0.0))  # noqa: E731
    low, high = lower + size(lower), upper - size(upper)
    met = low > high
    low[met] = high[met] = 0.5 * (lower[met] + upper[met])
    return low, high


def _plan(
    program: PlanningProgram, economy: SquareEconomy, demand: FloatArray, found: Surplus, backend: Any
) -> PlanPoint | None:
    m, scale = program.shape[1], found.scale if program.kind == "scale" else np.nan
    wanted = (found.scale if program.kind == "scale" else 1.0) * demand + found.surplus
    made = least_output(economy.inputs, wanted, backend=backend)
    if made is None:
        return None
    target = found.scale * program.targets if program.kind == "scale" else program.targets.copy()
    return PlanPoint(economy.activity(made[0], m, program.capacity), scale, target)


def _dual(
    program: PlanningProgram,
    economy: SquareEconomy,
    found: Surplus,
    limited: np.ndarray[Any, Any],
    content: FloatArray,
    value: FloatArray,
    backend: Any,
) -> DualPoint | None:
    """Rents and prices p = A'p + c + R'nu >= 0, by the smallest blend with safe rents that keeps them so."""
    costs = found.feasible and program.kind == "use"
    value = value if costs else np.zeros_like(value)
    direct = economy.cost(program) if costs else np.zeros_like(value)
    use, everything = economy.resource_use[limited], np.ones(value.size, bool)
    safe = np.zeros(limited.size) if costs else _safe_rents(program, limited, content, found.net_rents)
    for share in _BLENDS:
        nu = (1.0 - share) * found.net_rents + share * safe
        start, cost = value + content.T @ nu, direct + use.T @ nu
        found_prices = economy.prices(cost, everything, backend, start=start)
        if found_prices is None:
            return None
        prices = found_prices
        # A price that would be negative was cut to zero: then its technique must not earn anything by it.
        if (prices <= economy.transposed(everything) @ prices + cost).all():
            break
    rents, floors = np.zeros(program.shape[2]), np.zeros(program.shape[2])
    rents[limited], floors[limited] = np.maximum(nu, 0.0), np.maximum(-nu, 0.0)
    return DualPoint(prices, rents, floors)


def _safe_rents(
    program: PlanningProgram, limited: np.ndarray[Any, Any], content: FloatArray, net: FloatArray
) -> FloatArray:
    """Rents of equal worth, together that of ``net``, on the upper limits of what every good only uses up."""
    upper, lower = program.resource_upper[limited], program.resource_lower[limited]
    paid = np.isfinite(upper) & (upper > 0.0) & (content >= 0.0).all(axis=1)
    limit = np.where(np.isfinite(upper), upper, np.where(np.isfinite(lower), lower, 0.0))
    worth = float(np.abs(net) @ np.abs(limit))
    return np.where(paid, worth / (max(1, int(paid.sum())) * np.where(paid, upper, 1.0)), 0.0)
