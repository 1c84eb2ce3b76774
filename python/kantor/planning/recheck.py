"""The arithmetic of verification: products in extended precision and the bounds of a plan, from raw arrays.

Nothing here comes from :mod:`kantor.solvers`: what checks an answer shares no code with what made it. The products are
those of :mod:`kantor.planning.intervals`, so that what is confirmed holds in exact arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from .intervals import UNIT, FloatArray, Interval, LongArray, down, exactly, gamma, inner, product, scaled, up

# Rows whose sign the guard leaves open (relative excess up to this) are computed exactly, while they have together no
# more than so many entries (about a microsecond each).
_UNDECIDED, _EXACT_ENTRIES = 1e-12, 1_000_000


@dataclass(frozen=True)
class Problem:
    """The plan's problem as rebuilt from raw input. Shapes: n goods, m techniques, r limits.

    scale: max t, N x >= t y; use: min c.x, N x >= y; utility: max sum U_i(C_i) + offset, N x + supply >= C >= 0, with
    U given by ``utility`` and C = 0 where ``consumed`` is False. N = output - input. Always lower <= R x <= upper,
    0 <= x <= capacity.
    """

    kind: Literal["scale", "use", "utility"]
    output: sp.csr_array
    input: sp.csr_array
    targets: FloatArray
    resource_use: sp.csr_array
    lower: FloatArray
    upper: FloatArray
    capacity: FloatArray
    cost: FloatArray
    supply: FloatArray
    utility: Utility | None = None


@dataclass(frozen=True)
class Utility:
    """sum_i w_i u(C_i/g_i) over the consumed goods; ``name``: "harmony", "log" or "power" with its ``parameter``."""

    name: str
    parameter: float
    consumed: np.ndarray[Any, np.dtype[np.bool_]]
    weights: FloatArray
    targets: FloatArray


@dataclass(frozen=True)
class Multipliers:
    """Prices (n,), rents of upper and of lower limits (r,), rents of capacities (m,): all >= 0."""

    prices: FloatArray
    rents: FloatArray
    floor_rents: FloatArray
    capacity_rents: FloatArray


@dataclass(frozen=True)
class PrimalCheck:
    """What an activity is worth: ``value`` is a proved bound on what it achieves, ``violation`` is relative, 0: exact.

    ``culprit`` names the worst row: (group, position), group one of "balance", "limit", "capacity", "sign".
    ``rounding``: how far another careful computation of the value may be from this one.
    """

    value: float
    violation: float
    culprit: tuple[str, int] | None
    rounding: float = 0.0


def check_activity(problem: Problem, x: FloatArray, consumption: FloatArray) -> PrimalCheck:
    """Is the stored plan feasible, and what does it achieve? scale: the largest t with N x >= t y."""
    made, used = product(problem.output, x), product(problem.input, x)
    net = made - used
    through = np.maximum(np.maximum(np.abs(made.high), np.abs(used.high)), np.abs(used.low))
    worst = _Worst()
    worst.add("sign", -x, np.abs(x))
    worst.add("capacity", x - problem.capacity, problem.capacity)
    if problem.kind == "scale":
        wanted = problem.targets > 0
        value = max(float((net.low[wanted] / problem.targets[wanted]).min()), 0.0)
        value = float(np.nextafter(value, 0.0))  # the division above rounds to nearest
        terms = np.array([value])
        due = (value, problem.targets)
    elif problem.kind == "use":
        due = (1.0, problem.targets)
        value = float(inner(problem.cost, x).high)
        terms = problem.cost * x
    else:
        utility = _given(problem.utility)
        due = (1.0, consumption - problem.supply)  # one of the two is zero, so nothing is rounded
        worst.add("sign", -consumption, np.abs(consumption))
        worst.add("sign", np.where(utility.consumed, 0.0, np.abs(consumption)), np.abs(consumption))
        whole, terms = _utility_value(utility, consumption)
        value = float(whole.low)
    demand = np.longdouble(due[0]) * due[1]
    rows = _Rows([(problem.output, 1), (problem.input, -1)], x, due, -1)
    worst.add("balance", rows.settled(demand - net.low, np.maximum(through, np.abs(demand))), 1)
    use, gross_use = product(problem.resource_use, x), product(abs(problem.resource_use), np.abs(x)).high
    for sign, bound, excess in (
        (1, problem.upper, use.high - problem.upper),
        (-1, problem.lower, problem.lower - use.low),
    ):
        finite = np.where(np.isfinite(bound), bound, 0.0)
        rows = _Rows([(problem.resource_use, 1)], x, (1.0, finite), sign)
        worst.add("limit", rows.settled(excess, np.maximum(gross_use, np.abs(finite))), 1)
    # A plan may stay inside its balances by more than rounding, so that a scale is stated a little below what it is.
    margin = 1e-9 if problem.kind == "scale" else 1e-12
    rounding = (margin + terms.size * 2.0**-52) * float(np.abs(terms).sum())
    return PrimalCheck(value, worst.violation, worst.culprit, rounding)


@dataclass(frozen=True)
class _Rows:
    """Rows sum_M s M x - factor * due, of which ``sign`` times should be <= 0; for those that rounding leaves open."""

    matrices: list[tuple[sp.csr_array, int]]
    x: FloatArray
    due: tuple[float, FloatArray]
    sign: int

    def settled(self, excess: LongArray, scale: LongArray) -> LongArray:
        """The excess relative to its scale, in exact rational arithmetic where the guard alone cannot tell its sign."""
        relative = np.asarray(excess, np.longdouble) / np.where(scale > 0, scale, 1)
        undecided = np.flatnonzero((relative > 0) & (relative <= _UNDECIDED))
        entries = sum(np.diff(matrix.indptr)[undecided] for matrix, _ in self.matrices)
        for i in undecided[np.cumsum(entries) <= _EXACT_ENTRIES].tolist():
            exact = self.sign * self._exact(i)
            relative[i] = float(exact / Fraction(float(scale[i]))) if scale[i] > 0 else float(exact)
        return relative

    def _exact(self, i: int) -> Fraction:
        total = -Fraction(self.due[0]) * Fraction(float(self.due[1][i]))
        for matrix, sign in self.matrices:
            first, last = matrix.indptr[i], matrix.indptr[i + 1]
            values, at = matrix.data[first:last].tolist(), self.x[matrix.indices[first:last]].tolist()
            total += sign * sum((Fraction(a) * Fraction(b) for a, b in zip(values, at, strict=True)), Fraction(0))
        return total


@dataclass(frozen=True)
class DualCheck:
    """``bound``: what the multipliers prove; ``violation``: the largest relative excess of a column, at ``culprit``."""

    bound: float
    violation: float
    culprit: int


def check_multipliers(problem: Problem, m: Multipliers) -> DualCheck:
    """The bound on the objective that the multipliers prove: above the maximum, or below the minimum ("use").

    Weak duality with s_j = c_j + (R'(rents - floor rents))_j + capacity rent_j - (N'p)_j. A column with s_j < 0 is paid
    for either by its largest possible activity X_j (from a capacity or a limit, so the bound loses -s_j X_j), or by
    shrinking all prices; both give valid bounds and the better one counts. Negative multipliers prove nothing: nan.
    ``violation`` says how far the multipliers as they stand are from needing no such payment.
    """
    parts = (m.prices, m.rents, m.floor_rents, m.capacity_rents)
    if any(bool(np.isnan(part).any() or (part < 0).any()) for part in parts):
        return DualCheck(float("nan"), float("inf"), 0)
    made, used = product(problem.output.T.tocsr(), m.prices), product(problem.input.T.tocsr(), m.prices)
    worth = made - used
    charge = _charge(problem, m)
    full = charge + exactly(m.capacity_rents)
    limits = inner(m.rents, problem.upper) - inner(m.floor_rents, problem.lower)
    largest = _largest_activity(problem)
    boxed, none = np.isfinite(largest), np.zeros(len(largest), bool)
    candidates = [
        # What a column earns above its charge is paid by its largest activity, whatever capacity rent is stated ...
        _paid_bound(problem, m.prices, worth, charge, limits, largest, boxed),
        # ... or capacities at their stated rents, and prices shrink for the rest.
        _paid_bound(problem, m.prices, worth, full, limits + inner(m.capacity_rents, problem.capacity), largest, none),
    ]
    size = np.abs(made.high) + np.abs(used.high) + np.abs(full.high)
    relative = np.maximum((worth - full).high, 0) / np.where(size > 0, size, 1)
    bound = max(candidates) if problem.kind == "use" else min(candidates)
    return DualCheck(bound, float(relative.max(initial=0)), int(relative.argmax()) if relative.size else 0)


def capacity_rents(problem: Problem, m: Multipliers) -> tuple[FloatArray, FloatArray]:
    """What each technique with a capacity earns above its cost and other rents, and the rounding of that number.

    In a proof of infeasibility nothing has a direct cost.
    """
    worth, size = np.zeros(len(problem.capacity)), np.zeros(len(problem.capacity))
    for matrix, prices, sign in (
        (problem.output, m.prices, 1.0),
        (problem.input, m.prices, -1.0),
        (problem.resource_use, m.floor_rents - m.rents, 1.0),
    ):
        worth += sign * (matrix.T @ prices)
        size += abs(matrix).T @ np.abs(prices)
    rents = np.where(np.isfinite(problem.capacity), np.maximum(worth - problem.cost, 0.0), 0.0)
    return rents, 1e-9 * (size + np.abs(problem.cost))


def _paid_bound(
    problem: Problem,
    prices: FloatArray,
    worth: Interval,
    charge: Interval,
    limits: Interval,
    largest: LongArray,
    boxed: np.ndarray[Any, np.dtype[np.bool_]],
) -> float:
    """The bound when ``boxed`` columns pay their excess by their largest activity and prices shrink for the others."""
    excess = np.maximum((worth - charge).high, 0)
    shrink = _shrink(excess[~boxed], charge.low[~boxed])
    paid_for = np.zeros(int(boxed.sum()))
    if shrink > 0:
        paid_for = np.maximum((scaled(worth, shrink) - charge).high, 0)[boxed]
    paid = limits + Interval(0, inner(paid_for, largest[boxed]).high)
    return _bound_from(problem, prices, shrink, paid)


def surplus(problem: Problem, m: Multipliers) -> float:
    """By how much what is demanded is worth more than all that limits it; above zero it proves that no plan exists.

    Farkas: p, rents >= 0 with N'p <= R'(rents - floor rents) + capacity rents, and the value of the fixed demand above
    the value of the limits. -inf where the multipliers prove nothing.
    """
    free = Problem(
        "use",
        problem.output,
        problem.input,
        -problem.supply if problem.kind != "use" else problem.targets,
        problem.resource_use,
        problem.lower,
        problem.upper,
        problem.capacity,
        np.zeros_like(problem.cost),
        np.zeros_like(problem.supply),
    )
    if problem.kind == "scale" and inner(m.prices, problem.targets).low < 0:
        return -np.inf  # then a larger scale would bring supply from outside
    bound = check_multipliers(free, m).bound
    return -np.inf if np.isnan(bound) else bound


def check_direction(problem: Problem, d: FloatArray) -> PrimalCheck:
    """Can the activity d be added to every plan any number of times, and what does each time bring?

    d >= 0, zero where a capacity holds, R d <= 0 under an upper limit and >= 0 over a lower one, and N d covers what is
    gained: t y with t > 0 (scale), nothing at a cost c.d < 0 (use), or some good whose utility rises for ever.
    ``value`` is the gain relative to what flows through d (0: none).
    """
    made, used = product(problem.output, d), product(problem.input, d)
    net, use = made - used, product(problem.resource_use, d)
    through = np.maximum(np.abs(made.high), np.abs(used.high))
    gross_use = product(abs(problem.resource_use), np.abs(d)).high
    worst = _Worst()
    worst.add("sign", -d, np.abs(d))
    worst.add("capacity", np.where(np.isfinite(problem.capacity), d, 0.0), np.abs(d))
    gain, due = _gain(problem, net, through, d)
    rows = _Rows([(problem.output, 1), (problem.input, -1)], d, due, -1)
    demand = np.longdouble(due[0]) * due[1]
    worst.add("balance", rows.settled(demand - net.low, np.maximum(through, np.abs(demand))), 1)
    for sign, bound, excess in ((1, problem.upper, use.high), (-1, problem.lower, -use.low)):
        rows = _Rows([(problem.resource_use, 1)], d, (0.0, np.zeros(len(bound))), sign)
        worst.add("limit", rows.settled(np.where(np.isfinite(bound), excess, 0), gross_use), 1)
    return PrimalCheck(gain, worst.violation, worst.culprit)


def _gain(problem: Problem, net: Interval, through: LongArray, d: FloatArray) -> tuple[float, tuple[float, FloatArray]]:
    """What a direction brings, relative to what flows through it, and (factor, amounts) that N d must cover."""
    nothing = np.zeros(len(problem.targets))
    if problem.kind == "scale":
        wanted = problem.targets > 0
        t = max(float((net.low[wanted] / problem.targets[wanted]).min()), 0.0)
        share = net.low[wanted] / np.where(through[wanted] > 0, through[wanted], 1)
        return max(float(share.min()), 0.0), (float(np.nextafter(t, 0.0)), problem.targets)
    if problem.kind == "use":
        size = inner(np.abs(problem.cost), np.abs(d)).high
        return (max(float(-inner(problem.cost, d).high / size), 0.0) if size > 0 else 0.0), (1.0, nothing)
    utility = _given(problem.utility)
    endless = utility.consumed & (utility.name != "power" or utility.parameter < 1)
    share = np.where(endless, net.low / np.where(through > 0, through, 1), 0)
    return max(float(share.max(initial=0)), 0.0), (1.0, nothing)


def _bound_from(problem: Problem, prices: FloatArray, shrink: float, paid: Interval) -> float:
    """The bound for prices scaled by ``shrink`` when limits and oversized columns are worth ``paid``."""
    if problem.kind == "use":
        value = scaled(inner(prices, problem.targets), shrink) - paid
        return down(value.low)
    if problem.kind == "scale":
        basket = scaled(inner(prices, problem.targets), shrink)
        if not basket.low > 0:
            return float("inf")
        # paid < 0 is a proof that there is no plan at all; 0 is then still above every t of the empty set
        return up(max(paid.high, np.longdouble(0)) / basket.low * (1 + 4 * UNIT))
    utility = _given(problem.utility)
    conjugate = _conjugate(utility, np.asarray(prices, np.longdouble)[utility.consumed] * np.longdouble(shrink))
    value = conjugate + scaled(inner(prices, problem.supply), shrink) + paid
    return up(value.high)


def _charge(problem: Problem, m: Multipliers) -> Interval:
    """c + R'(rents - floor rents), by technique."""
    transposed = problem.resource_use.T.tocsr()
    total = product(transposed, m.rents) - product(transposed, m.floor_rents)
    return total + exactly(problem.cost)


