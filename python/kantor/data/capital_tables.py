"""Capital stocks and depreciation, and concordances that bring them to the sectors of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OptionError, ProblemError, suggest
from .labels import show
from .tables import TableReader

ORIGIN = (
    "us_bea_fixed_assets, the Detailed Fixed Assets of the US Bureau of Economic Analysis (public domain) with "
    "economic "
    "depreciation rates (CC0)."
)
# Rows of BEA's table that are sums of others.
TOTALS = ("EQUIPMENT", "STRUCTURES", "IPP")


@dataclass(frozen=True)
class CapitalTable:
    """Stocks (assets x industries) at the end of a year in ``unit``, the share of each asset lost a year, and
    titles."""

    stock: pd.DataFrame
    depreciation: pd.Series
    asset_names: pd.Series
    industry_names: pd.Series
    year: int
    unit: str


def fixed_assets(year: int = 2017, folder: str | Path | None = None) -> CapitalTable:
    """BEA's net stock of private fixed assets, 96 types of asset x 63 industries, at current cost, million USD.

    ``folder``: that of the data set us_bea_fixed_assets, by default where data sets are. The rows that are totals are
    left out. Raises OptionError for a year that is not there, ProblemError for an asset without a depreciation rate.
    """
    if folder is None:
        from .datasets import data_folder

        folder = data_folder("us_bea_fixed_assets")
    reader = TableReader(Path(folder))
    long = reader.parquet("net_stock_current_cost_1947_2017.parquet")
    years = sorted(int(y) for y in long["year"].unique())
    if year not in years:
        raise OptionError(f"year: {year!r}, the stocks are of {years[0]} to {years[-1]}")
    rows = long[(long["year"] == year) & ~long["asset"].isin(TOTALS)]
    stock = rows.pivot_table(index="asset", columns="industry", values="stock_musd", aggfunc="sum", fill_value=0.0)
    rates = reader.text("economic_depreciation_rates.csv", "Code")["Economic Depreciation Rate"].astype(np.float64)
    return CapitalTable(
        stock=stock,
        depreciation=depreciation_of(rates, stock.index),
        asset_names=reader.text("assets.csv", "asset")["asset_name"].reindex(stock.index),
        industry_names=reader.text("industries.csv", "industry")["industry_name"].reindex(stock.columns),
        year=year,
        unit="million USD",
    )


def depreciation_of(rates: Mapping[Any, float] | pd.Series, assets: pd.Index) -> pd.Series:
    """The depreciation of every asset; ProblemError naming one that has none, or a rate that is no share.

    >>> depreciation_of({"house": 0.02}, pd.Index(["house", "tractor"]))
    Traceback (most recent call last):
    ...
    kantor.errors.ProblemError: depreciation: asset 'tractor' has no rate (1 such assets); give every asset one, 0 ...
    """
    given = pd.Series(dict(rates), dtype=np.float64)
    found = given.reindex(assets)
    missing = found[found.isna()]
    if len(missing):
        raise ProblemError(
            f"depreciation: asset {show(missing.index[0])!r} has no rate ({len(missing)} such assets); give every "
            "asset one, "
            "0 if it does not wear out" + suggest(show(missing.index[0]), [show(k) for k in given.index[:500]])
        )
    bad = found[~found.between(0.0, 1.0)]
    if len(bad):
        raise ProblemError(
            f"depreciation: asset {show(bad.index[0])!r} loses {float(bad.iloc[0])!r} a year, expected 0 to 1"
        )
    return found.rename("depreciation")


def by_sector(
    table: pd.DataFrame, concordance: Mapping[Any, Any] | pd.Series, output: pd.Series, per_unit: bool = True
) -> pd.DataFrame:
    """A table over coarse industries brought to the sectors of an economy: rows stay, columns become sectors.

    Parameters
    ----------
    table : rows x industries, say stocks (assets x industries)
    concordance : sector -> industry that holds it; sectors left out get nothing
    output : Series over sectors, > 0 where a sector gets something: an industry's column is shared out in proportion,
    so
        its sectors have the same amount per unit of output
    per_unit : divide by output; False: amounts by sector, whose sums are those of the industries

    Raises ProblemError for an industry that the table lacks (with the nearest one), one whose amounts no sector
    takes, a sector without output.

    >>> stock = pd.DataFrame({"farms": [6.0], "mines": [8.0]}, index=["machines"])
    >>> output = pd.Series({"wheat": 2.0, "milk": 1.0, "coal": 4.0})
    >>> by_sector(stock, {"wheat": "farms", "milk": "farms", "coal": "mines"}, output).loc["machines"].to_dict()
    {'wheat': 2.0, 'milk': 2.0, 'coal': 2.0}
    """
    given = dict(concordance)
    for sector, industry in given.items():
        if sector not in output.index:
            raise ProblemError(
                f"concordance: {show(sector)!r} is no sector" + suggest(show(sector), output.index[:2000])
            )
        if industry not in table.columns:
            raise ProblemError(
                f"concordance: sector {show(sector)!r} belongs to industry {show(industry)!r}, which the table lacks"
                + suggest(show(industry), table.columns)
            )
    weights = output.reindex(list(given))
    if not (weights >= 0).all():
        raise ProblemError(f"concordance: output of {show(weights.index[int(np.argmin(weights >= 0))])!r} is not >= 0")
    total = weights.groupby(pd.Series(given)).sum()
    for industry in table.columns:
        if table[industry].abs().sum() > 0 and not total.get(industry, 0.0) > 0:
            raise ProblemError(
                f"concordance: no sector with output takes industry {show(industry)!r}, whose amounts would be "
                "lost; name one, "
                "or leave the industry out of the table"
            )
    out = pd.DataFrame(0.0, table.index, output.index)
    for sector, industry in given.items():
        if weights[sector] > 0:
            share = 1.0 if per_unit else float(weights[sector])
            out[sector] = table[industry] * (share / total[industry])
    return out
