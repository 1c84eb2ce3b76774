"""Costs, lifetimes and efficiencies of technologies by year, from tables in long form with a unit in every row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OptionError, ProblemError, suggest
from .tables import TableReader

# What a lifetime and fixed operation may be stated in.
YEARS, PER_CENT = ("years", "year", "a"), ("%", "%/year")
COLUMNS = ("technology", "parameter", "value", "unit")


def technology_costs(year: int, folder: str | Path | None = None) -> pd.DataFrame:
    """The costs of one year in wide form, see :func:`wide_costs`; years between two tables are interpolated linearly.

    ``folder``: that of the data set technology_data_costs (``costs_2020.parquet`` ... ``costs_2050.parquet``), by
    default where data sets are. Raises OptionError for a year outside the tables.
    """
    if folder is None:
        from .datasets import data_folder

        folder = data_folder("technology_data_costs")
    reader = TableReader(Path(folder))
    years = sorted(int(path.stem[6:]) for path in Path(folder).glob("costs_*.parquet"))
    if not years or not years[0] <= year <= years[-1]:
        span = f"{years[0]} to {years[-1]}" if years else "no year"
        raise OptionError(f"year: {year!r}, the tables are of {span}")
    before = max(y for y in years if y <= year)
    after = min(y for y in years if y >= year)
    one = wide_costs(reader.parquet(f"costs_{before}.parquet"), f"costs_{before}.parquet")
    if before == after:
        return one
    other = wide_costs(reader.parquet(f"costs_{after}.parquet"), f"costs_{after}.parquet")
    share = (year - before) / (after - before)
    both = one.index.intersection(other.index), one.columns.intersection(other.columns)
    one, other = one.loc[both], other.loc[both]
    out = one.copy()
    for parameter in dict.fromkeys(out.columns.get_level_values(0)):
        unit, value = (parameter, "unit"), (parameter, "value")
        same = one[unit].fillna("") == other[unit].fillna("")
        out[value] = (one[value] * (1.0 - share) + other[value] * share).where(same)
    return out


def wide_costs(table: pd.DataFrame, where: str = "costs") -> pd.DataFrame:
    """Technologies x (parameter, "value" | "unit") from rows of technology, parameter, value and unit.

    Raises ProblemError naming row, technology and parameter of a value that is no finite number, and of a second value
    for the same parameter.

    >>> rows = pd.DataFrame({"technology": ["wind", "wind"], "parameter": ["investment", "lifetime"],
    ...                      "value": [1200.0, 25.0], "unit": ["EUR/kW", "years"]})
    >>> wide_costs(rows)["investment"].to_dict("index")
    {'wind': {'value': 1200.0, 'unit': 'EUR/kW'}}
    """
    for column in COLUMNS:
        if column not in table.columns:
            raise ProblemError(f"{where}: there is no column {column!r}" + suggest(column, table.columns))
    values = pd.to_numeric(table["value"], errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = table.iloc[int(bad[0])]
        raise ProblemError(
            f"{where}: row {int(bad[0]) + 1}, {row['parameter']!r} of {row['technology']!r} is {row['value']!r}, "
            "expected a "
            "finite number; leave out what is not known"
        )
    keys = table[["technology", "parameter"]]
    again = keys.duplicated()
    if again.any():
        row = keys[again].iloc[0]
        raise ProblemError(f"{where}: {row['parameter']!r} of {row['technology']!r} stands twice")
    plain = table.assign(value=values, unit=table["unit"].astype(object).where(table["unit"].notna(), ""))
    wide = plain.pivot(index="technology", columns="parameter", values=["value", "unit"]).swaplevel(axis=1)
    out = wide.sort_index(axis=1, level=0, sort_remaining=False)
    for column in out.columns:
        if column[1] == "value":
            out[column] = out[column].astype(np.float64)
    return out.rename_axis(index="technology", columns=[None, None])  # type: ignore[list-item]


def _fixed(row: Any, name: str) -> float:
    """Fixed operation in per cent of the investment a year; nothing where the table does not name it."""
    if ("FOM", "value") not in row.index:
        return 0.0
    value, unit = float(row["FOM", "value"]), row["FOM", "unit"]
    if np.isfinite(value) and unit in PER_CENT:
        return value
    if np.isnan(value) and (pd.isna(unit) or unit == ""):
        return 0.0
    raise ProblemError(f"costs: the fixed operation (FOM) of {name!r} is {value!r} {unit!r}, expected per cent a year")


def annual_costs(
    costs: pd.DataFrame, rate: float, technologies: Iterable[str], unit: str | Mapping[str, float] = "EUR/kW"
) -> pd.Series:
    """What a unit of capacity costs a year: investment as an annuity over the lifetime, and fixed operation.

    ``investment (rate / (1 - (1 + rate)^-lifetime) + FOM / 100)``, FOM in per cent of the investment a year; without
    interest the annuity is 1 / lifetime.

    Parameters
    ----------
    costs : as :func:`wide_costs` gives them
    rate : interest a year, >= 0
    technologies : those that are wanted
    unit : the unit all investments must have, or unit -> factor to a common one, {"EUR/kW": 1.0, "EUR/MW": 1e-3}

    Raises ProblemError naming a technology that lacks an investment or lifetime, or whose unit does not fit.
    """
    if not (np.isfinite(rate) and rate >= 0):
        raise OptionError(f"rate: got {rate!r}, expected an interest >= 0")
    factors = {unit: 1.0} if isinstance(unit, str) else dict(unit)
    out = {}
    for name in technologies:
        if name not in costs.index:
            raise ProblemError(f"costs: there is no technology {name!r}" + suggest(name, costs.index))
        row: Any = costs.loc[name]
        found = {key: float(row[key, "value"]) for key in ("investment", "lifetime") if (key, "value") in row.index}
        for key in ("investment", "lifetime"):
            if not np.isfinite(found.get(key, np.nan)):
                raise ProblemError(f"costs: {name!r} has no {key}; give one, or leave the technology out")
        stated = str(row["investment", "unit"])
        if stated not in factors:
            raise ProblemError(
                f"costs: the investment of {name!r} is in {stated!r}, expected {' or '.join(map(repr, factors))}; give "
                "unit= a factor for it"
            )
        years = found["lifetime"]
        if not years > 0 or str(row["lifetime", "unit"]) not in YEARS:
            raise ProblemError(
                f"costs: the lifetime of {name!r} is {years!r} {row['lifetime', 'unit']}, expected > 0 years"
            )
        annuity = rate / -np.expm1(-years * np.log1p(rate)) if rate > 0 else 1.0 / years
        out[name] = found["investment"] * factors[stated] * (annuity + _fixed(row, name) / 100.0)
    return pd.Series(out, name="annual cost", dtype=np.float64)
