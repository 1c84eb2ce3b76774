"""What each change of the data cost: the difference of two optimal values, attributed to entries.

At an optimum the derivative of the value by a datum is its multiplier (the envelope theorem): a unit of target i costs
``p_i C_i/g_i``, of input coefficient (i, j) ``p_i x_j``, of the bound of limit k its rent, of capacity j its rent. An
entry that moved by D is attributed D times the mean of its derivative at the old and at the new optimum, which is exact
to second order where the derivative is continuous (a bound that begins to bind has a kink); what is left is stated as
``rest``, so that the column adds up to the whole difference.

Sources: Milgrom and Segal, Envelope theorems for arbitrary choice sets, Econometrica 70 (2002); averaging both ends is
the two-polar form of structural decomposition, Dietzenbacher and Los, Economic Systems Research 10 (1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.labels import show
from ..planning.result import PlanResult
from ..solvers.problem import FloatArray
from .apply import picked

REST = "rest"
COLUMNS = ["kind", "label", "technique", "before", "after", "effect"]


@dataclass(frozen=True)
class Side:
    """One optimum on the labels of the other: data and multipliers, zero for what it does not have."""

    result: PlanResult
    inputs: sp.csr_array
    use: sp.csr_array
    cost: FloatArray
    x: FloatArray
    prices: FloatArray
    targets: FloatArray
    reached: FloatArray
    rents: FloatArray
    floor_rents: FloatArray
    upper: FloatArray
    lower: FloatArray
    capacity: FloatArray
    capacity_rents: FloatArray

    @staticmethod
    def of(result: PlanResult, products: pd.Index, techniques: pd.Index, limits: list[Any]) -> Side:
        """The result's data in the order of these labels; ``limits`` are resolved ones, matched by name."""
        plan = result.plan
        assert plan is not None
        eco, made = plan.economy, plan.compiled
        rows, columns = eco.products.get_indexer(products), eco.techniques.get_indexer(techniques)
        own = {limit.name: k for k, limit in enumerate(plan.limits)}
        at = np.array([own.get(limit.name, -1) for limit in limits], np.intp)
        use = eco.use_of([limit.indicator for limit in limits])
        targets = _picked(plan.targets.to_numpy(np.float64), rows)
        consumption = _picked(result.consumption.to_numpy(np.float64), rows)
        ratio = np.divide(consumption, targets, out=np.zeros(len(targets)), where=targets != 0)
        if made.kind == "scale" and made.weights is not None:
            ratio = result.objective * _picked(made.weights, rows)
        elif made.kind == "use":
            ratio = np.ones(len(targets))
        return Side(
            result,
            _placed(eco.input_coefficients, rows, columns),
            _placed(use, np.arange(use.shape[0]), columns),
            _picked(made.cost, columns),
            _picked(result.activity.to_numpy(np.float64), columns),
            _picked(result.prices.to_numpy(np.float64), rows),
            targets,
            ratio,
            _picked(result.rents.to_numpy(np.float64), at),
            _picked(result.floor_rents.to_numpy(np.float64), at),
            _picked(np.array([limit.upper for limit in plan.limits], np.float64), at, np.inf),
            _picked(np.array([limit.lower for limit in plan.limits], np.float64), at, -np.inf),
            _picked(result.capacities.to_numpy(np.float64), columns, 0.0),
            _picked(result.capacity_rents.to_numpy(np.float64), columns),
        )


def _picked(values: Any, at: np.ndarray[Any, Any], missing: float = 0.0) -> FloatArray:
    if not len(values):
        return np.full(len(at), missing)
    return np.where(at >= 0, np.asarray(values, np.float64)[at], missing)


def _placed(matrix: sp.csr_array, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]) -> sp.csr_array:
    """Rows and columns of a matrix in another order; -1 stands for an empty one."""
    out = sp.csr_array(matrix)[np.maximum(rows, 0)][:, np.maximum(columns, 0)]
    return sp.csr_array(sp.diags_array((rows >= 0) * 1.0) @ out @ sp.diags_array((columns >= 0) * 1.0))


