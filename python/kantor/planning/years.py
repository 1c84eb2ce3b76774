"""A plan over several years: economy, targets and limits of one year spread over a horizon."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..data.labels import show
from ..errors import OptionError, ProblemError
from ..modelling.deliveries import with_deliveries
from ..modelling.horizon import Horizon
from ..modelling.timeline import OBLIGATIONS, over_years, place_targets
from .limits import Bound, Limit
from .objectives import MaxScale, Objective, Utility
from .weights import product_weights


def spread(
    economy: Economy, wanted: Any, limits: Mapping[str, Bound | Limit] | None, horizon: Horizon
) -> tuple[Economy, pd.Series, dict[str, Bound | Limit]]:
    """The economy over the years, its targets (by year and product), and the limits year by year.

    A limit holds in each year by itself and is named "name year"; with ``over="total"`` it holds for the sum. Bounds by
    year are mappings year -> bound. Percentages refer to the first year's targets met with the base technology, in each
    year, and to that times the years for a total.
    """
    years = horizon.named(economy)
    targets = horizon.targets(economy, wanted)
    try:
        base = economy.base_plan(pd.Series(targets[0], economy.products))
    except ProblemError:
        base = economy.activity
    larger = over_years(economy, horizon, base)
    spread_out: dict[str, Bound | Limit] = {}
    for name, given in (limits or {}).items():
        limit = given if isinstance(given, Limit) else Limit(at_most=given)
        indicator = economy.indicator_name(limit.indicator or name)
        if limit.over == "total":
            spread_out[name] = dataclasses.replace(limit, indicator=indicator, over="each")
            continue
        for year in years:
            most, least = (_of_year(bound, year, years, name) for bound in (limit.at_most, limit.at_least))
            if most is not None or least is not None:
                spread_out[f"{name} {year}"] = Limit(
                    indicator=f"{indicator} {year}", at_most=most, at_least=least, unit=limit.unit, soft=limit.soft
                )
    if OBLIGATIONS in larger.indicators:
        spread_out[OBLIGATIONS] = Limit(at_least=1.0)
    return larger, pd.Series(place_targets(economy, horizon, targets), larger.products, name="target"), spread_out


def enlarged(
    economy: Economy,
    wanted: Any,
    horizon: Horizon | None,
    each: str | None = None,
    shares: Mapping[Any, float] | None = None,
    limits: Mapping[str, Bound | Limit] | None = None,
) -> tuple[Economy, Any, Mapping[str, Bound | Limit] | None]:
    """The economy over its years, with baskets delivered one by one where asked for; its targets and limits."""
    if horizon is not None:
        if each == "year" and shares is None:
            shares = horizon.year_weights(economy)
        economy, wanted, limits = spread(economy, wanted, limits, horizon)
    elif any(isinstance(limit, Limit) and limit.over == "total" for limit in (limits or {}).values()):
        raise OptionError("limits: over='total' needs a plan over several years (horizon=...)")
    if each is not None:
        economy, wanted = with_deliveries(economy, economy.demand(wanted), each, shares)
    return economy, wanted, limits


def year_by_year(objective: Objective, economy: Economy, horizon: Horizon, larger: Economy) -> Objective:
    """The objective over the years: weights of products hold in each year, and utilities are discounted.

    ``economy`` has the products of one year, ``larger`` those of all years.
    """
    if not isinstance(objective, MaxScale | Utility):
        return objective
    discounted = not isinstance(objective, MaxScale)
    weights = product_weights(objective.weights, economy)
    factors = list(horizon.year_weights(economy).values()) if discounted else [1.0] * len(horizon.named(economy))
    if (weights == 1.0).all() and all(factor == 1.0 for factor in factors):
        return objective
    over = pd.Series(
        place_targets(economy, horizon, np.array([factor * weights for factor in factors])), larger.products
    )
    level = larger.products.get_level_values
    planned = (level("account") == "product") & level("year").isin(horizon.named(economy))
    changed: Any = objective  # both kinds are dataclasses with weights
    weighted: Objective = dataclasses.replace(changed, weights=over[planned])
    return weighted


def _of_year(bound: Any, year: int, years: tuple[int, ...], name: str) -> Bound:
    """The bound of one year: the same every year, or the entry of a mapping or Series by year."""
    if not isinstance(bound, Mapping | pd.Series):
        return bound
    strange = [key for key in bound if key not in years]
    if strange:
        raise ProblemError(
            f"limits[{name!r}]: {show(strange[0])!r} is none of the years {years[0]}-{years[-1]} of the horizon"
        )
    value: Bound = bound.get(year)
    return value
