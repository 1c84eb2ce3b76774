"""A plan with a change applied: the same question on new data.

What a change means, in the order in which it is applied:

* ``coefficient``, ``use``: the technique's new inputs and uses per unit, in every year of a horizon.
* ``target``: what is wanted of a product from now on; over years every year's target moves in the same proportion.
* ``limit``: the new bound. Limits that a change does not name keep the *amount* they had: a percentage of the base
  was turned into an amount when the last plan was made, and new targets do not move it.
* ``capacity``; ``outage``: the technique can run at most at (1 - share) of the activity it was planned at.
* ``stock``: on hand, to be used up once: of a plan over years in the first of them, else in the plan itself, as a
  technique "stock" that makes the product from nothing up to that amount.
* ``output``: what a technique really ran at in the period gone by. What it made beyond its plan is on hand now. What
  it made less was missing from what was to be delivered: with ``backlog`` it is wanted on top of the targets.

Nothing is inferred: an output below plan does not lower a capacity. Say so with ``capacity`` or ``outage``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.labels import show
from ..data.sparse_table import SparseTable
from ..errors import ProblemError, suggest
from ..planning.combined import SOFTENED
from ..planning.limits import Limit, with_own_limits
from ..planning.plan import Plan
from ..solvers.problem import FloatArray
from .change import Change, find, numbers

STOCK = "stock"


@dataclass(frozen=True)
class Question:
    """What a Plan is made from, on the labels of one year.

    economy, targets (n,), limits in amounts, horizon, objective as given, name; ``stock`` (n,) on hand that the plan
    may use up, ``wanted`` the targets as the user gave them where they are a table over years.
    """

    economy: Economy
    targets: pd.Series | pd.DataFrame
    limits: dict[str, Any]
    objective: Any
    horizon: Any
    name: str
    stock: FloatArray

    def plan(self) -> Plan:
        """The plan to solve."""
        economy = self.economy
        if self.horizon is None and self.stock.any():
            economy = with_stock(economy, self.stock)
        return Plan(
            economy,
            targets=self.targets,
            objective=self.objective,
            limits=self.limits,
            name=self.name,
            horizon=self.horizon,
        )


def question_of(plan: Plan) -> Question:
    """The question a plan asked, its limits as amounts and its capacities in the economy."""
    if plan.place is not None:
        plan = plan.place.whole
    asked = plan.asked
    if asked["held"]:
        raise ProblemError("replan: a plan that holds other objectives cannot be changed; replan its Lexicographic")
    economy = asked["economy"].for_demand("total" if asked["targets"] is None else asked["targets"])
    horizon = asked["horizon"]
    wanted: Any = "total" if asked["targets"] is None else asked["targets"]
    targets = wanted if isinstance(wanted, pd.DataFrame) else economy.demand(wanted).rename("target")
    if horizon is None:
        capacities = plan.capacities.to_numpy(np.float64)[: economy.n_techniques]
    else:
        given = economy.capacities
        capacities = np.full(economy.n_techniques, np.inf) if given is None else given.to_numpy(np.float64)
    return Question(
        economy.replace(capacities=pd.Series(capacities, economy.techniques), limits={}),
        targets,
        _amounts(plan, asked["limits"], horizon),
        plan.stated_objective,
        horizon,
        plan.name,
        np.zeros(economy.n_goods),
    )


def _amounts(plan: Plan, stated: Any, horizon: Any) -> dict[str, Any]:
    """The limits as the plan resolved them."""
    resolved = {limit.name: limit for limit in plan.limits}
    single, out = plan.asked["economy"], {}
    years = () if horizon is None else horizon.named(single)
    for name, given in with_own_limits(single, stated).items():
        limit = given if isinstance(given, Limit) else Limit(at_most=given)
        indicator = single.indicator_name(limit.indicator or name)
        mark = "" if limit.soft is None else SOFTENED
        if horizon is None or limit.over == "total":
            found = resolved[name + mark]
            once = _limit(indicator, found.upper, found.lower, limit.soft)
            out[name] = dataclasses.replace(once, over=limit.over)
            continue
        each = {year: resolved[f"{name} {year}{mark}"] for year in years if f"{name} {year}{mark}" in resolved}
        sides: dict[str, Any] = {
            side: {year: value for year, value in values.items() if np.isfinite(value)} or None
            for side, values in (
                ("at_most", {year: r.upper for year, r in each.items()}),
                ("at_least", {year: r.lower for year, r in each.items()}),
            )
        }
        out[name] = Limit(indicator=indicator, soft=limit.soft, **sides)
    return out


def _limit(indicator: str, upper: float, lower: float, soft: float | None = None) -> Limit:
    return Limit(
        indicator=indicator,
        at_most=upper if np.isfinite(upper) else None,
        at_least=lower if np.isfinite(lower) else None,
        soft=soft,
    )


def apply(question: Question, change: Change, planned: FloatArray, *, backlog: bool = True) -> Question:
    """The question with the change; ``planned`` (m,) is the activity of the period gone by, or of the plan itself.

    Raises ProblemError for unknown labels (with the nearest one) and numbers that make no sense.
    """
    economy = _coefficients(question.economy, change)
    economy = _capacities(economy, change, planned)
    targets, stock = _targets(question.targets, change), question.stock.copy()
    at = change.entries("stock")
    on_hand = numbers(at, np.zeros(len(at)), "stock")
    _check(on_hand, at["label"], "stock")
    stock[find(at["label"], economy.products, "stock")] = on_hand
    surplus, missing = _reported(economy, change, planned)
    stock += surplus
    if backlog and missing.any():
        targets = _added(targets, missing)
    return dataclasses.replace(
        question, economy=economy, targets=targets, limits=_limits(question.limits, change), stock=stock
    )


def _coefficients(economy: Economy, change: Change) -> Economy:
    changed: dict[str, Any] = {}
    entries = change.entries("coefficient")
    if len(entries):
        matrix = economy.input_coefficients
        rows = find(entries["label"], economy.products, "coefficient")
        new = _with_entries(matrix, rows, entries, economy, "coefficient")
        changed["input_coefficients"] = new
    entries = change.entries("use")
    if len(entries):
        names = [economy.indicator_name(str(name)) for name in entries["label"]]
        rows = economy.indicators.get_indexer(pd.Index(names, dtype=object))
        new = _with_entries(economy.intensity_matrix, np.asarray(rows), entries, economy, "use")
        changed["intensities"] = SparseTable(economy.indicators, economy.techniques, new)
    return economy.replace(**changed) if changed else economy


def _with_entries(
    matrix: sp.csr_array, rows: np.ndarray[Any, Any], entries: pd.DataFrame, economy: Economy, what: str
) -> sp.csr_array:
    columns = find(entries["technique"], economy.techniques, what)
    present = picked(matrix, rows, columns)
    values = numbers(entries, present, what)
    if not np.isfinite(values).all():
        raise ProblemError(f"{what}: expected finite numbers")
    # The later of two entries for the same place holds: differences of an earlier one are taken back.
    last = pd.Series(np.arange(len(rows))).groupby([rows, columns]).max().to_numpy()
    delta = sp.csr_array(((values - present)[last], (rows[last], columns[last])), shape=matrix.shape)
    return sp.csr_array(matrix + delta)


def picked(matrix: sp.csr_array, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]) -> FloatArray:
    """Entries of a sparse matrix at pairs of places."""
    if not len(rows):
        return np.zeros(0)
    table: Any = sp.csr_array(matrix)
    found: Any = table[rows, columns]
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found, np.float64).ravel()


def _capacities(economy: Economy, change: Change, planned: FloatArray) -> Economy:
    rated, lost = change.entries("capacity"), change.entries("outage")
    if not len(rated) and not len(lost):
        return economy
    given = economy.capacities
    assert given is not None  # the economy fills them in
    capacity = given.to_numpy(np.float64).copy()
    at = find(rated["label"], economy.techniques, "capacity")
    relative = rated["value"].map(lambda value: isinstance(value, str) and "%" in value).to_numpy(bool)
    unknown = relative & ~np.isfinite(capacity[at])
    if unknown.any():
        label = show(rated["label"].iloc[int(np.flatnonzero(unknown)[0])])
        raise ProblemError(f"capacity of {label!r}: has none so far that a percentage could refer to; give an amount")
    capacity[at] = numbers(rated, capacity[at], "capacity")
    at = find(lost["label"], economy.techniques, "outage")
    share = numbers(lost, np.ones(len(lost)), "outage")
    bad = ~((share >= 0) & (share <= 1))
    if bad.any():
        label = show(lost["label"].iloc[int(np.flatnonzero(bad)[0])])
        raise ProblemError(f"outage of {label!r}: expected a share lost in [0, 1], as 0.4 or '40%'")
    capacity[at] = np.minimum(capacity[at], (1.0 - share) * np.maximum(planned[at], 0.0))
    return economy.replace(capacities=pd.Series(capacity, economy.techniques))


def _targets(targets: Any, change: Change) -> Any:
    entries = change.entries("target")
    if not len(entries):
        return targets
    at = find(entries["label"], targets.index, "target")
    first = targets.iloc[:, 0] if isinstance(targets, pd.DataFrame) else targets
    before = first.to_numpy(np.float64)
    after = numbers(entries, before[at], "target")
    if isinstance(targets, pd.Series):
        new = before.copy()
        new[at] = after
        return pd.Series(new, targets.index, name="target")
    table = targets.to_numpy(np.float64).copy()
    ratio = np.divide(after, before[at], out=np.ones(len(at)), where=before[at] != 0)
    table[at] = np.where((before[at] != 0)[:, None], table[at] * ratio[:, None], after[:, None])
    return pd.DataFrame(table, targets.index, targets.columns)


def _added(targets: Any, amount: FloatArray) -> Any:
    """In the first period only: what was missed is made up for once."""
    if isinstance(targets, pd.Series):
        return targets + amount
    table = targets.copy()
    table.iloc[:, 0] = table.iloc[:, 0].to_numpy() + amount
    return table


def _limits(limits: dict[str, Any], change: Change) -> dict[str, Any]:
    entries, out = change.entries("limit"), dict(limits)
    for name, value in zip(entries["label"].astype(str), entries["value"], strict=True):
        if name not in out:
            raise ProblemError(f"limit: the plan has none called {name!r}{suggest(name, out)}")
        limit = out[name]
        side = "at_most" if limit.at_most is not None else "at_least"
        present = getattr(limit, side)
        row = pd.DataFrame({"label": [name], "value": [value]})
        new = (
            {year: float(numbers(row, [bound], "limit")[0]) for year, bound in present.items()}
            if isinstance(present, dict)
            else float(numbers(row, [present], "limit")[0])
        )
        out[name] = dataclasses.replace(limit, **{side: new})
    return out


def _reported(economy: Economy, change: Change, planned: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(surplus, missing) of every product from the reported activity: outputs beyond the plan, and short of it."""
    entries = change.entries("output")
    n = economy.n_goods
    if not len(entries):
        return np.zeros(n), np.zeros(n)
    at = find(entries["label"], economy.techniques, "output")
    ran = numbers(entries, planned[at], "output")
    _check(ran, entries["label"], "output")
    difference = np.zeros(economy.n_techniques)
    difference[at] = ran - planned[at]
    made = economy.output_coefficients @ difference
    return np.maximum(made, 0.0), np.maximum(-made, 0.0)


