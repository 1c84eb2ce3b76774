"""The table of the planned year: what industries and people take of each product at the activity of a plan.

With x the activity, Z = (A x^) W and F = (S x^) W, where W (techniques x products) shares the inputs of a technique out
over its products in proportion to what it makes of them: all to its one product, or, for joint production, by the
industry-technology assumption (Eurostat Manual of Supply, Use and Input-Output Tables, 2008, chapter 11), for which the
products need one unit. Then q = B x = Z 1 + Y 1 with Y 1 = (B - A) x, in whatever units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.labels import show
from ..errors import OptionError, ProblemError, need
from ..modelling.stacking import Block, stacked_labels

if TYPE_CHECKING:
    from .result import PlanResult

# pymrio keeps dense tables of products x products.
_MOST_PRODUCTS = 20_000
CONSUMPTION, OTHER = "consumption", "other final use"


@dataclass(frozen=True)
class PlannedTable:
    """Flows Z (n, n), final use Y (products x 2), output q (n,), resources F (indicators x products) of one year."""

    economy: Economy
    Z: sp.csr_array
    Y: pd.DataFrame
    q: np.ndarray[Any, Any]
    F: sp.csr_array


def planned_table(result: PlanResult, year: int | None = None) -> PlannedTable:
    """The table of a solved plan; of one of its years where it has several.

    Y has the plan's consumption and the rest: investment, stocks, what is left over; negative where a product comes
    from outside. Raises ProblemError for a plan loaded without its economy, or joint products in different units.
    """
    if result.plan is None:
        raise ProblemError(f"{result.folder}: loaded without its economy; use the result of solve()")
    if not np.isfinite(result.activity.to_numpy()).all() or not np.isfinite(result.consumption.to_numpy()).all():
        raise ProblemError(f"{result.name!r}: there is no plan to make a table of ({result.status.value})")
    economy, x, consumption = _of_year(result, year)
    made = sp.csr_array(economy.output_coefficients * x)
    shares = _shares(economy, x)
    net = economy.net_output @ x
    Y = pd.DataFrame({CONSUMPTION: consumption, OTHER: net - consumption}, economy.products)
    Z = sp.csr_array(sp.csr_array(economy.input_coefficients * x) @ shares)
    F = sp.csr_array(sp.csr_array(economy.intensity_matrix * x) @ shares)
    return PlannedTable(economy, Z, Y, np.asarray(made.sum(axis=1)).ravel(), F)


def _of_year(result: PlanResult, year: int | None) -> tuple[Economy, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The economy of one year, its activity and consumption in the plan."""
    plan = result.plan
    assert plan is not None
    asked = plan.asked
    economy: Economy = asked["economy"].for_demand("total" if asked["targets"] is None else asked["targets"])
    if asked["horizon"] is None:
        if year is not None and year != economy.year:
            raise OptionError(f"year: {year}, but the plan has one year")
        return economy, _found(result.activity, economy.techniques), _found(result.consumption, economy.products)
    years = asked["horizon"].named(economy)
    if asked["horizon"].input_lag:
        raise ProblemError("a table of one year: with an input lag inputs and outputs belong to different years")
    if year is None or year not in years:
        raise OptionError(f"year: {year!r}, expected one of {', '.join(map(str, years))}")
    economy = asked["horizon"].technologies(economy)[years.index(year)]
    run = stacked_labels([Block((year, "run"), economy.techniques)], result.activity.index.names)
    account = stacked_labels([Block((year, "product"), economy.products)], result.consumption.index.names)
    return economy, _found(result.activity, run), _found(result.consumption, account)


def _found(values: pd.Series, labels: pd.Index) -> np.ndarray[Any, Any]:
    at = values.index.get_indexer(labels)
    if (at < 0).any():
        missing = labels[int(np.flatnonzero(at < 0)[0])]
        raise ProblemError(f"the plan has no {show(missing)!r}; its objective changed the labels")
    return np.asarray(values.to_numpy(np.float64)[at])


