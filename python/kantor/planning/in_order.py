"""Objectives in order of priority: one plan after another, each held to what the plans before it reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..solvers.solution import Status
from .combined import Held, Lexicographic
from .objectives import Objective, Utility

if TYPE_CHECKING:
    from .plan import Plan
    from .result import PlanResult


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
    from .plan import Plan

    stages: list[PlanResult] = []
    held: list[Held] = list(plan.asked["held"])
    for place, objective in enumerate(order.objectives, 1):
        asked = plan.asked | {"held": tuple(held)}
        stage = Plan(**asked, objective=objective, name=f"{plan.name}, {place} of {len(order.objectives)}")
        last = place == len(order.objectives)
        wanted = tolerance if last else min(tolerance, order.slack / 10.0)
        result = stage.solve(wanted, method, backend, time_limit_s, iteration_limit, None, on_progress,
                             vertex=vertex and last)  # fmt: skip
        result.stages = list(stages)
        if last or result.status is not Status.OPTIMAL:
            return result
        stages.append(result)
        held.append(hold(objective, result, order.slack))
    raise AssertionError("an order has a last objective")


def hold(objective: Objective, result: PlanResult, slack: float) -> Held:
    """What of a result later plans are held to."""
    if isinstance(objective, Utility):
        assert result.plan is not None
        names: Any = result.consumption.index[: len(result.plan.asked["economy"].products)]
        return Held(objective, 1.0 - slack, result.consumption.loc[names] if len(names) else result.consumption)
    sense = 1.0 if result.sense == "max" else -1.0
    return Held(objective, result.objective - sense * slack * abs(result.objective))
