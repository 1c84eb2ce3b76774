"""A multi-regional table taken apart: each region an economy of its own, and the trade between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.labels import show
from ..data.sparse_table import SparseTable
from ..errors import ProblemError


def regions_of(eco: Economy) -> tuple[dict[str, Economy], pd.Series]:
    """The regions of a multi-regional table as economies of their own, and the trade between them.

    The technique of a sector in region r needs product i wherever it comes from,
    ``A_r[i, j] = sum_k A[(k, i), (r, j)]``, and final demand of r for i is that for i of all origins. What was
    delivered from k to r, to its industries and its final demand, is the observed shipment. A sector that made nothing
    has no technique to go by, and coefficients of zero would make its product from nothing: its capacity is zero.

    Returns (region -> Economy, Series of shipments by (from, to, product)), for :func:`join_regions` with
    ``Trade(observed=...)``.
    """
    if not isinstance(eco.products, pd.MultiIndex) or eco.products.nlevels != 2 or not eco.is_square:
        raise ProblemError(f"{eco.name!r}: expected a square table with products (region, sector)")
    categories = eco.final_demand.columns
    if not isinstance(categories, pd.MultiIndex):
        raise ProblemError(f"{eco.name!r}: final demand does not say which region demands; expected (region, category)")
    if eco.limits:
        raise ProblemError(
            f"{eco.name!r}: has limits of its own on {show(next(iter(eco.limits)))!r}, which belong to no region; "
            "take them out (eco.replace(limits={})) and state them in the plan, by region"
        )
    regions = list(dict.fromkeys(eco.products.get_level_values(0)))
    sectors = list(dict.fromkeys(eco.products.get_level_values(1)))
    G, n = len(regions), len(sectors)
    if not eco.products.equals(pd.MultiIndex.from_product([regions, sectors])):
        raise ProblemError(f"{eco.name!r}: not every region has the same sectors in the same order")
    A, x = sp.csc_array(eco.input_coefficients), eco.activity.to_numpy()
    use = sp.csc_array(eco.intensity_matrix)
    assert eco.capacities is not None  # the economy fills them in
    empty = (x <= 0) & (np.diff(A.indptr) == 0)
    largest = np.where(empty, 0.0, eco.capacities.to_numpy())
    fold = sp.csr_array(sp.kron(np.ones((1, G)), sp.eye_array(n)))
    economies: dict[str, Economy] = {}
    flows: dict[tuple[str, str, Any], float] = {}
    for r, region in enumerate(regions):
        own = slice(r * n, (r + 1) * n)
        columns = sp.csc_array(A[:, own])
        mine = [label for label in categories if label[0] == region]
        demanded = eco.final_demand[mine].to_numpy()
        economies[region] = Economy(
            name=f"{eco.name}, {region}",
            products=(labels := pd.Index(sectors, name="product")),
            techniques=labels,
            output_coefficients=sp.eye_array(n, format="csr"),
            input_coefficients=fold @ columns,
            intensities=SparseTable(eco.indicators, labels, sp.csr_array(use[:, own])),
            final_demand=pd.DataFrame(fold @ demanded, labels, [show(label[1:]) for label in mine]),
            activity=pd.Series(x[own], labels),
            capacities=pd.Series(largest[own], labels),
            unit=eco.unit if isinstance(eco.unit, str) else pd.Series(eco.unit.to_numpy()[own], labels),
            indicator_units=eco.indicator_units,
            aliases=dict(eco.aliases),
            year=eco.year,
            licence=eco.licence,
            sources=eco.sources,
        )
        delivered = (columns @ x[own] + demanded.sum(axis=1)).reshape(G, n)
        for k, source in enumerate(regions):
            if k != r:
                flows |= {(source, region, i): delivered[k, j] for j, i in enumerate(sectors) if delivered[k, j] > 0}
    index = pd.MultiIndex.from_tuples(list(flows), names=["from", "to", "product"])
    return economies, pd.Series(list(flows.values()), index, name="shipments", dtype=np.float64)
