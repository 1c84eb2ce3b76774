"""Baskets delivered one by one: the targets of each year, or each region, become a technique of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.sparse_table import SparseTable
from ..errors import OptionError, ProblemError, suggest
from .columns import Columns

FULFILMENT = "fulfilment"


def with_deliveries(
    eco: Economy, targets: pd.Series, level: str, weights: Mapping[Any, float] | pd.Series | None = None
) -> tuple[Economy, pd.Series]:
    """The economy with one technique "deliver" for each label of an index level of its products, and what to target.

    The technique of group g uses the targets of the group's products and makes weight_g (1 if not named) of the product
    "fulfilment". The largest scale of one unit of fulfilment is then ``max sum_g weight_g tau_g`` with tau_g the common
    scale of group g alone: its activity. With the level "year" this is Cockshott's objective for a five-year plan.

    Returns the economy and the targets over its products.
    """
    names = list(eco.products.names)
    if level not in names:
        raise OptionError(f"each: {level!r} is no level of the products" + suggest(level, [str(n) for n in names]))
    wanted = targets.to_numpy(np.float64)
    if (wanted < 0).any():
        raise ProblemError(
            f"targets: {(wanted < 0).sum()} are negative; baskets delivered one by one need targets >= 0"
        )
    n = eco.n_goods
    groups = list(dict.fromkeys(eco.products.get_level_values(level)[wanted > 0]))
    factors = {} if weights is None else dict(weights)
    unknown = [g for g in factors if g not in groups]
    if unknown:
        raise OptionError(f"weights: {unknown[0]!r} is none of {', '.join(map(str, groups))}")
    factor = np.array([float(factors.get(g, 1.0)) for g in groups])
    if not (np.isfinite(factor) & (factor >= 0)).all() or not factor.any():
        raise OptionError("weights: expected finite numbers >= 0, at least one positive")
    member = eco.products.get_level_values(level)
    baskets = np.column_stack([np.where(member == g, wanted, 0.0) for g in groups])
    columns = Columns(n + 1, len(eco.indicators))
    place = names.index(level)
    columns.add(
        eco.techniques,
        output=[(0, eco.output_coefficients)],
        input=[(0, eco.input_coefficients)],
        use=[(0, eco.intensity_matrix)] if len(eco.indicators) else [],
        capacity=np.inf if eco.capacities is None else eco.capacities.to_numpy(),
        activity=eco.activity.to_numpy(),
    )
    columns.add(
        [_label(eco.techniques, place, g, "deliver") for g in groups],
        output=[(n, sp.csr_array(factor.reshape(1, -1)))],
        input=[(0, baskets)],
    )
    products = pd.MultiIndex.from_tuples([*eco.products, _label(eco.products, -1, FULFILMENT, FULFILMENT)], names=names)
    techniques = columns.techniques([str(name) for name in eco.techniques.names])
    grown = lambda table, fill: pd.Series([*table.to_numpy(), fill], products)  # noqa: E731
    larger = eco.replace(
        products=products,
        techniques=techniques,
        output_coefficients=columns.output(),
        input_coefficients=columns.input(),
        intensities=SparseTable(eco.indicators, techniques, columns.use()),
        final_demand=pd.DataFrame(
            np.vstack([eco.final_demand.to_numpy(), np.zeros((1, eco.final_demand.shape[1]))]),
            products,
            eco.final_demand.columns,
        ),
        activity=pd.Series(columns.activity(), techniques),
        capacities=pd.Series(columns.capacity(), techniques),
        technologies={},
        technology=None,
        unit=eco.unit if isinstance(eco.unit, str) else grown(eco.unit, "1"),
        product_names=None if eco.product_names is None else grown(eco.product_names, FULFILMENT),
    )
    aim = np.zeros(n + 1)
    aim[n] = 1.0
    return larger, pd.Series(aim, products, name="target")


def _label(like: pd.Index, place: int, group: Any, word: str) -> tuple[Any, ...]:
    """A label with the levels of others: the group at its place, the last year where years stand, else the word."""
    parts: list[Any] = []
    for k in range(like.nlevels):
        values = like.get_level_values(k)
        parts.append(group if k == place else values.max() if pd.api.types.is_integer_dtype(values) else word)
    return tuple(parts)