def _shares(economy: Economy, x: np.ndarray[Any, Any]) -> sp.csr_array:
    """W: how the inputs of each technique are shared out over its products; rows of running techniques add up to 1."""
    coefficients = sp.csc_array(economy.output_coefficients)
    count = np.diff(coefficients.indptr)
    idle = (count == 0) & (x != 0)
    if idle.any():
        label = show(economy.techniques[int(np.flatnonzero(idle)[0])])
        raise ProblemError(f"technique {label!r} runs and makes nothing, so its inputs belong to no product")
    if (count > 1).any() and not isinstance(economy.unit, str):
        for j in np.flatnonzero(count > 1).tolist():
            units = economy.unit.iloc[coefficients.indices[coefficients.indptr[j] : coefficients.indptr[j + 1]]]
            if units.nunique() > 1 and x[j]:
                raise ProblemError(
                    f"technique {show(economy.techniques[j])!r} makes products in {units.iloc[0]!r} and in "
                    f"{units[units != units.iloc[0]].iloc[0]!r}; sharing out its inputs needs one unit"
                )
    total = np.asarray(coefficients.sum(axis=0)).ravel()
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return sp.csr_array(sp.csr_array(coefficients * scale).T)


def to_pymrio(result: PlanResult, year: int | None = None) -> Any:
    """The planned year as a pymrio.IOSystem, see :meth:`PlanResult.to_pymrio`."""
    pymrio = need("pymrio", "pymrio systems")
    table = planned_table(result, year)
    eco = table.economy
    if eco.n_goods > _MOST_PRODUCTS:
        raise ProblemError(
            f"{eco.n_goods:,} products; pymrio keeps dense tables, at most {_MOST_PRODUCTS:,} are written"
        )
    sectors = _sectors(eco)
    columns = _final_use(table, sectors)
    units = pd.DataFrame({"unit": eco.unit if isinstance(eco.unit, str) else eco.unit.to_numpy()}, index=sectors)
    system = pymrio.IOSystem(
        Z=pd.DataFrame(table.Z.toarray(), sectors, sectors),
        Y=columns,
        x=pd.DataFrame({"indout": table.q}, index=sectors),
        unit=units,
        name=result.name,
        description=f"planned by kantor, {result.status.value}, gap {result.gap:.1e}",
    )
    if len(eco.indicators):
        names = pd.Index([str(name) for name in eco.indicators], name="stressor")
        assert eco.indicator_units is not None  # the economy fills them in
        system.resources = pymrio.Extension(
            name="resources",
            F=pd.DataFrame(table.F.toarray(), names, sectors),
            unit=pd.DataFrame({"unit": eco.indicator_units.astype(str).to_numpy()}, index=names),
        )
    return system


def _sectors(eco: Economy) -> pd.MultiIndex:
    """(region, sector): the labels of a multi-regional table, else one region by the economy's name."""
    if eco.products.nlevels == 2:
        return pd.MultiIndex.from_tuples(list(eco.products), names=["region", "sector"])
    return pd.MultiIndex.from_product([[eco.name], [show(label) for label in eco.products]], names=["region", "sector"])


def _final_use(table: PlannedTable, sectors: pd.MultiIndex) -> pd.DataFrame:
    """Final use by region and category. In a multi-regional table consumption is shared out over the regions as the
    base year's final demand for each product was, where that is known; the rest counts where it is made."""
    regions = list(dict.fromkeys(sectors.get_level_values(0)))
    home = np.array([regions.index(region) for region in sectors.get_level_values(0)])
    own = np.zeros((len(sectors), len(regions)))
    own[np.arange(len(sectors)), home] = 1.0
    weights = own.copy()
    categories = table.economy.final_demand.columns
    if isinstance(categories, pd.MultiIndex) and set(categories.get_level_values(0)) <= set(regions):
        demand = np.maximum(table.economy.final_demand.to_numpy(), 0.0)
        by_region = np.column_stack(
            [demand[:, categories.get_level_values(0) == region].sum(axis=1) for region in regions]
        )
        total = by_region.sum(axis=1, keepdims=True)
        weights = np.divide(by_region, total, out=weights, where=total > 0)
    consumed, other = (table.Y[name].to_numpy()[:, None] for name in (CONSUMPTION, OTHER))
    values = np.stack([consumed * weights, other * own], axis=2).reshape(len(sectors), -1)
    names = pd.MultiIndex.from_product([regions, [CONSUMPTION, OTHER]], names=["region", "category"])
    return pd.DataFrame(values, sectors, names)
