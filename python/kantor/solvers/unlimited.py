"""Goods that can be made without end: a utility that rises for ever in one of them has no optimum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from .evaluate import Evaluator
from .problem import FloatArray, TermKind
from .program import PlanningProgram
from .rigour import flush


def unlimited_good(
    program: PlanningProgram, solve: Callable[[PlanningProgram], tuple[float, FloatArray]]
) -> tuple[int, FloatArray] | None:
    """A good whose utility rises for ever and the activity (m,), outside every limit, that makes some of it; or None.

    Only techniques count that use no limited resource and have no capacity, and whose inputs come from such techniques
    too. ``solve`` plans a small program of kind "scale" and returns (a proved lower bound of the scale, activity). The
    activity found is checked exactly: it can be added to any plan, so an answer proves that no plan is the best.
    """
    if program.terms is None:
        return None
    kind = program.terms.kind
    rising = (kind == TermKind.LOG) | (kind == TermKind.HARMONY) | ((kind == TermKind.POWER) & (program.terms.e < 1.0))
    free, made = _self_sufficient(program)
    wanted = np.flatnonzero(program.consumed & rising & made)
    if not (free.size and wanted.size):
        return None
    lower, activity = solve(_any_of(program, free, wanted))
    if not lower > 0.0:
        return None
    direction = np.zeros(program.shape[1])
    direction[free] = activity[: free.size]
    direction = flush(direction / max(float(direction.max()), 1e-300))
    good = int(wanted[np.argmax(activity[free.size :])])
    bare = PlanningProgram.build("use", program.output, program.input, np.zeros(program.shape[0]))
    judge = Evaluator(bare)
    net, throughput = judge.net_output(direction)
    target = np.zeros(net.size)
    target[good] = max(0.0, net[good] - 1e-9 * throughput[good])
    return (good, direction) if target[good] > 0.0 and judge.check_plan(direction, np.nan, target).feasible else None


def _self_sufficient(program: PlanningProgram) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The largest set of techniques that no limit touches and that make all their inputs, and what they make."""
    use, upper, lower = program.resource_use, np.isfinite(program.resource_upper), np.isfinite(program.resource_lower)
    count = lambda rows, wrong: np.asarray(wrong(use[np.flatnonzero(rows)]).sum(axis=0)).ravel()  # noqa: E731
    harmful = count(upper, lambda part: part > 0.0) + count(lower, lambda part: part < 0.0)
    free = ~np.isfinite(program.capacity) & (harmful == 0)
    if not free.any():
        return np.zeros(0, np.intp), np.zeros(program.shape[0], bool)
    makes = sp.csr_array(program.output > 0.0).astype(np.float64)
    needs = sp.csr_array(program.input > 0.0).astype(np.float64)
    while True:
        made = makes @ free.astype(np.float64) > 0.0
        stuck = free & (needs.T @ (~made).astype(np.float64) > 0.0)
        if not stuck.any():
            return np.flatnonzero(free), made
        free &= ~stuck


def _any_of(program: PlanningProgram, free: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> PlanningProgram:
    """Largest amount of any wanted good from the free techniques, their activities limited to a sum of one.

    One more good stands for all wanted ones; each may be turned into it.
    """
    n, k = program.shape[0], wanted.size
    turned = sp.csr_array((np.ones(k), (wanted, np.arange(k))), shape=(n, k))
    zero = lambda rows, columns: sp.csr_array((rows, columns))  # noqa: E731
    made = [[program.output[:, free], zero(n, k)], [zero(1, free.size), sp.csr_array(np.ones((1, k)))]]
    used = [[program.input[:, free], turned], [zero(1, free.size), zero(1, k)]]
    one = np.concatenate([np.ones(free.size), np.zeros(k)])[None, :]
    output, inputs = sp.block_array(made), sp.block_array(used)
    return PlanningProgram.build(
        "scale", output, inputs, np.append(np.zeros(n), 1.0), resource_use=one, resource_upper=[1.0]
    )
