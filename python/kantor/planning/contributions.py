"""Who uses what in a plan: directly, and for the sake of which final target; what a unit of a product embodies.

With joint outputs of a technique shared out by their worth at the plan's prices, ``T_ji`` is the activity of technique
j for one unit of product i, ``A T`` what that unit takes of other products, and ``m = (A T)'m + T's`` what it embodies
of a resource of which technique j needs s_j. Nothing is lost on the way: over everything that leaves production,

    sum_i m_i C_i + sum_i m_i (net output_i - C_i) + sum_j (m.A_j + s_j) x_j = s.x,

C being consumption and j the techniques that make nothing, such as what must be left behind after the last year.
Sources: Miller and Blair, Input-Output Analysis (2009), chapters 2, 6 and 10; sharing out by worth is the economic
allocation of ISO 14044 (2006), 4.3.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.labels import position, show
from ..errors import ProblemError, suggest
from ..solvers.leontief import values
from ..solvers.problem import FloatArray
from .limits import unit_of

if TYPE_CHECKING:
    from .result import PlanResult

_NOTHING = 1e-12  # a smaller share of the whole is rounding


class Chain:
    """What flows where in a plan that was found; prepares what all questions share.

    ``economy``: of the plan, where the result was loaded from a folder and does not have it.
    """

    def __init__(self, result: PlanResult, question: str, economy: Economy | None = None):
        if economy is None and result.plan is not None:
            economy = result.plan.economy
        if economy is None:
            raise ProblemError(f"{question}: the plan folder {result.folder} holds no economy; solve the plan")
        self.x = np.maximum(result.activity.to_numpy(np.float64), 0.0)
        if not np.isfinite(self.x).all() or not np.isfinite(result.consumption.to_numpy(np.float64)).all():
            raise ProblemError(f"{question}: there is no plan (status {result.status.value})")
        self.result, self.eco = result, economy
        self.consumption = result.consumption.to_numpy(np.float64)
        self.output = self.eco.output_coefficients @ self.x
        self.unused = self.output - self.eco.input_coefficients @ self.x - self.consumption

    @cached_property
    def per_unit(self) -> sp.csr_array:
        """T (m, n): activity of each technique for one unit of each product."""
        made = sp.csc_array(self.eco.output_coefficients)
        worth = made.data * self.result.prices.to_numpy(np.float64)[made.indices]
        column = np.repeat(np.arange(made.shape[1]), np.diff(made.indptr))
        total = np.bincount(column, worth, minlength=made.shape[1])
        shared = np.where(total[column] > 0.0, worth, made.data)
        share = shared / np.bincount(column, shared, minlength=made.shape[1])[column]
        output = self.output[made.indices]
        of_unit = np.divide(share * self.x[column], output, out=np.zeros(len(share)), where=output > 0.0)
        table = sp.csr_array((of_unit, (column, made.indices)), shape=made.shape[::-1])
        table.eliminate_zeros()
        return table

    def embodied(self, direct: FloatArray) -> FloatArray:
        """m (n, k) for direct use (k, m) per unit of activity; zero for products that are not made."""
        own = np.asarray(self.per_unit.T @ direct.T)
        return np.asarray(values(sp.csr_array(self.eco.input_coefficients @ self.per_unit), own, tolerance=1e-12))


def users(result: PlanResult, what: Any) -> pd.DataFrame:
    """Who uses a limited resource, an indicator or a product directly; see :meth:`kantor.PlanResult.users`."""
    chain = Chain(result, "users")
    name, i = _resource_or_product(chain, what)
    eco = chain.eco
    row = sp.csr_array(eco.input_coefficients[[i]]) if name is None else eco.use_of([name])
    rows: list[tuple[str, Any, float]] = [
        ("technique", eco.techniques[j], v * chain.x[j]) for j, v in zip(row.indices.tolist(), row.data, strict=True)
    ]
    if name is None:
        rows.append(("consumption", eco.products[i], chain.consumption[i]))
        rows.append(("unused", eco.products[i], chain.unused[i]))
    return _table(rows, _unit(eco, name, i))


def by_target(result: PlanResult, what: Any) -> pd.DataFrame:
    """For which final target a resource or product is used; see :meth:`kantor.PlanResult.by_target`."""
    chain = Chain(result, "by_target")
    name, i = _resource_or_product(chain, what)
    eco = chain.eco
    direct = sp.csr_array(eco.output_coefficients[[i]]) if name is None else eco.use_of([name])
    s = direct.toarray()
    m = chain.embodied(s)[:, 0]
    rows: list[tuple[str, Any, float]] = []
    for kind, amount in (("consumption", chain.consumption), ("unused", chain.unused)):
        rows += [(kind, eco.products[k], m[k] * amount[k]) for k in np.flatnonzero(m * amount).tolist()]
    barren = (np.diff(sp.csc_array(eco.output_coefficients).indptr) == 0) & (chain.x > 0.0)
    if barren.any():
        whole = (eco.input_coefficients.T @ m + s[0]) * chain.x
        rows += [("technique", eco.techniques[j], whole[j]) for j in np.flatnonzero(barren).tolist()]
    return _table(rows, _unit(eco, name, i))


def contents(result: PlanResult, indicators: Iterable[str] | None = None) -> pd.DataFrame:
    """What a unit of every product embodies, beside its price; see :meth:`kantor.PlanResult.contents`."""
    chain = Chain(result, "contents")
    eco = chain.eco
    limited = dict.fromkeys(limit.indicator for limit in result.limits)
    asked = list(limited if indicators is None else [indicators] if isinstance(indicators, str) else indicators)
    names = [eco.indicator_name(name) for name in asked]
    columns = [("price", result.objective_unit), *((name, unit_of(name, eco)) for name in names)]
    m = chain.embodied(eco.use_of(names).toarray()) if names else np.zeros((eco.n_goods, 0))
    m = np.where((chain.output > 0.0)[:, None], m, np.nan)
    table = pd.DataFrame(
        np.column_stack([result.prices.to_numpy(np.float64), m]),
        eco.products,
        pd.MultiIndex.from_tuples(columns, names=["quantity", "unit"]),
    )
    table["per", "unit of"] = _product_units(eco)
    return table


def opportunity_costs(result: PlanResult) -> pd.DataFrame:
    """What each target costs the objective; see :meth:`kantor.PlanResult.opportunity_costs`."""
    if result.plan is None:
        raise ProblemError(f"opportunity_costs: the plan folder {result.folder} holds no plan; solve it")
    plan, prices = result.plan, result.prices.to_numpy(np.float64)
    targets = plan.targets.to_numpy(np.float64)
    weights = plan.compiled.weights if plan.compiled.kind == "scale" else None
    each = prices if weights is None else prices * weights
    # One unit more in the basket takes t units more of it; a fixed delivery and a unit consumed take one.
    factor = -result.objective if plan.compiled.kind == "scale" else -1.0 if result.sense == "max" else 1.0
    at = np.flatnonzero(targets)
    one = factor * each[at]
    table = pd.DataFrame(
        {
            "target": targets[at],
            "delivered": result.consumption.to_numpy(np.float64)[at],
            "price": prices[at],
            "one_more_unit": one,
            "one_more_percent": one * targets[at] / 100.0,
            "unit": _product_units(plan.economy)[at],
        },
        plan.economy.products[at],
    )
    order = np.argsort(-table["one_more_percent"].abs().to_numpy(), kind="stable")
    return table.iloc[order]


def _resource_or_product(chain: Chain, what: Any) -> tuple[str | None, int]:
    """(indicator, -1) for the name of a limit, an indicator or one of its other names; (None, row) for a product."""
    eco, limits = chain.eco, chain.result.limits
    for limit in limits:
        if what == limit.name:
            return limit.indicator, -1
    row = position(what, eco.products)
    if row is not None:
        return None, row
    try:
        return eco.indicator_name(str(what)), -1
    except ProblemError:
        known = [*(limit.name for limit in limits), *map(show, eco.products[:2000])]
        raise ProblemError(f"{show(what)!r} is no limit, indicator or product" + suggest(show(what), known)) from None


def _product_units(eco: Economy) -> np.ndarray[Any, Any]:
    if isinstance(eco.unit, str):
        return np.full(eco.n_goods, eco.unit, dtype=object)
    return eco.unit.to_numpy(dtype=object)


def _unit(eco: Economy, name: str | None, i: int) -> str:
    return str(_product_units(eco)[i]) if name is None else unit_of(name, eco)


def _table(rows: list[tuple[str, Any, float]], unit: str) -> pd.DataFrame:
    """The rows that are more than rounding, largest first, with their shares of the sum."""
    table = pd.DataFrame(rows, columns=["kind", "name", "use"])
    total = float(table["use"].sum())
    table = table[table["use"].abs() > _NOTHING * table["use"].abs().sum()]
    table["share"] = table["use"] / total if total else np.nan
    table["unit"] = unit
    order = np.argsort(-table["use"].abs().to_numpy(), kind="stable")
    return table.iloc[order].set_index(["kind", "name"])
