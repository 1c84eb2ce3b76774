"""Why no plan exists, in the planner's words, from the proof of infeasibility.

The proof is a set of prices p and rents with N'p <= R'(rents - floor rents) + capacity rents under which what is asked
for is worth more than everything that limits it (Farkas; docs/notation.md). It names the largest p_i y_i among the
targets and the largest rent times bound among the limits. Further questions are answered by solving again:

* which limits, capacities and targets are enough for the conflict (:func:`kantor.planning.relax.minimal_conflict`);
* how much of the targets can be delivered: the largest common scale within all limits and capacities;
* how little must be given: the relaxation of least weighted change (:func:`kantor.planning.relax.least_relaxation`),
  what each element of the conflict would have to give alone, and the smallest share s by which all limits in the
  conflict must be relaxed together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..data.labels import show_some
from ..errors import ProblemError
from ..solvers.dispatch import solve_program
from ..solvers.leontief import values
from ..solvers.program import PlanningProgram
from ..solvers.program_solution import ProgramSolution
from ..solvers.solution import Status, uninterrupted
from .advice import in_words, way_out
from .relax import (
    Element,
    Relaxation,
    alone,
    elements,
    feasibility,
    least_relaxation,
    minimal_conflict,
    settle,
    weights_of,
)

if TYPE_CHECKING:
    from .plan import Plan

# The deletion filter solves once or twice for each element of the proof; after so many trials it stops.
MOST_TRIALS = 60
# What one element alone would have to give is asked of so many at most.
MOST_ALONE = 8
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Diagnosis:
    """The answer of :meth:`kantor.Plan.diagnose`; ``str(diagnosis)`` reads as text.

    status : of the plan's own solve
    conflict : DataFrame of what the proof weighs, largest first: ``kind`` ("target", "at most", "at least",
        "capacity"), ``name``, ``value`` (price or rent times amount), ``share`` of the value on its side, ``amount``
    conflict_set : (kind, name) of limits, capacities and targets that alone exclude every plan, none of which can be
        left out if ``minimal``
    smallest_limits : those of the conflict set that are limits
    deliverable : largest share of the targets that the limits allow; None where the targets are not fixed or not even
        zero is possible
    relaxation : smallest common relative relaxation of ``smallest_limits`` that makes a plan possible; None if none
        does
    relaxed : the bounds after that relaxation, (kind, name) -> value
    ways : DataFrame by (kind, name) of what changes in the relaxation of least weighted change and of the conflict set:
        ``bound``, ``least`` (its new value in the least relaxation), ``change`` (relative), ``alone`` (the relative
        change with which it alone makes a plan possible; NaN: none does), ``weight``, ``unit``
    least_total : weighted sum of the changes of the least relaxation, NaN where there is none; ``least_proved``: what
        it cannot be below
    lines : all this in words
    """

    status: Status
    conflict: pd.DataFrame
    conflict_set: list[tuple[str, Any]] = field(default_factory=list)
    minimal: bool = False
    smallest_limits: list[tuple[str, str]] = field(default_factory=list)
    deliverable: float | None = None
    relaxation: float | None = None
    relaxed: dict[tuple[str, str], float] = field(default_factory=dict)
    ways: pd.DataFrame = field(default_factory=pd.DataFrame)
    least_total: float = float("nan")
    least_proved: float = float("nan")
    least: Relaxation | None = field(default=None, repr=False)
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def diagnose(plan: Plan, tolerance: float = 1e-6, weights: Mapping[Any, float] | None = None) -> Diagnosis:
    """Explain an infeasible plan; for any other plan one line says that there is nothing to explain."""
    program = plan.compile()
    every = elements(plan, program)
    weight = weights_of(weights, every)
    solution = uninterrupted(solve_program(program, tolerance=tolerance))
    nothing = pd.DataFrame(columns=["kind", "name", "value", "share", "amount"])
    if solution.status is Status.DUAL_INFEASIBLE:
        return Diagnosis(solution.status, nothing, lines=_unlimited(plan))
    if solution.status is not Status.PRIMAL_INFEASIBLE:
        line = f"no conflict was found: the plan's status is {solution.status.value}"
        return Diagnosis(solution.status, nothing, lines=[line])
    clash, minimal = minimal_conflict(program, every, solution, tolerance, MOST_TRIALS)
    limits = [element for element in clash if element.kind in ("at most", "at least")]
    share = _common_relaxation(program, limits, tolerance)
    least = least_relaxation(program, every, weight, tolerance)
    if least is None and weights is None:  # no limit that gives way helps: then the targets have to
        weight = np.where(np.isfinite(weight), weight, 1.0)
        least = least_relaxation(program, every, weight, tolerance)
    found = Diagnosis(
        status=solution.status,
        conflict=_conflict(plan, program, solution),
        conflict_set=[element.key for element in clash],
        minimal=minimal,
        smallest_limits=[element.key for element in limits],
        deliverable=_deliverable(program, tolerance),
        relaxation=share,
        relaxed={} if share is None else {element.key: element.relaxed(share) for element in limits},
        ways=_ways(program, every, clash, weight, least, tolerance),
        least_total=float("nan") if least is None else least.total,
        least_proved=float("nan") if least is None else least.proved,
        least=least,
    )
    return replace(found, lines=in_words(plan, found))


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


def _deliverable(program: PlanningProgram, tolerance: float) -> float | None:
    """The largest common scale of the targets of a "use" plan within its limits and capacities."""
    if program.kind != "use" or not (program.targets > 0).any():
        return None
    scaled = replace(program, kind="scale", cost=np.zeros(len(program.cost)))
    solution = uninterrupted(solve_program(scaled, tolerance=tolerance))
    return float(solution.objective) if solution.status is Status.OPTIMAL else None


def _common_relaxation(program: PlanningProgram, limits: list[Element], tolerance: float) -> float | None:
    """min s by one more technique that makes room under all these limits at once, at cost 1."""
    if not limits:
        return None
    free = feasibility(program)
    n, _, r = free.shape
    room = np.zeros(r)
    for element in limits:
        # A band that is narrowed from both sides opens on both: the two never stand in one minimal conflict.
        room[element.at] = -element.size if element.kind == "at most" else element.size
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
    solution = settle(elastic, tolerance)
    return float(solution.objective) if solution.status is Status.OPTIMAL else None


def _ways(
    program: PlanningProgram,
    every: list[Element],
    clash: list[Element],
    weight: np.ndarray[Any, Any],
    least: Relaxation | None,
    tolerance: float,
) -> pd.DataFrame:
    """One row for each element of the least relaxation and of the conflict set, the least relaxation first."""
    shares = {} if least is None else least.shares
    place = {element: e for e, element in enumerate(every)}
    listed = [*shares, *(element for element in clash if element not in shares)]
    rows = []
    for count, element in enumerate(listed):
        by_itself = float("nan")
        if len(shares) == 1 and element in shares:
            by_itself = shares[element]
        elif count < MOST_ALONE and element in clash:
            by_itself = alone(program, element, tolerance)
        share = shares.get(element, 0.0)
        rows.append(
            (
                *element.key,
                element.bound,
                element.relaxed(share),
                share,
                by_itself,
                weight[place[element]],
                element.unit,
            )
        )
    columns = ["kind", "name", "bound", "least", "change", "alone", "weight", "unit"]
    return pd.DataFrame(rows, columns=columns).set_index(["kind", "name"])


def relaxed(plan: Plan, weights: Mapping[Any, float] | None, tolerance: float) -> Plan:
    """The plan with the bounds of its least relaxation in place of its own; ProblemError where there is none."""
    found = diagnose(plan, tolerance, weights)
    if found.status is not Status.PRIMAL_INFEASIBLE:
        return plan
    if found.least is None:
        raise ProblemError(f"plan {plan.name!r}: nothing that may give way makes it possible; {found.lines[-1]}")
    bounds = {element.key: bound for element, bound in found.least.bounds.items()}
    targets, capacities = plan.targets.copy(), plan.capacities.copy()
    for (kind, name), bound in bounds.items():
        if kind == "target":
            targets[name] = bound
        elif kind == "capacity":
            capacities[name] = bound
    easier = plan.with_changed(targets, capacities, bounds)
    easier.notes += [f"relaxed to make a plan possible: {line}" for line in way_out(found)[:1]]
    return easier
