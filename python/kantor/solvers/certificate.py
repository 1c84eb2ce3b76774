"""Certificates: an exactly feasible plan and an exactly valid bound near any approximate answer, and their gap.

Whatever a solver did, a certificate is a fact: :class:`kantor.solvers.evaluate.Evaluator` proves both of its sides from
the raw arrays with rounding accounted for. If one side cannot be proved it is infinite and the certificate says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .bounds import BoundSearch, DualPoint
from .evaluate import BoundCheck, Evaluator, PlanCheck
from .problem import FloatArray
from .program import Kind, PlanningProgram
from .repair import PlanPoint, Repair
from .utilities import utility

_TINY = 1e-300
_ENOUGH = 0.1  # the search for better plans ends when the gap is this share of the tolerance


def relative_gap(kind: Kind, lower: float, upper: float) -> float:
    """(upper - lower) / max(|upper|, |lower|), for "utility" / max(1, |upper|, |lower|); inf without both bounds.

    A utility may pass through zero, where nothing is relative; a scale or a cost has no other unit than itself.

    >>> relative_gap("scale", 0.5, 0.5), relative_gap("utility", 0.0, 1e-7), relative_gap("use", 1.0, float("inf"))
    (0.0, 1e-07, inf)
    """
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return math.inf
    return (upper - lower) / max(abs(upper), abs(lower), 1.0 if kind == "utility" else _TINY)


@dataclass(frozen=True)
class Certificate:
    """A plan, a dual point, and what is proved of them.

    Attributes
    ----------
    lower, upper: lower <= optimum <= upper in the user's sense (cost, scale, utility), -inf or inf where unproved.
    gap: :func:`relative_gap` of the two.
    plan, dual: the point behind the achieved value and the one behind the bound; the best approximations at hand
        where that side is not proved.
    capacity_rents: (m,) what a technique earns above its full cost, v of :mod:`kantor.solvers.evaluate`; zero where
        its capacity is infinite.
    feasible, bound_valid: whether the plan and the bound are proved.
    notes: why not, in words.
    """

    kind: Kind
    lower: float
    upper: float
    plan: PlanPoint
    dual: DualPoint
    capacity_rents: FloatArray = field(repr=False)
    feasible: bool
    bound_valid: bool
    notes: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        """Relative distance of the bounds."""
        return relative_gap(self.kind, self.lower, self.upper)

    @property
    def value(self) -> float:
        """What the plan achieves, proved: +-inf if it is not feasible."""
        return self.upper if self.kind == "use" else self.lower

    @property
    def bound(self) -> float:
        """What no plan surpasses, proved."""
        return self.lower if self.kind == "use" else self.upper


def certify(
    evaluator: Evaluator,
    plan: PlanPoint,
    dual: DualPoint,
    *,
    tolerance: float = 1e-6,
    safe: PlanPoint | None = None,
    safe_dual: DualPoint | None = None,
    backend: Any = "auto",
) -> Certificate:
    """Repair an approximate plan and its prices into a certificate.

    Parameters
    ----------
    evaluator: judges of the program.
    plan, dual: from any solver, of any quality; NaN counts as zero.
    tolerance: the search for better prices ends early when the gap is well below this.
    safe, safe_dual: a plan with room in every restriction, and prices at which no technique earns its full cost, to
        blend with.
    """
    program = evaluator.program
    search = BoundSearch(evaluator, backend=backend)
    start = search.clean(dual)
    activity = np.clip(np.nan_to_num(plan.activity), 0.0, program.capacity)
    claimed = _claimed(evaluator, plan, activity)
    wanted = tolerance * max(abs(claimed), 1.0 if program.kind == "utility" else _TINY)
    point, bound = search.best(dual, activity, claimed, wanted, safe_dual)
    point, bound = _normalised(evaluator, point, bound)
    unit_cost = search.full_cost(start) + program.input.T @ start.prices
    best, check = _best_plan(evaluator, Repair(evaluator, unit_cost, backend), plan, safe, bound.value, wanted)
    return _assemble(program, best, check, point, bound)


def _claimed(evaluator: Evaluator, plan: PlanPoint, activity: FloatArray) -> float:
    """What the approximate plan seems to achieve; decides only when to stop searching."""
    program = evaluator.program
    if program.kind == "scale":
        return plan.scale
    if program.kind == "use":
        return float(program.cost @ activity)
    assert program.terms is not None
    return float(np.sum(utility(program.terms, np.maximum(np.nan_to_num(plan.consumption), 0.0))[0]))


def _best_plan(
    evaluator: Evaluator, repair: Repair, plan: PlanPoint, safe: PlanPoint | None, bound: float, wanted: float
) -> tuple[PlanPoint, PlanCheck]:
    """The best proved plan; if none is feasible, the one that misses by least, with the reason.

    The search ends with the first group of candidates that comes well within ``wanted`` of the bound.
    """
    use = evaluator.program.kind == "use"
    best, best_check = plan, PlanCheck(False, math.inf if use else -math.inf, "no repair worked", math.inf)
    judged: list[PlanPoint] = []
    for group in repair.candidates(plan, safe):
        for candidate in group:
            if any(_same(candidate, other) for other in judged):
                continue
            judged.append(candidate)
            check = evaluator.check_plan(candidate.activity, candidate.scale, candidate.consumption)
            if check.feasible and best_check.feasible:
                better = check.value < best_check.value if use else check.value > best_check.value
            else:
                better = check.feasible or (not best_check.feasible and check.violation < best_check.violation)
            if better:
                best, best_check = candidate, check
        if best_check.feasible and abs(best_check.value - bound) <= _ENOUGH * wanted:
            break
    if evaluator.program.kind == "scale" and best_check.feasible:
        raised = replace(best, scale=evaluator.reach(best.activity))
        check = evaluator.check_plan(raised.activity, raised.scale, raised.consumption)
        if check.feasible and check.value > best_check.value:
            best, best_check = raised, check
    return best, best_check


def _same(one: PlanPoint, other: PlanPoint) -> bool:
    """Whether two candidates are the same arrays: fitting a plan to limits that it keeps changes nothing."""
    same_scale = one.scale == other.scale or (math.isnan(one.scale) and math.isnan(other.scale))
    return one.activity is other.activity and one.consumption is other.consumption and same_scale


def _normalised(evaluator: Evaluator, point: DualPoint, check: BoundCheck) -> tuple[DualPoint, BoundCheck]:
    """Prices at which the basket of "scale" is worth one, if the bound survives the rounding of the division."""
    worth = float(point.prices @ evaluator.program.targets) if evaluator.program.kind == "scale" else 0.0
    if not worth > 0.0 or not check.valid:
        return point, check
    scaled = DualPoint(point.prices / worth, point.rents / worth, point.floor_rents / worth)
    new = evaluator.bound(scaled.prices, scaled.rents, scaled.floor_rents)
    return (scaled, new) if new.value <= check.value * (1.0 + 1e-14) else (point, check)


def _assemble(
    program: PlanningProgram, plan: PlanPoint, check: PlanCheck, dual: DualPoint, bound: BoundCheck
) -> Certificate:
    notes = []
    if not check.feasible:
        worst = f"{check.why} is off by {check.violation:.1e} of its terms"
        notes.append(f"no plan could be proved feasible: near the answer {worst}")
    if not bound.valid:
        notes.append(f"no bound could be proved: {bound.why}")
    lower, upper = (bound.value, check.value) if program.kind == "use" else (check.value, bound.value)
    rents = np.where(np.isfinite(program.capacity), bound.slack, 0.0)
    return Certificate(program.kind, lower, upper, plan, dual, rents, check.feasible, bound.valid, tuple(notes))


def merge(old: Certificate | None, new: Certificate) -> Certificate:
    """The better plan of the two with the better bound of the two: both stay proved."""
    if old is None:
        return new
    sign = -1.0 if new.kind == "use" else 1.0
    plan_from = old if old.feasible and sign * old.value >= sign * new.value else new
    bound_from = old if old.bound_valid and sign * old.bound <= sign * new.bound else new
    value, bound = plan_from.value, bound_from.bound
    lower, upper = (bound, value) if new.kind == "use" else (value, bound)
    notes = tuple(dict.fromkeys([*(() if plan_from.feasible and bound_from.bound_valid else new.notes)]))
    return replace(
        new,
        lower=lower,
        upper=upper,
        plan=plan_from.plan,
        feasible=plan_from.feasible,
        dual=bound_from.dual,
        capacity_rents=bound_from.capacity_rents,
        bound_valid=bound_from.bound_valid,
        notes=notes,
    )


@dataclass(frozen=True)
class InfeasibilityProof:
    """Multipliers at which the demand is worth ``surplus`` > 0 more than all limits: no plan exists (Farkas).

    A technique may earn more than it costs only as far as its capacity, or what limits imply for it, is paid for.
    """

    dual: DualPoint
    capacity_rents: FloatArray = field(repr=False)
    surplus: float


def prove_infeasible(
    evaluator: Evaluator, ray: DualPoint, activity: FloatArray, *, backend: Any = "auto"
) -> InfeasibilityProof | None:
    """A proof near an approximate Farkas ray that no plan exists, or None; rounding is accounted for."""
    search = BoundSearch(evaluator, cost=np.zeros(evaluator.program.shape[1]), backend=backend)
    ray = search.clean(ray)
    for point in (ray, *search.candidates(ray, activity)):
        surplus = evaluator.infeasibility(point.prices, point.rents, point.floor_rents)
        if surplus > 0.0:
            excess, guard, _ = evaluator.column_excess(point.prices, point.rents, point.floor_rents, search.cost)
            rents = np.where(np.isfinite(evaluator.program.capacity), np.maximum(0.0, excess + guard), 0.0)
            return InfeasibilityProof(point, rents, surplus)
    return None
