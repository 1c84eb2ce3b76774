"""Economies from rectangular tables of techniques: any number of them for a product, joint products allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError
from .economy import Economy
from .iot import demand_table, resource_table
from .labels import as_index, show
from .matrix import as_csr
from .notes import negative_demand, negative_inputs


def from_arrays(
    *,
    input: Any,
    output: Any = None,
    intensities: Any = None,
    demand: Any = None,
    products: Any = None,
    techniques: Any = None,
    categories: Any = None,
    indicators: Any = None,
    activity: Any = None,
    capacities: Any = None,
    name: str = "techniques",
    notes: list[str] | None = None,
    **about: Any,
) -> Economy:
    """An economy from techniques: column j uses ``input[:, j]``, makes ``output[:, j]``, needs ``intensities[:, j]``.

    Parameters
    ----------
    input : (n products, m techniques), units used per unit of activity (U of a supply-use table)
    output : (n, m), units made per unit of activity (V transposed); None: the identity, for a square table
    intensities : (indicators, m), use of resources per unit of activity
    demand : (n,) or (n, categories), final demand
    products, techniques, categories, indicators : labels for plain arrays; DataFrames bring their own
    activity : (m,), observed activity; left out 1 for every technique, as in a supply-use table
    capacities : (m,), upper bounds on activity, inf for none
    name, notes, and further fields of Economy

    Raises ProblemError for shapes or labels that do not fit, NaN or infinite entries, negative outputs.

    >>> eco = from_arrays(input=[[0.0, 0.0]], output=[[10.0, 20.0]], intensities=[[1.0, 1.0]],
    ...                   products=["part"], techniques=["mill", "lathe"], indicators=["machine days"])
    >>> eco.indicator("machine days").to_dict()
    {'mill': 1.0, 'lathe': 1.0}
    """
    goods = _labels(products, (input, output), 0, "products")
    ways = _labels(techniques, (input, output, intensities), 1, "techniques")
    if output is None and techniques is None and len(ways) == len(goods):
        ways = goods
    if output is None:
        if len(goods) != len(ways):
            raise ProblemError(
                f"output: not given, and the table is not square ({len(goods)} products, {len(ways)} techniques)"
            )
        output = sp.eye_array(len(goods), format="csr")
    used, made = as_csr(input, goods, ways, "input"), as_csr(output, goods, ways, "output")
    empty_columns = np.flatnonzero(np.bincount(made.indices, minlength=len(ways)) == 0)
    if empty_columns.size:
        label = show(ways[int(empty_columns[0])])
        raise ProblemError(
            f"output: technique {label!r} makes nothing ({empty_columns.size} such techniques); give its output, or "
            "leave it "
            "out"
        )
    final = demand_table(demand, goods, categories)
    empty = pd.DataFrame(np.zeros((0, len(ways))), columns=ways, index=pd.Index([], dtype=object))
    return Economy(
        name=name,
        products=goods,
        techniques=ways,
        output_coefficients=made,
        input_coefficients=used,
        intensities=empty if intensities is None else resource_table(intensities, ways, indicators, "intensities"),
        final_demand=final,
        activity=pd.Series(1.0, ways) if activity is None else activity,
        capacities=capacities
        if capacities is None or isinstance(capacities, pd.Series)
        else pd.Series(capacities, ways),
        notes=list(notes or []) + negative_inputs(used, goods, ways) + negative_demand(final),
        **about,
    )


def _labels(given: Any, tables: tuple[Any, ...], axis: int, what: str) -> pd.Index:
    """Labels of one axis: given, those of the first labelled table, or 0..length-1."""
    if given is not None:
        return as_index(given, what)
    for table in tables:
        if isinstance(table, pd.DataFrame):
            return as_index(table.axes[axis], what)
    shape = tables[0].shape if hasattr(tables[0], "shape") else np.shape(tables[0])
    if len(shape) != 2:
        raise ProblemError(f"input: got {len(shape)} dimension(s), expected a table of two")
    return pd.RangeIndex(shape[axis])
