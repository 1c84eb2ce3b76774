"""What a scenario asks for over several years and regions, derived from its text for the verifier, label by label.

Written apart from :mod:`kantor.planning.years` and :mod:`objectives` on purpose, as :mod:`kantor.planning.restate` is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..data.economy import Economy
from ..data.labels import show
from .grammar import LimitTable
from .grammar_objective import UTILITIES, ObjectiveTable
from .intervals import FloatArray
from .scenario import Scenario
from .scenario_model import growth_of

# The base activity of one year is solved again by another method and agrees with the stated one to this.
_BASE_AGREEMENT = 1e-9


def years_of(scenario: Scenario, single: Economy) -> list[int]:
    """The years of the plan: ``first``, or the year after the economy's own, or 1."""
    table = scenario.document.horizon
    first = table.first
    if first is None:
        first = 1 if single.year is None else single.year + 1
    return [first + k for k in range(table.years)]


def derived_targets(scenario: Scenario, economy: Economy) -> FloatArray:
    """Targets over the products of the plan's economy."""
    single = scenario.single
    wanted = scenario.targets(single)
    each = scenario.document.objective.each
    if each is not None:  # the baskets are techniques; what is asked for is fulfilment
        return np.array([float(label[-1] == "fulfilment") for label in economy.products])
    if not scenario.document.several_years:
        asked = single.demand(wanted).to_numpy(np.float64)
        return np.append(asked, np.zeros(len(economy.products) - len(asked)))
    years = years_of(scenario, single)
    if isinstance(wanted, pd.DataFrame):
        return _placed(economy, single, {year: wanted[year].to_numpy(np.float64) for year in years})
    first = single.demand(wanted).to_numpy(np.float64)
    growth = growth_of(scenario, single)
    rate = growth.to_numpy(np.float64) if isinstance(growth, pd.Series) else float(growth)
    return _placed(economy, single, {year: first * (1.0 + rate) ** k for k, year in enumerate(years)})


def has_soft(scenario: Scenario) -> bool:
    """Whether some limit gives way at a price."""
    return any(isinstance(limit, LimitTable) and limit.soft is not None for limit in scenario.document.limits.values())


def derived_weights(scenario: Scenario, economy: Economy, table: ObjectiveTable | None = None) -> FloatArray:
    """Weights over the products of the plan's economy: those of a year's products in every year, discounted.

    ``table``: the objective they are for, by default that of the scenario.
    """
    document = scenario.document
    table = document.objective if table is None else table
    if table.each is not None:
        return np.ones(len(economy.products))
    single = scenario.single
    given = scenario.weights(single, table)
    if isinstance(given, pd.Series):
        weights = given.reindex(single.products, fill_value=1.0).to_numpy(np.float64)
    else:
        weights = np.full(len(single.products), 1.0 if given is None else float(given))
    if not document.several_years:
        return np.append(weights, np.ones(len(economy.products) - len(weights)))
    discount = document.horizon.discount if table.kind in UTILITIES else 0.0
    by_year = {year: weights * (1.0 + discount) ** -k for k, year in enumerate(years_of(scenario, single))}
    return _placed(economy, single, by_year, blank=1.0)


def derived_limits(scenario: Scenario, economy: Economy) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """What is written of every limit by name, and the indicator that each is about."""
    single, document = scenario.single, scenario.document
    years = years_of(scenario, single) if document.several_years else []
    written: dict[str, dict[str, Any]] = {}
    about: dict[str, str] = {}
    for name, indicator, table in _one_year(scenario, single):
        sides = {"at_most": table.at_most, "at_least": table.at_least}
        if not years or table.over == "total":
            name, indicator = _softened(name, indicator, table)
            written[name] = {side: bound for side, bound in sides.items() if bound is not None}
            about[name] = indicator
            continue
        for year in years:
            own = {side: b.get(str(year)) if isinstance(b, dict) else b for side, b in sides.items()}
            own = {side: bound for side, bound in own.items() if bound is not None}
            if own:
                yearly, counted = _softened(f"{name} {year}", f"{indicator} {year}", table)
                written[yearly], about[yearly] = own, counted
    if "obligations" in economy.indicators and document.several_years:
        written["obligations"], about["obligations"] = {"at_least": 1.0}, "obligations"
    return written, about


def _softened(name: str, indicator: str, table: LimitTable) -> tuple[str, str]:
    """Name and indicator of a limit as it holds: a soft one on what is not paid for."""
    return (name, indicator) if table.soft is None else (f"{name}, soft", f"{indicator} within {name}")


def _one_year(scenario: Scenario, single: Economy) -> Iterator[tuple[str, str, LimitTable]]:
    """Name, indicator and table of every limit, one for each region where the scenario says so; then the economy's."""
    spoken: set[str] = set()
    regions = list(dict.fromkeys(single.products.get_level_values(0)))
    for name, given in scenario.document.limits.items():
        table = given if isinstance(given, LimitTable) else LimitTable(at_most=given)
        places = [""] if table.per is None else [f" in {region}" for region in regions]
        indicator = table.indicator or name
        if table.per is None or indicator not in ("net imports", "gross imports"):  # these stand by region only
            indicator = single.indicator_name(indicator)
        for place in places:
            spoken.add(indicator + place)
            yield name + place, indicator + place, table
    for indicator, (least, most) in single.limits.items():
        if indicator not in spoken and (math.isfinite(least) or math.isfinite(most)):
            sides = (most if math.isfinite(most) else None, least if math.isfinite(least) else None)
            yield indicator, indicator, LimitTable(at_most=sides[0], at_least=sides[1])
    trade = scenario.document.trade
    if trade is None or trade.balance == "free":
        return
    flows = single.use(single.activity)
    for region in regions:
        name = f"net imports in {region}"
        demand = single.final_demand.sum(axis=1).groupby(level=0).sum()[region]
        deficit = max(float(flows[name]), 0.0) if trade.balance == "observed" else 0.0
        yield name, name, LimitTable(at_most=trade.debt * float(demand) + deficit)


def wrong_year_base(scenario: Scenario, single: Economy, base: FloatArray | None, economy: Economy) -> Iterator[str]:
    """The activity that counts as the base of every year is the base plan of one year, solved again."""
    years = years_of(scenario, single)
    run = economy.techniques.get_level_values(1) == "run"
    stated = economy.activity.to_numpy(np.float64)[run].reshape(len(years), -1)
    expected = np.maximum(single.activity.to_numpy(np.float64) if base is None else base, 0.0)
    off = ~(np.abs(stated - expected) <= _BASE_AGREEMENT * expected + 1e-12 * expected.max(initial=0.0))
    if off.any():
        year, j = (int(k) for k in np.argwhere(off)[0])
        label = show(single.techniques[j])
        yield f"base activity of {label!r}: {stated[year, j]:.17g} in the plan, recomputed {expected[j]:.17g}"


def _placed(economy: Economy, single: Economy, by_year: dict[int, FloatArray], blank: float = 0.0) -> FloatArray:
    """Values by year and product of one year over the products of all years, found by their labels."""
    own = {
        (year, label if isinstance(label, tuple) else (label,)): value
        for year, values in by_year.items()
        for label, value in zip(single.products, values.tolist(), strict=True)
    }
    out = np.full(len(economy.products), blank)
    for i, (year, account, *label) in enumerate(economy.products):
        if account == "product" and year in by_year:
            out[i] = own[year, tuple(label[len(label) - single.products.nlevels :])]
    return out
