"""Readers of the public data sets: United States 2012, Sweden 2008-2016, the world 1995-2011.

Each takes the folder of its data set and returns an Economy; what the tables hold and where they deviate from a
textbook table is said in the notes of the economy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OptionError, ProblemError
from .economy import Economy
from .iot import from_iot
from .mrio import from_mrio
from .sut import from_sut
from .tables import MissingFile, TableReader, sparse_matrix

US_ORIGIN = (
    "USEEIO v2.0.1-411 of the US Environmental Protection Agency, a work of the US Government in the public domain; "
    "cite Ingwersen et al. 2022, doi 10.1038/s41597-022-01293-7."
)
SWEDEN_ORIGIN = "the supply and use tables 2008-2016 of Statistics Sweden (SCB), open data, CC0."
WIOD_ORIGIN = (
    "the World Input-Output Database, release 2013 (free with citation: Timmer et al. 2015, Review of International "
    "Economics 23), with CO2 after Corsatea et al. 2019 (European Commission, JRC116234, reuse with citation) and "
    "employment after the International Labour Organization (CC BY 4.0)."
)

US_ALIASES = {
    "labour": "JOBS",
    "labor": "JOBS",
    "employment": "JOBS",
    "ghg": "GHG",
    "greenhouse gases": "GHG",
    "energy": "ENRG",
    "water": "WATR",
    "land": "LAND",
    "minerals": "MNRL",
    "value_added": "VADD",
}


def us_useeio(folder: Path, technology: str = "total") -> Economy:
    """United States 2012: 411 commodities, A with domestic and imported ("total") or only domestic inputs.

    The demands named Complete belong to "total", those named Domestic to "domestic"; the whole final demand is the
    Production one. Units: 2012 US dollars at producer prices; indicators per dollar.
    """
    tables = {"total": "A.csv.gz", "domestic": "A_d.csv.gz"}
    _require_choice("technology", technology, tables)
    reader = TableReader(folder)
    words = reader.text("sectors.csv", "code")
    A = {name: reader.frame(file) for name, file in tables.items()}
    Y, output = reader.frame("demand.csv"), reader.frame("q_x.csv")["q"]
    other = "domestic" if technology == "total" else "total"
    eco = from_iot(
        A=A[technology],
        Y=Y,
        x=output.clip(lower=0.0),
        S=reader.frame("D.csv.gz"),
        labels=A["total"].index,
        name="us_useeio_2012_411",
        year=2012,
        unit="USD",
        aliases=US_ALIASES,
        product_names=words["name"],
        licence=US_ORIGIN,
    )
    units = reader.text("indicators.csv", "code")["unit"]
    empty = output[output <= 0]
    notes = [
        f"product {label!r} ({title}) has output {value:.6g}, set to 0: it is a transfer or import, made without inputs"
        for label, title, value in zip(empty.index, words.loc[empty.index, "name"], empty, strict=True)
    ]
    bound = {category: "total" if category.endswith("Complete") else "domestic" for category in Y.columns}
    return eco.replace(
        technology=technology,
        technologies={other: A[other]},
        demand_technology=bound,
        total_categories={"total": "2012_US_Production_Complete", "domestic": "2012_US_Production_Domestic"},
        indicator_units=units,
        sources=reader.sources,
        notes=[*notes, *eco.notes],
    )


# Rows of Sweden's industry table that belong to an industry's activity. The others (imports, purchases by and from
# abroad, customs, product taxes and subsidies) belong to products and their buyers.
SWEDEN_ROWS = (
    "value_added",
    "wages",
    "social_contributions",
    "capital_consumption",
    "operating_surplus",
    "other_production_taxes",
    "other_production_subsidies",
    "employed",
    "hours",
    "co2",
)
SWEDEN_ALIASES = {
    "labour": "hours",
    "labor": "hours",
    "employment": "employed",
    "ghg": "co2",
    "depreciation": "capital_consumption",
}


def sweden(folder: Path, year: int = 2015, assumption: str = "joint") -> Economy:
    """Sweden: 59 products, 59 industries, domestic use and demand; imported inputs are the indicator "imports".

    ``assumption``: "joint" keeps the industries with all they make, "industry-technology" and "product-technology"
    give a square table of products. Units: million SEK of the year.
    """
    reader = TableReader(folder)
    stored = reader.arrays("sut.npz")
    years = sorted(int(key[3:]) for key in stored if key.startswith("Ud_"))
    _require_choice("year", year, years)
    codes = reader.text("sectors.csv", "code")
    variables = reader.text("industry_variables.csv", "code")
    final = reader.text("final_demand.csv", "code")
    use, supply, demand, other = (stored[f"{key}_{year}"].astype(float) for key in ("Ud", "S", "Fd", "other"))
    factors = pd.DataFrame(other, index=variables.index, columns=codes.index).loc[list(SWEDEN_ROWS)]
    factors.loc["imports"] = stored[f"Ui_{year}"].sum(axis=0)
    units = pd.concat([variables["unit"].loc[list(SWEDEN_ROWS)], pd.Series({"imports": "MSEK"})])
    notes = [
        "use and final demand of domestic products only; imported inputs of the industries are the indicator 'imports'"
    ]
    row_gap = np.abs(use.sum(axis=1) + demand.sum(axis=1) - supply.sum(axis=1)).sum() / supply.sum()
    if row_gap > 0:
        notes.append(f"use and supply of the source differ by {100 * row_gap:.2g} % of supply in {year}")
    eco = from_sut(
        pd.DataFrame(use, index=codes.index, columns=codes.index),
        pd.DataFrame(supply.T, index=codes.index, columns=codes.index),
        pd.DataFrame(demand, index=codes.index, columns=final.index),
        factors,
        assumption=assumption,
        name="sweden_scb_sut_2008_2016",
        year=year,
        unit="million SEK",
        indicator_units=units.str.replace("MSEK", "million SEK"),
        aliases=SWEDEN_ALIASES,
        product_names=codes["name"],
        licence=SWEDEN_ORIGIN,
        notes=notes,
    )
    return eco.replace(sources=reader.sources)


WIOD_ALIASES = {"labour": "employment", "labor": "employment", "ghg": "co2"}


def wiod(folder: Path, year: int = 2011) -> Economy:
    """The world in one year: 41 regions x 35 sectors, million USD, current prices.

    Indicators: co2 (kt, from 2000), employment (thousand persons), value_added (million USD). Final demand is held by
    region and category: ``demand("DEU")``, ``demand("GFCF")``, ``demand("total")`` add up what they name.
    """
    reader = TableReader(folder)
    years = sorted(int(path.stem[5:]) for path in folder.glob("wiot_*.npz"))
    if not years:
        raise MissingFile(f"{folder / 'wiot_YEAR.npz'}: no such file for any year")
    _require_choice("year", year, years)
    stored = reader.arrays(f"wiot_{year}.npz")
    countries = reader.text("countries.csv")["country"].tolist()
    industries = reader.text("industries.csv", "code")
    categories = reader.text("final_demand.csv")["code"].tolist()
    n = len(countries) * len(industries)
    Z, Y = (
        _packed(stored, letter, shape, folder / f"wiot_{year}.npz")
        for letter, shape in (("Z", (n, n)), ("Y", (n, len(countries) * len(categories))))
    )
    output = stored["x"].astype(float)
    rows = {"value_added": output - np.asarray(Z.sum(axis=0)).ravel()}
    units = {"value_added": "million USD"}
    notes = ["co2 and employment by sector are derived from coarser official figures (see the data set's description)"]
    for label, file, key, unit in (
        ("co2", "co2_kt_2000_2011_derived.npz", f"co2_{year}", "kt"),
        ("employment", "employment_thousand_derived.npz", f"emp_{year}", "thousand persons"),
    ):
        arrays = reader.arrays(file)
        if key in arrays:
            rows[label], units[label] = arrays[key].astype(float), unit
        else:
            notes.append(f"no {label} for {year} in the source")
    eco = from_mrio(
        Z=Z,
        Y=Y.toarray(),
        x=output,
        F=np.array(list(rows.values())),
        indicators=list(rows),
        regions=countries,
        sectors=industries["name"].tolist(),
        demand_categories=categories,
        name="wiod2013",
        year=year,
        unit="million USD",
        indicator_units=pd.Series(units),
        aliases={alias: label for alias, label in WIOD_ALIASES.items() if label in rows},
        licence=WIOD_ORIGIN,
        notes=notes,
    )
    return eco.replace(sources=reader.sources)


def _packed(stored: dict[str, np.ndarray], letter: str, shape: tuple[int, int], where: Path) -> Any:
    """A CSR matrix stored as letter_data, letter_indices, letter_indptr in narrow integer types."""
    try:
        arrays = {key: stored[f"{letter}_{key}"] for key in ("data", "indices", "indptr")}
    except KeyError as error:
        raise ProblemError(f"{where}: lacks the array {error}") from error
    return sparse_matrix({**arrays, "shape": np.array(shape)}, where)


def _require_choice(option: str, got: Any, known: Any) -> None:
    if got not in known:
        names = [str(choice) for choice in known]
        raise OptionError(f"{option}: {got!r} is not one of {', '.join(names)}")
