"""Indicators of a plan that everyone can read: who is served how well, how steady, how much room is left.

They are computed from the tables of a plan folder alone, so a verifier computes them again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..planning.result import PlanResult
from ..solvers.problem import FloatArray


def gini(values: FloatArray, weights: FloatArray) -> float:
    """Gini coefficient of values with weights: 0 where all are equal, towards 1 where one has everything.

    ``sum_ij w_i w_j |v_i - v_j| / (2 W sum_i w_i v_i)``; NaN where nothing is distributed.

    >>> gini(np.array([1.0, 1.0]), np.array([3.0, 1.0])), gini(np.array([0.0, 1.0]), np.array([1.0, 1.0]))
    (0.0, 0.5)
    """
    order = np.argsort(values, kind="stable")
    v, w = values[order], weights[order]
    total, worth = float(w.sum()), float(w @ v)
    if not (total > 0 and worth > 0):
        return float("nan")
    below = np.cumsum(w) - 0.5 * w  # each value's rank by weight; the formula is the covariance of value and rank
    return max(0.0, float(2.0 * (w * v) @ below / (total * worth) - 1.0))


def plan_indicators(result: PlanResult, parent: PlanResult | None = None) -> dict[str, Any]:
    """Indicators of a plan, and against its parent where there is one.

    * ``fulfilment``: consumption over target; ``mean`` by worth, ``min`` over products, ``gini`` over products by the
      worth of their targets; ``groups``: by the first level of the products' labels (region, year), if there are
      several levels
    * ``headroom``: for each limit with a most, the share of it that is left
    * ``use_against_parent``: for each indicator, use relative to the parent's; ``steadiness``: one less the share of
      the parent's activity, by worth, that moved. None without a parent.

    NaN becomes None, as JSON wants it.
    """
    g = result.targets.to_numpy(np.float64)
    c = result.consumption.to_numpy(np.float64)
    p = result.prices.to_numpy(np.float64)
    at = np.flatnonzero((g > 0) & np.isfinite(c))
    ratio, worth = c[at] / g[at], p[at] * g[at]
    if not worth.sum() > 0:
        worth = g[at]
    facts: dict[str, Any] = {
        "fulfilment": {
            "mean": _number(float(worth @ ratio / worth.sum())) if at.size else None,
            "min": _number(float(ratio.min())) if at.size else None,
            "gini": _number(gini(ratio, worth)) if at.size else None,
            "groups": _groups(result.targets.index[at], ratio, worth),
        },
        "headroom": {
            limit.name: _number(1.0 - float(result.use["use"][limit.name]) / limit.upper)
            for limit in result.limits
            if np.isfinite(limit.upper) and limit.upper > 0
        },
        "use_against_parent": None,
        "steadiness": None,
    }
    if parent is not None:
        facts["use_against_parent"] = _uses(result, parent)
        facts["steadiness"] = _number(1.0 - _moved(result, parent))
    return facts


def _groups(labels: pd.Index, ratio: FloatArray, worth: FloatArray) -> dict[str, float | None] | None:
    if labels.nlevels == 1 or not len(labels):
        return None
    table = pd.DataFrame({"worth": worth, "met": worth * ratio}, index=labels.get_level_values(0).astype(str))
    sums = table.groupby(level=0, sort=False).sum()
    met = sums["met"] / sums["worth"].where(sums["worth"] > 0)
    return {str(name): _number(float(value)) for name, value in met.items()}


def _uses(result: PlanResult, parent: PlanResult) -> dict[str, float | None]:
    def by_indicator(of: PlanResult) -> pd.Series:
        return pd.Series(of.use["use"].to_numpy(), of.use["indicator"].to_numpy()).groupby(level=0).first()

    new, old = by_indicator(result), by_indicator(parent)
    both = new.index.intersection(old.index)
    return {str(name): _number(float(new[name] / old[name])) if old[name] else None for name in both}


def _moved(result: PlanResult, parent: PlanResult) -> float:
    """Share of the parent's activity that moved; by worth where techniques carry the labels of products."""
    before = parent.activity.to_numpy(np.float64)
    after = result.activity.reindex(parent.activity.index, fill_value=0.0).to_numpy(np.float64)
    worth = np.ones(len(before))
    if parent.activity.index.equals(parent.prices.index):
        worth = parent.prices.to_numpy(np.float64)
    whole = float(worth @ np.abs(before))
    return float(worth @ np.abs(after - before)) / whole if whole > 0 else float("nan")


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
