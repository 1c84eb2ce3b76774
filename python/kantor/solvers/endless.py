"""Proofs that no plan is the best: a direction in which one may go for ever, checked exactly, from a plan that exists.

The directions of a program are the plans of another: finite capacities and limits become zero, what is asked for stays
("scale") or becomes nothing ("use"). Repaired and judged like any plan, a direction that gains is a fact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .bounds import DualPoint
from .certificate import Certificate, certify
from .evaluate import Evaluator
from .problem import FloatArray
from .program import PlanningProgram
from .repair import PlanPoint

_PART = 0.5  # of what a direction seems to deliver, asked of it in the proof


def prove_endless(
    program: PlanningProgram, direction: FloatArray, known: Certificate | None, backend: Any = "auto"
) -> FloatArray | None:
    """A direction (m,) near the given one that proves that "scale" or "use" has no end, or None.

    ``known``: what is proved so far; it, or the plan that does nothing, must be feasible.
    """
    started = known is not None and known.feasible
    if program.kind == "utility" or not (started or _nothing_is_a_plan(program)):
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
    return found.plan.activity if found.feasible and gains else None


def _nothing_is_a_plan(program: PlanningProgram) -> bool:
    limits = (program.resource_lower <= 0.0).all() and (program.resource_upper >= 0.0).all()
    return bool(limits and (program.kind == "scale" or (program.targets <= 0.0).all()))


def _delivered(judge: Evaluator, step: FloatArray, targets: FloatArray) -> float:
    """A part of the largest scale that an activity seems to deliver."""
    net, _ = judge.net_output(step)
    wanted = targets > 0.0
    return _PART * float(np.min(net[wanted] / targets[wanted], initial=np.inf))
