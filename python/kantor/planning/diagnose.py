"""Why no plan exists, in the planner's words, from the proof of infeasibility.

The proof is a set of prices p and rents with N'p <= R'(rents - floor rents) + capacity rents under which what is asked
for is worth more than everything that limits it (Farkas; docs/notation.md). It names the largest p_i y_i among the
targets and the largest rent times bound among the limits. Three further questions are answered by solving again:

* which limits are enough for the conflict: leave one out at a time and keep it out if the conflict remains;
* how much of the targets can be delivered: the largest common scale within all limits and capacities;
* how little must be given: the smallest share s by which all limits in the conflict must be relaxed together,
  ``min s : N x >= y, R_k x <= b_k + s |b_k|`` (floors: ``>= b_k - s |b_k|``), other limits as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.labels import show, show_some
from ..solvers.dispatch import ProgramSolution, solve_program
from ..solvers.leontief import values
from ..solvers.program import PlanningProgram
from ..solvers.solution import Status

if TYPE_CHECKING:
    from .plan import Plan

# The deletion filter solves once for each limit in the proof; beyond this many it is left out.
MOST_FILTERED = 24
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Diagnosis:
    """The answer of :meth:`kantor.Plan.diagnose`; ``str(diagnosis)`` reads as text.

    status : of the plan's own solve
    conflict : DataFrame of what the proof weighs, largest first: ``kind`` ("target", "at most", "at least",
        "capacity"), ``name``, ``value`` (price or rent times amount), ``share`` of the value on its side, ``amount``
    smallest_limits : (kind, name) of limits that, with the targets and capacities, already exclude every plan
    deliverable : largest share of the targets that the limits allow; None where the targets are not fixed or not even
        zero is possible
    relaxation : smallest common relative relaxation of ``smallest_limits`` that makes a plan possible; None if none
        does
    relaxed : the bounds after that relaxation, (kind, name) -> value
    lines : all this in words
    """

    status: Status
    conflict: pd.DataFrame
    smallest_limits: list[tuple[str, str]] = field(default_factory=list)
    deliverable: float | None = None
    relaxation: float | None = None
    relaxed: dict[tuple[str, str], float] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def diagnose(plan: Plan, tolerance: float = 1e-6) -> Diagnosis:
    """Explain an infeasible plan; for any other plan one line says that there is nothing to explain."""
    program = plan.compile()
    solution = solve_program(program, tolerance=tolerance)
    nothing = pd.DataFrame(columns=["kind", "name", "value", "share", "amount"])
    if solution.status is Status.DUAL_INFEASIBLE:
        return Diagnosis(solution.status, nothing, lines=_unlimited(plan))
    if solution.status is not Status.PRIMAL_INFEASIBLE:
        line = f"no conflict was found: the plan's status is {solution.status.value}"
        return Diagnosis(solution.status, nothing, lines=[line])
    conflict = _conflict(plan, program, solution)
    limits = _smallest_limits(plan, program, solution, tolerance)
    deliverable = _deliverable(program, tolerance)
    relaxation, relaxed = _least_relaxation(plan, program, limits, tolerance)
    found = Diagnosis(solution.status, conflict, limits, deliverable, relaxation, relaxed)
    return replace(found, lines=_in_words(plan, found))


def _unlimited(plan: Plan) -> list[str]:
    """What can grow without end: products that need no limited resource, found by the values of all limited ones."""
    lines = ["nothing limits this plan: add a limit on something it uses"]
    eco = plan.economy
    upper = [limit for limit in plan.limits if np.isfinite(limit.upper)]
    if not upper or not eco.is_square or np.isfinite(plan.capacities.to_numpy()).any():
        return lines
    need = sum(eco.indicator(limit.indicator).to_numpy(np.float64) / (abs(limit.upper) or 1.0) for limit in upper)
    content = np.asarray(values(eco.input_coefficients, need))
    free = np.flatnonzero((plan.compiled.targets > 0) & (content <= _NEGLIGIBLE * np.abs(content).max()))
    if free.size:
        names = show_some(eco.products[free])
        lines = [f"nothing limits {names}: making it needs no limited resource, directly or indirectly"]
    return lines


def _conflict(plan: Plan, program: PlanningProgram, proof: ProgramSolution) -> pd.DataFrame:
    """What each target, limit and capacity weighs in the proof."""
    rows: list[tuple[str, Any, float, float]] = []
    if program.kind == "use":
        worth = proof.prices * program.targets
        rows += [("target", plan.economy.products[i], worth[i], program.targets[i]) for i in _largest(worth)]
    for k, limit in enumerate(plan.limits):
        if proof.rents[k] > 0:
            rows.append(("at most", limit.name, proof.rents[k] * limit.upper, limit.upper))
        if proof.floor_rents[k] > 0:
            rows.append(("at least", limit.name, proof.floor_rents[k] * limit.lower, limit.lower))
    m = len(plan.economy.techniques)
    rent = proof.capacity_rents[:m]
    value = np.where(rent > 0, rent * np.where(rent > 0, program.capacity[:m], 0.0), 0.0)
    rows += [("capacity", plan.economy.techniques[j], value[j], program.capacity[j]) for j in _largest(value)]
    table = pd.DataFrame(rows, columns=["kind", "name", "value", "amount"])
    demand = table["kind"].isin(["target", "at least"])
    side = np.where(demand, table.loc[demand, "value"].sum(), table.loc[~demand, "value"].sum())
    table.insert(3, "share", table["value"] / np.where(side > 0, side, 1.0))
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def _largest(values: np.ndarray[Any, Any], most: int = 20) -> np.ndarray[Any, Any]:
    order = np.argsort(-values, kind="stable")[:most]
    return order[values[order] > _NEGLIGIBLE * max(float(values.max(initial=0.0)), 0.0)]


def _sides(plan: Plan, proof: ProgramSolution) -> list[tuple[str, int]]:
    """(side, number) of the limits that carry a rent in the proof."""
    upper = [("at most", k) for k in range(len(plan.limits)) if proof.rents[k] > 0]
    return upper + [("at least", k) for k in range(len(plan.limits)) if proof.floor_rents[k] > 0]


def _without(program: PlanningProgram, sides: list[tuple[str, int]]) -> PlanningProgram:
    """The feasibility problem of a programme without some sides of its limits; its objective is dropped."""
    upper, lower = program.resource_upper.copy(), program.resource_lower.copy()
    for side, k in sides:
        (upper if side == "at most" else lower)[k] = np.inf if side == "at most" else -np.inf
    return _as_use(program, upper=upper, lower=lower)


def _as_use(program: PlanningProgram, **changed: Any) -> PlanningProgram:
    """Only feasibility: kind "use" at no cost; a scale or a utility asks for nothing but the limits themselves."""
    fixed = program.targets if program.kind == "use" else np.zeros(len(program.targets))
    return PlanningProgram(
        kind="use",
        output=program.output,
        input=program.input,
        targets=fixed,
        resource_use=changed.get("resource_use", program.resource_use),
        resource_upper=changed.get("upper", program.resource_upper),
        resource_lower=changed.get("lower", program.resource_lower),
        capacity=program.capacity,
        cost=np.zeros(len(program.cost)),
    )


def _smallest_limits(
    plan: Plan, program: PlanningProgram, proof: ProgramSolution, tolerance: float
) -> list[tuple[str, str]]:
    """Deletion filter: what remains cannot lose one more limit without becoming possible."""
    kept = _sides(plan, proof)
    everything = [("at most", k) for k in range(len(plan.limits))] + [("at least", k) for k in range(len(plan.limits))]
    if len(kept) <= MOST_FILTERED:
        for side in list(kept):
            trial = [other for other in kept if other != side]
            out = [other for other in everything if other not in trial]
            if solve_program(_without(program, out), tolerance=tolerance).status is Status.PRIMAL_INFEASIBLE:
                kept = trial
    return [(side, plan.limits[k].name) for side, k in kept]


def _deliverable(program: PlanningProgram, tolerance: float) -> float | None:
    """The largest common scale of the targets of a "use" plan within its limits and capacities."""
    if program.kind != "use" or not (program.targets > 0).any():
        return None
    scaled = replace(program, kind="scale", cost=np.zeros(len(program.cost)))
    solution = solve_program(scaled, tolerance=tolerance)
    return float(solution.objective) if solution.status is Status.OPTIMAL else None


def _least_relaxation(
    plan: Plan, program: PlanningProgram, limits: list[tuple[str, str]], tolerance: float
) -> tuple[float | None, dict[tuple[str, str], float]]:
    """The smallest s that helps, and the bounds of the conflict's limits relaxed by s of their size."""
    number = {limit.name: k for k, limit in enumerate(plan.limits)}
    sides = [(side, number[name]) for side, name in limits]
    share = _by_scale(program, sides, tolerance)
    if share is None:
        share = _by_elastic_limits(program, sides, tolerance)
    if share is None:
        return None, {}
    relaxed = {}
    for side, k in sides:
        bound = plan.limits[k].upper if side == "at most" else plan.limits[k].lower
        relaxed[side, plan.limits[k].name] = bound + abs(bound) * (share if side == "at most" else -share)
    return share, relaxed


