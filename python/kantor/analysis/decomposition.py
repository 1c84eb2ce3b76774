"""Structural decomposition: how much of a change between two years is due to intensities, technology, and demand.

With f = s'(I - A)^-1 y (by producer: s_i x_i) and y = level * mix, the change from year 0 to year 1 is split into the
effects of s, A, mix and level. Each effect is the average over all 4! orders in which the factors can change one after
another (Dietzenbacher and Los 1998, Economic Systems Research 10, 307-323), which is exact: the effects add up to the
change. Because x is linear in level, all orders need just the four outputs (I - A_a)^-1 mix_b, a, b = 0, 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ..backends import Backend
from ..data.economy import Economy
from ..data.labels import positions
from ..errors import ProblemError
from .system import TOLERANCE, InputOutput

FACTORS = ("intensity", "technology", "mix", "level")


@dataclass(frozen=True)
class Decomposition:
    """Effects that add up to the change.

    totals : indicators x (before, after, change, intensity, technology, mix, level); unit: that of each indicator
    by_product : (indicator, product) x (change, effects), by the producer whose use changed
    """

    totals: pd.DataFrame
    by_product: pd.DataFrame
    unit: pd.Series


def decompose(
    before: Economy,
    after: Economy,
    by: str | Iterable[str] | None = None,
    *,
    demand: Any = "total",
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> Decomposition:
    """Split the change of resource use between two tables of the same products into four effects.

    Parameters
    ----------
    before, after : tables with the same products and indicators, in prices of one year if they are in money
    by : indicators, None: all
    demand : final demand in both years, anything :meth:`Economy.demand` takes
    tolerance, backend : as in :func:`kantor.solve_leontief`

    Raises ProblemError if products, indicators or their units differ, or a year has no final demand in sum.

    >>> a = Economy.from_iot(A=[[0.5]], Y=[10.0], S=[2.0], indicators=["co2"])
    >>> b = Economy.from_iot(A=[[0.5]], Y=[15.0], S=[1.0], indicators=["co2"])
    >>> decompose(a, b).totals.round(9).to_numpy().tolist()
    [[40.0, 30.0, -10.0, -25.0, 0.0, 0.0, 15.0]]
    """
    years = [InputOutput.of(economy, "decompose", by, tolerance, backend, needed=True) for economy in (before, after)]
    order = np.argsort(positions(after.products, before.products, "after", "products of before"))
    if not years[0].S.index.equals(years[1].S.index):
        raise ProblemError(
            f"decompose: indicators {list(years[0].S.index)} and {list(years[1].S.index)}, expected the same"
        )
    if not years[0].units.equals(years[1].units) or _unit(before) != _unit(after):
        raise ProblemError("decompose: units of products or indicators differ between the two economies")
    wanted = [before.demand(demand).to_numpy(), after.demand(demand).reindex(before.products).to_numpy()]
    level = [float(y.sum()) for y in wanted]
    if not min(level) > 0.0:
        raise ProblemError(f"demand: it adds up to {level[0]!r} and {level[1]!r}, expected positive sums")
    s = [years[0].S.to_numpy(), years[1].S.to_numpy()[:, order]]
    mixes = [np.column_stack([wanted[0] / level[0], wanted[1] / level[1]])]
    mixes.append(np.empty_like(mixes[0]))
    mixes[1][np.argsort(order)] = mixes[0]
    x = [years[0].outputs(mixes[0]).value, years[1].outputs(mixes[1]).value[order]]
    value = {
        corner: s[corner[0]] * x[corner[1]][:, corner[2]] * level[corner[3]] for corner in product((0, 1), repeat=4)
    }
    effects = {name: _average(value, k) for k, name in enumerate(FACTORS)}
    return _label(value, effects, years[0])


def _average(value: dict[tuple[int, ...], np.ndarray], k: int) -> np.ndarray:
    """Mean effect of factor k over all orders of change (its Shapley value)."""
    n = len(FACTORS)
    total = np.zeros_like(next(iter(value.values())))
    for corner, amount in value.items():
        if corner[k] == 1:
            changed = sum(corner) - 1
            weight = math.factorial(changed) * math.factorial(n - 1 - changed) / math.factorial(n)
            total += weight * (amount - value[(*corner[:k], 0, *corner[k + 1 :])])
    return total


def _label(
    value: dict[tuple[int, ...], np.ndarray], effects: dict[str, np.ndarray], system: InputOutput
) -> Decomposition:
    first, last = value[(0, 0, 0, 0)], value[(1, 1, 1, 1)]
    columns = {"before": first, "after": last, "change": last - first, **effects}
    totals = pd.DataFrame({name: array.sum(axis=1) for name, array in columns.items()}, system.S.index)
    rows = pd.MultiIndex.from_tuples(
        [(k, *p) if isinstance(p, tuple) else (k, p) for k in system.S.index for p in system.products],
        names=["indicator", *system.products.names],
    )
    detail = pd.DataFrame({name: array.ravel() for name, array in list(columns.items())[2:]}, rows)
    return Decomposition(totals, detail, system.units)


def _unit(economy: Economy) -> Any:
    return economy.unit if isinstance(economy.unit, str) else tuple(economy.unit.sort_index())
