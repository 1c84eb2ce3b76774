"""balance_supply_use: use, supply, final demand and value added that must agree for every product and industry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...errors import OptionError, suggest
from .result import Balance, Part, like
from .system import Totals, check_options, labels_of, read_part, solve_parts


@dataclass
class BalancedSupplyUse(Balance):
    """Balanced tables, each of the kind that was given; None for those that were not.

    product_residuals : supply less use of every product; industry_residuals : output less costs of every industry
    """

    U: Any = None
    V: Any = None
    Y: Any = None
    W: Any = None
    imports: Any = None

    @property
    def product_residuals(self) -> pd.Series:
        """V'1 + imports - U 1 - Y 1, by product."""
        return self._off("product")

    @property
    def industry_residuals(self) -> pd.Series:
        """V 1 - U'1 - W'1, by industry; empty without W."""
        return self._off("industry")

    def _off(self, kind: str) -> pd.Series:
        side = self.totals.loc[self.totals.index.get_level_values("kind") == kind].droplevel("kind")
        return side["balanced"].rename(f"{kind} residual")


def balance_supply_use(
    U: Any,
    V: Any,
    Y: Any,
    W: Any = None,
    imports: Any = None,
    *,
    errors: dict[str, Any] | None = None,
    method: str = "entropy",
    tolerance: float = 1e-9,
    max_iterations: int = 1000,
) -> BalancedSupplyUse:
    """Adjust a supply-use pair as little as possible so that it is in balance.

    For every product supply V'1 + imports equals use U 1 + Y 1; with W, for every industry output V 1 equals costs
    U'1 + W'1. The tables are adjusted together, like one table, see :func:`balance_table`.

    Parameters
    ----------
    U : use (n products, m industries)
    V : make (m industries, n products)
    Y : final demand (n,) or (n, categories)
    W : value added (factors, m); None: industries need not balance
    imports : by product (n,); None: none
    errors : standard errors by name, {"U": ..., "V": ..., "Y": ..., "W": ..., "imports": ...}: a table like the named
        one (0 keeps a cell), or a number, a share of each of its cells. Give all or none
    method, tolerance, max_iterations : as in :func:`balance_table`

    Raises ProblemError for labels that do not match and balances that cannot be met, OptionError for options.

    >>> import numpy as np
    >>> found = balance_supply_use(U=np.array([[1.0, 2.0], [3.0, 1.0]]), V=np.array([[7.0, 0.0], [0.0, 9.0]]),
    ...                            Y=np.array([5.0, 4.0]), W=np.array([[4.0, 5.0]]))
    >>> bool(abs(found.product_residuals).max() < 1e-8), found.V.round(3).diagonal().tolist()
    (True, [7.693, 8.269])
    """
    check_options(method, tolerance, max_iterations)
    goods, branches = labels_of(U, 0, "U"), labels_of(U, 1, "U")
    tables = {"U": U, "V": V, "Y": Y, "W": W, "imports": imports}
    given = {name: table for name, table in tables.items() if table is not None}
    errors = _errors(errors, given)
    keep = method == "least-squares"
    parts: dict[str, Part] = {}
    for name, table in given.items():
        rows = {"U": goods, "V": branches, "Y": goods, "imports": goods}.get(name)
        columns = {"U": branches, "V": goods, "W": branches}.get(name)
        rows = labels_of(table, 0, name) if rows is None else rows
        if columns is None:
            columns = pd.Index([name]) if np.ndim(table) == 1 else labels_of(table, 1, name)
        parts[name] = read_part(name, table, rows, columns, errors.get(name), keep)
    start = 0
    for part in parts.values():
        part.start, start = start, start + part.value.size
    zero = lambda labels: np.zeros(len(labels))  # noqa: E731
    product = Totals("product", goods, zero(goods), zero(goods))
    industry = Totals("industry", branches, zero(branches), zero(branches))
    if W is None:
        industry = Totals("industry", branches[:0], np.zeros(0), np.zeros(0))
    for name, part in parts.items():
        cells: np.ndarray = part.start + np.arange(part.value.size)
        if name != "W":
            sign = 1.0 if name in ("V", "imports") else -1.0
            product.entries.append((part.to if name == "V" else part.at, cells, sign))
        if W is not None and name in ("U", "V", "W"):
            industry.entries.append((part.at if name == "V" else part.to, cells, 1.0 if name == "V" else -1.0))
    balance = solve_parts(list(parts.values()), [product, industry], method, tolerance, max_iterations)
    new = {
        name: like(given[name], part.at, part.to, z)
        for (name, part), z in zip(parts.items(), balance.balanced, strict=True)
    }
    return BalancedSupplyUse(**vars(balance), **new)


def _errors(errors: dict[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    if errors is None:
        return {}
    for name in errors:
        if name not in given:
            raise OptionError(f"errors: {name!r} is none of the tables given" + suggest(name, given))
    lacking = [name for name in given if name not in errors]
    if lacking:
        raise OptionError(f"errors: none for {lacking[0]!r}; give errors for all tables or for none")
    return errors
