"""The tables of an inventory: its different processes, and their exchanges per unit of product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import ProblemError, suggest

KEY = ["name", "product", "location"]
TYPES = ("technosphere", "biosphere", "production")
# Global warming over 100 years, kg CO2e per kg: IPCC, Sixth Assessment Report, Working Group I, table 7.15.
WARMING = {
    "Carbon dioxide, fossil": 1.0,
    "Carbon dioxide, from soil or biomass stock": 1.0,
    "Methane, fossil": 29.8,
    "Methane, non-fossil": 27.0,
    "Methane, from soil or biomass stock": 27.0,
    "Dinitrogen monoxide": 273.0,
    "Sulfur hexafluoride": 25200.0,
}


def processes_of(activities: pd.DataFrame) -> pd.DataFrame:
    """The different processes in order, with the size and sign of what they make."""
    _require(activities, ["activity", *KEY, "unit", "production"], "activities")
    own = _texts(activities, [*KEY, "unit"]).drop_duplicates(KEY).reset_index(drop=True)
    own = own.assign(production=own["production"].astype(np.float64).fillna(1.0))
    bad = ~np.isfinite(own["production"]) | (own["production"] == 0)
    if bad.any():
        first = own[bad].iloc[0]
        raise ProblemError(
            f"activities: process {first['name']!r} makes {float(first['production'])!r} of {first['product']!r}; a "
            "process "
            "without output is no technique, give its production amount"
        )
    return own.assign(size=own["production"].abs(), treats=own["production"] < 0)


def exchanges_of(exchanges: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """The exchanges of the different processes, per unit of product."""
    _require(exchanges, ["activity", "type", *KEY, "unit", "amount"], "exchanges")
    column = pd.Series(own.index, own["activity"].to_numpy())
    mine = _texts(exchanges[exchanges["activity"].isin(column.index)], ["type", *KEY, "unit"])
    # a purchase that names no product is of what its name says
    mine["product"] = mine["product"].where(mine["product"] != "", mine["name"])
    amount = mine["amount"].to_numpy(np.float64, na_value=np.nan)
    if not np.isfinite(amount).all():
        at = int(np.flatnonzero(~np.isfinite(amount))[0])
        row = mine.iloc[at]
        holder = own["name"][column[row["activity"]]]
        raise ProblemError(
            f"exchanges: {row['name']!r} in process {holder!r} is {float(amount[at])!r}, expected a finite number"
        )
    refuse_rows(mine, ~mine["type"].isin(TYPES), "type", f"expected {', '.join(TYPES)}")
    warms = (mine["type"] == "biosphere") & mine["name"].isin(WARMING)
    refuse_rows(mine, warms & (mine["unit"] != "kilogram"), "unit", "expected kilogram of what warms")
    mine["column"] = column[mine["activity"]].to_numpy()
    mine["amount"] = amount / own["size"].to_numpy()[mine["column"]]
    return mine[mine["amount"] != 0]


def refuse_rows(flows: pd.DataFrame, wrong: Any, field: str, expected: str) -> None:
    """ProblemError that shows the first of the exchanges that are wrong."""
    if np.any(wrong):
        row = flows[np.asarray(wrong)].iloc[0]
        raise ProblemError(f"exchanges: {row['name']!r} ({row['type']}) has {field} {row[field]!r}, {expected}")


def _texts(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """A copy whose columns of words are plain texts, empty where the source has none."""
    return table.assign(**{name: table[name].astype(object).where(table[name].notna(), "") for name in columns})


def _require(table: pd.DataFrame, columns: list[str], what: str) -> None:
    lacking = [column for column in columns if column not in table.columns]
    if lacking:
        raise ProblemError(f"{what}: there is no column {lacking[0]!r}" + suggest(lacking[0], table.columns))