def _check(values: FloatArray, labels: pd.Series, what: str) -> None:
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        raise ProblemError(f"{what} of {show(labels.iloc[k])!r}: got {values[k]!r}, expected a number >= 0")


def with_stock(economy: Economy, stock: FloatArray) -> Economy:
    """A copy with one technique for each product on hand, "stock of PRODUCT", that makes it from nothing."""
    at = np.flatnonzero(stock > 0)
    n, m = economy.n_goods, economy.n_techniques
    labels = [_stock_label(economy.products[i], economy.techniques) for i in at.tolist()]
    known = economy.techniques.get_indexer(pd.Index(labels) if economy.techniques.nlevels == 1 else
                                           pd.MultiIndex.from_tuples(labels))  # fmt: skip
    capacity = np.asarray(economy.capacities, np.float64).copy()
    capacity[known[known >= 0]] = stock[at[known >= 0]]
    fresh = np.flatnonzero(known < 0)
    k = len(fresh)
    index = economy.techniques.append(
        pd.Index([labels[i] for i in fresh], dtype=object)
        if economy.techniques.nlevels == 1
        else pd.MultiIndex.from_tuples([labels[i] for i in fresh])
    )
    output = sp.csr_array((np.ones(k), (at[fresh], np.arange(k))), shape=(n, k))
    return (
        economy.replace(
            techniques=index.set_names(economy.techniques.names),
            output_coefficients=sp.csr_array(sp.hstack([economy.output_coefficients, output])),
            input_coefficients=sp.csr_array(sp.hstack([economy.input_coefficients, sp.csr_array((n, k))])),
            intensities=SparseTable(
                economy.indicators,
                index,
                sp.csr_array(sp.hstack([economy.intensity_matrix, sp.csr_array((len(economy.indicators), k))])),
            ),
            activity=pd.Series(np.append(economy.activity.to_numpy(np.float64), np.zeros(k)), index),
            capacities=pd.Series(np.append(capacity, stock[at[fresh]]), index),
            technologies={},
            technology=None,
            demand_technology={},
            total_categories={},
            expansion=None,
        )
        if m
        else economy
    )


def _stock_label(product: Any, techniques: pd.Index) -> Any:
    if techniques.nlevels == 1:
        return f"{STOCK} of {show(product)}"
    rest = [""] * (techniques.nlevels - 2)
    return (STOCK, show(product), *rest)
