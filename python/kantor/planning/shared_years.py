"""Plans whose years share one technology: solved with the table of one year, for all years at a time.

This is for years that only limits and the common scale link: no capital, no stocks, no rates of change. One technique a
product, as many years, one table in memory (docs/decisions/0006). Whatever it does not settle is written out year by
year and goes the way of any plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..backends.world import active
from ..errors import ProblemError
from ..solvers.horizon import HorizonProgram, solve_shared
from ..solvers.problem import FloatArray

if TYPE_CHECKING:
    from ..solvers.program_solution import ProgramSolution
    from .plan import Plan


@dataclass(frozen=True)
class Shared:
    """``program`` over the years, and for each limit of the plan its place among the program's resources."""

    program: HorizonProgram
    places: np.ndarray[Any, np.dtype[np.intp]]

    def rents(self, values: FloatArray) -> FloatArray:
        """Rents in the order of the plan's limits."""
        return values[self.places]

    def words(self, why: str) -> str:
        """The reason with resources numbered as the limits of the plan are."""
        number = {int(place): k for k, place in enumerate(self.places)}
        return re.sub(r"resource (\d+) of all years", lambda found: f"resource {number[int(found[1])]}", why)


def solve_years(
    plan: Plan, tolerance: float, backend: str, on_progress: Callable[[dict[str, float]], object] | None
) -> ProgramSolution | None:
    """The plan from the table of one year; None where that does not apply or does not settle it."""
    try:
        shared = shared_years(plan)
    except ProblemError:  # said with labels by the plan written out
        return None
    found = None if shared is None else solve_shared(shared.program, tolerance, backend)
    if shared is None or found is None:
        return None
    found.rents, found.floor_rents = shared.rents(found.rents), shared.rents(found.floor_rents)
    found.info.why = shared.words(found.info.why)
    if on_progress is not None:
        bounds = {"lower_bound": found.lower_bound, "upper_bound": found.upper_bound, "gap": found.gap}
        on_progress({"iteration": 0.0, "seconds": found.info.seconds["total"]} | bounds)
    return found


def shared_years(plan: Plan) -> Shared | None:
    """The plan as a program over years with one technology; None if it is no such plan."""
    horizon, single = plan.asked["horizon"], plan.single
    if horizon is None or active() is not None or not single.is_square:
        return None
    links = (horizon.capital, horizon.storage, horizon.rise, horizon.fall, horizon.minimum)
    years = len(horizon.named(single))
    if any(link is not None for link in links) or horizon.input_lag or horizon.technology:
        return None
    if plan.economy.n_techniques != years * single.n_techniques or plan.economy.n_goods != years * single.n_goods:
        return None  # baskets one by one, soft limits or held objectives have added something
    made = plan.compiled
    if made.kind == "utility" or made.supply.any() or np.isfinite(plan.capacities.to_numpy()).any():
        return None
    of_years, of_horizon, places = _limits(plan, years)
    use = single.intensity_matrix
    upper = np.array([limit.upper for limit in plan.bounds], np.float64)
    lower = np.array([limit.lower for limit in plan.bounds], np.float64)
    size = years * len(of_years) + len(of_horizon)
    high, low = np.full(size, np.inf), np.full(size, -np.inf)
    high[places], low[places] = upper, lower
    cut = years * len(of_years)
    program = HorizonProgram.build(
        made.kind,
        single.output_coefficients,
        single.input_coefficients,
        made.targets.reshape(years, -1),
        yearly_use=use[of_years],
        yearly_upper=high[:cut].reshape(years, -1),
        yearly_lower=low[:cut].reshape(years, -1),
        horizon_use=use[of_horizon],
        horizon_upper=high[cut:],
        horizon_lower=low[cut:],
        cost=made.cost.reshape(years, -1),
    )
    return Shared(program, places)


def _limits(plan: Plan, years: int) -> tuple[list[int], list[int], np.ndarray[Any, np.dtype[np.intp]]]:
    """(indicators limited by year, indicators limited in total, place of each limit among the resources).

    Indicators of a plan over years are those of one year summed over all years, then once more for every year. Two
    limits on the same indicator of the same year take two rows.
    """
    count = len(plan.single.indicators)
    at = plan.economy.indicators.get_indexer(pd.Index([limit.indicator for limit in plan.bounds], dtype=object))
    yearly: dict[tuple[int, int], int] = {}  # (indicator, occurrence) -> row
    total: list[int] = []
    seen: dict[tuple[int, int], int] = {}
    found: list[tuple[int, int]] = []  # (year or -1, row)
    for k in at.tolist():
        if k < count:
            found.append((-1, len(total)))
            total.append(k)
            continue
        year, which = divmod(k - count, count)
        occurrence = seen[year, which] = seen.get((year, which), -1) + 1
        found.append((year, yearly.setdefault((which, occurrence), len(yearly))))
    rows = len(yearly)
    places = [years * rows + row if year < 0 else year * rows + row for year, row in found]
    return [which for which, _ in yearly], total, np.array(places, np.intp)
