"""The Leontief price model: what prices must be to cover the costs of inputs and given primary costs.

p = A'p + v, v primary costs (wages, taxes, profits, imports) per unit of output. In money tables of the base year every
price is 1 and v is value added; other v give the price indices that follow (cost push; Miller and Blair 2009, section
2.6; Oosterhaven 1996, Southern Economic Journal 62, 750-759). Prices of some products may be fixed from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..backends import Backend
from ..data.economy import Economy
from ..data.labels import aligned, read_mapping
from ..errors import ProblemError
from .system import TOLERANCE, InputOutput, solve


@dataclass(frozen=True)
class PriceModel:
    """Prices and what they are made of.

    prices : (n,) p, in the unit of costs per unit of product; error_bound : |prices - exact| <= error_bound
    costs : (n,) primary costs v per unit; of a product with a fixed price what its price leaves after its inputs
    """

    prices: pd.Series
    error_bound: pd.Series
    costs: pd.Series


def price_model(
    economy: Economy,
    costs: Any,
    *,
    fixed: Mapping[Any, float] | pd.Series | None = None,
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> PriceModel:
    """Prices that cover costs.

    Parameters
    ----------
    economy : one technique for each product
    costs : primary costs per unit of output: an indicator or a list of indicators that are added up, a Series or
        mapping with a value for every product, or an array (n,). A cost push alone (a tax, a wage rise) gives the rise
        of prices, because the model is linear
    fixed : prices given from outside (imports, administered prices): label -> price; costs of these are not used
    tolerance, backend : as in :func:`kantor.solve_leontief`

    Raises ProblemError for unknown labels, and if all prices are fixed.

    >>> eco = Economy.from_iot(Z=[[150.0, 500.0], [200.0, 100.0]], Y=[350.0, 1700.0], F=[650.0, 1400.0],
    ...                        indicators=["value added"], labels=["corn", "iron"])
    >>> price_model(eco, "value added").prices.round(9).to_dict()
    {'corn': 1.0, 'iron': 1.0}
    >>> price_model(eco, "value added", fixed={"iron": 2.0}).prices.round(4).to_dict()
    {'corn': 1.2353, 'iron': 2.0}
    """
    named = isinstance(costs, str) or (isinstance(costs, list) and all(isinstance(name, str) for name in costs))
    system = InputOutput.of(economy, "price_model", costs if named else [], tolerance, backend)
    v = system.S.to_numpy().sum(axis=0) if named else aligned(costs, system.products, "costs")
    n = v.size
    given = {} if fixed is None else read_mapping(fixed, system.products, "fixed", "products")
    for at, price in given.items():
        if not np.isfinite(price):
            raise ProblemError(f"fixed: the price of {system.products[at]!r} is {price!r}, expected a finite number")
    outside = np.zeros(n, dtype=bool)
    outside[list(given)] = True
    if outside.all():
        raise ProblemError("fixed: every price is given, expected at least one product whose price follows from costs")
    prices = np.zeros(n)
    prices[list(given)] = list(given.values())
    # Columns of products with a fixed price are emptied: their price is theirs, whatever their inputs cost.
    keep = sp.dia_array((np.where(outside, 0.0, 1.0)[None, :], 0), shape=(n, n))
    found = solve(sp.csr_array(system.A @ keep), np.where(outside, prices, v), True, tolerance, backend)
    own = np.where(outside, found.value - system.A.T @ found.value, v)
    series = lambda array, name: pd.Series(array, system.products, name=name)  # noqa: E731
    return PriceModel(series(found.value, "price"), series(found.bound, "error bound"), series(own, "costs"))