def _shrink(excess: LongArray, charge: LongArray) -> float:
    """The largest factor alpha <= 1 with alpha (charge + excess) <= charge, rounded down; 0 if there is none."""
    over = excess > 0
    if not over.any():
        return 1.0
    if not (charge[over] > 0).all():
        return 0.0
    ratio = (charge[over] / (charge[over] + excess[over])).min() * (1 - 8 * UNIT)
    return max(float(np.nextafter(float(ratio), 0.0)), 0.0)


def _largest_activity(problem: Problem) -> LongArray:
    """An upper bound on each activity: its capacity, or a limit divided by its own use, where all use is >= 0."""
    largest = problem.capacity.astype(np.longdouble)
    by_row = problem.resource_use
    for k in range(by_row.shape[0]):
        first, last = by_row.indptr[k], by_row.indptr[k + 1]
        use, at = by_row.data[first:last], by_row.indices[first:last]
        if np.isfinite(problem.upper[k]) and problem.upper[k] >= 0 and (use >= 0).all():
            at, use = at[use > 0], use[use > 0]
            largest[at] = np.minimum(largest[at], problem.upper[k] / use.astype(np.longdouble) * (1 + 4 * UNIT))
    return largest


def _utility_value(u: Utility, consumption: FloatArray) -> tuple[Interval, LongArray]:
    """sum_i w_i u(C_i/g_i) with a guard for the elementary functions, and its terms with what they count from."""
    c, g, w = (np.asarray(a, np.longdouble)[u.consumed] for a in (consumption, u.targets, u.weights))
    ratio = c / g
    with np.errstate(divide="ignore"):
        if u.name == "harmony":
            s = ratio - 1
            terms = w * np.where(s < 0, s - s * s / 2, np.log(np.maximum(ratio, 1)))
        elif u.name == "log":
            terms = w * np.log(ratio + np.longdouble(u.parameter))
        else:
            sigma = np.longdouble(u.parameter)
            terms = w * ratio ** (1 - sigma) / (1 - sigma)
    return _summed(terms, w), np.abs(terms) + w


