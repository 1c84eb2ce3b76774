"""Economies from supply-use tables, with the technology assumption stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from ..errors import OptionError, ProblemError, suggest
from .economy import Economy
from .iot import demand_table, intensity_table
from .labels import aligned, as_index, show
from .matrix import as_csr, per_unit
from .notes import dropped, negative_demand, negative_inputs, without_output

ASSUMPTIONS = ("joint", "industry-technology", "product-technology")


def from_sut(
    U: Any,
    V: Any,
    Y: Any = None,
    F: Any = None,
    *,
    assumption: str = "joint",
    q: Any = None,
    x: Any = None,
    products: Any = None,
    industries: Any = None,
    categories: Any = None,
    indicators: Any = None,
    name: str = "supply-use table",
    notes: list[str] | None = None,
    **about: Any,
) -> Economy:
    """An economy from use U and make V.

    Parameters
    ----------
    U : use (n products, m industries), product i used by industry j
    V : make (m industries, n products), product i made by industry j
    Y : final demand (n,) or (n, categories)
    F : total use of resources by the industries (indicators, m)
    assumption : what a technique is
        * ``"joint"``: the industry, with all it makes: B = V' / x, A = U / x, m techniques, nothing assumed;
        * ``"industry-technology"``: the product, made as the industries that make it work on average:
          A = (U / x)(V / q), S = (F / x)(V / q); never negative if the table is not;
        * ``"product-technology"``: the product, made the same way wherever it is made: A = U (V')^-1,
          S = F (V')^-1; needs as many industries as products, may come out negative (``notes`` says so).
    q : output of the products (n,); left out V' 1
    x : output of the industries (m,); left out V 1
    products, industries, categories, indicators : labels for plain arrays
    name, notes, and further fields of Economy

    Raises ProblemError for shapes or labels that do not fit, NaN or infinite entries, a singular make table.
    Source of the three assumptions: Eurostat Manual of Supply, Use and Input-Output Tables (2008), chapter 11.

    >>> eco = from_sut(U=[[5.0, 0.0], [0.0, 10.0]], V=[[6.0, 1.0], [3.0, 12.0]], x=[1.0, 1.0], F=[[1.0, 1.0]])
    >>> eco.net_output.toarray().tolist()
    [[1.0, 3.0], [1.0, 2.0]]
    """
    if assumption not in ASSUMPTIONS:
        raise OptionError(f"assumption: {assumption!r} is none of the known ones" + suggest(assumption, ASSUMPTIONS))
    goods, branches = _labels(U, V, products, industries)
    use, make = as_csr(U, goods, branches, "U"), as_csr(V, branches, goods, "V")
    goods_output = np.asarray(make.sum(axis=0)).ravel() if q is None else aligned(q, goods, "q")
    branch_output = np.asarray(make.sum(axis=1)).ravel() if x is None else aligned(x, branches, "x")
    demand = demand_table(Y, goods, categories)
    said = list(notes or []) + without_output(goods_output, goods)
    if assumption == "joint":
        return _joint(use, make, branch_output, demand, F, goods, branches, indicators, name, said, about)
    per_branch = per_unit(use, branch_output)
    resources, lost = intensity_table(F, None, branch_output, branches, indicators)
    if assumption == "industry-technology":
        said += without_output(branch_output, branches, "industries") + lost
        shares = per_unit(make, goods_output)
        coefficients = sp.csr_array(per_branch @ shares)
        intensities = (shares.T @ resources.to_numpy().T).T
    else:
        coefficients, intensities = _product_technology(use, make, branch_output, resources, branches)
    said += negative_inputs(coefficients, goods, goods) + negative_demand(demand)
    return Economy(
        name=name,
        products=goods,
        techniques=goods,
        output_coefficients=sp.eye_array(len(goods), format="csr"),
        input_coefficients=coefficients,
        intensities=pd.DataFrame(intensities, index=resources.index, columns=goods),
        final_demand=demand,
        activity=pd.Series(goods_output, goods),
        notes=[*said, f"technology assumption: {assumption}"],
        **about,
    )


def _labels(U: Any, V: Any, products: Any, industries: Any) -> tuple[pd.Index, pd.Index]:
    """Labels of products and industries: given, those of the frames, or 0..n-1."""
    shapes = []
    for table, what in ((U, "U"), (V, "V")):
        shape = table.shape if hasattr(table, "shape") else np.shape(table)
        if len(shape) != 2:
            raise ProblemError(f"{what}: got {len(shape)} dimension(s), expected a table of two")
        shapes.append(shape)
    if products is None:
        products = U.index if isinstance(U, pd.DataFrame) else V.columns if isinstance(V, pd.DataFrame) else None
    if industries is None:
        industries = U.columns if isinstance(U, pd.DataFrame) else V.index if isinstance(V, pd.DataFrame) else None
    goods = pd.RangeIndex(shapes[0][0]) if products is None else as_index(products, "products")
    branches = pd.RangeIndex(shapes[0][1]) if industries is None else as_index(industries, "industries")
    return goods, branches


def _joint(
    use: sp.csr_array,
    make: sp.csr_array,
    output: np.ndarray,
    demand: pd.DataFrame,
    F: Any,
    goods: pd.Index,
    branches: pd.Index,
    indicators: Any,
    name: str,
    notes: list[str],
    about: dict[str, Any],
) -> Economy:
    """Industries as techniques; a negative cell of the make table is an input of that product."""
    made = per_unit(sp.csr_array(make.T), output)
    used = per_unit(use, output)
    negative = int((made.data < 0).sum())
    if negative:
        positive = made.copy()
        positive.data = np.maximum(made.data, 0.0)
        used, made = sp.csr_array(used + (positive - made)), positive
        notes = [*notes, f"{negative} negative entries of the make table were entered as inputs"]
    idle = np.flatnonzero(~(output > 0))
    notes = notes + without_output(output, branches, "industries")
    notes += dropped(np.asarray(use.sum(axis=0)).ravel(), idle, branches, "inputs")
    resources, lost = intensity_table(F, None, output, branches, indicators)
    notes += lost + negative_inputs(used, goods, branches) + negative_demand(demand)
    return Economy(
        name=name,
        products=goods,
        techniques=branches,
        output_coefficients=made,
        input_coefficients=used,
        intensities=resources,
        final_demand=demand,
        activity=pd.Series(output, branches),
        notes=notes,
        **about,
    )


def _product_technology(
    use: sp.csr_array, make: sp.csr_array, output: np.ndarray, resources: pd.DataFrame, branches: pd.Index
) -> tuple[sp.csr_array, np.ndarray]:
    """A V' = U and S V' = F, that is V A' = U' and V S' = F', by one factorisation of V."""
    m, n = make.shape
    if m != n:
        raise ProblemError(f"product-technology needs as many industries as products, got {m} and {n}")
    for k, side in enumerate(("industry", "product")):
        empty = np.flatnonzero(np.asarray(abs(make).sum(axis=1 - k)).ravel() == 0)
        if empty.size:
            what = show(branches[empty[0]]) if k == 0 else f"number {int(empty[0])}"
            raise ProblemError(f"product-technology: the make table has no entry for {side} {what!r}")
    try:
        factors = splu(sp.csc_array(make))
    except RuntimeError as error:
        raise ProblemError(f"product-technology: the make table is singular ({error})") from error
    coefficients = factors.solve(use.T.toarray()).T
    totals = resources.to_numpy() * output
    return sp.csr_array(coefficients), factors.solve(np.ascontiguousarray(totals.T)).T
