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

from ..errors import ProblemError
from .intervals import FloatArray, Interval, LongArray, gamma, inner, product

# Rows whose sign the guard leaves open (relative excess up to this) are computed exactly, while they have together no
# more than so many entries (about a microsecond each).
_UNDECIDED, EXACT_ENTRIES = 1e-12, 1_000_000


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
    """sum_i w_i u(C_i/g_i) over the consumed goods; ``name``: as in the record of a plan; its ``parameter``."""

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
        utility = given(problem.utility)
        due = (1.0, consumption - problem.supply)  # one of the two is zero, so nothing is rounded
        worst.add("sign", -consumption, np.abs(consumption))
        worst.add("sign", np.where(utility.consumed, 0.0, np.abs(consumption)), np.abs(consumption))
        whole, terms = _utility_value(utility, consumption)
        value = float(whole.low)
    demand = np.longdouble(due[0]) * due[1]
    rows = Rows([(problem.output, 1), (problem.input, -1)], x, due, -1)
    worst.add("balance", rows.settled(demand - net.low, np.maximum(through, np.abs(demand))), 1)
    use, gross_use = product(problem.resource_use, x), product(abs(problem.resource_use), np.abs(x)).high
    for sign, bound, excess in (
        (1, problem.upper, use.high - problem.upper),
        (-1, problem.lower, problem.lower - use.low),
    ):
        finite = np.where(np.isfinite(bound), bound, 0.0)
        rows = Rows([(problem.resource_use, 1)], x, (1.0, finite), sign)
        worst.add("limit", rows.settled(excess, np.maximum(gross_use, np.abs(finite))), 1)
    # A plan may stay inside its balances by more than rounding, so that a scale is stated a little below what it is.
    margin = 1e-9 if problem.kind == "scale" else 1e-12
    rounding = (margin + terms.size * 2.0**-52) * float(np.abs(terms).sum())
    return PrimalCheck(value, worst.violation, worst.culprit, rounding)


@dataclass(frozen=True)
class Rows:
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
        for i in undecided[np.cumsum(entries) <= EXACT_ENTRIES].tolist():
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
    rows = Rows([(problem.output, 1), (problem.input, -1)], d, due, -1)
    demand = np.longdouble(due[0]) * due[1]
    worst.add("balance", rows.settled(demand - net.low, np.maximum(through, np.abs(demand))), 1)
    for sign, bound, excess in ((1, problem.upper, use.high), (-1, problem.lower, -use.low)):
        rows = Rows([(problem.resource_use, 1)], d, (0.0, np.zeros(len(bound))), sign)
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
    utility = given(problem.utility)
    bounded = utility.name == "new-harmony"
    endless = utility.consumed & (not bounded) & (utility.name != "power" or utility.parameter < 1)
    share = np.where(endless, net.low / np.where(through > 0, through, 1), 0)
    return max(float(share.max(initial=0)), 0.0), (1.0, nothing)


def _utility_value(u: Utility, consumption: FloatArray) -> tuple[Interval, LongArray]:
    """sum_i w_i u(C_i/g_i) with a guard for the elementary functions, and its terms with what they count from."""
    c, g, w = (np.asarray(a, np.longdouble)[u.consumed] for a in (consumption, u.targets, u.weights))
    ratio = c / g
    with np.errstate(divide="ignore"):
        if u.name == "harmony":
            s = ratio - 1
            terms = w * np.where(s < 0, s - s * s / 2, np.log(np.maximum(ratio, 1)))
        elif u.name == "new-harmony":
            terms = w * ratio / (np.longdouble(u.parameter) + ratio)
        elif u.name == "log":
            terms = w * np.log(ratio + np.longdouble(u.parameter))
        elif u.name == "power":
            sigma = np.longdouble(u.parameter)
            terms = w * ratio ** (1 - sigma) / (1 - sigma)
        else:
            raise ProblemError(f"objective: the verifier does not know the utility {u.name!r}")
    return summed(terms, w), np.abs(terms) + w


def summed(terms: LongArray, weights: LongArray) -> Interval:
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


def given(utility: Utility | None) -> Utility:
    """The utility of a problem that has one."""
    if utility is None:
        raise TypeError("a problem of kind 'utility' carries its utility")
    return utility
