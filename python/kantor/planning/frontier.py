"""Pareto frontiers: the best of one objective for every level of others, each point with its certificate."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import OptionError
from ..solvers.solution import Status, uninterrupted
from .combined import Held, Lexicographic
from .objectives import Objective, Utility

if TYPE_CHECKING:
    from .plan import Plan
    from .result import PlanResult


def frontier(
    plan: Plan, objectives: Sequence[Objective], points: int = 11, tolerance: float = 1e-6, slack: float = 1e-6
) -> pd.DataFrame:
    """Plans that are best for the first objective at every level of the one or two others.

    The levels go evenly from what another objective has where the first is best to its own best; each point is a plan
    of its own with proved bounds, started from the one before (epsilon-constraint method: Haimes, Lasdon and Wismer
    1971; ends of the ranges by lexicographic payoffs: Mavrotas 2009).

    Parameters
    ----------
    plan : economy, targets, limits and horizon; its own objective does not count.
    objectives : two or three; a utility only in the first place.
    points : levels of each of the others, at least 2.
    slack : relative room that a level leaves, as in :class:`kantor.Lexicographic`.

    Returns
    -------
    DataFrame with a row for each point: for each objective ``"1 harmony"``, ``"2 minimise-use"``, ... its value (the
    first: achieved; others: the level held), ``lower_bound`` and ``upper_bound`` on the first, ``gap``, ``status``,
    ``price`` of each level (gain of the first per unit by which the level gives way) and ``plan``, the result. Ctrl-C
    ends the table with the point it fell on.

    Raises OptionError for fewer than two or more than three objectives, or too few points.
    """
    from .plan import Plan

    if not 2 <= len(objectives) <= 3:
        raise OptionError(f"objectives: got {len(objectives)}, expected two or three")
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise OptionError(f"points: got {points!r}, expected a whole number of at least 2")
    if any(isinstance(objective, Utility | Lexicographic) for objective in objectives[1:]):
        raise OptionError("objectives: a utility can only stand in the first place, an order of priority in none")
    first, others = objectives[0], list(objectives[1:])
    levels = [np.linspace(*_range(plan, first, other, tolerance, slack), points) for other in others]
    rows, before = [], None
    names = [f"{k} {objective.name}" for k, objective in enumerate(objectives, 1)]
    for level in itertools.product(*levels):
        held = tuple(
            Held(other, value + (slack * abs(value) * (1 if other.sense == "min" else -1)))
            for other, value in zip(others, level, strict=True)
        )
        point = Plan(**plan.asked | {"held": held}, objective=first, name=f"{plan.name}, frontier")
        result = point.solve(tolerance, warm_start=before)
        before = result if result.status is Status.OPTIMAL else before
        rents = result.rents + result.floor_rents
        prices = [float(rents[f"objective {k}"]) for k in range(1, len(held) + 1)]
        rows.append(
            [result.objective, *level, *prices, result.lower_bound, result.upper_bound, result.gap,
             result.status.value, result]
        )  # fmt: skip
        if result.status is Status.INTERRUPTED:
            break
    columns = [*names, *(f"price of {name}" for name in names[1:]), "lower_bound", "upper_bound", "gap", "status"]
    return pd.DataFrame(rows, columns=[*columns, "plan"])


def _range(plan: Plan, first: Objective, other: Objective, tolerance: float, slack: float) -> tuple[float, float]:
    """The other objective where the first is best (the best it can still be there), and its own best."""
    ends = []
    for order in ([first, other], [other]):
        objective = Lexicographic(order, slack=slack) if len(order) > 1 else other
        result = _solved(plan, objective, tolerance)
        ends.append(result.objective)
    return ends[0], ends[1]


def _solved(plan: Plan, objective: Objective, tolerance: float) -> PlanResult:
    from .plan import Plan

    result = Plan(**plan.asked | {"held": ()}, objective=objective, name=plan.name).solve(tolerance)
    uninterrupted(result).raise_for_status()
    return result
