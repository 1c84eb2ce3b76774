"""Few limits: quote rents, let every good choose its cheapest technique, mix the proposals, quote again.

At rents lambda >= 0 the policy of least full cost proposes a plan k that costs C_k and uses G_k of the limits. It
bounds the dual function from above everywhere, g(lambda) <= C_k + lambda.(G_k - b), and its own rents give g from
below. The master program mixes proposals,

    min sum_k mu_k C_k + P.s :   sum_k mu_k G_k - s <= b,   sum_k mu_k = 1,   mu, s >= 0

(Dantzig and Wolfe 1960), the mix is a plan that keeps every limit once s = 0, and rents are quoted next where the level
method says (Lemarechal, Nemirovskii and Nesterov 1995): nearest to the best so far among those with a promise of 70 per
cent of the gap. "scale" has the same form with g(lambda) = p(lambda).y over rents that add up to one and C = 0; for
utilities C_k = -U(C^k), and mixing consumption only raises the utility, which is concave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .policy import Policy, cheapest_policy, outputs_of
from .problem import FloatArray
from .program import PlanningProgram
from .small_program import solve_small
from .technology import Technology
from .utilities import demand as consumption_at
from .utilities import utility

MOST_LIMITS = 500
_NOTHING = 1e-100  # of the output, and as a worth
_PROMISE = 0.7
_PENALTY = 10.0  # first price of exceeding all limits, in multiples of the value of the unlimited plan
_MOST_PENALTY = 1e5
_START_STEPS = 60
_FLOOR = 1e-9  # least share of the rents' mean at which utilities are quoted: what costs nothing is wanted without end
_ROUGH = 1e-2  # accuracy of the quotes, relative to the gap


@dataclass(frozen=True)
class Quote:
    """What rents lead to: the dual value g, the policy, and its plan: cost, use (r,), output, consumption (n,)."""

    rents: FloatArray
    value: float
    policy: Policy
    cost: float
    use: FloatArray
    output: FloatArray
    consumption: FloatArray


@dataclass(frozen=True)
class Mixture:
    """The best mix of proposals and the best quote: outputs (m,), scale, consumption (n,), prices (n,), rents (r,)."""

    output: FloatArray
    scale: float
    consumption: FloatArray
    prices: FloatArray
    rents: FloatArray
    calls: int
    gap: float
    feasible: bool


class Oracle:
    """Quotes of one program: policy iteration and one Leontief solve, each from the last one's answer."""

    def __init__(self, program: PlanningProgram, technology: Technology):
        self.program, self.technology, self.accuracy = program, technology, 1e-6
        self.basket = np.maximum(program.targets, 0.0) * technology.value
        self.policy: Policy | None = None
        self.output: FloatArray | None = None
        self.calls = 0

    def at(self, rents: FloatArray) -> Quote:
        """The least-cost policy at ``rents`` (r,), per limit, and its plan."""
        technology, kind = self.technology, self.program.kind
        self.calls += 1
        cost = technology.cost + technology.use @ rents
        self.policy = cheapest_policy(technology, cost, self.policy, self.accuracy)
        choice, prices = self.policy.choice, self.policy.prices
        consumption = self.basket
        if kind == "utility":
            consumption = self._consumption(prices)
        self.output = outputs_of(technology, self.policy, consumption, self.output, self.accuracy)
        use = technology.total(technology.use[choice].T @ self.output)
        if kind == "utility":
            assert self.program.terms is not None
            paid = -float(technology.total(np.sum(utility(self.program.terms, consumption / technology.value)[0])))
        else:
            paid = float(technology.total(technology.cost[choice] @ self.output))
        free = 0.0 if kind == "scale" else 1.0
        return Quote(rents, paid + float(rents @ (use - free)), self.policy, paid, use, self.output, consumption)

    def _consumption(self, prices: FloatArray) -> FloatArray:
        assert self.program.terms is not None
        wanted = consumption_at(self.program.terms, self.technology.prices(prices))
        wanted = np.where(np.isfinite(wanted) & self.program.consumed, wanted, 0.0)
        return wanted * self.technology.value


