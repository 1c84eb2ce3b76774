"""Economies from square input-output tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError
from .economy import Economy
from .labels import aligned, as_index, numbers
from .matrix import as_csr, guarded, per_unit
from .notes import dropped, negative_demand, negative_inputs, without_output


def from_iot(
    *,
    Z: Any = None,
    Y: Any = None,
    x: Any = None,
    F: Any = None,
    A: Any = None,
    S: Any = None,
    labels: Any = None,
    categories: Any = None,
    indicators: Any = None,
    name: str = "table",
    notes: list[str] | None = None,
    **about: Any,
) -> Economy:
    """An economy from a square input-output table with the letters of the field.

    Parameters
    ----------
    Z : flows (n, n), input i of sector j, in units of product i a year; or
    A : coefficients (n, n), input i per unit of output j. Give one of the two.
    Y : final demand (n,) or (n, categories)
    x : gross output (n,); left out it is Z 1 + Y 1 for flows, (I - A)^-1 Y 1 for coefficients
    F : total use of resources (indicators, n), divided by x; or
    S : use per unit of output (indicators, n)
    labels, categories, indicators : labels for plain arrays; DataFrames and Series bring their own
    name, notes, and further fields of Economy: year, unit, indicator_units, aliases, product_names, licence, sources

    Sectors without positive output keep their labels and get zero coefficients; ``notes`` says so.
    Raises ProblemError for empty or unlike tables, NaN or infinite entries, labels that do not fit.

    >>> eco = from_iot(Z=[[20.0, 5.0], [10.0, 40.0]], Y=[25.0, 50.0], labels=["grain", "iron"])
    >>> eco.A.toarray().tolist(), eco.x.tolist()
    ([[0.4, 0.05], [0.2, 0.4]], [50.0, 100.0])
    """
    if (Z is None) == (A is None):
        raise ProblemError("from_iot: give either flows Z or coefficients A" + (", not both" if Z is not None else ""))
    if F is not None and S is not None:
        raise ProblemError("from_iot: give either totals F or intensities S, not both")
    table, letter = (Z, "Z") if Z is not None else (A, "A")
    products = table_labels(table, labels, letter, (Y, x))
    demand = demand_table(Y, products, categories)
    said = list(notes or [])
    matrix = as_csr(table, products, products, letter)
    if letter == "Z":
        output = _output_of_flows(matrix, demand, x, products)
        coefficients = per_unit(matrix, output)
        idle = np.flatnonzero(~(output > 0))
        said += without_output(output, products)
        said += dropped(np.asarray(matrix.sum(axis=0)).ravel(), idle, products, "inputs")
    else:
        coefficients = matrix
        output, more = _output_of_coefficients(coefficients, demand, x, products)
        said += more
    said += negative_inputs(coefficients, products, products) + negative_demand(demand)
    uses, more = intensity_table(F, S, output, products, indicators)
    return Economy(
        name=name,
        products=products,
        techniques=products,
        output_coefficients=sp.eye_array(len(products), format="csr"),
        input_coefficients=coefficients,
        intensities=uses,
        final_demand=demand,
        activity=pd.Series(output, products),
        notes=said + more,
        **about,
    )


def table_labels(table: Any, labels: Any, what: str, others: tuple[Any, ...] = ()) -> pd.Index:
    """Labels of the rows of a square table: given, its own, those of another labelled part, or 0..n-1."""
    if labels is not None:
        return as_index(labels, "labels")
    for part in (table, *others):
        if isinstance(part, pd.DataFrame | pd.Series):
            return as_index(part.index, f"{what} rows" if part is table else "labels")
    shape = table.shape if hasattr(table, "shape") else np.shape(table)
    if len(shape) != 2:
        raise ProblemError(f"{what}: got {len(shape)} dimension(s), expected a table of two")
    return pd.RangeIndex(shape[0])


def demand_table(Y: Any, products: pd.Index, categories: Any) -> pd.DataFrame:
    """Final demand as products x categories; a single vector becomes the category "final demand"."""
    if Y is None:
        return pd.DataFrame(np.zeros((len(products), 0)), index=products)
    if isinstance(Y, pd.DataFrame):
        return Y
    if isinstance(Y, pd.Series):
        label = Y.name if Y.name is not None else "final demand"
        return pd.DataFrame({label: aligned(Y, products, "Y")}, index=products)
    values = numbers(Y.toarray() if hasattr(Y, "toarray") else Y, "Y")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[0] != len(products):
        raise ProblemError(f"Y: shape {values.shape}, expected ({len(products)},) or ({len(products)}, categories)")
    if categories is None:
        count = values.shape[1]
        categories = ["final demand"] if count == 1 else [f"final demand {k + 1}" for k in range(count)]
    columns = as_index(categories, "categories")
    if len(columns) != values.shape[1]:
        raise ProblemError(f"Y: {values.shape[1]} columns, but {len(columns)} categories")
    return pd.DataFrame(values, index=products, columns=columns)


def resource_table(table: Any, techniques: pd.Index, indicators: Any, what: str) -> pd.DataFrame:
    """Use of resources as indicators x techniques; a single vector becomes one indicator."""
    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, pd.Series):
        values, label = aligned(table, techniques, what)[None, :], table.name
        return pd.DataFrame(values, index=[label if label is not None else "resource"], columns=techniques)
    values = numbers(table.toarray() if hasattr(table, "toarray") else table, what)
    values = values[None, :] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] != len(techniques):
        raise ProblemError(f"{what}: shape {values.shape}, expected (indicators, {len(techniques)})")
    rows = as_index(
        indicators if indicators is not None else [f"resource {k + 1}" for k in range(len(values))], "indicators"
    )
    if len(rows) != len(values):
        raise ProblemError(f"{what}: {len(values)} rows, but {len(rows)} indicators")
    return pd.DataFrame(values, index=rows, columns=techniques)


def intensity_table(
    F: Any, S: Any, output: np.ndarray, techniques: pd.Index, indicators: Any
) -> tuple[pd.DataFrame, list[str]]:
    """Intensities S, given or as F / x with sectors without output guarded; and notes on what the guard dropped."""
    if F is None and S is None:
        return pd.DataFrame(np.zeros((0, len(techniques))), columns=techniques, index=pd.Index([], dtype=object)), []
    if S is not None:
        return resource_table(S, techniques, indicators, "S"), []
    totals = resource_table(F, techniques, indicators, "F")
    # Labels first: a reordered table must not be divided by the output of another sector.
    ordered = as_csr(totals, as_index(totals.index, "F rows"), techniques, "F").toarray()
    notes: list[str] = []
    idle = np.flatnonzero(~(output > 0))
    for label, row in zip(totals.index, ordered, strict=True):
        notes += dropped(row, idle, techniques, f"{label}")
    return pd.DataFrame(guarded(ordered, output), index=totals.index, columns=techniques), notes


def _output_of_flows(Z: sp.csr_array, demand: pd.DataFrame, x: Any, products: pd.Index) -> np.ndarray:
    if x is not None:
        return aligned(x, products, "x")
    if demand.shape[1] == 0:
        raise ProblemError("from_iot: flows Z need final demand Y or gross output x to become coefficients")
    final = as_csr(demand, products, as_index(demand.columns, "Y columns"), "Y")
    return np.asarray(Z.sum(axis=1)).ravel() + np.asarray(final.sum(axis=1)).ravel()


def _output_of_coefficients(
    A: sp.csr_array, demand: pd.DataFrame, x: Any, products: pd.Index
) -> tuple[np.ndarray, list[str]]:
    """Gross output that belongs to coefficients: given, solved from final demand, or unknown (zero, with a note)."""
    if x is not None:
        return aligned(x, products, "x"), []
    if demand.shape[1] == 0:
        return np.zeros(len(products)), ["no gross output and no final demand given: the observed activity is zero"]
    from ..solvers.leontief import solve_leontief
    from ..solvers.productive import check_productive
    from ..solvers.solution import Status

    final = as_csr(demand, products, as_index(demand.columns, "Y columns"), "Y")
    try:
        solution = solve_leontief(A, np.asarray(final.sum(axis=1)).ravel(), tolerance=1e-12, error_bound=False)
    except ProblemError:
        check_productive(A, labels=products)  # the same finding with the sectors' own labels
        raise
    if solution.status is not Status.OPTIMAL:
        raise ProblemError(
            f"x: not given, and (I - A) x = Y 1 was not solved ({solution.status.value}); is the economy productive?"
        )
    return np.asarray(solution.x), ["gross output was not given: it is (I - A)^-1 times the total final demand"]
