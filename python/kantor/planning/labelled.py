"""From the arrays of a solution to a plan's result with its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..solvers.certificate import relative_gap
from ..solvers.solution import RAYS, Status
from .limits import unit_of
from .result import PlanResult

if TYPE_CHECKING:
    from ..solvers.program_solution import ProgramSolution
    from .plan import Plan


def label_solution(plan: Plan, solution: ProgramSolution, options: dict[str, Any]) -> PlanResult:
    """Put the labels of the plan on the arrays of its solution; bounds get the objective's constant."""
    eco, made = plan.economy, plan.compiled
    m = len(eco.techniques)
    names = pd.Index([limit.name for limit in plan.limits], name="limit", dtype="str")
    activity = pd.Series(solution.activity[:m], eco.techniques, name="activity")
    rents = pd.Series(solution.rents, names, name="rent", dtype=np.float64)
    floor_rents = pd.Series(solution.floor_rents, names, name="floor rent", dtype=np.float64)
    # The constant is added once more rounded outwards, so that bounds stay bounds.
    lower, upper = solution.lower_bound, solution.upper_bound
    if made.offset:
        lower = np.nextafter(lower + made.offset, -np.inf)
        upper = np.nextafter(upper + made.offset, np.inf)
    objective = solution.objective + made.offset
    if made.sign < 0:
        objective, lower, upper = -objective, -upper, -lower
    gap = relative_gap(made.kind, float(lower), float(upper))
    status, certified = solution.status, solution.certified
    if gap <= options["tolerance"] and status not in RAYS:  # stopped just when it was proved: the proof counts
        status, certified = Status.OPTIMAL, True
    consumption = pd.Series(solution.consumption, eco.products, name="consumption")
    if status is Status.PRIMAL_INFEASIBLE:
        consumption[:] = np.nan  # the activity is the last point that was tried; it delivers nothing that was planned
    return PlanResult(
        name=plan.name,
        status=status,
        objective=float(objective),
        lower_bound=float(lower),
        upper_bound=float(upper),
        gap=gap,
        activity=activity,
        consumption=consumption,
        prices=pd.Series(solution.prices, eco.products, name="price"),
        rents=rents,
        floor_rents=floor_rents,
        capacity_rents=pd.Series(solution.capacity_rents[:m], eco.techniques, name="capacity rent"),
        use=_use_table(plan, activity, rents, floor_rents),
        targets=plan.targets,
        capacities=plan.capacities,
        limits=plan.limits,
        objective_kind=plan.objective.name,
        objective_unit=plan.objective.unit(eco),
        sense=plan.objective.sense,
        certified=certified,
        surplus=solution.surplus,
        base=plan.base_activity,
        names=eco.product_names,
        unit=eco.unit,
        options=options,
        info=solution.info,
        notes=[*plan.notes],
        plan=plan,
    )


def _use_table(plan: Plan, activity: pd.Series, rents: pd.Series, floor_rents: pd.Series) -> pd.DataFrame:
    """One row for each limit and then for every indicator without a limit; see :class:`PlanResult`."""
    eco, base = plan.economy, plan.base_use
    # Not Economy.use, which refuses the NaN of a plan that was not found.
    use = pd.Series(eco.intensity_matrix @ activity.to_numpy(), eco.indicators)
    rows = [
        (
            limit.name,
            limit.indicator,
            limit.base,
            limit.lower,
            limit.upper,
            rents.iloc[k] + floor_rents.iloc[k],
            limit.unit,
        )
        for k, limit in enumerate(plan.limits)
    ]
    limited = {limit.indicator for limit in plan.limits} | {limit.name for limit in plan.limits}
    for indicator in use.index:
        if indicator not in limited:
            at_base = float("nan") if base is None else float(base[indicator])
            rows.append((indicator, indicator, at_base, -np.inf, np.inf, 0.0, unit_of(indicator, plan.economy)))
    table = pd.DataFrame(rows, columns=["name", "indicator", "base", "at_least", "at_most", "rent", "unit"])
    table.insert(1, "use", use.reindex(table["indicator"]).to_numpy())
    finite = np.isfinite(table["at_most"]) & (table["at_most"] != 0)
    table["share"] = (table["use"] / table["at_most"].where(finite)).astype(np.float64)
    order = ["indicator", "use", "base", "at_least", "at_most", "share", "rent", "unit"]
    return table.set_index("name")[order]
