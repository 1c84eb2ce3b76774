"""The exact vertex of a plan with its labels: which techniques run, which limits bind, and exact prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import OptionError, ProblemError
from ..solvers.dual_face import multiplier_ranges
from ..solvers.vertex import ProgramVertex
from .weights import positions

if TYPE_CHECKING:
    from .plan import Plan

# Plans up to so many goods and limits get the intervals of all prices with the vertex.
MOST_INTERVALS = 200
_TECHNIQUES = {-1: "idle", 0: "running", 1: "full"}
_PRODUCTS = {-1: "balanced", 0: "surplus"}
_LIMITS = {-1: "at least", 0: "slack", 1: "at most"}


@dataclass(frozen=True)
class PlanVertex:
    """An optimal vertex; every number is determined by the states alone and good to the last digits.

    Attributes
    ----------
    techniques : by technique ``state`` ("idle": not run; "full": at capacity; "running": in between, basic),
        ``activity``, ``reduced_cost`` (what a unit costs beyond what it earns; negative: the rent of its capacity),
        ``rent_low``, ``rent_high`` (of its capacity, over all optimal prices)
    products : by product ``state`` ("balanced": nothing is left over; "surplus"), ``price``, ``surplus``, ``low``,
        ``high`` (of the price, over all optimal prices)
    limits : by limit ``state`` ("at most" or "at least": at that bound; "slack"), ``use``, ``rent`` (a floor's rent
        counts negative), ``low``, ``high``
    objective : its value, in the objective's unit
    rows : goods and limits, which are as many as running techniques, surpluses, slack limits and the scale
    scale : "running" or "idle" for the largest scale, None for least use
    degenerate : running techniques at a bound, surpluses of nothing, slack limits at their bound; 0: prices are unique
    alternatives : idle or full techniques with no reduced cost, balances and limits without price; 0: the plan is the
        only one
    exact : whether the vertex was confirmed in rational arithmetic, for the numbers as stored
    intervals : whether low and high are known; they are NaN otherwise
    how : how it was found
    """

    techniques: pd.DataFrame
    products: pd.DataFrame
    limits: pd.DataFrame
    objective: float
    rows: int
    scale: str | None
    degenerate: int
    alternatives: int
    exact: bool
    intervals: bool
    how: str
    source: ProgramVertex | None = None

    def price_intervals(self, names: Iterable[Any] | None = None) -> pd.DataFrame:
        """Least and greatest optimal price of products (all by default): columns ``low``, ``price``, ``high``.

        Raises ProblemError for unknown names; for products whose interval a loaded plan does not hold; OptionError for
        degenerate plans too large for the simplex method.
        """
        index = self.products.index
        wanted = index if names is None else pd.Index(list(names))
        at = positions(wanted, index, "names")
        table = self.products.iloc[at][["low", "price", "high"]].copy()
        if self.intervals:
            return table
        if self.source is None:
            raise ProblemError("price_intervals: the plan folder holds none; solve the plan again and ask then")
        table["low"], table["high"] = multiplier_ranges(self.source, at, [])
        return table

    def facts(self) -> dict[str, Any]:
        """What plan.json keeps beside the tables."""
        keys = ("objective", "rows", "scale", "degenerate", "alternatives", "exact", "intervals", "how")
        return {"found": True} | {key: getattr(self, key) for key in keys}


def label_vertex(plan: Plan, vertex: ProgramVertex) -> PlanVertex:
    """Put the labels of the plan on its vertex."""
    eco, layout, basis = plan.economy, vertex.layout, vertex.point.basis
    n, m = layout.n_goods, layout.n_techniques
    rows, x, reduced = vertex.point.row, vertex.x, vertex.reduced
    prices, rents = vertex.y[:n], 0.0 - vertex.y[n:]
    degenerate, alternatives = vertex.degenerate()
    surplus = np.where(basis.rows[:n] != 0, 0.0, rows[:n] - vertex.lp.row_lower[:n])
    with np.errstate(divide="ignore"):
        physical = vertex.value_unit / vertex.row_unit  # one of a row's inner unit, in the plan's
    ranges = _ranges(vertex, degenerate)
    low, high = ranges if ranges is not None else (np.full(n + layout.n_resources + m, np.nan),) * 2
    state = lambda words, places: [words[int(place)] for place in places]  # noqa: E731
    techniques = {
        "state": state(_TECHNIQUES, basis.columns[:m]),
        "activity": x[:m],
        "reduced_cost": reduced[:m],
        "rent_low": low[n + layout.n_resources :],
        "rent_high": high[n + layout.n_resources :],
    }
    products = {
        "state": state(_PRODUCTS, basis.rows[:n]), "price": prices, "surplus": surplus * physical[:n],
        "low": low[:n], "high": high[:n],
    }  # fmt: skip
    k = slice(n, n + layout.n_resources)
    limits = {
        "state": state(_LIMITS, basis.rows[n:]), "use": rows[n:] * physical[n:], "rent": rents,
        "low": 0.0 - high[k], "high": 0.0 - low[k],
    }  # fmt: skip
    names = pd.Index([limit.name for limit in plan.limits], name="limit", dtype="str")
    made = plan.compiled
    scale = ("running" if basis.columns[m] == 0 else "idle") if layout.kind == "scale" else None
    return PlanVertex(
        techniques=pd.DataFrame(techniques, eco.techniques),
        products=pd.DataFrame(products, eco.products),
        limits=pd.DataFrame(limits, names),
        objective=made.sign * (vertex.value + made.offset) + 0.0,
        rows=vertex.lp.shape[0],
        scale=scale,
        degenerate=degenerate,
        alternatives=alternatives,
        exact=vertex.exact is not None,
        intervals=ranges is not None,
        how=vertex.how,
        source=vertex,
    )


def _ranges(vertex: ProgramVertex, degenerate: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(low, high) of prices, limits' multipliers and capacity rents; None where that would take too long."""
    M, m = vertex.lp.shape[0], vertex.layout.n_techniques
    full = np.isfinite(vertex.lp.upper[:m]) & (vertex.point.x[:m] == vertex.lp.upper[:m])
    if degenerate and max(M, int(full.sum())) > MOST_INTERVALS:
        return None
    at = np.flatnonzero(full)
    try:
        low, high = multiplier_ranges(vertex, np.arange(M), at)
    except OptionError:
        return None
    rents = np.zeros(m), np.zeros(m)
    rents[0][at], rents[1][at] = np.maximum(low[M:], 0.0), np.maximum(high[M:], 0.0)
    return np.concatenate([low[:M], rents[0]]) + 0.0, np.concatenate([high[:M], rents[1]]) + 0.0
