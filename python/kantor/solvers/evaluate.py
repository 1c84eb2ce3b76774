"""The two judges of a planning program: is this plan feasible, and what does this dual point prove?

Both work on the raw arrays with rounding accounted for, whatever the signs of the data, and know nothing of how their
argument was found: a wrong plan is "not feasible", a useless dual point proves nothing. Every certificate is what they
say. With N = B - A, nu = lambda - kappa (rents of upper minus those of lower limits), X_j >= x_j for every feasible x:

    slack     v_j = max(0, (N'p)_j - c_j - (R'nu)_j)
    resources D = lambda.b_upper - kappa.b_lower + sum_j v_j X_j
    use       c.x >= p.y - D          scale   t <= D / (p.y)          utility   sum U_i(C_i) <= D + sum_i U°_i(p_i)

for any p, lambda, kappa >= 0 (weak duality; docs/notation.md). X_j is the capacity, or what a resource
that only ever gets used up allows, min_k b_k / R_kj; if X_j is infinite, v_j must be zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .problem import FloatArray
from .program import PlanningProgram
from .rigour import LARGEST, SMALLEST, GuardedMatrix, down, exact_dot, exact_sum, flush, gamma, two_product, up
from .utilities import conjugate, utility

EXACT_ENTRIES = 20_000_000  # most matrix entries that one check may add up exactly (about 0.1 s per million)


@dataclass(frozen=True)
class PlanCheck:
    """``feasible``: proved, without tolerance. ``value``: what the plan reaches at least ("use": costs at most).

    ``why`` names the worst violated (or undecided) restriction, ``violation`` its size relative to its row's terms.
    """

    feasible: bool
    value: float
    why: str = ""
    violation: float = 0.0


@dataclass(frozen=True)
class BoundCheck:
    """``value``: a proved bound on the optimum, +-inf if there is none, and ``why``; ``slack``: v (m,)."""

    value: float
    slack: FloatArray = field(repr=False)
    why: str = ""

    @property
    def valid(self) -> bool:
        """Whether the bound says anything."""
        return math.isfinite(self.value)


class Evaluator:
    """Both judges for one program; prepares what they share once."""

    def __init__(self, program: PlanningProgram):
        self.program = program
        self.output = GuardedMatrix.of(program.output)
        self.input = GuardedMatrix.of(program.input)
        self.use = GuardedMatrix.of(program.resource_use)
        self.row_guard = gamma(self.output.row_count + self.input.row_count + 6)
        self.use_guard = gamma(self.use.row_count + 4)
        columns = self.output.column_count + self.input.column_count + self.use.column_count
        self.column_guard = gamma(columns + 8)

    # ---- primal ------------------------------------------------------------------------------------------------
    def net_output(self, activity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N x, throughput B x + |A| x) in floating point."""
        made, _ = self.output.times(activity)
        used, used_size = self.input.times(activity)
        return made - used, made + used_size

    def margins(self, throughput: FloatArray, interior: float) -> FloatArray:
        """How far inside a goods row a plan should stay so that its feasibility survives any rounding."""
        return np.maximum(interior, 2.5 * self.row_guard) * throughput

    def check_plan(self, activity: FloatArray, scale: float, consumption: FloatArray) -> PlanCheck:
        """Prove that (activity, t or consumption) obeys every restriction exactly, or say which one it may not."""
        program = self.program
        infeasible = np.inf if program.kind == "use" else -np.inf
        parts: list[tuple[str, FloatArray, Any]] = [("activity", activity, program.capacity)]
        if program.kind == "scale":
            parts.append(("scale", np.array([scale]), np.inf))
        elif program.kind == "utility":
            parts.append(("consumption", consumption, np.inf))
        for name, vector, high in parts:
            wrong = ~((vector == 0.0) | ((vector >= SMALLEST) & (vector <= np.minimum(high, LARGEST))))
            if wrong.any():
                j = int(np.flatnonzero(wrong)[0])
                return PlanCheck(
                    False, infeasible, f"{name}[{j}]", _excess(vector[j], np.broadcast_to(high, vector.shape)[j])
                )
        if program.kind == "utility" and consumption[~program.consumed].any():
            return PlanCheck(False, infeasible, "consumption of a good without utility", 1.0)
        worst = max(self._goods(activity, scale, consumption), self._limits(activity), key=lambda w: w[0])
        if worst[0] > 0.0:
            return PlanCheck(False, infeasible, worst[1], worst[0])
        return PlanCheck(True, self._value(activity, scale, consumption))

    def _goods(self, x: FloatArray, scale: float, consumption: FloatArray) -> tuple[float, str]:
        """(largest relative shortfall that is real or cannot be excluded, its name); 0 if N x >= target is proved."""
        program = self.program
        factor = scale if program.kind == "scale" else 1.0
        target = consumption if program.kind == "utility" else program.targets
        net, size = self.net_output(x)
        value, size = net - factor * target, size + np.abs(factor * target)
        doubt = self.row_guard * size
        open_rows = ~(value - doubt >= 0.0)
        short = np.where(open_rows, np.maximum(0.0, doubt - value), 0.0)
        close = np.flatnonzero(open_rows & (value > -doubt))
        # A row that is surely short decides; only without one is it worth adding up those that rounding leaves open.
        if close.size == np.count_nonzero(open_rows):
            entries = int((self.output.row_count[close] + self.input.row_count[close]).sum())
            for i in close if entries <= EXACT_ENTRIES else ():
                short[i] = max(0.0, -self._exact_balance(int(i), x, factor, float(target[i])))
        short = np.divide(short, size, out=np.zeros_like(short), where=size > 0.0)
        worst = int(np.argmax(short))
        return float(short[worst]), f"balance of good {worst}"

    def _exact_balance(self, i: int, x: FloatArray, factor: float, target: float) -> float:
        """(B x - A x)_i - factor * target, rounded once."""
        made, used = self.output.row(i), self.input.row(i)
        left = np.concatenate([made[1], -used[1], [-target]])
        right = np.concatenate([x[made[0]], x[used[0]], [factor]])
        return exact_dot(left, right)

    def reach(self, activity: FloatArray) -> float:
        """The largest scale that an activity delivers, ``min_i (N x)_i / target_i``, rounded down; "scale" only.

        A repaired plan leaves room in its balances, so it may deliver a little more than it was made for.
        """
        wanted = np.flatnonzero(self.program.targets > 0.0)
        net, size = self.net_output(activity)
        target, doubt = self.program.targets[wanted], (self.row_guard * size)[wanted]
        net = net[wanted]
        open_rows = wanted[(net - doubt) / target <= ((net + doubt) / target).min(initial=np.inf)]
        entries = int((self.output.row_count[open_rows] + self.input.row_count[open_rows]).sum())
        if not open_rows.size or entries > EXACT_ENTRIES:
            return 0.0
        exact = [self._exact_balance(int(i), activity, 0.0, 0.0) / self.program.targets[i] for i in open_rows]
        return down(down(min(exact)))

    def _limits(self, x: FloatArray) -> tuple[float, str]:
        """(largest relative excess over a resource limit that is real or cannot be excluded, its name)."""
        program, worst = self.program, (0.0, "")
        value, size = self.use.times(x)
        for side, sign, limit in (("upper", 1.0, program.resource_upper), ("lower", -1.0, program.resource_lower)):
            terms = size + np.abs(np.where(np.isfinite(limit), limit, 0.0))
            excess = np.where(np.isfinite(limit), sign * (value - limit), -np.inf)
            for k in np.flatnonzero(~(excess + self.use_guard * terms <= 0.0)):
                exact = excess[k] + self.use_guard[k] * terms[k]
                if excess[k] <= self.use_guard[k] * terms[k] and self.use.row_count[k] <= EXACT_ENTRIES:
                    at, data = self.use.row(int(k))
                    exact = sign * exact_dot(np.append(data, -limit[k]), np.append(x[at], 1.0))
                if exact > 0.0 and exact / terms[k] > worst[0]:
                    worst = (float(exact / terms[k]), f"{side} limit of resource {k}")
        return worst

    def _value(self, x: FloatArray, scale: float, consumption: FloatArray) -> float:
        """The scale; an upper bound of the cost; a lower bound of the utility."""
        if self.program.kind == "scale":
            return float(scale)
        if self.program.kind == "use":
            return up(exact_dot(self.program.cost, x))
        assert self.program.terms is not None
        value, error = utility(self.program.terms, consumption)
        total = exact_sum(value, -error)
        return down(total) if math.isfinite(total) else -np.inf

    # ---- dual --------------------------------------------------------------------------------------------------
    @cached_property
    def conversions(self) -> np.ndarray[Any, Any]:
        """(m,) techniques that make one unit of one good out of one unit of another: shipments, most of them."""
        single = (self.output.column_count == 1) & (self.input.column_count == 1)
        if not single.any():
            return single
        m = single.size
        for part in (self.output.matrix, self.input.matrix):
            single &= np.bincount(part.indices, weights=part.data, minlength=m) == 1.0
        return single

    @cached_property
    def implied_capacity(self) -> FloatArray:
        """(m,) X_j: the capacity, or what a resource with no negative use and a limit allows: min_k b_k / R_kj."""
        program = self.program
        bound = program.capacity.copy()
        for k in np.flatnonzero(np.isfinite(program.resource_upper)):
            at, data = self.use.row(int(k))
            if program.resource_upper[k] >= 0.0 and (data >= 0.0).all():
                at, data = at[data > 0.0], data[data > 0.0]
                most = program.resource_upper[k] / data
                bound[at] = np.minimum(bound[at], np.where(most > 0.0, np.nextafter(most, np.inf), most))
        return bound

    def column_excess(
        self, prices: FloatArray, rents: FloatArray, floor_rents: FloatArray, cost: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(excess N'p - c - R'nu, its guard, full cost c + R'nu), (m,) each, in floating point."""
        made, made_size = self.output.transposed_times(prices)
        used, used_size = self.input.transposed_times(prices)
        if floor_rents.any():
            up_value, up_size = self.use.transposed_times(rents)
            low_value, low_size = self.use.transposed_times(floor_rents)
            full, size = cost + (up_value - low_value), np.abs(cost) + up_size + low_size
        else:
            full, size = self.use.transposed_times(rents)
            full, size = cost + full, np.abs(cost) + size
        excess, guard = made - used - full, self.column_guard * (made_size + used_size + size)
        # The difference of two prices has the right sign, so a conversion that costs nothing needs no guard.
        guard[self.conversions & (size == 0.0) & (excess <= 0.0)] = 0.0
        return excess, guard, full

    def bound(self, prices: FloatArray, rents: FloatArray, floor_rents: FloatArray) -> BoundCheck:
        """What the dual point proves: a lower bound of the cost ("use"), an upper bound of t or of the utility."""
        program = self.program
        nothing = -np.inf if program.kind == "use" else np.inf
        point = self._clean(prices, rents, floor_rents)
        if point is None:
            return BoundCheck(nothing, np.zeros(program.shape[1]), "the dual point is not finite and nonnegative")
        p, rents, floor_rents = point
        resources, slack, why = self._resource_value(p, rents, floor_rents, program.cost)
        if why:
            return BoundCheck(nothing, slack, why)
        if program.kind == "use":
            return BoundCheck(down(down(exact_dot(p, program.targets)) - resources), slack)
        if program.kind == "scale":
            worth = down(exact_dot(p, program.targets))
            if worth <= 0.0:
                return BoundCheck(nothing, slack, "the prices give the basket no value")
            return BoundCheck(
                (up(resources / worth) if resources else 0.0) if resources >= 0.0 else up(resources / up(up(worth))),
                slack,
            )
        assert program.terms is not None
        value, error = conjugate(program.terms, p)
        if not np.isfinite(value).all():
            return BoundCheck(
                nothing, slack, f"the utility of good {int(np.argmin(np.isfinite(value)))} has no end at its price"
            )
        total = exact_sum(value, error, np.array([resources]))
        return BoundCheck(up(total), slack) if math.isfinite(total) else BoundCheck(nothing, slack, "too large numbers")

    def infeasibility(self, prices: FloatArray, rents: FloatArray, floor_rents: FloatArray) -> float:
        """A proved lower bound of p.y - D at zero cost ("scale", "utility": of -D); if positive, no plan exists."""
        point = self._clean(prices, rents, floor_rents)
        if point is None:
            return -np.inf
        p, rents, floor_rents = point
        resources, _, why = self._resource_value(p, rents, floor_rents, np.zeros(self.program.shape[1]))
        if why:
            return -np.inf
        worth = exact_dot(p, self.program.targets)
        if self.program.kind == "use":
            return down(down(worth) - resources)
        # t >= 0 and C >= 0 only help if their columns price to >= 0: p.y >= 0 for t, p >= 0 for C.
        return -resources if self.program.kind == "utility" or worth >= 0.0 else -np.inf

    def _clean(self, *point: FloatArray) -> tuple[FloatArray, ...] | None:
        if not all(((part >= 0.0) & (part <= LARGEST)).all() for part in point):
            return None
        return tuple(flush(part) for part in point)

    def _settle(self, slack: FloatArray, excess: FloatArray, guard: FloatArray, point: tuple[FloatArray, ...]) -> None:
        """Compute the slack exactly where rounding alone makes it positive and no bound on the activity pays for it.

        Shipments between regions that cost nothing are such columns: prices there and back must be equal to the last
        digit, and then earn exactly nothing.
        """
        at = np.flatnonzero((slack > 0.0) & (excess <= guard) & ~np.isfinite(self.implied_capacity))
        entries = self.output.column_count[at] + self.input.column_count[at] + self.use.column_count[at]
        endless = (slack > 0.0) & (excess > guard) & ~np.isfinite(self.implied_capacity)
        if not at.size or endless.any() or entries.sum() > EXACT_ENTRIES:
            return
        p, rents, floor_rents, cost = point
        parts = [(part.matrix[:, at].tocsc(), sign) for part, sign in ((self.output, 1.0), (self.input, -1.0))]
        use = self.use.matrix[:, at].tocsc()
        for k, j in enumerate(at):
            left, right = [np.array([-1.0])], [cost[j : j + 1]]
            for matrix, sign, values in ((*parts[0], p), (*parts[1], p), (use, -1.0, rents), (use, 1.0, floor_rents)):
                column = slice(matrix.indptr[k], matrix.indptr[k + 1])
                left.append(sign * matrix.data[column])
                right.append(values[matrix.indices[column]])
            exact = exact_dot(np.concatenate(left), np.concatenate(right))
            if exact > 0.0:
                return  # no bound can come of it, so the others need no answer
            slack[j] = 0.0

    def _resource_value(
        self, p: FloatArray, rents: FloatArray, floor_rents: FloatArray, cost: FloatArray
    ) -> tuple[float, FloatArray, str]:
        """(upper bound of D, slack v, "" or why D is infinite)."""
        program = self.program
        excess, guard, _ = self.column_excess(p, rents, floor_rents, cost)
        slack = np.maximum(0.0, excess + guard)
        self._settle(slack, excess, guard, (p, rents, floor_rents, cost))
        paid = slack > 0.0
        capacity = self.implied_capacity[paid]
        if not np.isfinite(capacity).all():
            j = int(np.flatnonzero(paid)[np.argmin(np.isfinite(capacity))])
            return np.inf, slack, f"technique {j} would earn more than its cost and nothing bounds it"
        at, below = rents > 0.0, floor_rents > 0.0
        if not (np.isfinite(program.resource_upper[at]).all() and np.isfinite(program.resource_lower[below]).all()):
            return np.inf, slack, "a resource without a limit has a rent"
        with np.errstate(over="ignore"):
            idle = np.where(capacity == 0.0, 0.0, np.nextafter(slack[paid] * capacity, np.inf))
        upper = two_product(rents[at], program.resource_upper[at])
        lower = two_product(-floor_rents[below], program.resource_lower[below])
        total = exact_sum(idle, *upper, *lower)
        if math.isnan(total):
            return np.inf, slack, "the numbers are too large"
        # Where every limit that counts is zero the sum is zero exactly, and so is what can be had.
        return up(total) if any(part.any() for part in (idle, *upper, *lower)) else 0.0, slack, ""


def _excess(value: float, high: float) -> float:
    """How far a value is outside [0, high], relative to itself; infinite if it is no number to compute with."""
    if not (math.isfinite(value) and abs(value) <= LARGEST):
        return math.inf
    return float(max(-value, value - high, 0.0) / max(abs(value), SMALLEST))