def _by_scale(program: PlanningProgram, sides: list[tuple[str, int]], tolerance: float) -> float | None:
    """From the largest scale t under the conflict's limits alone: t(f b) = f t(b), so they must grow by f = 1/t.

    Only ceilings without capacities scale like that; the other limits are then tried as they are.
    """
    everything = [("at most", k) for k in range(len(program.resource_upper))]
    if (
        not sides
        or program.kind != "use"
        or not (program.targets > 0).any()
        or any(side != "at most" or program.resource_upper[k] <= 0 for side, k in sides)
        or np.isfinite(program.resource_lower).any()
        or np.isfinite(program.capacity).any()
    ):
        return None
    alone = _without(program, [side for side in everything if side not in sides])
    solution = solve_program(replace(alone, kind="scale"), tolerance=tolerance)
    if solution.status is not Status.OPTIMAL or not 0 < solution.objective < 1:
        return None
    share = 1.0 / solution.objective - 1.0
    upper = program.resource_upper.copy()
    for _, k in sides:
        upper[k] *= (1.0 + share) * (1.0 + tolerance)
    possible = solve_program(_as_use(program, upper=upper), tolerance=tolerance)
    return share if possible.status is Status.OPTIMAL else None


def _by_elastic_limits(program: PlanningProgram, sides: list[tuple[str, int]], tolerance: float) -> float | None:
    """min s by one more technique that makes room under the limits of the conflict at cost 1."""
    room = np.zeros(len(program.resource_upper))
    for side, k in sides:
        room[k] = -abs(program.resource_upper[k]) if side == "at most" else abs(program.resource_lower[k])
    if not room.any():
        return None
    free = _as_use(program)
    n = free.shape[0]
    elastic = PlanningProgram(
        kind="use",
        output=sp.hstack([free.output, sp.csr_array((n, 1))], format="csr"),
        input=sp.hstack([free.input, sp.csr_array((n, 1))], format="csr"),
        targets=free.targets,
        resource_use=sp.hstack([free.resource_use, sp.csr_array(room[:, None])], format="csr"),
        resource_upper=free.resource_upper,
        resource_lower=free.resource_lower,
        capacity=np.append(free.capacity, np.inf),
        cost=np.append(free.cost, 1.0),
    )
    solution = solve_program(elastic, tolerance=tolerance)
    return float(solution.objective) if solution.status is Status.OPTIMAL else None


