"""Final demand by name: a category, a region, a kind of demand, the total, or the user's own vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ProblemError, suggest
from .labels import aligned, fold, show, show_some

if TYPE_CHECKING:
    from .economy import Economy


def find_demand(eco: Economy, what: Any) -> pd.Series:
    """Final demand (n,) in the units of the products; see :meth:`kantor.data.economy.Economy.demand`."""
    if not isinstance(what, str | tuple):
        if what is None or isinstance(what, bool | int | float):
            raise ProblemError(f"demand: got {what!r}, expected a category, a Series over products or an array")
        own_name = str(what.name) if isinstance(what, pd.Series) and what.name is not None else "demand"
        return pd.Series(aligned(what, eco.products, "demand"), eco.products, name=own_name)
    columns, label = _columns(eco, what)
    for j in columns:
        _require_technology(eco, eco.final_demand.columns[j])
    values = eco.final_demand.to_numpy()[:, columns]
    return pd.Series(values[:, 0].copy() if len(columns) == 1 else values.sum(axis=1), eco.products, name=label)


def _columns(eco: Economy, what: str | tuple[Any, ...]) -> tuple[list[int], str]:
    """Column numbers that make up a demand, and its name: exact, by case, a value of a level, or the total."""
    columns = eco.final_demand.columns
    labels = list(columns)
    if what in labels:
        return [labels.index(what)], show(what)
    wanted = fold(what)
    found = [j for j, label in enumerate(labels) if fold(label) == wanted]
    if len(found) > 1:
        raise ProblemError(f"demand category {show(what)!r} is ambiguous: {show_some(labels[j] for j in found)}")
    if not found and isinstance(columns, pd.MultiIndex):
        for level in range(columns.nlevels):
            found = [j for j, label in enumerate(labels) if fold(label[level]) == wanted]
            if found:
                return found, show(what)
    if found:
        return found, show(labels[found[0]])
    if wanted == "total":
        return _total_columns(eco), "total"
    bound = eco.technology_for(what) if isinstance(what, str) else None
    if bound is not None:
        raise ProblemError(_belongs_elsewhere(eco, what, bound))
    known = [show(label) for label in labels]
    if isinstance(columns, pd.MultiIndex):
        known += [str(value) for level in columns.levels for value in level]
    raise ProblemError(f"unknown demand category {show(what)!r}" + suggest(show(what), [*known, "total"]))


def _total_columns(eco: Economy) -> list[int]:
    """The columns that make up the whole final demand of the technology in use."""
    labels = list(eco.final_demand.columns)
    whole = eco.total_categories.get(eco.technology or "")
    if whole is not None:
        return [labels.index(whole)]
    if not labels:
        raise ProblemError(
            f"economy {eco.name!r} has no final demand; add a target to its file, or give one as a Series over "
            "products or an array"
        )
    return [j for j, label in enumerate(labels) if eco.demand_technology.get(label) in (None, eco.technology)]


def _require_technology(eco: Economy, category: Any) -> None:
    bound = eco.demand_technology.get(category)
    if bound is not None and bound != eco.technology:
        raise ProblemError(_belongs_elsewhere(eco, category, bound))


def _belongs_elsewhere(eco: Economy, category: Any, technology: str) -> str:
    """Why a category cannot be met with the coefficients in use: imports would be counted on one side only."""
    way = f"use with_technology({technology!r})" if technology in eco.technologies else "that table is not part of it"
    return f"demand {show(category)!r} belongs to technology {technology!r}, the economy uses {eco.technology!r}; {way}"


def total_demand(eco: Economy) -> np.ndarray | None:
    """The whole final demand (n,) of the technology in use, or None if the table has none."""
    if eco.final_demand.shape[1] == 0:
        return None
    return np.asarray(find_demand(eco, "total"))
