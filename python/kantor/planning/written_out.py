"""From what a planner asks on an economy of one year to one larger economy with plain targets, objective and limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ..data.economy import Economy
from ..modelling.horizon import Horizon
from .combined import Held, Restated, WeightedSum, is_plain, restate_plan
from .limits import Bound, Limit, with_own_limits
from .objectives import MaxScale, Objective
from .years import enlarged, year_by_year


def write_out(
    economy: Economy,
    wanted: Any,
    objective: Objective,
    limits: Mapping[str, Bound | Limit] | None,
    horizon: Horizon | None,
    held: Sequence[Held] = (),
) -> Restated:
    """Years, baskets delivered one by one, sums, soft limits and held objectives as goods and techniques.

    What asks for nothing of that comes back as it was given; a :class:`kantor.planning.combined.Lexicographic` is
    written out objective by objective, by whoever solves it.
    """
    each, shares = (objective.each, objective.shares) if isinstance(objective, MaxScale) else (None, None)
    larger, wanted, spread = enlarged(economy, wanted, horizon, each, shares, with_own_limits(economy, limits))
    if horizon is not None:
        objective = _year_by_year(objective, economy, horizon, larger)
    limits = dict(spread or {})
    targets = larger.demand(wanted)
    if is_plain(objective, limits, held):
        return Restated(larger, targets, objective, limits, objective, larger.products)
    return restate_plan(larger, targets, objective, limits, held, () if horizon is None else horizon.named(economy))


def _year_by_year(objective: Objective, economy: Economy, horizon: Horizon, larger: Economy) -> Objective:
    """The objective over the years, member by member where it is a sum."""
    if isinstance(objective, WeightedSum):
        members = [_year_by_year(member, economy, horizon, larger) for member in objective.objectives]
        return dataclasses.replace(objective, objectives=members)
    return year_by_year(objective, economy, horizon, larger)
