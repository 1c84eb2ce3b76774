"""What a unit of every product embodies: labour values, energy, emissions, any primary factor, all in one solve."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from ..backends import Backend
from ..data.economy import Economy
from .system import TOLERANCE, InputOutput


@dataclass(frozen=True)
class Contents:
    """Direct and total use per unit of product; frames are indicators x products.

    direct : S, use by the product's own producer per unit of output
    total : M = S (I - A)^-1, use by all its suppliers together, its own producer included
    error_bound : |total - exact| <= error_bound, proved for the table as stored
    unit : indicator -> unit of the numbers, such as "kt per million USD"
    """

    direct: pd.DataFrame
    total: pd.DataFrame
    error_bound: pd.DataFrame
    unit: pd.Series


def contents(
    economy: Economy,
    by: str | Iterable[str] | None = None,
    *,
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> Contents:
    """Total use of primary factors per unit of product, M = A'M + S, for several indicators in one solve.

    Parameters
    ----------
    economy : one technique for each product (square, or square with added techniques, which are left out)
    by : indicator or alias ("labour", "ghg"), or several; None: all. By labour these are labour values
    tolerance, backend : as in :func:`kantor.solve_leontief`

    Raises ProblemError for unknown indicators, products without a technique, tables that are not productive.

    >>> import kantor as kt
    >>> found = contents(kt.load_economy("eu_2006"), "labour")
    >>> found.total.loc["labour"].round(4).tolist()
    [0.4398, 0.5481, 0.5595, 0.5486, 0.5511]
    """
    system = InputOutput.of(economy, "contents", by, tolerance, backend, needed=True)
    found = system.contents(system.S.to_numpy())
    frame = lambda array: pd.DataFrame(array, system.S.index, system.products)  # noqa: E731
    return Contents(system.S, frame(found.value), frame(found.bound), unit_per_product(system))


def unit_per_product(system: InputOutput) -> pd.Series:
    """Indicator -> "its unit per unit of product"."""
    one = system.economy.unit if isinstance(system.economy.unit, str) and system.economy.unit else "unit of product"
    return pd.Series([f"{unit} per {one}".strip() for unit in system.units], system.S.index, name="unit", dtype=object)
