"""Technique choice: n goods, k techniques each, resource limits, capacities; technologies with heavy tails.

Two families. "use" asks for the least labour that meets a demand, its technology has popular suppliers and a chosen
spectral radius; "scale" asks for the largest common scale of a basket, its technology is sectoral. The difficulty is
set by the spectral radius rho: supply chains are about 1 / (1 - rho) long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..backends import get_backend
from ..errors import OptionError
from ..solvers.policy import cheapest_policy, outputs_of
from ..solvers.program import PlanningProgram
from ..solvers.technology import Technology
from .economy import Economy

FAMILIES = ("use", "scale")
LIMITS = ("tight", "blend")
_RADIUS_STEPS = 60


@dataclass(frozen=True)
class TechniqueChoice:
    """A generated instance.

    Attributes
    ----------
    program: arrays for :func:`kantor.solvers.dispatch.solve_program`.
    reference: (m,) activity of the plan that the limits and capacities were measured at.
    unit: (n,) physical units per unit of value of each good (1 unless ``unit_spread`` > 0).
    arguments: what :func:`technique_choice` was called with.
    """

    program: PlanningProgram
    reference: np.ndarray
    unit: np.ndarray
    arguments: dict[str, Any]

    def economy(self) -> Economy:
        """The instance as a labelled economy; its limits are in the notes, for ``limits=`` of a plan."""
        program, family = self.program, self.arguments["family"]
        n, m, r = program.shape
        products = pd.RangeIndex(n, name="product")
        numbers = [np.tile(np.arange(n), m // n), np.repeat(np.arange(m // n), n)]
        techniques = pd.MultiIndex.from_arrays(numbers, names=["product", "technique"])
        names = [f"resource {k}" for k in range(r)]
        use = program.resource_use.toarray()
        if family == "use":
            names, use = ["labour", *names], np.vstack([program.cost, use])
        elif r:
            names[0] = "labour"
        limited = zip(names[-r:] if r else [], program.resource_upper, strict=True)
        notes = [f"limit: {name} at most {limit!r}" for name, limit in ((n_, float(b)) for n_, b in limited)]
        return Economy(
            name=f"technique choice {n} x {m // n} ({family}, seed {self.arguments['seed']})",
            products=products,
            techniques=techniques,
            output_coefficients=program.output,
            input_coefficients=program.input,
            intensities=pd.DataFrame(use, names, techniques),
            final_demand=pd.DataFrame({"demand": program.targets}, products),
            activity=pd.Series(self.reference, techniques),
            capacities=pd.Series(program.capacity, techniques),
            aliases={"jobs": "labour"} if "labour" in names else {},
            notes=notes,
        )


def technique_choice(
    goods: int,
    *,
    family: str = "use",
    techniques: int | None = None,
    resources: int | None = None,
    rho: float = 0.8,
    limits: str = "tight",
    blend: float = 0.3,
    capacities: float = 0.0,
    leave_one_free: bool = True,
    unit_spread: float = 0.0,
    seed: int = 1,
) -> TechniqueChoice:
    """Draw an instance; the same arguments give the same one.

    Parameters
    ----------
    goods: n; technique t of good i is column t n + i.
    family: "use": least labour for a demand, column sums Beta(4, 4) scaled to the radius ``rho`` of the first
        technology. "scale": largest scale of a basket, column sums U(0.3, 0.75), sectors of neighbouring goods.
    techniques: k per good; 3 for "use", 2 for "scale" if None.
    resources: r limits; 5 for "use", 13 (labour and 12 others) for "scale" if None.
    limits: of "use". "tight": 0.9 to 1.05 times what the least-labour plan x0 needs; rarely infeasible. "blend":
        what (1 - blend) x0 + blend x1 needs, x1 the plan of least relative resource use; always feasible.
    capacities: share of the techniques with a capacity, U(0.4, 1.5) times the good's output in the reference plan.
    leave_one_free: at least one technique of every good then has no capacity.
    unit_spread: standard deviation of the logarithm of the goods' units.

    >>> instance = technique_choice(50, resources=2, capacities=0.3)
    >>> instance.program.shape, instance.program.kind
    ((50, 150, 2), 'use')
    """
    arguments = dict(locals())
    _check(goods, family, limits, techniques, resources, rho, blend, capacities, unit_spread)
    rng = np.random.default_rng(seed)
    k = techniques or (3 if family == "use" else 2)
    r = (5 if family == "use" else 13) if resources is None else resources
    make = _least_labour if family == "use" else _largest_scale
    program, reference, output = make(rng, goods, k, r, rho, limits, blend)
    if capacities > 0.0:
        bounds = _capacities(rng, np.tile(output, k), goods, k, capacities, leave_one_free)
        program = PlanningProgram.build(
            program.kind, program.output, program.input, program.targets, resource_use=program.resource_use,
            resource_upper=program.resource_upper, capacity=bounds, cost=program.cost,
        )  # fmt: skip
    unit = rng.lognormal(0.0, unit_spread, goods) if unit_spread > 0.0 else np.ones(goods)
    return TechniqueChoice(_in_units(program, unit, k), reference * np.tile(unit, k), unit, arguments)


def _check(
    goods: int, family: str, limits: str, techniques: int | None, resources: int | None, rho: float, blend: float,
    share: float, spread: float,
) -> None:  # fmt: skip
    if family not in FAMILIES:
        raise OptionError(f"family: got {family!r}, expected one of {', '.join(FAMILIES)}")
    if limits not in LIMITS:
        raise OptionError(f"limits: got {limits!r}, expected one of {', '.join(LIMITS)}")
    if goods < 10:
        raise OptionError(f"goods: got {goods}, expected at least 10")
    if techniques is not None and techniques < 1:
        raise OptionError(f"techniques: got {techniques}, expected at least 1")
    if resources is not None and resources < (1 if family == "scale" else 0):
        raise OptionError(f"resources: got {resources}, expected at least {1 if family == 'scale' else 0}")
    if not 0.0 < rho < 1.0:
        raise OptionError(f"rho: got {rho}, expected a number in (0, 1)")
    if not 0.0 <= blend <= 1.0:
        raise OptionError(f"blend: got {blend}, expected a share in [0, 1]")
    if not 0.0 <= share <= 1.0:
        raise OptionError(f"capacities: got {share}, expected a share in [0, 1]")
    if spread < 0.0:
        raise OptionError(f"unit_spread: got {spread}, expected a number >= 0")


# ---- the two families --------------------------------------------------------------------------------------------
def _least_labour(
    rng: np.random.Generator, n: int, k: int, r: int, rho: float, limits: str, blend: float
) -> tuple[PlanningProgram, np.ndarray, np.ndarray]:
    tables = [_popular(rng, n) for _ in range(k)]
    factor = rho / _radius(tables[0])
    inputs = sp.hstack([factor * A for A in tables], format="csr")
    m = n * k
    labour = rng.lognormal(0.0, 0.7, m)
    demand = rng.lognormal(0.0, 1.5, n) * (rng.random(n) < 0.4)
    use = _resources(rng, r, m, 0.3)
    output = sp.hstack([sp.eye_array(n)] * k, format="csr")
    free = PlanningProgram.build("use", output, inputs, demand, cost=labour)
    x0 = _least(free, labour)
    need = use @ x0
    if limits == "tight":
        upper = need * np.linspace(0.9, 1.05, r)
    else:
        x1 = _least(free, use.T @ (1.0 / np.where(need > 0.0, need, 1.0))) if r else x0
        upper = use @ ((1.0 - blend) * x0 + blend * x1)
    program = PlanningProgram.build("use", output, inputs, demand, resource_use=use, resource_upper=upper, cost=labour)
    return program, x0, output @ x0


def _largest_scale(
    rng: np.random.Generator, n: int, k: int, r: int, rho: float, limits: str, blend: float
) -> tuple[PlanningProgram, np.ndarray, np.ndarray]:
    tables = [_sectoral(rng, n) for _ in range(k)]
    inputs = sp.hstack(tables, format="csr")
    m = n * k
    labour = sp.csr_array(rng.uniform(0.2, 1.0, m).reshape(1, -1))
    use = sp.vstack([labour, _resources(rng, r - 1, m, 0.5, 0.8)], format="csr")
    basket = rng.lognormal(0.0, 1.5, n) * (rng.random(n) < 0.6)
    basket /= basket.mean()
    output = sp.hstack([sp.eye_array(n)] * k, format="csr")
    first = PlanningProgram.build("use", sp.eye_array(n), tables[0], basket, cost=np.ones(n))
    x0 = np.concatenate([_least(first, np.ones(n)), np.zeros(m - n)])
    upper = (use @ x0) * rng.uniform(0.8, 1.2, r)
    program = PlanningProgram.build("scale", output, inputs, basket, resource_use=use, resource_upper=upper)
    return program, x0, output @ x0


def _least(program: PlanningProgram, cost: np.ndarray) -> np.ndarray:
    """(m,) the activity of least cost without limits: one technique a good."""
    technology = Technology.of(program, get_backend("auto"))
    policy = cheapest_policy(technology, cost / technology.per_activity)
    x = np.zeros(program.shape[1])
    x[policy.choice] = outputs_of(technology, policy, program.targets * technology.value)
    return technology.activity(x)


def _popular(rng: np.random.Generator, n: int, density: float = 12.0) -> sp.csc_array:
    """Heavy-tailed input counts and suppliers; column sums Beta(4, 4)."""
    degree = np.minimum(rng.pareto(1.2, n) + 1.0, 2000.0)
    popularity = np.minimum(rng.pareto(1.1, n) + 1.0, max(0.02 * n, 1.0))
    count = np.maximum(1, np.round(density * degree / degree.mean()).astype(np.int64))
    buyer = np.repeat(np.arange(n), count)
    seller = _drawn(rng, popularity, buyer.size)
    return _columns(rng, seller, buyer, n, rng.beta(4.0, 4.0, n))


def _sectoral(rng: np.random.Generator, n: int, density: float = 15.0) -> sp.csc_array:
    """Half the inputs from the good's own sector, half by popularity; column sums U(0.3, 0.75)."""
    sectors = max(10, n // 200)
    bounds = np.linspace(0, n, sectors + 1).astype(np.int64)
    sector = np.searchsorted(bounds, np.arange(n), side="right") - 1
    count = np.clip(np.floor(rng.lognormal(np.log(density) - 0.18, 0.6, n)), 1, n - 1).astype(np.int64)
    buyer = np.repeat(np.arange(n), count)
    popularity = rng.pareto(1.2, n) + 0.05
    seller = _drawn(rng, popularity, buyer.size)
    low, high = bounds[sector[buyer]], bounds[sector[buyer] + 1]
    near = low + np.floor(rng.random(buyer.size) * (high - low)).astype(np.int64)
    seller = np.where(rng.random(buyer.size) < 0.5, seller, near)
    return _columns(rng, seller, buyer, n, rng.uniform(0.3, 0.75, n))


def _drawn(rng: np.random.Generator, weights: np.ndarray, count: int) -> np.ndarray:
    edges = np.cumsum(weights)
    return np.minimum(np.searchsorted(edges, rng.random(count) * edges[-1], side="right"), weights.size - 1)


def _columns(rng: np.random.Generator, seller: Any, buyer: Any, n: int, sums: np.ndarray) -> sp.csc_array:
    """Inputs of size LogN(0, 1.2) with each column scaled to its sum; no good uses itself."""
    keep = seller != buyer
    table = sp.coo_array(
        (rng.lognormal(0.0, 1.2, seller.size)[keep], (seller[keep], buyer[keep])), shape=(n, n)
    ).tocsc()
    total = np.asarray(table.sum(axis=0)).ravel()
    table.data *= np.repeat(sums / np.where(total > 0.0, total, 1.0), np.diff(table.indptr))
    return table


def _resources(rng: np.random.Generator, r: int, m: int, density: float, sigma: float = 0.7) -> sp.csr_array:
    """(r, m): each coefficient is there with probability ``density``, LogN(0, sigma)."""
    rows = []
    for _ in range(r):
        at = np.flatnonzero(rng.random(m) < density)
        rows.append(sp.csr_array((rng.lognormal(0.0, sigma, at.size), (np.zeros(at.size, int), at)), shape=(1, m)))
    return sp.csr_array(sp.vstack(rows, format="csr")) if rows else sp.csr_array((0, m))


def _radius(A: sp.csc_array) -> float:
    """Spectral radius by power iteration."""
    turned = A.T.tocsr()
    v, radius = np.ones(A.shape[0]), 1.0
    for _ in range(_RADIUS_STEPS):
        new = turned @ v + 1e-6 * v
        radius = float(new.sum() / v.sum())
        v = new / new.max()
    return radius - 1e-6


def _capacities(
    rng: np.random.Generator, reference: np.ndarray, n: int, k: int, share: float, one_free: bool
) -> np.ndarray:
    m = n * k
    bounded = rng.random(m) < share
    if one_free:
        spared = rng.integers(0, k, n) * n + np.arange(n)
        bounded[spared] = False
    bounds = reference * rng.uniform(0.4, 1.5, m) + 0.001 * reference.mean()
    return np.where(bounded, bounds, np.inf)


def _in_units(program: PlanningProgram, unit: np.ndarray, k: int) -> PlanningProgram:
    """Goods counted in other units: N -> diag(u) N diag(1 / u_own), use and cost per new unit of activity."""
    if (unit == 1.0).all():
        return program
    own = np.tile(unit, k)
    inputs = program.input.copy()
    inputs.data *= np.repeat(unit, np.diff(inputs.indptr)) / own[inputs.indices]
    use = program.resource_use.copy()
    use.data /= own[use.indices]
    return PlanningProgram.build(
        program.kind, program.output, inputs, program.targets * unit, resource_use=use,
        resource_upper=program.resource_upper, capacity=program.capacity * own, cost=program.cost / own,
    )  # fmt: skip
