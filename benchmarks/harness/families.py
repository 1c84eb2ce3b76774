"""Planning programmes of the suites: national tables, technique choice, tables split into products."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla

from kantor.data.datasets import load_economy
from kantor.data.generators import expand
from kantor.data.power_law import power_law
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


def technique_choice(
    goods: int, resources: int = 5, rho: float = 0.8, bounded: float = 0.0, sigma: float = 0.0, seed: int = 1
) -> PlanningProgram:
    """Least labour with three techniques a good, ``resources`` limits at 0.9 to 1.05 of what the labour-only plan uses,
    capacities on a share ``bounded`` of the techniques (one of each good stays free), goods in lognormal units.
    """
    random = np.random.default_rng(seed)
    inputs = [_inputs(goods, random) for _ in range(3)]
    factor = rho / radius(inputs[0])
    A = sp.csr_array(sp.hstack([factor * block for block in inputs], format="csr"))
    columns = A.shape[1]
    good = np.tile(np.arange(goods), 3)
    labour = random.lognormal(0.0, 0.7, columns)
    demand = random.lognormal(0.0, 1.5, goods) * (random.random(goods) < 0.4)
    R = sp.random_array(
        (resources, columns), density=0.3, rng=random, data_sampler=lambda size: random.lognormal(0.0, 0.7, size)
    ).tocsr()
    x0 = _least_labour(A, labour, demand, good)
    limits = np.linspace(0.9, 1.05, resources) * (R @ x0) if resources else np.zeros(0)
    capacity = np.full(columns, np.inf)
    if bounded:
        made = np.bincount(good, weights=x0, minlength=goods)
        chosen = random.random(columns) < bounded
        chosen[random.integers(0, 3, goods) * goods + np.arange(goods)] = False
        room = made[good] * random.uniform(0.4, 1.5, columns) + 1e-3 * made.mean()
        capacity[chosen] = room[chosen]
        # Limits that the bounded techniques would make unreachable: the free technique of each good decides.
        limits *= 1.15
    unit = random.lognormal(0.0, sigma, goods) if sigma else np.ones(goods)
    per = sp.diags_array(1.0 / unit[good])
    output = sp.csr_array((np.ones(columns), (good, np.arange(columns))), shape=(goods, columns))
    return PlanningProgram.build(
        "use", output, sp.diags_array(unit) @ A @ per, unit * demand, resource_use=R @ per, resource_upper=limits,
        capacity=capacity * unit[good], cost=labour / unit[good],
    )  # fmt: skip


def _inputs(goods: int, random: np.random.Generator, mean: float = 12.0) -> sp.csc_array:
    """One matrix of input coefficients with heavy-tailed rows and columns, column sums Beta(4, 4)."""
    degree = np.minimum(random.pareto(1.2, goods) + 1.0, 2000.0)
    draws = np.maximum(1, np.round(mean * degree / degree.mean())).astype(np.int64)
    weights = np.minimum(random.pareto(1.1, goods) + 1.0, max(0.02 * goods, 2.0))
    user = np.repeat(np.arange(goods), draws)
    supplier = random.choice(goods, size=user.size, p=weights / weights.sum())
    kept = supplier != user
    size = random.lognormal(0.0, 1.2, user.size)[kept]
    A = sp.csc_array((size, (supplier[kept], user[kept])), shape=(goods, goods))
    A.sum_duplicates()
    sums = np.asarray(A.sum(axis=0)).ravel()
    share = random.beta(4.0, 4.0, goods) / np.where(sums > 0, sums, 1.0)
    return sp.csc_array(A @ sp.diags_array(share))


def radius(A: Any, steps: int = 300) -> float:
    """The spectral radius of A >= 0 by power iteration on A + I / 4, which has no cycle."""
    x = np.ones(A.shape[0])
    rate = 1.0
    for _ in range(steps):
        following = A @ x + 0.25 * x
        rate = float(np.linalg.norm(following) / np.linalg.norm(x))
        x = following / np.linalg.norm(following)
    return rate - 0.25


def _least_labour(A: sp.csr_array, labour: Any, demand: Any, good: Any) -> Any:
    """Activities of the labour-only plan: values of the cheapest techniques, repeated until no choice changes."""
    goods = demand.size
    value = np.zeros(goods)
    for _ in range(2000):
        cost = (labour + A.T @ value).reshape(3, goods)
        new = cost.min(axis=0)
        if np.abs(new - value).max() <= 1e-9 * new.max():
            break
        value = new
    chosen = cost.argmin(axis=0) * goods + np.arange(goods)
    own = sp.csc_array(A)[:, chosen]
    operator = sla.LinearOperator(own.shape, matvec=lambda v: v - own @ v, dtype=np.float64)
    made, code = sla.bicgstab(operator, demand, rtol=1e-12, maxiter=10_000)
    if code:
        raise ArithmeticError(f"the labour-only plan was not found: bicgstab says {code}")
    x = np.zeros(A.shape[1])
    x[chosen] = np.maximum(made, 0.0)
    return x


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
