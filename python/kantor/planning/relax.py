"""What a plan asks for and allows, element by element: left out, or relaxed as little as possible.

Elements are the sides of limits, the capacities and, where deliveries are fixed, the targets; balances of products are
not, for nothing can be used that is not there. The least relaxation is a linear program on the same techniques,

    min sum_e w_e s_e :  N x + sum_i y_i s_i e_i >= y,  R_k x - |b_k| s_k <= b_k,  R_k x + |b_k| s_k >= b_k,
                         x_j - cap_j s_j <= cap_j,  x, s >= 0,  s_i <= 1 for targets,

so that s_e is the relative change of element e, and w_e what one hundred per cent of change count. Sources: Chinneck,
Feasibility and Infeasibility in Optimization (2008), chapters 4 (elastic programming) and 6 (deletion filtering).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..data.labels import show
from ..errors import OptionError, suggest
from ..solvers.dispatch import solve_program
from ..solvers.problem import FloatArray
from ..solvers.program import PlanningProgram
from ..solvers.program_solution import ProgramSolution
from ..solvers.solution import Status, uninterrupted

if TYPE_CHECKING:
    from .plan import Plan

KINDS = ("at most", "at least", "capacity", "target")
# Up to so many nonzeros the simplex method answers questions of feasibility faster than anything else.
_SMALL = 60_000
# A relative change below this share of the largest one is rounding of the solver.
_ROUNDING = 1e-7
# By these shares of itself the least relaxation is widened until it is proved to make a plan possible.
_MARGINS = (1e-8, 1e-7, 1e-6, 1e-5)


@dataclass(frozen=True)
class Element:
    """One thing that could give way: ``at`` is its number among limits, techniques or products.

    ``size`` is what a change of 100 % is: the size of the bound, or, where that is zero, of the indicator's base.
    """

    kind: str
    at: int
    name: Any
    bound: float
    size: float
    unit: str = ""

    @property
    def key(self) -> tuple[str, Any]:
        """(kind, name), as a user writes it."""
        return self.kind, self.name

    def relaxed(self, share: float) -> float:
        """The bound after a relative change of ``share``."""
        return self.bound + (1.0 if self.kind in ("at most", "capacity") else -1.0) * share * self.size


def elements(plan: Plan, program: PlanningProgram) -> list[Element]:
    """Everything in the plan that could give way."""
    found = []
    for k, limit in enumerate(plan.limits):
        for kind, bound in (("at most", limit.upper), ("at least", limit.lower)):
            if np.isfinite(bound):
                base = abs(limit.base) if np.isfinite(limit.base) and limit.base != 0 else 1.0
                found.append(Element(kind, k, limit.name, bound, abs(bound) or base, limit.unit))
    eco = plan.economy
    unit = eco.unit if isinstance(eco.unit, str) else ""
    for j in np.flatnonzero(np.isfinite(program.capacity[: len(eco.techniques)])).tolist():
        bound = float(program.capacity[j])
        found.append(Element("capacity", j, eco.techniques[j], bound, bound or 1.0, unit))
    if program.kind == "use":
        units = [eco.unit] * len(eco.products) if isinstance(eco.unit, str) else eco.unit.astype(str).tolist()
        for i in np.flatnonzero(program.targets > 0).tolist():
            bound = float(program.targets[i])
            found.append(Element("target", i, eco.products[i], bound, bound, units[i]))
    return found


def feasibility(program: PlanningProgram) -> PlanningProgram:
    """Only what must hold: kind "use" at no cost; a scale or a utility asks for nothing but the limits themselves."""
    fixed = program.targets if program.kind == "use" else np.zeros(len(program.targets))
    return replace(program, kind="use", targets=fixed, cost=np.zeros(len(program.cost)), terms=None)


def keeping(program: PlanningProgram, every: Sequence[Element], kept: Collection[Element]) -> PlanningProgram:
    """The feasibility problem in which those of ``every`` element that are not ``kept`` are left out."""
    free = feasibility(program)
    upper, lower = free.resource_upper.copy(), free.resource_lower.copy()
    capacity, targets = free.capacity.copy(), free.targets.copy()
    stays = set(kept)
    for element in every:
        if element not in stays:
            into, absent = {
                "at most": (upper, np.inf),
                "at least": (lower, -np.inf),
                "capacity": (capacity, np.inf),
                "target": (targets, 0.0),
            }[element.kind]
            into[element.at] = absent
    return replace(free, resource_upper=upper, resource_lower=lower, capacity=capacity, targets=targets)


def with_bounds(program: PlanningProgram, changed: Mapping[Element, float]) -> PlanningProgram:
    """The program with other bounds of some elements; everything else, the objective too, as it is."""
    upper, lower = program.resource_upper.copy(), program.resource_lower.copy()
    capacity, targets = program.capacity.copy(), program.targets.copy()
    into = {"at most": upper, "at least": lower, "capacity": capacity, "target": targets}
    for element, bound in changed.items():
        into[element.kind][element.at] = bound
    return replace(program, resource_upper=upper, resource_lower=lower, capacity=capacity, targets=targets)


def settle(program: PlanningProgram, tolerance: float, proved: bool = False) -> ProgramSolution:
    """Solve a program of kind "use": small ones by the simplex method, others as kantor chooses.

    That nothing is possible is always proved. An optimum that is not ``proved`` may keep limits to the solver's
    tolerance only, which is what a question of feasibility on the edge comes to.
    """
    if program.output.nnz + program.input.nnz + program.resource_use.nnz <= _SMALL:
        answer = uninterrupted(solve_program(program, tolerance=tolerance, method="highs"))
        if answer.status is Status.PRIMAL_INFEASIBLE or (
            answer.status is Status.OPTIMAL and answer.certified >= proved
        ):
            return answer
    return uninterrupted(solve_program(program, tolerance=tolerance))


def weights_of(asked: Mapping[Any, float] | None, every: Sequence[Element]) -> FloatArray:
    """What 100 % of change of each element count: 1 for limits and capacities, infinite (never) for targets, as asked.

    Keys are kinds ("target", "capacity"), names, or pairs (kind, name); the more exact key counts.
    """
    out = np.array([np.inf if element.kind == "target" else 1.0 for element in every])
    known: dict[Any, list[int]] = {kind: [] for kind in KINDS}
    for e, element in enumerate(every):
        for key in (element.kind, element.name, element.key):
            known.setdefault(key, []).append(e)
    ranked = sorted((asked or {}).items(), key=lambda item: _exactness(item[0], every))
    for key, weight in ranked:
        if key not in known:
            names = [show(name) for name in known if name not in KINDS]
            raise OptionError(
                f"weights: {show(key)!r} is no limit, capacity or target{suggest(show(key), names[:5000])}"
            )
        if isinstance(weight, bool) or not weight > 0:
            raise OptionError(f"weights: {show(key)!r} has weight {weight!r}, expected a number > 0, or inf for never")
        out[known[key]] = float(weight)
    return out


def _exactness(key: Any, every: Sequence[Element]) -> int:
    return 0 if key in KINDS else 2 if isinstance(key, tuple) and key and key[0] in KINDS else 1


@dataclass(frozen=True)
class Relaxation:
    """The least relaxation.

    shares : relative change by element, only those that change
    total : their weighted sum; proved : what it cannot be below
    """

    shares: dict[Element, float]
    total: float
    proved: float

    @property
    def bounds(self) -> dict[Element, float]:
        """The bounds after the relaxation."""
        return {element: element.relaxed(share) for element, share in self.shares.items()}


def least_relaxation(
    program: PlanningProgram, every: Sequence[Element], weights: FloatArray, tolerance: float
) -> Relaxation | None:
    """The relaxation of least weighted sum, checked to make a plan possible; None where none that is allowed does."""
    at = np.flatnonzero(np.isfinite(weights)).tolist()
    giving = [every[e] for e in at]
    if not giving:
        return None
    free = feasibility(program)
    answer = settle(_elastic(free, giving, weights[at]), tolerance, proved=True)
    if answer.status is not Status.OPTIMAL:
        return None
    shares = answer.activity[len(program.capacity) :]
    kept = np.flatnonzero(shares > _ROUNDING * shares.max(initial=0.0))
    # What was dropped as rounding is made good by a margin of the same size on what was kept.
    for margin in _MARGINS:
        found = {giving[e]: float(shares[e]) * (1.0 + margin) for e in kept}
        trial = with_bounds(free, {element: element.relaxed(share) for element, share in found.items()})
        answered = settle(trial, tolerance, proved=margin == _MARGINS[-1])
        if answered.status is Status.OPTIMAL and (answered.certified or margin == _MARGINS[-1]):
            total = sum(float(weights[at[e]]) * found[giving[e]] for e in kept)
            return Relaxation(found, total, answer.lower_bound)
    return None


def alone(program: PlanningProgram, element: Element, tolerance: float) -> float:
    """The relative change with which one element makes a plan possible without any other; NaN where none does."""
    answer = settle(_elastic(feasibility(program), [element], np.ones(1)), tolerance)
    return float(answer.activity[-1]) if answer.status is Status.OPTIMAL else float("nan")


def _elastic(free: PlanningProgram, giving: Sequence[Element], weights: FloatArray) -> PlanningProgram:
    """The program above: one technique for each element that may give way."""
    n, m, r = free.shape
    count, full = len(giving), [e for e, element in enumerate(giving) if element.kind == "capacity"]
    made, use = sp.lil_array((n, count)), sp.lil_array((r + len(full), count))
    own = sp.lil_array((len(full), m))
    most = np.full(count, np.inf)
    capacity, room = free.capacity.copy(), list[float]()
    for e, element in enumerate(giving):
        if element.kind == "target":
            made[element.at, e], most[e] = element.size, 1.0
        elif element.kind == "capacity":
            row = len(room)
            own[row, element.at], use[r + row, e] = 1.0, -element.size
            room.append(element.bound)
            capacity[element.at] = np.inf
        else:
            use[element.at, e] = -element.size if element.kind == "at most" else element.size
    below = sp.vstack([free.resource_use, own.tocsr()], format="csr") if full else free.resource_use
    return PlanningProgram(
        kind="use",
        output=sp.hstack([free.output, made.tocsr()], format="csr"),
        input=sp.hstack([free.input, sp.csr_array((n, count))], format="csr"),
        targets=free.targets,
        resource_use=sp.hstack([below, use.tocsr()], format="csr"),
        resource_upper=np.concatenate([free.resource_upper, room]),
        resource_lower=np.concatenate([free.resource_lower, np.full(len(full), -np.inf)]),
        capacity=np.concatenate([capacity, most]),
        cost=np.concatenate([free.cost, weights]),
    )


def minimal_conflict(
    program: PlanningProgram, every: Sequence[Element], proof: ProgramSolution, tolerance: float, most: int
) -> tuple[list[Element], bool]:
    """Elements that together exclude every plan, none of which can be left out; and whether that was shown of each.

    Deletion filter: one element at a time is left out for good if the rest still conflicts. It starts from the elements
    that carry a multiplier in a proof, and every new proof leaves out more. At most ``most`` trials are made.
    """
    kept = [element for element in every if _multiplier(element, proof) > 0.0]
    if (
        len(kept) < len(every)
        and settle(keeping(program, every, kept), tolerance).status is not Status.PRIMAL_INFEASIBLE
    ):
        kept = list(every)
    needed: list[Element] = []
    trials = 0
    while len(needed) < len(kept) and trials < most:
        trials += 1
        element = next(e for e in kept if e not in needed)
        trial = [other for other in kept if other is not element]
        answer = settle(keeping(program, every, trial), tolerance)
        if answer.status is not Status.PRIMAL_INFEASIBLE:
            needed.append(element)
            continue
        fewer = [other for other in trial if other in needed or _multiplier(other, answer) > 0.0]
        kept = trial
        if len(fewer) < len(trial):
            trials += 1
            if settle(keeping(program, every, fewer), tolerance).status is Status.PRIMAL_INFEASIBLE:
                kept = fewer
    return kept, len(needed) == len(kept)


def _multiplier(element: Element, proof: ProgramSolution) -> float:
    vectors = {
        "at most": proof.rents,
        "at least": proof.floor_rents,
        "capacity": proof.capacity_rents,
        "target": proof.prices,
    }
    return float(vectors[element.kind][element.at])
