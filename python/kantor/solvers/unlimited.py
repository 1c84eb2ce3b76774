"""Goods that can be made without end: a utility that rises for ever in one of them has no optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .evaluate import Evaluator
from .mix import build_mix, least_output
from .problem import TermKind
from .program import PlanningProgram


def unlimited_good(program: PlanningProgram, backend: Any = "auto") -> int | None:
    """A good whose utility rises for ever and that techniques outside every limit can make by themselves, or None.

    Only techniques count that use no limited resource and have no capacity, and whose inputs come from such techniques
    too. The plan that makes one unit more of the good is checked exactly, so an answer is a proof that the optimum is
    infinite if there is any plan at all with a finite utility (see :func:`has_room`).
    """
    if program.terms is None:
        return None
    n, m, _ = program.shape
    use, upper, lower = program.resource_use, np.isfinite(program.resource_upper), np.isfinite(program.resource_lower)
    count = lambda rows, wrong: np.asarray(wrong(use[np.flatnonzero(rows)]).sum(axis=0)).ravel()  # noqa: E731
    harmful = count(upper, lambda part: part > 0.0) + count(lower, lambda part: part < 0.0)
    free = ~np.isfinite(program.capacity) & (harmful == 0)
    makes = sp.csr_array(program.output > 0.0).astype(np.float64)
    needs = sp.csr_array(program.input > 0.0).astype(np.float64)
    made = np.ones(n, bool)
    while free.any():
        stuck = free & (needs.T @ (~made).astype(np.float64) > 0.0)
        now = makes @ (free & ~stuck).astype(np.float64) > 0.0
        if not stuck.any() and (now == made).all():
            break
        free, made = free & ~stuck, now
    rising = (program.terms.kind == TermKind.LOG) | (program.terms.kind == TermKind.HARMONY)
    rising |= (program.terms.kind == TermKind.POWER) & (program.terms.e < 1.0)
    wanted = program.consumed & rising & made
    if not (free.any() and wanted.any()):
        return None
    good = int(np.flatnonzero(wanted)[0])
    return good if _can_make(program, good, free, backend) else None


def has_room(program: PlanningProgram) -> bool:
    """Whether doing nothing keeps every limit with room to spare, so that some plan with a finite utility exists."""
    return bool((program.resource_upper > 0.0).all() and (program.resource_lower <= 0.0).all() and (program.capacity > 0.0).all())


def _can_make(program: PlanningProgram, good: int, free: np.ndarray[Any, Any], backend: Any) -> bool:
    """Whether one unit of the good can be made by the techniques ``free`` alone, proved."""
    n, m, _ = program.shape
    target = np.zeros(n)
    target[good] = 1.0
    mix = build_mix(program, np.zeros(m), np.where(free, 1.0, np.inf), free)
    found = least_output(mix.inputs, target, can_make=mix.makes, backend=backend)
    if found is None:
        return False
    bare = PlanningProgram.build("use", program.output, program.input, target)
    activity = np.maximum(mix.shares @ found[0], 0.0)
    return Evaluator(bare).check_plan(activity, np.nan, target).feasible