def _conjugate(u: Utility, p: LongArray) -> Interval:
    """sum_i sup_C>=0 w u(C/g) - p C (mathematics of each utility: docs/notation.md); prices of the consumed goods."""
    w, g = (np.asarray(a, np.longdouble)[u.consumed] for a in (u.weights, u.targets))
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = p * g / w
        if u.name == "harmony":
            h = np.where(beta <= 1, -1 - np.log(beta), np.where(beta <= 2, 0.5 - 2 * beta + beta * beta / 2, -1.5))
            terms = w * h
        elif u.name == "log":
            e = np.longdouble(u.parameter)
            inside = w * (-np.log(beta) - 1 + beta * e)
            at_zero = w * np.log(e) if e > 0 else np.full_like(w, -np.inf)
            terms = np.where(beta * e <= 1, inside, at_zero)
        else:
            sigma = np.longdouble(u.parameter)
            if sigma < 1:
                terms = w * sigma / (1 - sigma) * beta ** (1 - 1 / sigma)
            else:  # bounded above by zero, which a price of zero reaches
                terms = np.where(beta > 0, w * sigma / (1 - sigma) * beta ** (1 - 1 / sigma), 0)
    return _summed(terms, w)


def _summed(terms: LongArray, weights: LongArray) -> Interval:
    """Sum of computed terms, each good to a few units of rounding relative to itself and its weight."""
    guard = gamma(terms.size + 64) * (np.abs(terms) + weights).sum()
    total = terms.sum()
    return Interval(total - guard, total + guard) if np.isfinite(total) else Interval(total, total)


class _Worst:
    """Keeps the largest relative violation and where it is."""

    def __init__(self) -> None:
        self.violation, self.culprit = 0.0, None  # type: tuple[float, tuple[str, int] | None]

    def add(self, group: str, excess: Any, scale: Any) -> None:
        """``excess`` > 0 violates; relative to |scale|, or absolute where the scale is zero."""
        excess = np.asarray(excess, np.longdouble)
        if not excess.size:
            return
        scale = np.abs(np.asarray(scale, np.longdouble))
        scale = np.where((scale > 0) & np.isfinite(scale), scale, 1)
        relative = np.where(np.isnan(excess), np.inf, excess / scale)
        i = int(relative.argmax())
        if relative[i] > self.violation:
            self.violation, self.culprit = float(relative[i]), (group, i)


def _given(utility: Utility | None) -> Utility:
    if utility is None:
        raise TypeError("a problem of kind 'utility' carries its utility")
    return utility
