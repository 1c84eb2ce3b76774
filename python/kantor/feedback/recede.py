"""A plan over years moved on by one: what the first year leaves behind becomes the start of the second.

The window keeps its length: the year that is over drops out and one more is added at the end, whose targets grow from
the last year's at the horizon's own rate. What carries over, from the plan unless reports say otherwise:

* stocks: what the plan stored in the first year, less its loss, and what was reported on hand;
* assets: what stood, worn, and what came into use since (:class:`kantor.Capital`);
* activity: the base that ``rise`` and ``fall`` of the new first year refer to;
* a budget over the total of all years: less what the first year used; the added year brings nothing to it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..errors import ProblemError
from ..modelling.capital import Capital
from ..modelling.horizon import Horizon
from ..planning.result import PlanResult
from ..solvers.problem import FloatArray
from .apply import Question


def planned_activity(result: PlanResult, economy: Economy, year: int | None) -> FloatArray:
    """Activity (m,) of one year's techniques in a plan; of the plan itself where it has no years."""
    activity = result.activity
    if year is not None:
        activity = activity.xs((year, "run"), level=(0, 1))
    if economy.techniques.nlevels == 1:
        found = activity.reindex(economy.techniques)
    else:
        found = activity.reindex(pd.MultiIndex.from_tuples(list(economy.techniques)))
    values = found.to_numpy(np.float64)
    if np.isnan(values).any():
        raise ProblemError("replan: the plan has no activity for some techniques of its economy; it found no plan")
    return values


def move_on(question: Question, result: PlanResult) -> Question:
    """The question one year later; ProblemError for what cannot be carried over (gestation of several years)."""
    horizon: Horizon = question.horizon
    economy = question.economy
    years = horizon.named(economy)
    first, after = years[0], years[0] + 1
    if len(years) < 2 and horizon.capital is not None:
        raise ProblemError("replan: a window of one year leaves no capital to go on with; plan two years or more")
    if horizon.input_lag:
        raise ProblemError("replan: input_lag: what was bought ahead cannot be carried over; replan without moving on")
    ran = planned_activity(result, economy, first)
    stock = question.stock + _stored(horizon, economy, result, first)
    reference = pd.Series(economy.intensity_matrix @ ran, economy.indicators)
    moved = economy.replace(activity=pd.Series(ran, economy.techniques), reference_use=reference)
    return dataclasses.replace(
        question,
        economy=moved,
        targets=_next_targets(question, years),
        horizon=dataclasses.replace(
            horizon,
            years=len(years),
            first=after,
            capital=None if horizon.capital is None else _capital(horizon.capital, economy, result, first),
            technology={max(year, after): other for year, other in sorted(horizon.technology.items())},
        ),
        limits={
            name: _next_limit(limit, years, float(reference[economy.indicator_name(limit.indicator or name)]))
            for name, limit in question.limits.items()
        },
        stock=stock,
    )


def with_stocks(question: Question) -> Question:
    """What is on hand as the initial stock of the horizon; products that the horizon cannot store are refused."""
    if question.horizon is None or not question.stock.any():
        return question
    horizon, products = question.horizon, question.economy.products
    storage = horizon.storage
    if storage is None:
        raise ProblemError("replan: stocks are on hand, but the plan's horizon has no storage; give it kt.Storage(...)")
    at = storage.arrays(question.economy).at
    left = np.delete(question.stock, at)
    if left.any():
        name = products[np.setdiff1d(np.flatnonzero(question.stock), at)[0]]
        raise ProblemError(
            f"replan: {name!r} is on hand, but the horizon does not store it; add it to Storage.products"
        )
    initial = pd.Series(question.stock[at], products[at])
    return dataclasses.replace(
        question, horizon=dataclasses.replace(horizon, storage=dataclasses.replace(storage, initial=initial))
    )


def _stored(horizon: Horizon, economy: Economy, result: PlanResult, year: int) -> FloatArray:
    stock = np.zeros(economy.n_goods)
    if horizon.storage is None or len(horizon.named(economy)) < 2:
        return stock
    arrays = horizon.storage.arrays(economy)
    kept = result.activity.xs((year, "store"), level=(0, 1)).to_numpy(np.float64)
    stock[arrays.at] = np.maximum(kept, 0.0) * (1.0 - arrays.loss)
    return stock


def _capital(capital: Capital, economy: Economy, result: PlanResult, first: int) -> Capital:
    """The assets that stand in the second year: worn ones, and what the first year's investment brings."""
    arrays = capital.arrays(economy)
    if arrays.gestation > 1:
        raise ProblemError(
            f"replan: assets take {arrays.gestation} years to build; what is half built cannot be carried over"
        )
    begun = result.activity.xs((first, "invest"), level=(0, 1)).to_numpy(np.float64)
    stands = arrays.initial * (1.0 - arrays.depreciation) + np.maximum(begun, 0.0)
    terminal: Any = capital.terminal
    if isinstance(terminal, str) and terminal == "keep":  # what the first plan began with, not what stands now
        terminal = pd.Series(arrays.initial, arrays.assets)
    return dataclasses.replace(capital, initial=pd.Series(stands, arrays.assets), terminal=terminal)


def _next_targets(question: Question, years: tuple[int, ...]) -> pd.DataFrame:
    horizon, economy = question.horizon, question.economy
    table = horizon.targets(economy, question.targets)
    growth = horizon.growth
    rate = growth.reindex(economy.products).to_numpy(np.float64) if isinstance(growth, pd.Series) else float(growth)
    moved = np.vstack([table[1:], table[-1:] * (1.0 + rate)])
    return pd.DataFrame(moved.T, economy.products, [year + 1 for year in years])


def _next_limit(limit: Any, years: tuple[int, ...], used: float) -> Any:
    """Bounds by year move with the window, the added year has the last one's; a total loses what was used."""
    changed: dict[str, Any] = {}
    for side in ("at_most", "at_least"):
        bound = getattr(limit, side)
        if bound is None:
            continue
        if limit.over == "total":
            changed[side] = max(bound - used, 0.0)
        elif isinstance(bound, dict):
            moved = {year: value for year, value in bound.items() if year != years[0]}
            if years[-1] in bound:
                moved[years[-1] + 1] = bound[years[-1]]
            changed[side] = moved
    return dataclasses.replace(limit, **changed)
