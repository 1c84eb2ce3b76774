"""Proofs that no plan is the best: a direction in which one may go for ever, checked exactly, from a plan that exists.

The directions of a program are the plans of another: finite capacities and limits become zero, what is asked for stays
("scale") or becomes nothing ("use"). Repaired and judged like any plan, a direction that gains is a fact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .bounds import DualPoint
from .certificate import certify
from .evaluate import Evaluator
from .problem import FloatArray
from .program import PlanningProgram
from .repair import PlanPoint

_FAR = 2.0  # times as far as would just do
_PART = 0.5  # of what a direction seems to deliver, asked of it in the proof


def prove_endless(
    program: PlanningProgram, direction: FloatArray, has_a_plan: Callable[[], bool], backend: Any = "auto"
) -> FloatArray | None:
    """A direction (m,) near the given one that proves that "scale" or "use" has no end, or None.

    ``has_a_plan``: whether some plan is proved feasible; asked only if no point far out in that direction is one.
    """
    if program.kind == "utility":
        return None
    size = float(np.max(np.abs(direction), initial=0.0))
    if not (np.isfinite(size) and size > 0.0):
        return None
    zeroed = lambda v: np.where(np.isfinite(v), 0.0, v)  # noqa: E731
    targets = program.targets if program.kind == "scale" else np.zeros_like(program.targets)
    cone = replace(
        program,
        capacity=zeroed(program.capacity),
        resource_upper=zeroed(program.resource_upper),
        resource_lower=zeroed(program.resource_lower),
        targets=targets,
    )
    judge = Evaluator(cone)
    step = np.clip(direction / size, 0.0, cone.capacity)
    scale = _delivered(judge, step, targets) if program.kind == "scale" else np.nan
    if program.kind == "scale" and not scale > 0.0:
        return None
    none = DualPoint(np.zeros(targets.size), np.zeros(program.shape[2]), np.zeros(program.shape[2]))
    found = certify(judge, PlanPoint(step, scale, _PART * targets), none, backend=backend)
    gains = found.value > 0.0 if program.kind == "scale" else found.value < 0.0
    if not (found.feasible and gains):
        return None
    return found.plan.activity if _far_out(program, found.plan.activity) or has_a_plan() else None


def _far_out(program: PlanningProgram, direction: FloatArray) -> bool:
    """Whether a plan is proved feasible that goes far enough in a direction to meet whatever is asked for at least."""
    judge = Evaluator(program)
    net, _ = judge.net_output(direction)
    use, _ = judge.use.times(direction)
    none = np.zeros(0)
    asked = program.targets if program.kind == "use" else none
    wanted = np.concatenate([program.resource_lower, -program.resource_upper, asked])
    gained = np.concatenate([use, -use, net if asked.size else none])
    open_ = np.isfinite(wanted) & (wanted > 0.0)
    if not (gained[open_] > 0.0).all():
        return False
    far = _FAR * float(np.max(wanted[open_] / gained[open_], initial=0.0))
    return judge.check_plan(far * direction, 0.0 if program.kind == "scale" else np.nan, program.targets).feasible


def _delivered(judge: Evaluator, step: FloatArray, targets: FloatArray) -> float:
    """A part of the largest scale that an activity seems to deliver."""
    net, _ = judge.net_output(step)
    wanted = targets > 0.0
    return _PART * float(np.min(net[wanted] / targets[wanted], initial=np.inf))
