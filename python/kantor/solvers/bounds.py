"""From approximate prices and rents to valid bounds: values of the plan's own techniques, sweeps, scaling, shifting.

With the full cost c(nu) = c + R'nu of a technique, T(p)_i is the least cost at which good i can be made at prices p;
its fixed point are the prices of a Leontief substitution system (Koehler, Whinston, Wright, Optimization over
Leontief Substitution Systems, 1975). Prices obtained here are *one-sided*: a little lower than the solution, so that no
technique earns more than its full cost even after rounding. Nothing here is trusted:
:meth:`kantor.solvers.evaluate.Evaluator.bound` judges every candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from .evaluate import BoundCheck, Evaluator
from .mix import INTERIOR, SMALL, build_mix, least_output, one_sided_solve
from .problem import FloatArray
from .rigour import flush

SWEEPS = (0, 1, 3, 12, 32)  # between two evaluations: 48 sweeps in all
_CUTS = 30
_HOPS = 30  # conversions one after another
_AT_CAPACITY = 1e-6
_ROUNDED = 1e-7  # of its product's price: what a technique may earn at prices solved nearly to rounding
_ENOUGH = 0.02  # sweeps end when the gap is this share of the tolerance


# (goods made, goods used), conversion by conversion.
Conversions = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class DualPoint:
    """Prices (n,), rents of upper limits (r,), rents of lower limits (r,), all >= 0."""

    prices: FloatArray
    rents: FloatArray
    floor_rents: FloatArray


class BoundSearch:
    """Finds valid bounds near an approximate dual point; ``cost`` (m,) replaces the direct costs of the program."""

    def __init__(self, evaluator: Evaluator, cost: FloatArray | None = None, backend: Any = "auto"):
        self.evaluator, self.program, self.backend = evaluator, evaluator.program, backend
        self.cost = self.program.cost if cost is None else cost

    def clean(self, point: DualPoint) -> DualPoint:
        """The nearest point that can be a multiplier: nonnegative, and no rent where there is no limit."""
        make = lambda v: flush(np.maximum(np.nan_to_num(v, nan=0.0, posinf=0.0, neginf=0.0), 0.0))  # noqa: E731
        rents = np.where(np.isfinite(self.program.resource_upper), make(point.rents), 0.0)
        floors = np.where(np.isfinite(self.program.resource_lower), make(point.floor_rents), 0.0)
        return DualPoint(make(point.prices), rents, floors)

    def best(
        self, point: DualPoint, activity: FloatArray, value: float, wanted: float, safe: DualPoint | None = None
    ) -> tuple[DualPoint, BoundCheck]:
        """The best bound found; the search ends well within ``wanted`` of ``value``, which a plan achieves."""
        best = point
        check = BoundCheck(-np.inf if self.program.kind == "use" else np.inf, np.zeros(self.program.shape[1]))
        for candidate in self.candidates(point, activity, safe):
            new = self.evaluator.bound(candidate.prices, candidate.rents, candidate.floor_rents)
            if best is point or self._improves(new.value, check.value):
                best, check = candidate, new
            if abs(check.value - value) <= _ENOUGH * wanted:
                break
        return best, check

    def _improves(self, new: float, old: float) -> bool:
        return new > old if self.program.kind == "use" else new < old

    def candidates(self, point: DualPoint, activity: FloatArray, safe: DualPoint | None = None) -> Iterator[DualPoint]:
        """Dual points near ``point``, the most promising first.

        ``activity`` (m,) tells which techniques are used, and which are full.
        ``safe`` is a dual point at which no technique earns its full cost, to blend with.
        """
        point = self.clean(point)
        yield point
        full = activity >= self.program.capacity * (1.0 - _AT_CAPACITY)
        # Where no technique earns more than rounding leaves, the cheapest ones are known, even if they do not run yet.
        values = self.values(point, np.zeros_like(activity) if self._settled(point) else activity, full)
        starts = [point] if values is None else [values, point]
        if values is not None:
            yield values
        if safe is not None:
            yield self.blend(point, self.clean(safe))
        free = self._free_conversions(point)
        for start in starts:
            prices = start.prices
            for count in SWEEPS:
                for _ in range(count):
                    prices = _levelled(self.sweep(prices, point, full), free)
                swept = DualPoint(prices, point.rents, point.floor_rents)
                yield swept
                yield from self.scaled(swept)
        for start in starts:
            yield from self.cut(start)

    def full_cost(self, point: DualPoint) -> FloatArray:
        """(m,) c + R'(rents - floor rents)."""
        return self.cost + self.program.resource_use.T @ (point.rents - point.floor_rents)

    def scaled(self, point: DualPoint) -> Iterator[DualPoint]:
        """All prices times the largest alpha <= 1 at which no technique without a capacity earns too much."""
        excess, guard, full = self.evaluator.column_excess(point.prices, point.rents, point.floor_rents, self.cost)
        over = (excess + guard > 0.0) & ~np.isfinite(self.program.capacity) & (full > 3.0 * guard)
        if over.any():
            top = full[over] + excess[over] + guard[over]
            alpha = float(np.min((full[over] - 2.0 * guard[over]) / top))
            yield DualPoint(flush(alpha * point.prices), point.rents, point.floor_rents)

    def cut(self, point: DualPoint) -> Iterator[DualPoint]:
        """Take what techniques without a capacity earn too much off their best product's price, till none is left."""
        prices, endless = point.prices, ~np.isfinite(self.program.capacity)
        for _ in range(_CUTS):
            excess, guard, _ = self.evaluator.column_excess(prices, point.rents, point.floor_rents, self.cost)
            over = np.flatnonzero((excess + guard > 0.0) & endless)
            if not over.size:
                break
            prices = self._lowered(prices, over, (excess + 2.5 * guard)[over])
        cut = DualPoint(prices, point.rents, point.floor_rents)
        yield cut
        yield from self.scaled(cut)

    def _lowered(self, prices: FloatArray, at: np.ndarray[Any, Any], excess: FloatArray) -> FloatArray:
        """Prices less the excess of the techniques ``at``, each taken off the product that earns most."""
        made = self._output_by_technique[:, at]
        revenue = made.data * prices[made.indices]
        column = np.repeat(np.arange(at.size), np.diff(made.indptr))
        order = np.lexsort((revenue, column))
        last = order[np.append(column[order][1:] != column[order][:-1], True)] if order.size else order
        last = last[revenue[last] > 0.0]
        cut = np.zeros(prices.shape)
        np.maximum.at(cut, made.indices[last], excess[column[last]] / made.data[last])
        return flush(np.maximum(prices - cut, 0.0))

    def blend(self, point: DualPoint, safe: DualPoint) -> DualPoint:
        """The least admixture of ``safe`` at which no technique without a capacity earns more than its full cost."""
        parts = []
        for at in (point, safe):
            excess, guard, _ = self.evaluator.column_excess(at.prices, at.rents, at.floor_rents, self.cost)
            parts.append((excess + 2.5 * guard)[~np.isfinite(self.program.capacity)])
        over = parts[0] > 0.0
        needed = parts[0][over] / (parts[0][over] + np.maximum(-parts[1][over], 0.0))
        theta = min(1.0, float(np.max(needed, initial=0.0)) * (1.0 + 1e-9))
        mixed = lambda a, b: (1.0 - theta) * a + theta * b  # noqa: E731
        return DualPoint(
            mixed(point.prices, safe.prices), mixed(point.rents, safe.rents), mixed(point.floor_rents, safe.floor_rents)
        )

    @cached_property
    def _output_by_technique(self) -> sp.csc_array:
        return self.program.output.tocsc()

    # ---- prices from costs -------------------------------------------------------------------------------------
    def values(self, point: DualPoint, activity: FloatArray, full: np.ndarray[Any, Any]) -> DualPoint | None:
        """What every good costs with the techniques in use, p = A_s'p + c_s(nu), a little below; None if that fails.

        Goods made only by full or joint techniques, and goods from outside that are worth nothing, keep their price.
        """
        program = self.program
        allowed = self._choosable(full)
        mix = build_mix(program, np.where(allowed, np.maximum(activity, 0.0), 0.0), self._unit_cost(point), allowed)
        solved = mix.makes & ~((program.targets < 0.0) & (point.prices == 0.0))
        kept = np.where(solved, 0.0, point.prices)
        cost = np.where(solved, mix.shares.T @ self.full_cost(point) + mix.inputs.T @ kept, 0.0)
        inputs = mix.inputs
        if not solved.all():
            keep = sp.diags_array(solved.astype(np.float64))
            inputs = sp.csr_array(keep @ inputs @ keep)
            inputs.eliminate_zeros()
        near = np.where(solved, point.prices, 0.0) if cost.size > SMALL else None
        prices = one_sided_solve(inputs, cost, -1.0, transpose=True, start=near, backend=self.backend)
        if prices is None:
            return None
        return DualPoint(flush(np.where(solved, np.maximum(prices, 0.0), kept)), point.rents, point.floor_rents)

    def _settled(self, point: DualPoint) -> bool:
        """Whether every technique has one product and no capacity, and earns nothing that counts."""
        program = self.program
        if np.isfinite(program.capacity).any() or (program.producer_of < 0).any():
            return False
        excess, _, _ = self.evaluator.column_excess(point.prices, point.rents, point.floor_rents, self.cost)
        return bool((excess <= _ROUNDED * program.own_output * point.prices[program.producer_of]).all())

    def sweep(self, prices: FloatArray, point: DualPoint, full: np.ndarray[Any, Any]) -> FloatArray:
        """T(p), less a margin for rounding, over techniques that are not full; other goods keep their price."""
        program, evaluator = self.program, self.evaluator
        excess, guard, _ = evaluator.column_excess(prices, point.rents, point.floor_rents, self.cost)
        order, starts, goods = self._by_good
        own = program.own_output
        margin = np.maximum(2.5, INTERIOR / np.maximum(evaluator.column_guard, 1e-300)) * guard
        # cost + A'p = B'p - excess, and B'p is p_own B for a technique with one product.
        unit = np.full(own.shape, np.inf)
        at = self._choosable(full)
        unit[at] = prices[program.producer_of[at]] - (excess[at] + margin[at]) / own[at]
        least = np.minimum.reduceat(unit[order], starts) if order.size else np.zeros(0)
        new = prices.copy()
        choose = np.isfinite(least)
        new[goods[choose]] = np.maximum(least[choose], 0.0)
        return flush(np.where(program.targets < 0.0, np.minimum(new, prices), new))

    def _free_conversions(self, point: DualPoint) -> Conversions | None:
        """(goods made, goods used) of the conversions that cost nothing at these rents; None if there are none."""
        at = np.flatnonzero(self.evaluator.conversions & (self.cost == 0.0))
        if at.size:
            paid = self.program.resource_use[(point.rents != 0.0) | (point.floor_rents != 0.0)]
            at = at[np.bincount(paid.indices, minlength=self.cost.size)[at] == 0]
        if not at.size:
            return None
        used = self.program.input[:, at].tocsc()
        return self.program.producer_of[at], used.indices

    def _choosable(self, full: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return (self.program.producer_of >= 0) & ~full

    def _unit_cost(self, point: DualPoint) -> FloatArray:
        return self.full_cost(point) + self.program.input.T @ point.prices

    @cached_property
    def _by_good(self) -> tuple[Any, Any, Any]:
        """Techniques with one product in the order of their goods: (order, starts of the goods, the goods)."""
        own = self.program.producer_of
        single = np.flatnonzero(own >= 0)
        order = single[np.argsort(own[single], kind="stable")]
        goods, starts = np.unique(own[order], return_index=True)
        return order, starts, goods


def _levelled(prices: FloatArray, free: Conversions | None) -> FloatArray:
    """Prices, changed in place, lowered to those of the goods that a good can be had from for nothing, exactly.

    Both ways such a conversion leaves no room between two prices, so no margin for rounding could be kept.
    """
    if free is None:
        return prices
    good, source = free
    for _ in range(_HOPS):
        before = prices.copy()
        np.minimum.at(prices, good, before[source])
        if (prices == before).all():
            break
    return prices


def planning_prices(evaluator: Evaluator, backend: Any = "auto") -> FloatArray:
    """(n,) prices by which a program can be scaled: values of an average technique at equal worth of all limits.

    Without limits, at cost. A good that embodies nothing gets a price at which all of it would be an n-th of the plan;
    one that is not needed either gets zero. Only the order of magnitude matters, and that it follows the units of the
    data: techniques are averaged by what the scarcest limit allows of each.
    """
    program = evaluator.program
    n, m, _ = program.shape
    limit = np.where(np.isfinite(program.resource_upper), program.resource_upper, 0.0)
    rents = np.where(limit > 0.0, 1.0 / np.where(limit > 0.0, limit, 1.0), 0.0)
    cost = np.abs(program.resource_use.T @ rents if rents.any() else program.cost)
    own, most = program.own_output, evaluator.implied_capacity
    fallback = np.where(own > 0.0, 1.0 / np.where(own > 0.0, own, 1.0), 0.0)
    mix = build_mix(program, np.where(np.isfinite(most) & (most > 0.0), most, fallback), np.ones(m))
    prices = one_sided_solve(mix.inputs, mix.shares.T @ cost, -1.0, transpose=True, backend=backend)
    prices = np.zeros(n) if prices is None else np.maximum(prices, 0.0)
    made = least_output(mix.inputs, np.maximum(program.targets, 0.0), can_make=mix.makes, backend=backend)
    if made is None or (prices > 0.0).all():
        return prices
    output = np.maximum(made[0], 0.0)
    worth = float(prices @ output) / n or 1.0
    return np.where(prices > 0.0, prices, np.where(output > 0.0, worth / np.where(output > 0.0, output, 1.0), 0.0))