def attribute(before: PlanResult, after: PlanResult) -> pd.DataFrame:
    """Effects on the objective of every entry that changed, largest first, and ``rest`` as the last row.

    Returns columns kind, label, technique, before, after, effect (in units of the objective; positive is a rise of it).
    Both results need their ``plan``, an optimum, and objectives of one kind.
    """
    assert after.plan is not None
    assert before.plan is not None
    eco = after.plan.economy
    limits = [limit for limit in after.plan.limits if limit.indicator in before.plan.economy.indicators]
    old = Side.of(before, eco.products, eco.techniques, limits)
    new = Side.of(after, eco.products, eco.techniques, limits)
    # A target costs in both senses; what is more of a minimised use is a rise of the objective.
    sign = 1.0 if after.sense == "max" else -1.0
    existed = before.plan.economy.techniques.get_indexer(eco.techniques) >= 0
    names = pd.Index([limit.name for limit in limits])
    parts = [
        *_targets(old, new, eco.products),
        *_entries("coefficient", old.inputs, new.inputs, old.prices, new.prices, old, new, eco.products, existed),
        *_entries("use", old.use, new.use, old.rents - old.floor_rents, new.rents - new.floor_rents, old, new,
                  names, existed),
        *_valued(old, new, eco, existed),
        *_bounds(old, new, names),
        *_techniques(old, new, eco, existed),
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    table["effect"] = sign * table["effect"].astype(np.float64)
    table = table.iloc[np.argsort(-table["effect"].abs().to_numpy(), kind="stable")].reset_index(drop=True)
    rest = after.objective - before.objective - float(table["effect"].sum())
    last = pd.DataFrame([[REST, "", None, np.nan, np.nan, rest]], columns=COLUMNS)
    return pd.concat([table, last], ignore_index=True) if len(table) else last


def _rows(kind: str, labels: Any, techniques: Any, before: Any, after: Any, effect: FloatArray) -> list[pd.DataFrame]:
    if not len(effect):
        return []
    columns = {"kind": kind, "label": labels, "technique": techniques, "before": before, "after": after}
    return [pd.DataFrame({**columns, "effect": effect}, columns=COLUMNS)]


def _named(labels: pd.Index, at: np.ndarray[Any, Any]) -> list[str]:
    return [show(labels[i]) for i in at.tolist()]


def _targets(old: Side, new: Side, products: pd.Index) -> list[pd.DataFrame]:
    at = np.flatnonzero(old.targets != new.targets)
    worth = 0.5 * (old.prices * old.reached + new.prices * new.reached)[at]
    effect = -worth * (new.targets - old.targets)[at]
    return _rows("target", _named(products, at), None, old.targets[at], new.targets[at], effect)


def _entries(
    kind: str, first: sp.csr_array, second: sp.csr_array, price: FloatArray, later: FloatArray, old: Side, new: Side,
    labels: pd.Index, existed: np.ndarray[Any, Any],
) -> list[pd.DataFrame]:  # fmt: skip
    """Changed entries of a matrix of needs; columns that are new altogether count as techniques."""
    delta = sp.coo_array(second - first)
    kept = (delta.data != 0) & existed[delta.col]
    i, j, d = delta.row[kept], delta.col[kept], delta.data[kept]
    effect = -0.5 * (price[i] * old.x[j] + later[i] * new.x[j]) * d
    at = np.flatnonzero(effect != 0)
    i, j, effect = i[at], j[at], effect[at]
    was, now = (picked(m, i, j) for m in (first, second))
    assert new.result.plan is not None
    return _rows(kind, _named(labels, i), _named(new.result.plan.economy.techniques, j), was, now, effect)


def _valued(old: Side, new: Side, eco: Any, existed: np.ndarray[Any, Any]) -> list[pd.DataFrame]:
    """Uses that the objective itself counts, where a unit of activity now takes more or less of them."""
    at = np.flatnonzero((old.cost != new.cost) & existed)
    effect = -0.5 * (old.x + new.x)[at] * (new.cost - old.cost)[at]
    return _rows("use", "objective", _named(eco.techniques, at), old.cost[at], new.cost[at], effect)


def _bounds(old: Side, new: Side, names: pd.Index) -> list[pd.DataFrame]:
    parts = []
    for one, other, rents, sign in (
        (old.upper, new.upper, 0.5 * (old.rents + new.rents), 1.0),
        (old.lower, new.lower, 0.5 * (old.floor_rents + new.floor_rents), -1.0),
    ):
        at = np.flatnonzero((one != other) & np.isfinite(one) & np.isfinite(other))
        effect = sign * rents[at] * (other[at] - one[at])
        parts += _rows("limit", names[at].tolist(), None, one[at], other[at], effect)
    return parts


def _techniques(old: Side, new: Side, eco: Any, existed: np.ndarray[Any, Any]) -> list[pd.DataFrame]:
    """Capacities that changed (one that was absent stood, in effect, where the activity was), and new techniques."""
    one, other = old.capacity, new.capacity
    before = np.where(np.isfinite(one), one, np.maximum(old.x, new.x))
    after = np.where(np.isfinite(other), other, np.maximum(old.x, new.x))
    # A capacity that was absent begins to bind where the activity stood: its rent holds all the way.
    both = np.isfinite(one) & np.isfinite(other)
    rents = np.where(both, 0.5, 1.0) * (old.capacity_rents + new.capacity_rents)
    effect = rents * (after - before)
    at = np.flatnonzero((one != other) & existed & (effect != 0))
    parts = _rows("capacity", _named(eco.techniques, at), None, one[at], other[at], effect[at])
    made = eco.output_coefficients
    fresh = np.flatnonzero(~existed & (new.x > 0))
    was = np.maximum(made.T @ old.prices - new.inputs.T @ old.prices - new.use.T @ old.rents, 0.0)
    now = np.maximum(made.T @ new.prices - new.inputs.T @ new.prices - new.use.T @ new.rents, 0.0)
    gain = 0.5 * (was + now) * new.x
    return parts + _rows("technique", _named(eco.techniques, fresh), None, 0.0, new.x[fresh], gain[fresh])
