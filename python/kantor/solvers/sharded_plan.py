"""Plans of economies in shards: policy iteration and quoted rents on every rank's own part, and a proof on all of it.

The methods are those of whole plans (kantor.solvers.policy, kantor.solvers.level) on a PartTechnology. The certificate
is made here: with A >= 0 and a technique for every good, what a plan lacks is produced by its own policy, a plan that
exceeds a limit is scaled back, and prices at which a technique would earn anything are lowered until none does. Both
sides are then proved with rounding accounted for (Higham's gamma, kantor.solvers.rigour).

    scale  max t: N x >= t y      use  min c.x: N x >= y      utility  max sum U_i(C_i): N x >= C      all with R x <= b
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..backends import Backend, get_backend
from ..backends.distributed import DistributedBackend
from ..backends.host import HostBackend
from ..backends.partition import Layout
from ..backends.world import World
from ..errors import OptionError, ProblemError
from .certificate import relative_gap
from .economy_part import EconomyPart
from .level import MOST_LIMITS, Level, Mixture
from .part_technology import PartTechnology, Table
from .policy import Policy, cheapest_policy
from .problem import FloatArray, SeparableTerms
from .program import Kind
from .rigour import exact_dot, flush, gamma
from .solution import SolveInfo, Status
from .utilities import conjugate, utility
from .watch import Stopwatch

_MOST_CALLS = 400
_REPAIRS = 6
_SAFETY = 2.5  # of the guard of a row, kept as room


@dataclass
class Wanted:
    """What a plan is for, on own parts: kind, cost (t,) of "use", terms (g,) of "utility"; limits b on use (r, t)."""

    kind: Kind
    targets: FloatArray
    cost: FloatArray
    use: FloatArray
    limit: FloatArray
    terms: SeparableTerms | None = None

    @property
    def consumed(self) -> np.ndarray[Any, Any]:
        """(g,) goods whose consumption the utility values."""
        return np.zeros(self.targets.size, dtype=bool) if self.terms is None else self.terms.a > 0.0


@dataclass
class ShardedPlan:
    """A rank's part of a plan, and what all ranks know alike.

    activity (t,), consumption, prices (g,) : own ones; rents (r,), use (r,) : of the limits
    lower, upper : lower <= optimum <= upper, proved; -inf, inf where not. scale : NaN but for "scale"
    first_good, first_technique : numbers of the first own ones in the whole economy
    """

    kind: Kind
    status: Status
    activity: FloatArray
    consumption: FloatArray
    prices: FloatArray
    rents: FloatArray
    use: FloatArray
    scale: float
    lower: float
    upper: float
    halo: int
    info: SolveInfo
    first_good: int = 0
    first_technique: int = 0

    @property
    def gap(self) -> float:
        """Relative distance of the bounds."""
        return relative_gap(self.kind, self.lower, self.upper)

    @property
    def objective(self) -> float:
        """What the plan reaches, proved."""
        return self.upper if self.kind == "use" else self.lower


def solve_plan_part(
    part: EconomyPart, wanted: Wanted, goods: Layout, techniques: Layout, world: World, *, tolerance: float = 1e-6,
    backend: str | Backend = "auto", time_limit_s: float | None = None, iteration_limit: int | None = None,
) -> ShardedPlan:  # fmt: skip
    """Solve a plan from every rank's part of an economy, and prove how good it is. Collective.

    ``goods``, ``techniques`` say whose they are: contiguous pieces. An iteration is a quote of rents; at least one is
    made. Raises OptionError for a backend whose arrays are not the host's, ProblemError for a plan that nothing limits,
    a limit that is not positive, and a basket of nothing.
    """
    clock = Stopwatch()
    local = get_backend(backend)
    local = local.local if isinstance(local, DistributedBackend) else local
    if not isinstance(local, HostBackend):
        raise OptionError(f"backend: {local.name!r}, plans in shards need one whose arrays are the host's")
    _check(wanted, world)
    table, own = Table.of(part.input, goods, techniques, local, world), part.own
    del part  # whose entries the backend has a copy of: a caller that lets go of it too saves their memory
    clock.lap("prepare")
    plan = _solve(table, own, wanted, clock, tolerance, time_limit_s, iteration_limit)
    plan.first_good, plan.first_technique = (int(side.offsets[world.rank]) for side in (goods, techniques))
    plan.info.why = f"{goods.n} goods, {techniques.n} techniques in shards on {world.size} ranks{plan.info.why}"
    plan.info.device = f"{world.size} ranks, each {local.name}: {local.device()}"
    return plan


def _solve(
    table: Table, own: np.ndarray[Any, Any], wanted: Wanted, clock: Stopwatch, tolerance: float,
    time_limit_s: float | None = None, iteration_limit: int | None = None,
) -> ShardedPlan:  # fmt: skip
    world = table.spread.world
    # A plan of least cost is solved within slightly tighter limits, so that there is room to make up what it lacks.
    room = 1.0 - 0.1 * tolerance if wanted.kind == "use" else 1.0
    technology = PartTechnology.on_ranks(table, own, wanted.cost, wanted.use.T, wanted.limit * room)
    level = Level(wanted, technology)  # type: ignore[arg-type]  # it reads kind, targets, terms, consumed
    info = SolveInfo(backend="distributed", tolerance=tolerance, method="level")
    until = math.inf if time_limit_s is None else world.now() + time_limit_s
    most = _MOST_CALLS if iteration_limit is None else max(1, min(iteration_limit, _MOST_CALLS))
    found = level.run(0.25 * tolerance, most, lambda: time_limit_s is not None and world.now() >= until)
    info.iterations, info.history = found.calls, level.history
    info.products = round(technology.passes)
    clock.lap("solve")
    best = max(level.quotes, key=lambda quote: quote.value)
    proof = _Proof(wanted, own, table, technology, best.policy)
    activity, scale, consumption, value, use = proof.plan(found)
    prices, rents, bound = proof.bound(best.rents)
    lower, upper = (bound, value) if wanted.kind == "use" else (value, bound)
    clock.lap("certificate")
    info.seconds, info.notes = clock.seconds, proof.notes
    plan = ShardedPlan(
        wanted.kind, Status.OPTIMAL, activity, consumption, prices, rents, use, scale, lower, upper, table.halo, info
    )
    if not plan.gap <= tolerance:
        late = time_limit_s is not None and world.now() >= until
        plan.status = Status.TIME_LIMIT if late else Status.ITERATION_LIMIT
        info.why += f"; stopped with a proved gap of {plan.gap:.1e}"
        if wanted.kind == "use" and not math.isfinite(upper) and wanted.limit.size:
            _find_the_largest(plan, table, own, wanted)
    return plan


def _check(wanted: Wanted, world: World) -> None:
    """The same error on all ranks, before anybody waits."""
    if wanted.kind != "use" and not wanted.limit.size:
        raise ProblemError("limits: nothing limits the plan, so no plan is the best")
    if wanted.limit.size > MOST_LIMITS:
        raise ProblemError(f"limits: {wanted.limit.size}, plans in shards take up to {MOST_LIMITS}")
    if not (np.isfinite(wanted.limit).all() and (wanted.limit > 0.0).all()):
        raise ProblemError(f"limits: {wanted.limit.tolist()}, plans in shards take finite ones above zero")
    if not world.gather(np.array([float(wanted.targets.max(initial=0.0))])).any():
        raise ProblemError("targets: no product has one above zero")


def _find_the_largest(plan: ShardedPlan, table: Table, own: np.ndarray[Any, Any], wanted: Wanted) -> None:
    """No plan was found that meets the targets: the largest share of them within the limits may prove that none is."""
    share = replace(wanted, kind="scale", cost=np.zeros(wanted.cost.size))
    found = _solve(table, own, share, Stopwatch(), plan.info.tolerance)
    if found.upper < 1.0:
        plan.status = Status.PRIMAL_INFEASIBLE
        plan.info.why = f": the limits allow at most {found.upper:.9g} times the targets"
        plan.prices, plan.rents, plan.lower = found.prices, found.rents, math.inf


class _Proof:
    """Both sides of the certificate on own parts."""

    def __init__(
        self, wanted: Wanted, own: np.ndarray[Any, Any], table: Table, technology: PartTechnology, policy: Policy
    ) -> None:
        self.wanted, self.own, self.table, self.technology, self.policy = wanted, own, table, technology, policy
        self.world = table.spread.world
        makers = np.bincount(own, minlength=wanted.targets.size)
        self.row_guard = gamma(table.by_row + makers + self.world.size + 6)
        self.notes: list[str] = []

    def dots(self, *pairs: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """(a.b of each pair over all ranks, bound on its error), a b >= 0 or of one sign each rank and few ranks."""
        mine = np.array([exact_dot(a, b) for a, b in pairs])
        every = self.world.gather(mine)
        total = np.array([math.fsum(every[:, i]) for i in range(mine.size)])
        return total, gamma(self.world.size + 3) * np.abs(every).sum(axis=0)

    # ---- the plan --------------------------------------------------------------------------------------------------
    def plan(self, found: Mixture) -> tuple[FloatArray, float, FloatArray, float, FloatArray]:
        """(activity, scale, consumption, value, use), feasible for certain, or value -+inf and a note why not."""
        wanted, kind = self.wanted, self.wanted.kind
        x = flush(self.technology.activity(found.output))
        scale = found.scale if kind == "scale" else 1.0
        asked = np.where(wanted.consumed, found.consumption, 0.0) if kind == "utility" else wanted.targets
        nothing = np.inf if kind == "use" else -np.inf
        for _ in range(_REPAIRS):
            x = self._made_up(x, scale * asked)
            use, error = self._use(x)
            over = float(np.max((use + error) / wanted.limit, initial=0.0))
            if over > 1.0 and kind == "use":
                break
            if over > 1.0:
                shrink = (1.0 - 2.0**-50) / over
                x, asked = x * shrink, asked * (1.0 if kind == "scale" else shrink)
                scale = scale * shrink if kind == "scale" else scale
                continue
            if not self.technology.anywhere(self._lacks(x, scale * asked) > 0.0):
                consumption = scale * asked
                return x, scale if kind == "scale" else np.nan, consumption, self._value(x, scale, consumption), use
        self.notes.append("no plan could be proved feasible")
        return x, scale if kind == "scale" else np.nan, scale * asked, nothing, self._use(x)[0]

    def _lacks(self, x: FloatArray, asked: FloatArray, safety: float = 1.0) -> FloatArray:
        """(g,) what may be missing of ``asked``, rounding accounted for: <= 0 where none is."""
        made = np.bincount(self.own, weights=x, minlength=asked.size)
        used = self.table.times(x)
        return (asked - (made - used)) + safety * self.row_guard * (made + used + asked)

    def _made_up(self, x: FloatArray, asked: FloatArray) -> FloatArray:
        """The plan with what it lacks produced by the policy."""
        technology, choice = self.technology, self.policy.choice
        for _ in range(_REPAIRS):
            missing = np.maximum(self._lacks(x, asked, _SAFETY), 0.0)
            if not technology.anywhere(self._lacks(x, asked) > 0.0):
                break
            right = missing * technology.value
            more = technology.solve(technology.turned(self.policy.rows), right, right, 1e-2)
            x = x.copy()
            x[choice] += 1.02 * np.maximum(more, 0.0) / technology.per_activity[choice]
        return x

    def _use(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(use of the limits (r,), bound on its error)."""
        if not self.wanted.limit.size:
            return np.zeros(0), np.zeros(0)
        return self.dots(*((row, x) for row in self.wanted.use))

    def _value(self, x: FloatArray, scale: float, consumption: FloatArray) -> float:
        wanted = self.wanted
        if wanted.kind == "scale":
            return scale
        if wanted.kind == "use":
            total, error = self.dots((wanted.cost, x))
            return float(total[0] + error[0])
        assert wanted.terms is not None
        worth, off = utility(wanted.terms, consumption)
        return self._sum(worth, off, -1.0)

    def _sum(self, values: FloatArray, off: FloatArray, side: float) -> float:
        """A bound on the sum over all goods of values known up to ``off``: from below (-1) or above (+1)."""
        if not (np.isfinite(values).all() and np.isfinite(off).all()):
            mine = np.array([math.nan, 0.0, 0.0])
        else:
            mine = np.array([math.fsum(values), math.fsum(off), float(np.abs(values).sum())])
        every = self.world.gather(mine)
        if np.isnan(every).any():
            return side * math.inf
        error = 1.01 * every[:, 1].sum() + gamma(self.world.size + 4) * np.abs(every[:, 0]).sum()
        return float(math.fsum(every[:, 0]) + side * error)

    # ---- the bound -------------------------------------------------------------------------------------------------
    def bound(self, rents: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """(prices (g,), rents (r,), the bound they prove): no technique earns anything at them."""
        wanted, technology = self.wanted, self.technology
        cost = technology.cost + technology.use @ rents
        policy = cheapest_policy(technology, cost, self.policy, 1e-13)
        rents = np.maximum(rents, 0.0) / technology.limit
        prices = flush(np.maximum(technology.prices(policy.prices), 0.0))
        prices, valid = self._lowered(prices, rents)
        if not valid:
            self.notes.append("no bound could be proved: a technique without cost earns at these prices")
            return prices, rents, -np.inf if wanted.kind == "use" else np.inf
        paid = math.fsum(rents * wanted.limit)
        paid_error = float(gamma(rents.size + 2)) * paid
        if wanted.kind == "utility":
            assert wanted.terms is not None
            worth, off = conjugate(wanted.terms, prices)
            total = self._sum(worth, off, 1.0)
            return prices, rents, total + paid + paid_error + 4.0 * 2.0**-53 * (abs(total) + paid)
        (basket,), (error,) = self.dots((prices, wanted.targets))
        if wanted.kind == "use":
            found = (basket - error) - (paid + paid_error)
            return prices, rents, float(found - 4.0 * 2.0**-53 * (basket + paid))
        if not basket > error:
            return prices, rents, np.inf
        found = (paid + paid_error) / (basket - error) * (1.0 + 8.0 * 2.0**-53)
        return prices / basket, rents / basket, float(found)

    def _lowered(self, prices: FloatArray, rents: FloatArray) -> tuple[FloatArray, bool]:
        """Prices at which no technique earns more than its full cost for certain, and whether they are."""
        wanted = self.wanted
        full = wanted.cost + wanted.use.T @ rents
        guard = gamma(self.table.by_column + self.world.size + wanted.limit.size + 8)
        for _ in range(_REPAIRS):
            taken = self.table.turned_times(prices)
            earned = prices[self.own]
            excess = (earned - taken - full) + guard * (earned + taken + full)
            if not self.technology.anywhere(excess > 0.0):
                return prices, True
            share = np.where(excess > 0.0, excess / np.where(full > 0.0, full, 1e-300), 0.0)
            lower = 1.1 * self.technology.largest(float(share.max(initial=0.0))) + 2.0**-50
            if not lower < 0.5:
                break
            prices = prices * (1.0 - lower)
        return prices, False
