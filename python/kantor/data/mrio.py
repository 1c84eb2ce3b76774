"""Economies from multi-regional tables: one square table over (region, sector)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..errors import ProblemError
from .economy import Economy
from .iot import from_iot
from .labels import as_index


def from_mrio(
    *,
    Z: Any = None,
    Y: Any = None,
    x: Any = None,
    F: Any = None,
    A: Any = None,
    S: Any = None,
    regions: Any = None,
    sectors: Any = None,
    demand_categories: Any = None,
    name: str = "multi-regional table",
    **options: Any,
) -> Economy:
    """An economy from a multi-regional table; all as in ``from_iot``, labelled by (region, sector).

    Parameters
    ----------
    Z or A, Y, x, F or S : as in ``from_iot``. DataFrames carry a MultiIndex (region, sector) on both sides, Y one
        (region, category) on its columns; plain or sparse arrays are ordered region by region
    regions, sectors : labels for arrays: row r * len(sectors) + s is sector s of region r
    demand_categories : labels for an array Y: column r * len(demand_categories) + c; then ``demand("DEU")``
        is what Germany demands and ``demand("GFCF")`` what all regions invest

    Raises ProblemError for labels of another depth, and as ``from_iot``.

    >>> eco = from_mrio(Z=[[1.0, 2.0], [3.0, 4.0]], Y=[[5.0, 0.0], [0.0, 6.0]], regions=["N", "S"],
    ...                 sectors=["all"], demand_categories=["use"])
    >>> eco.demand("S").to_dict()
    {('N', 'all'): 0.0, ('S', 'all'): 6.0}
    """
    table = Z if Z is not None else A
    if (regions is None) != (sectors is None):
        raise ProblemError("from_mrio: give both regions and sectors, or neither")
    if regions is not None:
        labels: pd.Index = pd.MultiIndex.from_product(
            [as_index(regions, "regions"), as_index(sectors, "sectors")], names=["region", "sector"]
        )
    elif isinstance(table, pd.DataFrame):
        if table.index.nlevels != 2:
            raise ProblemError(
                f"from_mrio: rows have {table.index.nlevels} level(s) of labels, expected 2 (region, sector); "
                "use from_iot for a table of one region"
            )
        labels = table.index.set_names(["region", "sector"])
    else:
        raise ProblemError("from_mrio: plain arrays need regions and sectors")
    if demand_categories is not None and not isinstance(Y, pd.DataFrame):
        options["categories"] = pd.MultiIndex.from_product(
            [labels.get_level_values(0).unique(), as_index(demand_categories, "demand_categories")],
            names=["region", "category"],
        )
    return from_iot(Z=Z, Y=Y, x=x, F=F, A=A, S=S, labels=labels, name=name, **options)
