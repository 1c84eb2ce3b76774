"""Objectives in order of priority: one plan after another, each held to what the plans before it reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..solvers.solution import Status
from .combined import Held, Lexicographic, hold

if TYPE_CHECKING:
    from .plan import Plan
    from .result import PlanResult


@dataclass(frozen=True)
class Place:
    """Where a plan stands in an order of priority: objective ``number`` of ``count`` of the plan ``whole``.

    ``others``: results held besides those of the order, as on a frontier.
    """

    whole: Plan
    number: int
    count: int
    slack: float
    others: int

    def to_dict(self) -> dict[str, Any]:
        """What a plan folder keeps of it."""
        return {"number": self.number, "of": self.count, "slack": self.slack, "others": self.others}


def solve_in_order(
    plan: Plan,
    order: Lexicographic,
    tolerance: float,
    method: str,
    backend: str,
    time_limit_s: float | None,
    iteration_limit: int | None,
    on_progress: Callable[[dict[str, float]], object] | None,
    vertex: bool = False,
) -> PlanResult:
    """The plan of the last objective; one that is not solved to optimality ends the order with its result.

    Each stage is solved to a tenth of the slack with which it is held, so that a later stage can reach it.
    """
    stages: list[PlanResult] = []
    held: list[Held] = list(plan.asked["held"])
    count = len(order.objectives)
    for number in range(1, count + 1):
        stage = stage_of(plan, number, held)
        last = number == count
        wanted = tolerance if last else min(tolerance, order.slack / 10.0)
        result = stage.solve(wanted, method, backend, time_limit_s, iteration_limit, None, on_progress,
                             vertex=vertex and last)  # fmt: skip
        result.stages = list(stages)
        if last or result.status is not Status.OPTIMAL:
            return result
        stages.append(result)
        held.append(hold(stage.written, result.consumption, result.objective, order.slack, first=not held))
    raise AssertionError("an order has a last objective")


def stage_of(plan: Plan, number: int, held: Sequence[Held]) -> Plan:
    """The plan for objective ``number`` of an order of priority, held to results of those before it."""
    from .plan import Plan

    order = plan.in_order
    assert order is not None
    count = len(order.objectives)
    stage = Plan(
        **plan.asked | {"held": tuple(held)},
        objective=order.objectives[number - 1],
        name=f"{plan.name}, {number} of {count}",
    )
    stage.place, stage.scenario = Place(plan, number, count, order.slack, len(plan.asked["held"])), plan.scenario
    return stage
