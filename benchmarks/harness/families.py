"""Planning programmes of the suites: national tables, technique choice, tables split into products."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from kantor.data.datasets import load_economy
from kantor.data.generators import expand
from kantor.data.power_law import power_law
from kantor.data.technique_choice import technique_choice
from kantor.planning.limits import Limit
from kantor.planning.objectives import MaxScale, MinimiseUse
from kantor.planning.plan import Plan
from kantor.solvers.leontief import solve_leontief
from kantor.solvers.program import PlanningProgram

from .files import Arrays, put_matrix

# ---- tables ---------------------------------------------------------------------------------------------------------


def national(products: int | None = None, raw: bool = False) -> PlanningProgram:
    """The United States of 2012: largest scale with 102 % of the jobs, 95 % of the greenhouse gases; it is 0.95.

    ``raw``: in dollars, persons and kilograms as the table has them, numbers up to 1e13; else as a careful modeller
    would write it, see :func:`_friendly`.
    """
    eco = load_economy("us_useeio_2012_411", technology="domestic")
    if products is not None:
        eco = expand(eco, products=products, seed=1, kmax=1)
    elif (eco.A.data < 0).any() or (eco.final_demand.to_numpy() < 0).any():
        eco = eco.replace(input_coefficients=eco.A.maximum(0.0), technologies={}, final_demand=_positive(eco))
    program = Plan(eco, objective=MaxScale(), limits={"JOBS": "102%", "GHG": "95%"}).compile()
    return program if raw else _friendly(program)


def _positive(eco: Any) -> Any:
    return eco.final_demand.clip(lower=0.0)


def world() -> PlanningProgram:
    """WIOD 2011, 41 regions x 35 sectors: largest scale with 102 % of employment and 95 % of the CO2."""
    eco = load_economy("wiod2013", year=2011)
    return _friendly(Plan(eco, objective=MaxScale(), limits={"employment": "102%", "co2": "95%"}).compile())


def _friendly(program: PlanningProgram) -> PlanningProgram:
    """The same plan with the mean target as the unit of all goods and each limit as the unit of its resource."""
    unit = float(np.abs(program.targets).mean())
    per = sp.diags_array(unit / program.resource_upper)
    return PlanningProgram.build(
        program.kind, program.output, program.input, program.targets / unit, resource_use=per @ program.resource_use,
        resource_upper=np.ones(program.resource_upper.size), capacity=program.capacity / unit, cost=program.cost,
    )  # fmt: skip


def record(industries: int, binding: float = 0.0) -> PlanningProgram:
    """Härdin's published power-law instance; ``binding`` > 1: baskets at that multiple of what they get without."""
    eco = power_law(industries)
    baskets = [name for name in eco.intensities.index if name != "output"]
    limits = {name: Limit(at_least=1.0) for name in baskets}
    if binding:
        made = solve_leontief(eco.A, np.ones(industries), tolerance=1e-13, error_bound=False).x
        supply = eco.intensities.loc[baskets].to_numpy() @ made
        limits = {name: Limit(at_least=binding * amount) for name, amount in zip(baskets, supply, strict=True)}
    return Plan(eco, objective=MinimiseUse("output"), limits=limits).compile()


# ---- choice of technique --------------------------------------------------------------------------------------------


def least_labour(
    goods: int, resources: int = 5, bounded: float = 0.0, sigma: float = 0.0, rho: float = 0.8
) -> PlanningProgram:
    """Three techniques a good, capacities on a share ``bounded`` of them (one of each good is free), units lognormal.

    Limits at 0.9 to 1.05 of what the least-labour plan uses; with capacities between that plan and the most sparing
    one, for tight ones then seldom leave a plan.
    """
    limits = "blend" if bounded else "tight"
    return technique_choice(
        goods, resources=resources, rho=rho, limits=limits, capacities=bounded, unit_spread=sigma
    ).program


def largest_scale(goods: int, bounded: float = 0.3, one_free: bool = True) -> PlanningProgram:
    """Two techniques a good in sectors, labour and 12 other limits; ``one_free``: one technique a good is free."""
    return technique_choice(goods, family="scale", capacities=bounded, leave_one_free=one_free).program


# ---- as files -------------------------------------------------------------------------------------------------------


def plan_arrays(program: PlanningProgram) -> Arrays:
    """What ``planning_program`` of the child reads."""
    arrays: Arrays = {"kind": np.array(program.kind)}
    for name in ("output", "input", "resource_use"):
        put_matrix(arrays, name, getattr(program, name))
    for name in ("targets", "resource_upper", "resource_lower", "capacity", "cost"):
        arrays[name] = getattr(program, name)
    return arrays


def lp_arrays(lp: Any) -> Arrays:
    """What the linear programming solvers of the child read."""
    arrays: Arrays = {name: getattr(lp, name) for name in ("c", "row_lower", "row_upper", "lower", "upper")}
    put_matrix(arrays, "K", lp.K)
    return arrays | {"offset": np.array(lp.offset)}
