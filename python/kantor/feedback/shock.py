"""Shocks: a plant, a region or an import falls out; what is short, how little can be lost, and to what it is due.

The economy stands at a base activity that meets its targets. A shock takes away shares of some activities. Then what is
wanted of each product is delivered or gone without, and the plan with the least loss is sought:

    min sum_i w_i u_i    subject to   (B - A) x + u >= g,   0 <= u_i <= g_i,   0 <= x_j <= capacity_j,   R x <= limits

u is what people go without, w the worth of a unit. It is a plan like any other, with its certificate: "without PRODUCT"
is a technique that makes the product from nothing at the cost of ``unmet``. One unit of ``unmet`` is counted always, so
that the objective is 1 + loss and a gap means the same whether much or nothing is lost. Every activity may rise above
the base by ``spare``, which is what re-allocation has to work with.

Beside it stands *proportional rationing*, what happens if nobody plans: every user of a short product, industry or
household, gets the same share of what it ordered, and an industry runs at the share of its scarcest input. Source:
Pichler and Farmer, Simultaneous supply and demand constraints in input-output networks, Economic Systems Research 34
(2022), section 2.3; Hallegatte, An adaptive regional input-output model, Risk Analysis 28 (2008).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.economy import Economy
from ..data.labels import aligned, show
from ..data.sparse_table import SparseTable
from ..errors import ProblemError, suggest
from ..planning.limits import Limit
from ..planning.objectives import MinimiseUse
from ..planning.plan import Plan
from ..planning.result import PlanResult
from ..solvers.problem import FloatArray
from .change import Change
from .replan import Replanner

UNMET, WITHOUT, ALWAYS = "unmet", "without", "counted always"
_MOST_ROUNDS = 1000
_NOTHING = 1e-9


@dataclass(frozen=True)
class Shock:
    """What a shock does, period by period.

    Attributes
    ----------
    before : the plan before it, with nothing unmet
    periods : the plan of each period, with the least loss
    rationed : activity (m,) by technique in each period under proportional rationing
    rationed_loss : its loss in each period, exact
    worth : (n,) worth of a unit of each product, normalised so that all that is wanted is worth 1
    usual, capacities : largest activity (m,) by technique before the shock, and in each period
    """

    before: PlanResult
    periods: list[PlanResult]
    rationed: list[pd.Series]
    rationed_loss: list[float]
    worth: FloatArray
    usual: FloatArray
    capacities: list[FloatArray]

    @property
    def losses(self) -> pd.DataFrame:
        """By period: ``loss``, the share of all that is wanted, by worth, that the best plan goes without, its proved
        ``lower`` and ``upper`` bounds, ``rationing`` the loss under rationing, and ``ratio`` of loss to rationing."""
        rows = [
            (r.objective - 1.0, r.lower_bound - 1.0, r.upper_bound - 1.0, rationed,
             (r.objective - 1.0) / rationed if rationed > _NOTHING else np.nan)
            for r, rationed in zip(self.periods, self.rationed_loss, strict=True)
        ]  # fmt: skip
        index = pd.RangeIndex(1, len(rows) + 1, name="period")
        return pd.DataFrame(rows, index, ["loss", "lower", "upper", "rationing", "ratio"])

    @cached_property
    def short(self) -> pd.DataFrame:
        """What is short, and when: products x periods, the share of what is wanted that people go without."""
        n = len(self.worth)
        targets = self.before.targets.to_numpy(np.float64)[:n]
        columns = {}
        for k, result in enumerate(self.periods, 1):
            unmet = _unmet(result)
            columns[k] = np.divide(unmet, targets, out=np.zeros(len(targets)), where=targets > 0)
        table = pd.DataFrame(columns, self.before.targets.index[:n])
        worst = (table.to_numpy() * (targets * self.worth)[:, None]).max(axis=1)
        order = np.argsort(-worst, kind="stable")
        return table.iloc[order[worst[order] > _NOTHING * self.worth.max()]]

    def causes(self, period: int = 1, steps: int = 4) -> pd.DataFrame:
        """The loss of a period by what was taken away: technique, lost (activity), effect (loss), the largest first.

        The shock is led in by ``steps`` equal parts; each technique is charged the rent of its capacity in the middle
        of every part, times what it lost in it. The last row, "rest", is the difference to the whole loss: what kinks
        of the loss between the parts leave over. Source: Aumann and Shapley, Values of Non-Atomic Games (1974),
        chapter 2: the average of marginal costs along the way is the one division that adds up and is consistent.
        """
        left, usual = self.capacities[period - 1], self.usual
        at = np.flatnonzero(left < usual)
        lost, effect = usual[at] - left[at], np.zeros(len(at))
        planner = Replanner(
            self.before, **{key: self.before.options[key] for key in ("tolerance", "method", "backend")}
        )
        labels = self.before.activity.index
        for k in range(steps if at.size else 0):
            amounts = usual[at] - (k + 0.5) / steps * lost
            change = Change.of(capacity={labels[j]: float(c) for j, c in zip(at.tolist(), amounts, strict=True)})
            rents = planner.replan(change).result.capacity_rents.to_numpy(np.float64)
            effect += rents[at] * lost / steps
        order = np.argsort(-effect, kind="stable")
        rows = [(show(labels[at[k]]), lost[k], effect[k]) for k in order.tolist()]
        whole = float(self.losses["loss"][period])
        return pd.DataFrame(
            [*rows, ("rest", np.nan, whole - float(effect.sum()))], columns=["technique", "lost", "effect"]
        )

    def surplus(self, period: int = 1, top: int = 10) -> pd.DataFrame:
        """What stands idle or is left over, and what it could be used for.

        By product: ``idle``, activity below the base by worth of product; ``unused``, made and not used; ``use_in``:
        the short product whose making takes most of it, and ``lacks``: the dearest other input of that product.
        """
        result = self.periods[period - 1]
        plan = result.plan
        assert plan is not None
        eco, n = plan.economy, len(self.worth)
        m = eco.n_techniques - n - 1
        x, before = (r.activity.to_numpy(np.float64)[:m] for r in (result, self.before))
        output, inputs = eco.output_coefficients[:n, :m], eco.input_coefficients[:n, :m]
        # What was taken away stands not idle: it is gone.
        idle = output @ np.maximum(np.minimum(before, self.capacities[period - 1]) - x, 0.0)
        unused = np.maximum(output @ x - inputs @ x - (result.targets.to_numpy()[:n] - _unmet(result)), 0.0)
        size = self.worth * (idle + unused)
        at = np.argsort(-size, kind="stable")[:top]
        at = at[size[at] > _NOTHING]
        rows = [(idle[i], unused[i], *self._use_of(i, inputs, output, result)) for i in at.tolist()]
        return pd.DataFrame(rows, eco.products[at], ["idle", "unused", "use_in", "lacks"])

    def _use_of(self, i: int, inputs: sp.csr_array, output: sp.csr_array, result: PlanResult) -> tuple[str, str]:
        """(the short product that takes most of product i, its dearest other input)."""
        missing = self.worth * _unmet(result)
        users = sp.csr_array(inputs[[i]])
        worth = users.data * (output.T @ missing)[users.indices]
        if not worth.size or not worth.max() > 0:
            return "", ""
        j = int(users.indices[int(np.argmax(worth))])
        made = sp.csc_array(output[:, [j]]).indices
        other = sp.csc_array(inputs[:, [j]])
        cost = other.data * result.prices.to_numpy(np.float64)[other.indices]
        cost[other.indices == i] = 0.0
        lacks = show(result.prices.index[other.indices[int(np.argmax(cost))]]) if cost.size and cost.max() > 0 else ""
        return show(result.prices.index[made[0]]), lacks


def shock(
    economy: Economy,
    lost: Mapping[Any, float],
    *,
    targets: Any = None,
    limits: Mapping[str, Any] | None = None,
    spare: float = 0.0,
    recovery: tuple[float, ...] = (1.0,),
    worth: Any = None,
    tolerance: float = 1e-6,
    method: str = "auto",
    backend: str = "auto",
) -> Shock:
    """What is lost at least when activities fall out, period by period.

    Parameters
    ----------
    lost : technique -> share of its base activity that is lost, in [0, 1]; the first level of labels of several levels
        (a region) stands for all its techniques
    targets : what is wanted, as in :class:`kantor.Plan`; negative ones are supplies and stay
    limits : upper limits on indicators, as in Plan; a limit on imports is cut by naming its bound here
    spare : how far an activity may rise above its base, relative to it; inf where nothing but the limits holds it
    recovery : for each period the part of the loss that still holds: (1.0, 0.5, 0.0) is half restored in the second
    worth : value of a unit of each product, Series or array (n,); None: 1, right for tables in money
    tolerance, method, backend : of every solve, as in :meth:`kantor.Plan.solve`

    >>> eco = Economy.from_iot(A=[[0.0, 0.5], [0.0, 0.0]], Y=[1.0, 4.0], labels=["steel", "cars"])
    >>> found = shock(eco, {"steel": 0.5})
    >>> found.losses.round(4).values.tolist()          # without steel for people 1.5 of 3 make 3 of 4 cars
    [[0.4, 0.4, 0.4, 0.5, 0.8]]
    """
    eco = economy.for_demand("total" if targets is None else targets)
    base = eco.base_plan("total" if targets is None else targets).clip(lower=0.0)
    wanted = eco.demand("total" if targets is None else targets)
    price = np.ones(eco.n_goods) if worth is None else aligned(worth, eco.products, "worth", "products")
    whole = float(price @ np.maximum(wanted.to_numpy(np.float64), 0.0))
    if not whole > 0:
        raise ProblemError("shock: nothing is wanted, so nothing can be lost")
    price = price / whole
    shares = _shares(eco, lost)
    capacity = (1.0 + spare) * base.to_numpy(np.float64)
    given = np.asarray(eco.capacities, np.float64)
    usual = np.minimum(np.maximum(capacity, base.to_numpy(np.float64)), np.maximum(given, base.to_numpy(np.float64)))
    larger = _with_going_without(eco.replace(capacities=pd.Series(usual, eco.techniques)), wanted, price)
    bounds = dict(limits or {})
    asked = pd.Series(np.append(wanted.to_numpy(np.float64), 1.0), larger.products)
    plan = Plan(larger, targets=asked, objective=MinimiseUse(UNMET), limits=_amounts(eco, bounds, base), name="before")
    before = plan.solve(tolerance, method, backend)
    before.raise_for_status()
    periods, rationed, losses, capacities = [], [], [], []
    for part in recovery:
        left = np.minimum(usual, (1.0 - part * shares) * np.where(shares > 0, base, np.inf))
        changed = {eco.techniques[j]: float(left[j]) for j in np.flatnonzero(shares > 0).tolist()}
        done = Replanner(before, tolerance=tolerance, method=method, backend=backend).replan(
            Change.of(capacity=changed)
        )
        done.result.raise_for_status()
        periods.append(done.result)
        capacities.append(left)
        activity, loss = ration(eco, base.to_numpy(np.float64), left, wanted.to_numpy(np.float64), price)
        rationed.append(pd.Series(activity, eco.techniques, name="activity"))
        losses.append(loss)
    return Shock(before, periods, rationed, losses, price, usual, capacities)


def ration(
    eco: Economy, base: FloatArray, capacity: FloatArray, wanted: FloatArray, worth: FloatArray
) -> tuple[FloatArray, float]:
    """(activity, loss) under proportional rationing: users of a short product all get the same share of their orders.

    The shares fall from round to round until none falls any more. What is left when industries could not use what they
    got goes to the final users, so the loss is not overstated.
    """
    A, B = sp.csc_array(eco.input_coefficients), eco.output_coefficients
    orders = eco.input_coefficients @ base + np.maximum(wanted, 0.0)
    supply = np.maximum(-wanted, 0.0)
    x = np.minimum(base, capacity)
    needs = A.data > 0
    column = np.repeat(np.arange(A.shape[1]), np.diff(A.indptr))
    for _ in range(_MOST_ROUNDS):
        share = np.minimum(1.0, np.divide(B @ x + supply, orders, out=np.ones(len(orders)), where=orders > 0))
        scarcest = np.ones(A.shape[1])
        np.minimum.at(scarcest, column[needs], share[A.indices[needs]])
        new = np.minimum(x, base * scarcest)
        if np.max(np.abs(new - x), initial=0.0) <= 1e-12 * max(float(base.max(initial=0.0)), 1e-300):
            break
        x = new
    left = B @ x + supply - eco.input_coefficients @ x
    met = np.clip(left, 0.0, np.maximum(wanted, 0.0))
    return x, float(worth @ (np.maximum(wanted, 0.0) - met))


def _shares(eco: Economy, lost: Mapping[Any, float]) -> FloatArray:
    shares = np.zeros(eco.n_techniques)
    first = eco.techniques.get_level_values(0) if eco.techniques.nlevels > 1 else None
    for label, share in lost.items():
        if not 0 <= share <= 1:
            raise ProblemError(f"shock: {show(label)!r} loses {share!r}, expected a share in [0, 1]")
        if label in eco.techniques and (first is None or isinstance(label, tuple)):
            shares[eco.techniques.get_loc(label)] = share
        elif first is not None and label in first:
            shares[np.asarray(first == label)] = share
        else:
            known = [show(known) for known in eco.techniques[:5000]]
            raise ProblemError(f"shock: unknown technique or region {show(label)!r}{suggest(show(label), known)}")
    return shares


def _with_going_without(eco: Economy, wanted: pd.Series, worth: FloatArray) -> Economy:
    """A copy with a technique "without PRODUCT" for each product: up to what is wanted, at its worth of ``unmet``."""
    n, m = eco.n_goods, eco.n_techniques
    if UNMET in eco.indicators:
        raise ProblemError(f"shock: the economy has an indicator {UNMET!r} already")
    labels = _more(eco.techniques, [f"{WITHOUT} {show(label)}" for label in eco.products] + [ALWAYS])
    products = _more(eco.products, [ALWAYS])
    names = pd.Index([*eco.indicators, UNMET], dtype=object)
    cost = sp.csr_array(np.append(worth, 1.0)[None, :])
    blocks: Any = [[eco.intensity_matrix, None], [sp.csr_array((1, m)), cost]]
    use = sp.block_array(blocks)
    units = eco.indicator_units
    assert units is not None
    most = np.concatenate(
        [np.asarray(eco.capacities, np.float64), np.maximum(wanted.to_numpy(np.float64), 0.0), [np.inf]]
    )
    return eco.replace(
        products=products,
        techniques=labels,
        output_coefficients=sp.csr_array(sp.block_array([[eco.output_coefficients, sp.eye_array(n), None],
                                                         [None, None, sp.eye_array(1)]])),
        input_coefficients=_grown(eco.input_coefficients, (n + 1, m + n + 1)),
        intensities=SparseTable(names, labels, sp.csr_array(use)),
        indicator_units=pd.Series([*units, "share of all that is wanted"], names, dtype=object),
        final_demand=pd.DataFrame(np.zeros((n + 1, 1)), products, ["none"]),
        unit="" if not isinstance(eco.unit, str) else eco.unit,
        product_names=None,
        activity=pd.Series(np.append(eco.activity.to_numpy(np.float64), np.zeros(n + 1)), labels),
        capacities=pd.Series(most, labels),
        reference_use=None,
        limits={},
        technologies={},
        technology=None,
        demand_technology={},
        total_categories={},
        expansion=None,
    )  # fmt: skip


def _more(index: pd.Index, words: list[str]) -> pd.Index:
    """Labels with more of them; of several levels the word stands at the last."""
    if index.nlevels == 1:
        return index.append(pd.Index(words, dtype=object)).rename(index.name)
    rest = [""] * (index.nlevels - 1)
    return index.append(pd.MultiIndex.from_tuples([(*rest, word) for word in words])).set_names(index.names)


def _grown(matrix: sp.csr_array, shape: tuple[int, int]) -> sp.csr_array:
    entries = sp.coo_array(matrix)
    return sp.csr_array((entries.data, (entries.row, entries.col)), shape=shape)


def _amounts(eco: Economy, limits: Mapping[str, Any], base: pd.Series) -> dict[str, Any]:
    """Percentages refer to the base activity, not to that of the economy with ways to go without."""
    from ..planning.limits import resolve_limits

    resolved = resolve_limits(limits, eco, eco.use(base))
    return {
        limit.name: Limit(
            indicator=limit.indicator,
            at_most=limit.upper if np.isfinite(limit.upper) else None,
            at_least=limit.lower if np.isfinite(limit.lower) else None,
        )
        for limit in resolved
    }


def _unmet(result: PlanResult) -> FloatArray:
    return result.activity.to_numpy(np.float64)[-len(result.targets) : -1]
