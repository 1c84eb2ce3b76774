"""What a plan is given: capacities, a technology that is seen to be productive at a glance, an earlier plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.labels import show
from ..errors import ProblemError
from ..solvers.program_solution import ProgramSolution
from ..solvers.rigour import gamma
from .weights import positions

if TYPE_CHECKING:
    from .plan import Plan
    from .result import PlanResult


def uses_less_than_it_makes(A: sp.csr_array) -> bool:
    """Whether every column of |A| sums to less than 1, as in tables in money: then the economy is productive."""
    return bool((_magnitudes(A).T @ np.ones(A.shape[0]) < 1.0).all())


def leaves_a_rest(A: sp.csr_array, x: np.ndarray) -> bool:
    """Whether x > 0 and x > |A| x beyond all rounding: then |A| has a spectral radius below 1 (Collatz, Wielandt)."""
    if not (x > 0.0).all():
        return False
    used = _magnitudes(A) @ x
    return bool((x - used > gamma(np.diff(A.indptr) + 3) * (x + used)).all())


def _magnitudes(A: sp.csr_array) -> sp.csr_array:
    return abs(A) if A.nnz and A.data.min() < 0.0 else A


def capacities_of(capacities: Any, economy: Economy) -> pd.Series:
    """The economy's capacities with those of the plan in their place."""
    own = economy.capacities
    values = np.full(len(economy.techniques), np.inf) if own is None else own.to_numpy(dtype=np.float64).copy()
    if isinstance(capacities, Mapping):
        capacities = pd.Series(dict(capacities), dtype=np.float64)
    if isinstance(capacities, pd.Series):
        values[positions(capacities.index, economy.techniques, "capacities")] = capacities.to_numpy(dtype=np.float64)
    elif capacities is not None:
        array = np.array(capacities, dtype=np.float64)
        if array.shape != values.shape:
            raise ProblemError(f"capacities: shape {array.shape}, expected {values.shape}, one for each technique")
        values = array
    bad = ~(values >= 0)
    if bad.any():
        j = int(np.flatnonzero(bad)[0])
        name, value = show(economy.techniques[j]), float(values[j])
        raise ProblemError(f"capacities: technique {name!r} has {value!r}, expected a number >= 0")
    return pd.Series(values, index=economy.techniques, name="capacity")


def start_of(plan: Plan, earlier: PlanResult) -> ProgramSolution:
    """Activity, prices and rents of an earlier result, in this plan's order; limits are matched by name."""
    activity = np.zeros(len(plan.economy.techniques) + plan.supplied.size)
    activity[positions(earlier.activity.index, plan.economy.techniques, "warm_start")] = earlier.activity.to_numpy()
    prices = np.zeros(len(plan.economy.products))
    prices[positions(earlier.prices.index, plan.economy.products, "warm_start")] = earlier.prices.to_numpy()
    names = [limit.name for limit in plan.limits]
    rents, floors = (given.reindex(names, fill_value=0.0) for given in (earlier.rents, earlier.floor_rents))
    return ProgramSolution(
        status=earlier.status,
        objective=earlier.objective,
        lower_bound=earlier.lower_bound,
        upper_bound=earlier.upper_bound,
        gap=earlier.gap,
        activity=activity,
        scale=np.nan,
        consumption=earlier.consumption.to_numpy(),
        prices=prices,
        rents=rents.to_numpy(),
        floor_rents=floors.to_numpy(),
        capacity_rents=np.zeros(len(activity)),
    )
