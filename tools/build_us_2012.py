"""Aggregate the 411-sector table of the United States 2012 to the 23 sectors that ship with kantor as "us_2012".

Run ``python tools/build_us_2012.py`` where the data set us_useeio_2012_411 can be found (see load_economy). It rewrites
python/kantor/data/example/us_2012/*.csv and the weights of the packaged scenario beside them, and
examples/us_useeio_2012_411_weights.csv; economy.toml and the scenarios are written by hand.

Method: domestic coefficients A_d and the final demand 2012_US_Production_Domestic give the output q = (I - A_d)^-1 Y;
flows A_d q, imported inputs (A - A_d) q and indicators D q are added up over the sectors of a group. Flows and demand
are rounded to millions of dollars; output is the sum of a row, so the rounded table balances exactly.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from kantor.data.datasets import data_folder, load_economy
from kantor.data.tables import TableReader

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "python" / "kantor" / "data" / "example" / "us_2012"

# Group -> beginnings of the BEA codes in it; the longest beginning that fits decides.
GROUPS = {
    "Agriculture, forestry and fishing": ("11",),
    "Oil, gas and mining": ("21",),
    "Electricity": ("2211",),
    "Gas and water supply": ("2212", "2213"),
    "Construction": ("23",),
    "Food, beverages and tobacco": ("311", "312"),
    "Wood, paper and printing": ("321", "322", "323"),
    "Fuels from oil and coal": ("324",),
    "Chemicals and plastics": ("325", "326"),
    "Metals and mineral products": ("327", "331", "332"),
    "Machinery and electronics": ("333", "334", "335"),
    "Vehicles and transport equipment": ("336",),
    # Scrap and used goods are by-products of industry and households, sold as goods.
    "Textiles, furniture and other goods": ("313", "314", "315", "316", "337", "339", "S00401", "S00402"),
    "Wholesale and retail trade": ("42", "44", "45", "4B"),
    "Transport and storage": ("48", "49"),
    "Information": ("51",),
    "Finance and insurance": ("52",),
    "Housing and rental": ("53",),
    "Business services and waste": ("54", "55", "56"),
    "Education": ("61", "GSLGE"),
    "Health and social care": ("62", "GSLGH"),
    # The rest-of-the-world adjustment moves what visitors buy from consumption to exports.
    "Hospitality, culture and personal services": ("71", "72", "81", "S00900"),
    "Government": ("S00500", "S00600", "S00102", "GSLGO", "S00203"),
}
DROPPED = ("S00300",)  # non-comparable imports: neither output nor domestic use

# Kind of final demand -> columns of the domestic use table.
DEMANDS = {
    "households": ("F01000",),
    "investment": ("F02E00", "F02N00", "F02R00", "F02S00", "F03000"),
    "government": tuple(f"F{level}{kind}00" for level in ("06", "07", "10") for kind in ("C", "E", "N", "S")),
    "exports": ("F04000",),
}

# Indicator of the 411 sectors -> name here and divisor to the unit given in economy.toml.
INDICATORS = {
    "JOBS": ("jobs", 1e3),
    "GHG": ("ghg", 1e6),
    "ENRG": ("energy", 1e9),
    "WATR": ("water", 1e9),
    "LAND": ("land", 1e6),
    "VADD": ("value added", 1e6),
}

# Row of the use table -> name; the third component, taxes on production, is the rest of value added.
INCOMES = {"V00100": "wages", "V00300": "operating surplus"}


def group_of(code: str) -> str | None:
    """The group of a sector, or None for one left out."""
    if code in DROPPED:
        return None
    fits = {start: group for group, starts in GROUPS.items() for start in starts if code.startswith(start)}
    return fits[max(fits, key=len)]


def incomes(reader: TableReader, use: pd.DataFrame, codes: pd.Index) -> dict[str, np.ndarray]:
    """Components of value added per dollar of commodity, from the industries that make it by their shares."""
    make, output = reader.frame("V.csv.gz"), reader.frame("q_x.csv")
    shares = make.to_numpy() / np.where(output["q"] > 0, output["q"], np.inf)[None, :]
    columns = [column for column in use.columns if not column.startswith("F")]
    return {name: (use.loc[row, columns].to_numpy() / output["x"].to_numpy()) @ shares for row, name in INCOMES.items()}


def main() -> None:
    """Build the tables and write them."""
    total = load_economy("us_useeio_2012_411")
    domestic = total.with_technology("domestic")
    demand = domestic.demand("total")
    q = domestic.base_plan(demand).to_numpy()
    codes = domestic.products
    groups = pd.Index([group_of(code) for code in codes])
    add_up = lambda table: pd.DataFrame(table, index=groups).groupby(level=0).sum().reindex(list(GROUPS))  # noqa: E731

    flows = add_up(add_up(domestic.A.toarray() * q).T.set_axis(groups)).T.set_axis(list(GROUPS), axis=1) / 1e6
    bought = ((total.A - domestic.A).toarray() * q).sum(axis=0)

    reader = TableReader(data_folder("us_useeio_2012_411"))
    use = reader.frame("U_d.csv.gz")
    used = use.loc[codes]
    kinds = pd.DataFrame({kind: used[list(columns)].sum(axis=1) for kind, columns in DEMANDS.items()})
    # Transport, trade and insurance sold on imports stand in the import column of the source, not in its exports.
    kinds["exports"] += demand - kinds.sum(axis=1)

    factors = {name: domestic.indicator(key).to_numpy() * q / divisor for key, (name, divisor) in INDICATORS.items()}
    factors["imports"] = bought / 1e6
    factors |= {name: row * q / 1e6 for name, row in incomes(reader, use, codes).items()}
    OUT.mkdir(parents=True, exist_ok=True)
    write(flows, OUT / "flows.csv", 0)
    final = add_up(kinds.to_numpy()).set_axis(list(DEMANDS), axis=1) / 1e6
    write(final, OUT / "final_demand.csv", 0)
    write(
        (final.sum(axis=1) / final.to_numpy().sum()).rename("weight").to_frame(), OUT.parent / "us_2012_weights.csv", 6
    )
    positive = demand.clip(lower=0.0)
    write(
        (positive / positive.sum()).rename("weight").to_frame(), ROOT / "examples" / "us_useeio_2012_411_weights.csv", 9
    )
    write(add_up(np.array(list(factors.values())).T).set_axis(list(factors), axis=1).T, OUT / "factors.csv", 3)


def write(table: pd.DataFrame, path: Path, digits: int) -> None:
    """Write a table rounded to a number of digits, without a minus sign before zero."""
    rounded = table.round(digits) + 0.0
    (rounded.astype("int64") if digits == 0 else rounded).to_csv(path, lineterminator="\n")


if __name__ == "__main__":
    main()
