"""A plan over several years: economy, targets and limits of one year spread over a horizon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..data.economy import Economy
from ..data.labels import show
from ..errors import ProblemError
from ..modelling.horizon import Horizon
from ..modelling.timeline import OBLIGATIONS, over_years, place_targets
from .limits import Bound, Limit


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
            spread_out[name] = Limit(
                indicator=indicator, at_most=limit.at_most, at_least=limit.at_least, unit=limit.unit
            )
            continue
        for year in years:
            most, least = (_of_year(bound, year, years, name) for bound in (limit.at_most, limit.at_least))
            if most is not None or least is not None:
                spread_out[f"{name} {year}"] = Limit(
                    indicator=f"{indicator} {year}", at_most=most, at_least=least, unit=limit.unit
                )
    if OBLIGATIONS in larger.intensities.index:
        spread_out[OBLIGATIONS] = Limit(at_least=1.0)
    return larger, pd.Series(place_targets(economy, horizon, targets), larger.products, name="target"), spread_out


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
