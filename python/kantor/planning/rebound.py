"""What stored prices and rents prove, in extended precision and, where a sign hangs on it, in exact arithmetic.

Weak duality on the problem of :mod:`kantor.planning.recheck`; like it, this shares no code with the solvers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import ProblemError
from .intervals import UNIT, FloatArray, Interval, LongArray, down, exactly, inner, product, scaled, up
from .recheck import EXACT_ENTRIES, Multipliers, Problem, Utility, given, summed

# A column's largest possible earnings, relative to the bound, that count as none.
_NOTHING = 1e-12


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
        _paid_bound(problem, m, False, worth, charge, limits, largest, boxed),
        # ... or capacities at their stated rents, and prices shrink for the rest.
        _paid_bound(problem, m, True, worth, full, limits + inner(m.capacity_rents, problem.capacity), largest, none),
    ]
    size = np.abs(made.high) + np.abs(used.high) + np.abs(full.high)
    excess = np.maximum((worth - full).high, 0)
    bound = max(candidates) if problem.kind == "use" else min(candidates)
    # Where all that a column could ever earn is nothing to the bound, its prices are rounding of zero.
    nothing = boxed & (excess * np.where(boxed, largest, 0) <= _NOTHING * abs(bound))
    relative = np.where(nothing, 0, excess / np.where(size > 0, size, 1))
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
    m: Multipliers,
    with_rents: bool,
    worth: Interval,
    charge: Interval,
    limits: Interval,
    largest: LongArray,
    boxed: np.ndarray[Any, np.dtype[np.bool_]],
) -> float:
    """The bound when ``boxed`` columns pay their excess by their largest activity and prices shrink for the others."""
    excess = _settled(problem, m, with_rents, (worth - charge).high, ~boxed)
    shrink = _shrink(excess[~boxed], worth.high[~boxed], charge.low[~boxed])
    if shrink is None:
        return -np.inf if problem.kind == "use" else np.inf
    paid_for = np.zeros(int(boxed.sum()))
    if shrink > 0:
        paid_for = np.maximum((scaled(worth, shrink) - charge).high, 0)[boxed]
    paid = limits + Interval(0, inner(paid_for, largest[boxed]).high)
    return _bound_from(problem, m.prices, shrink, paid)


def _settled(
    problem: Problem, m: Multipliers, with_rents: bool, excess: LongArray, asked: np.ndarray[Any, Any]
) -> LongArray:
    """What columns earn above their charge, >= 0; exactly zero where exact arithmetic says so and rounding does not.

    A shipment that costs nothing earns exactly nothing at equal prices, and no capacity could pay for its rounding.
    ``with_rents``: the charge includes the stated rents of capacities.
    """
    excess = np.maximum(excess, 0)
    at = np.flatnonzero(asked & (excess > 0))
    if not at.size:
        return excess
    priced = (
        (problem.output, 1, m.prices),
        (problem.input, -1, m.prices),
        (problem.resource_use, -1, m.rents),
        (problem.resource_use, 1, m.floor_rents),
    )
    count = sum(np.bincount(matrix.indices, minlength=len(excess))[at] for matrix, _, _ in priced)
    at = at[np.cumsum(count) <= EXACT_ENTRIES]
    parts = [(matrix[:, at].tocsc(), sign, values) for matrix, sign, values in priced]
    for k, j in enumerate(at.tolist()):
        total = -Fraction(float(problem.cost[j])) - (Fraction(float(m.capacity_rents[j])) if with_rents else 0)
        for matrix, sign, values in parts:
            column = slice(matrix.indptr[k], matrix.indptr[k + 1])
            terms = zip(matrix.data[column].tolist(), values[matrix.indices[column]].tolist(), strict=True)
            total += sign * sum((Fraction(a) * Fraction(b) for a, b in terms), Fraction(0))
        if total <= 0:
            excess[j] = 0
    return excess


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
    utility = given(problem.utility)
    conjugate = _conjugate(utility, np.asarray(prices, np.longdouble)[utility.consumed] * np.longdouble(shrink))
    value = conjugate + scaled(inner(prices, problem.supply), shrink) + paid
    return up(value.high)


def _charge(problem: Problem, m: Multipliers) -> Interval:
    """c + R'(rents - floor rents), by technique."""
    transposed = problem.resource_use.T.tocsr()
    total = product(transposed, m.rents) - product(transposed, m.floor_rents)
    return total + exactly(problem.cost)


def _shrink(excess: LongArray, worth: LongArray, charge: LongArray) -> float | None:
    """The largest factor alpha <= 1 of the prices at which no column earns more than its charge; None: there is none.

    A column that now earns too much wants alpha small enough. One that is paid for being run, charge < 0, wants alpha
    large enough: what it uses up must stay worth that much.
    """
    over = excess > 0
    if not over.any():
        return 1.0
    if (charge[over] < 0).any():
        return None
    ratio = (charge[over] / (charge[over] + excess[over])).min() * (1 - 8 * UNIT)
    alpha = max(float(np.nextafter(float(ratio), 0.0)), 0.0)
    paid = charge < 0
    return alpha if (np.longdouble(alpha) * worth[paid] * (1 - 4 * UNIT) <= charge[paid]).all() else None


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


def _conjugate(u: Utility, p: LongArray) -> Interval:
    """sum_i sup_C>=0 w u(C/g) - p C (mathematics of each utility: docs/notation.md); prices of the consumed goods."""
    w, g = (np.asarray(a, np.longdouble)[u.consumed] for a in (u.weights, u.targets))
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = p * g / w
        if u.name == "harmony":
            h = np.where(beta <= 1, -1 - np.log(beta), np.where(beta <= 2, 0.5 - 2 * beta + beta * beta / 2, -1.5))
            terms = w * h
        elif u.name == "new-harmony":
            kappa = np.longdouble(u.parameter)
            terms = w * np.where(beta * kappa < 1, (1 - np.sqrt(np.minimum(beta * kappa, 1))) ** 2, 0)
        elif u.name == "log":
            e = np.longdouble(u.parameter)
            inside = w * (-np.log(beta) - 1 + beta * e)
            at_zero = w * np.log(e) if e > 0 else np.full_like(w, -np.inf)
            terms = np.where(beta * e <= 1, inside, at_zero)
        elif u.name != "power":
            raise ProblemError(f"objective: the verifier does not know the utility {u.name!r}")
        else:
            sigma = np.longdouble(u.parameter)
            if sigma < 1:
                terms = w * sigma / (1 - sigma) * beta ** (1 - 1 / sigma)
            else:  # bounded above by zero, which a price of zero reaches
                terms = np.where(beta > 0, w * sigma / (1 - sigma) * beta ** (1 - 1 / sigma), 0)
    return summed(terms, w)