class Level:
    """The search over rents of one program; keeps all proposals."""

    def __init__(self, program: PlanningProgram, technology: Technology):
        self.program, self.technology, self.oracle = program, technology, Oracle(program, technology)
        self.r = technology.limited.size
        self.scaled = program.kind == "scale"
        self.quotes: list[Quote] = []
        self.history: list[dict[str, float]] = []

    def run(
        self,
        tolerance: float,
        most_calls: int,
        out_of_time: Callable[[], bool] = lambda: False,
        rents: FloatArray | None = None,
    ) -> Mixture:
        """Quote rents, first the ones given, until the relative gap is within ``tolerance``, or calls or time run out.

        At least one quote is made.
        """
        best = self._first()
        if rents is not None and most_calls > 1 and rents.sum() > 0.0:
            best = max(best, self._quote(rents / rents.sum() if self.scaled else rents), key=lambda quote: quote.value)
        # The unit of the small programs: what the first plan is worth; rents are per limit, so they are of its size.
        self.unit = max(abs(best.value), abs(best.cost), 1e-300)
        self.penalty, weights, gap = _PENALTY * self.unit, np.ones(1), np.inf
        while True:
            solved = self._master()
            if solved is None:
                return self._mix(best, np.append(weights, np.zeros(len(self.quotes) - weights.size)), gap, False)
            upper, kelley, weights, excess = solved
            size = max(abs(upper), abs(best.value), 1.0 if self.program.kind == "utility" else 1e-300)
            gap = max(upper - best.value, 0.0) / size
            if excess > 0.0 and gap <= tolerance and self.penalty < _MOST_PENALTY * self.unit:
                self.penalty *= 10.0
                continue
            self.history.append({"call": float(self.oracle.calls), "gap": gap})
            if gap <= tolerance or self.oracle.calls >= most_calls or out_of_time():
                return self._mix(best, weights, gap, excess <= 0.0)
            self.oracle.accuracy = min(1e-6, max(1e-12, _ROUGH * gap * 1e-2))
            target = best.value + _PROMISE * (upper - best.value)
            nearest = self._nearest(best.rents, target)
            new = self._quote(kelley if nearest is None else nearest)
            if new.value > best.value:
                best = new

    def _first(self) -> Quote:
        """At no rents; for "scale" at equal ones; for utilities at equal ones that leave demand near the limits."""
        even = np.full(self.r, 1.0 / self.r)
        if self.program.kind != "utility":
            return self._quote(even if self.scaled else np.zeros(self.r))
        level, step, best = 1.0, 16.0, self._quote(even)
        for _ in range(_START_STEPS):
            most = float(best.use.max(initial=0.0))
            if 0.5 <= most <= 2.0 or step < 1.05:
                break
            new = self._quote(level * (step if most > 1.0 else 1.0 / step) * even)
            if (float(new.use.max(initial=0.0)) > 1.0) != (most > 1.0):
                step = step**0.5
            level, best = float(new.rents.sum()), new
        return max(self.quotes, key=lambda quote: quote.value)

    def _quote(self, rents: FloatArray) -> Quote:
        if self.program.kind == "utility":
            rents = np.maximum(rents, _FLOOR * float(rents.mean()))
        quote = self.oracle.at(rents)
        self.quotes.append(quote)
        return quote

    def _cuts(self) -> tuple[FloatArray, FloatArray]:
        """(slopes (k, r), constants (k,)) of the bounds g <= constant + slope.rents."""
        free = 0.0 if self.scaled else 1.0
        slopes = np.array([quote.use - free for quote in self.quotes]).reshape(len(self.quotes), self.r)
        return slopes, np.array([quote.cost for quote in self.quotes])

    def _master(self) -> tuple[float, FloatArray, FloatArray, float] | None:
        """(upper bound of g, rents that attain it, weights of the proposals, excess over limits); None if it fails."""
        slopes, constants = self._cuts()
        k = constants.size
        # max eta : eta - slope_k.rents <= constant_k, rents in [0, penalty], for "scale" on the simplex.
        matrix = np.hstack([-slopes, np.ones((k, 1))])
        low = np.zeros(self.r + 1)
        low[-1] = -np.inf
        high = np.append(np.full(self.r, 1.0 if self.scaled else self.penalty / self.unit), np.inf)
        rows = (np.full(k, -np.inf), constants / self.unit)
        if self.scaled:
            matrix = np.vstack([matrix, np.append(np.ones(self.r), 0.0)])
            rows = (np.append(rows[0], 1.0), np.append(rows[1], 1.0))
        cost = np.append(np.zeros(self.r), -1.0)
        found = solve_small(cost, sp.csc_array(matrix), *rows, low, high)
        if found is None:
            return None
        point, duals = self.unit * found[0] if not self.scaled else found[0], found[1]
        weights = np.maximum(-duals[:k], 0.0)
        weights /= max(float(weights.sum()), 1e-300)
        excess = 0.0
        if not self.scaled:
            mixed = weights @ slopes
            at_penalty = point[:-1] >= 0.99 * self.penalty
            excess = float(np.max(np.where(at_penalty, mixed, 0.0), initial=0.0))
        return float(point[-1]), point[:-1], weights, excess

    def _nearest(self, centre: FloatArray, target: float) -> FloatArray | None:
        """Rents nearest to ``centre``, in the largest coordinate, where every cut promises ``target``."""
        slopes, constants = self._cuts()
        unit = 1.0 if self.scaled else self.unit
        centre, target, constants = centre / unit, target / unit, constants / unit
        k, r = slopes.shape
        eye = np.eye(r)
        matrix = np.vstack([
            np.hstack([slopes, np.zeros((k, 1))]),
            np.hstack([eye, np.ones((r, 1))]),
            np.hstack([-eye, np.ones((r, 1))]),
        ])  # fmt: skip
        low = np.concatenate([target - constants, centre, -centre])
        high = np.full(low.size, np.inf)
        if self.scaled:
            matrix = np.vstack([matrix, np.append(np.ones(r), 0.0)])
            low, high = np.append(low, 1.0), np.append(high, 1.0)
        bounds = np.append(np.full(r, 1.0 if self.scaled else self.penalty / unit), np.inf)
        cost = np.append(np.zeros(r), 1.0)
        found = solve_small(cost, sp.csc_array(matrix), low, high, np.zeros(r + 1), bounds)
        return None if found is None else unit * np.maximum(found[0][:-1], 0.0)

    def _mix(self, best: Quote, weights: FloatArray, gap: float, feasible: bool) -> Mixture:
        """The weighted proposals as one plan."""
        technology = self.technology
        output = np.zeros(technology.shape[1])
        consumption = np.zeros(technology.shape[0])
        for weight, quote in zip(weights, self.quotes, strict=True):
            if weight > 0.0:
                output[quote.policy.choice] += weight * quote.output
                consumption += weight * quote.consumption
        scale, prices, rents = 1.0, best.policy.prices, best.rents
        if self.scaled:
            # Where next to nothing is needed or worth anything, any scale is as good for the certificate to judge.
            need = float(technology.total(technology.use.T @ output).max())
            worth = float(technology.total(prices @ self.oracle.basket))
            scale = 1.0 / need if need > _NOTHING * float(technology.total(output.sum())) else 1.0
            worth = worth if worth > _NOTHING else 1.0
            output, prices, rents = scale * output, prices / worth, rents / worth
        consumption = consumption / technology.value
        return Mixture(output, scale, consumption, prices, rents, self.oracle.calls, gap, feasible)