def _in_words(plan: Plan, found: Diagnosis) -> list[str]:
    table = found.conflict
    demands = table[table["kind"].isin(["target", "at least"])]
    means = table[~table["kind"].isin(["target", "at least"])]
    lines = ["no plan exists: what is asked for is worth more than everything that limits it"]
    if len(demands):
        lines.append("asked for: " + "; ".join(_named(row) for _, row in demands.head(5).iterrows()))
    if len(means):
        lines.append("limited by: " + "; ".join(_named(row) for _, row in means.head(5).iterrows()))
    if found.smallest_limits:
        names = ", ".join(f"{name} ({side})" for side, name in found.smallest_limits)
        rest = "with the targets, " if (demands["kind"] == "target").any() else ""
        lines.append(f"{rest}these limits alone exclude every plan: {names}")
    elif not len(means):
        lines.append("no limit is at fault: no technique, or no productive combination of them, delivers these targets")
    else:
        lines.append("no limit is at fault: the capacities alone exclude every plan")
    if found.deliverable is not None:
        lines.append(f"within the limits {found.deliverable:.4%} of the targets can be delivered")
    if found.relaxation is not None:
        units = {limit.name: limit.unit for limit in plan.limits}
        bounds = ", ".join(
            f"{name} {side} {value:.8g} {units[name]}".rstrip() for (side, name), value in found.relaxed.items()
        )
        lines.append(f"or relax each of them by {found.relaxation:.4%}: {bounds}")
    elif found.smallest_limits:
        lines.append("relaxing these limits alone does not make a plan possible")
    return lines


def _named(row: pd.Series) -> str:
    kind = "" if row["kind"] == "target" else f" ({row['kind']} {row['amount']:.6g})"
    return f"{show(row['name'])}{kind} {row['share']:.1%}"
