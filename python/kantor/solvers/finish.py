"""Feasibility polishing and iterative refinement of a run of PDHG: the programs they solve, by runs like it.

When they are used, and what is taken from them, is decided here; how they work stands in kantor.solvers.polishing and
kantor.solvers.refinement.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .polishing import Polishing
from .problem import FloatArray, LinearProgram
from .refinement import CORRECTION, as_linear_program, refine
from .scaling import ScaledProgram, scale_program
from .solution import Status
from .start import Start, warm_start_of

if TYPE_CHECKING:
    from .pdhg import Outcome
    from .run import PdhgRun


def polishing_of(run: PdhgRun, scaled: ScaledProgram) -> Polishing | None:
    """The polishing of the loop that runs on ``scaled``, judged on the original; None where it is not wanted."""
    if not (run.options.polish and run.linear):
        return None
    rows, tolerance = run.settled.rows, run.first.tolerance

    def unscale(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        x, y = run.unscale(scaled, x, y)
        return x, y if rows is None else y[rows]

    def feasible(lp: LinearProgram, x: FloatArray, y: FloatArray, most: int) -> tuple[FloatArray, FloatArray, int]:
        options = replace(
            run.options, polish=False, refine=False, detect_rays=False, initial_weight=1.0, weight_proportional=0.0,
            weight_integral=0.0, weight_derivative=0.0, weight_balance=0.0,
        )  # fmt: skip
        start = Start(x, y, None, given=True)
        found = run.inner(lp, 0.5 * tolerance, most, options, run.values).nested(start)
        return found.x, found.y, found.info.iterations

    judge = lambda x, y: run.judge(x, run.settled.full_y(y, run.lp.shape[0]))  # noqa: E731
    return Polishing(run.rest, tolerance, unscale, feasible, judge)


def to_refine(run: PdhgRun, outcome: Outcome) -> bool:
    """Whether what the iterations left is to be corrected: where refinement was asked for, or they stand still."""
    if not run.linear or run.options.refine is False:
        return False
    early = run.first is not run.stopping
    return outcome.stalled or (early and outcome.status is Status.OPTIMAL)


def refined(run: PdhgRun, outcome: Outcome, scaled: ScaledProgram | None) -> tuple[Outcome, ScaledProgram]:
    """The point corrected until it meets the tolerance; what is corrected is the program before presolve."""
    x, y = run.point(scaled, outcome)
    y = y if run.settled.rows is None else y[run.settled.rows]
    run.reduced = None
    whole = scale_program(run.rest, run.options, run.values, between=run.clock.look)
    s, limit, tolerance = whole.scaling, run.stopping.iteration_limit, run.stopping.tolerance
    options = replace(run.options, polish=False, refine=False, detect_rays=False)
    interrupted = False

    def correct(program: LinearProgram) -> tuple[FloatArray, FloatArray] | None:
        most = None if limit is None else max(0, limit - outcome.iterations)
        nonlocal interrupted
        if most == 0 or run.clock.expired():
            return None
        try:
            found = run.inner(program, CORRECTION, most, options).nested(warm_start_of(program, None))
        except KeyboardInterrupt:  # the corrections made so far are the best point
            interrupted = True
            return None
        outcome.iterations += found.info.iterations
        outcome.products += found.info.products
        return np.asarray(found.x), np.asarray(found.y)

    with run.clock.phase("refinement"):
        x, y, rounds, worst = refine(
            as_linear_program(whole), s.x_in(x), s.y_in(y), lambda x, y: run.judge(*run.unscale(whole, x, y)),
            tolerance, correct,
        )  # fmt: skip
    run.notes.append(f"refinement: {rounds} corrections, largest residual {worst[0]:.1e} to {worst[-1]:.1e}")
    outcome.x, outcome.y, outcome.polished = x, y, None
    if worst[-1] <= tolerance:
        outcome.status, outcome.why, outcome.stalled = Status.OPTIMAL, "", False
    elif interrupted:
        outcome.status, outcome.why = Status.INTERRUPTED, "interrupted; the best point so far"
    elif outcome.status is Status.OPTIMAL:
        outcome.status, outcome.why = Status.ITERATION_LIMIT, "refinement gained no more; the best point so far"
        if run.clock.expired():
            outcome.status, outcome.why = Status.TIME_LIMIT, "the time is over; the best point so far"
    return outcome, whole
