"""One call of solve_lp by PDHG: presolve, scale, move to the backend, iterate, undo it all, judge on the original."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import Backend
from .answer import answer
from .checkpoint import Checkpoint
from .clock import Clock, OutOfTime
from .domain import refuse_unattained
from .finish import polishing_of, refined, to_refine
from .kkt import Kkt
from .options import PdhgOptions, StoppingCriteria
from .pdhg import Outcome, Pdhg
from .presolve import MOST_NONZEROS, Presolved, presolve, unsuitable
from .problem import FloatArray, LinearProgram
from .scaling import ScaledProgram, check_values, scale_program
from .settle import Settled
from .solution import RAYS, Solution, SolveInfo, Status, uninterrupted
from .start import Start, warm_start_of
from .termination import Residuals, multiplier_range, residuals
from .terms import active_columns
from .userset import UserSet

# Effort spent on telling unbounded from infeasible once a recession direction is known.
_FEASIBILITY_ITERATIONS = 20_000
# Postsolve may make a point better or worse: points this far above the tolerance are tried already.
_PRESOLVED_REACH = 10.0
# A point of the reduced program that is so much better than asked for, and still no answer once postsolved, never will
# be: postsolve decides by small differences which multipliers are zero. The original is iterated on from there.
_PRESOLVED_PATIENCE = 0.25
# What has not converged after so many iterations goes on under the other scaling, and after twice as many back again.
_SWITCH_SCALING = 40_000
# Where refinement is asked for, the iterations themselves stop here.
_REFINE_FROM = 1e-6


@dataclass(frozen=True)
class Extras:
    """The arguments of solve_lp that only PDHG takes."""

    on_progress: Callable[[dict[str, float]], Any] | None = None
    value_scaling: Any = None
    projection: Callable[[Any], Any] | None = None
    support: Callable[[FloatArray], float] | None = None
    presolve: bool | None = None
    checkpoint: str | Path | None = None


class PdhgRun:
    """The program ``settled.lp`` of ``lp`` on one backend, within the limits of ``stopping`` and ``clock``."""

    def __init__(
        self, lp: LinearProgram, settled: Settled, stopping: StoppingCriteria, options: PdhgOptions, clock: Clock,
        backend: Backend, extras: Extras | None = None,
    ) -> None:  # fmt: skip
        assert settled.lp is not None
        self.lp, self.settled, self.rest = lp, settled, settled.lp
        self.stopping, self.options, self.clock, self.backend = stopping, options, clock, backend
        self.extras = extras or Extras()
        self.values = check_values(self.extras.value_scaling, lp.shape)
        if self.values is not None and settled.rows is not None:
            self.values = self.values[0][settled.rows], self.values[1]
        self.linear = self.extras.projection is None and not active_columns(self.rest.terms).size
        refined = options.refine and self.linear
        self.first = replace(stopping, tolerance=max(stopping.tolerance, _REFINE_FROM)) if refined else stopping
        self.user_set: UserSet | None = None
        self.reduced: Presolved | None = None
        self.notes: list[str] = []
        self.attempts = 0
        # Where the last run of the loop ended, and the reduced program it ran on.
        self.reached: tuple[Outcome, ScaledProgram | None, Presolved | None] | None = None

    def solve(self, start: Start) -> Solution:
        """Run from ``start``; with presolve first where that is wanted, and without it where that proves nothing."""
        try:
            outcome, scaled = self._outcome(start)
        except OutOfTime:
            return self._cut_short(start, Status.TIME_LIMIT, f"{self.stopping.time_limit_s} s were over")
        except KeyboardInterrupt:
            return self._cut_short(start, Status.INTERRUPTED, "interrupted")
        solution = self._package(scaled, outcome)
        if solution.status is not Status.DUAL_INFEASIBLE:
            return solution
        try:
            return self._unbounded_or_infeasible(solution)
        except KeyboardInterrupt:
            why = f"interrupted while looking for a feasible point; {outcome.why}"
            return self._package(scaled, replace(outcome, status=Status.INTERRUPTED, why=why))

    def nested(self, start: Start) -> Solution:
        """Solve as a part of another run: Ctrl-C here ends that one too."""
        return uninterrupted(self.solve(start))

    def _outcome(self, start: Start) -> tuple[Outcome, ScaledProgram | None]:
        refuse_unattained(self.rest, self._direction)
        if self._is_optimal(start):
            self.notes.append("presolve left out: the start is optimal")
        else:
            self._presolve()
        outcome, scaled = self._attempts(start, self.stopping.iteration_limit)
        if self.reduced is not None and (outcome.stalled or outcome.status in (*RAYS, Status.NUMERICAL_ERROR)):
            outcome, scaled = self._without_presolve(outcome, scaled, start)
        return refined(self, outcome, scaled) if to_refine(self, outcome) else (outcome, scaled)

    def _direction(self, lp: LinearProgram) -> FloatArray | None:
        """A point of a small-effort solve of a program without terms, or None."""
        left = self.clock.left()
        stopping = StoppingCriteria(
            tolerance=1e-8, iteration_limit=_FEASIBILITY_ITERATIONS, time_limit_s=None if left is None else left or 1e-3
        )
        run = PdhgRun(lp, Settled(lp, None, np.zeros(lp.shape[1])), stopping, self.options, Clock(left), self.backend)
        solution = run.nested(warm_start_of(lp, None))
        return solution.x if solution.status is Status.OPTIMAL else None

    def _is_optimal(self, start: Start) -> bool:
        """Whether presolve, which may lose a part of the start, would only do harm."""
        if not start.given or self.extras.presolve is False or self.extras.projection is not None:
            return False
        x = np.clip(start.x, self.lp.lower, self.lp.upper)
        y = np.clip(start.y, *multiplier_range(self.lp.row_lower, self.lp.row_upper))
        return self.judge(x, y).within(self.stopping.tolerance)

    # ---- presolve ------------------------------------------------------------------------------------------------
    def _presolve(self) -> None:
        wanted, projection = self.extras.presolve, self.extras.projection
        if wanted is False or projection is not None:
            return
        if wanted is None and (self.rest.K.nnz > MOST_NONZEROS or unsuitable(self.rest)):
            return
        with self.clock.phase("presolve"):
            self.reduced, why = presolve(self.rest, self.clock, self.stopping.tolerance, self.values)
        if why:
            self.notes.append(why)
        elif self.reduced is not None:
            (M, N), (m, n) = self.rest.shape, self.reduced.lp.shape
            self.notes.append(f"presolve: {M} rows, {N} columns to {m} rows, {n} columns")

    def _without_presolve(
        self, outcome: Outcome, scaled: ScaledProgram | None, start: Start
    ) -> tuple[Outcome, ScaledProgram | None]:
        """A ray of the reduced program, or its end, says nothing about the original: go on there."""
        if outcome.status not in RAYS:
            x, y = self.unscale(scaled, outcome.x, outcome.y)
            if np.isfinite(x).all() and np.isfinite(y).all():
                start = Start(x, y, None, given=True)
        self.reduced = None
        self.notes.append(f"presolve undone after {outcome.iterations} iterations: {outcome.why}")
        limit = self.stopping.iteration_limit
        second, scaled = self._attempts(start, None if limit is None else max(0, limit - outcome.iterations))
        return _after(outcome, second), scaled

    # ---- runs of the loop ----------------------------------------------------------------------------------------
    def _attempts(self, start: Start, limit: int | None) -> tuple[Outcome, ScaledProgram | None]:
        """One attempt; where its scaling was kantor's choice, others from where it stopped, under the other scaling."""
        options = self.options
        # With presolve off the program stays as its maker scaled it, as the planning engine does, by values.
        fixed = self.values is not None or self.extras.presolve is False
        if fixed or not self.linear or options.log_scaling is not None:
            return self._attempt(start, limit, options)
        most, inner, before = _SWITCH_SCALING, None, None
        while True:
            done = 0 if before is None else before.iterations
            left = None if limit is None else max(0, limit - done)
            outcome, scaled = self._attempt(start, most if left is None else min(left, most), options, inner)
            outcome = outcome if before is None else _after(before, outcome)
            if scaled is None or outcome.status is not Status.ITERATION_LIMIT or outcome.stalled:
                return outcome, scaled
            if limit is not None and outcome.iterations >= limit:
                return outcome, scaled
            log = not scaled.log_scaled
            self.notes.append(f"{'logarithmic' if log else 'plain'} scaling after {outcome.iterations} iterations")
            options, most, before = replace(options, log_scaling=log), 2 * most, outcome
            inner = scaled.scaling.x_out(outcome.x), scaled.scaling.y_out(outcome.y)

    def _attempt(
        self, start: Start, iteration_limit: int | None, options: PdhgOptions,
        inner: tuple[FloatArray, FloatArray] | None = None,
    ) -> tuple[Outcome, ScaledProgram | None]:  # fmt: skip
        """One run of the loop from ``start``, or from the point ``inner`` of what presolve left."""
        self.attempts += 1
        target, clock, extras = self.rest if self.reduced is None else self.reduced.lp, self.clock, self.extras
        if self.reduced is not None and self.reduced.solved:
            empty = Outcome(Status.OPTIMAL, "presolve leaves nothing to decide", np.zeros(0), np.zeros(0))
            if self.judge(*self.unscale(None, empty.x, empty.y)).within(self.first.tolerance):
                return empty, None
            return replace(empty, status=Status.NUMERICAL_ERROR, why="what presolve found misses the tolerance"), None
        values = self.values if self.reduced is None else None
        with clock.phase("scaling"):
            scaled = scale_program(target, options, values, scale_columns=extras.projection is None, between=clock.look)
        with clock.phase("transfer"):
            if extras.projection is not None:
                self.user_set = UserSet(self.backend, extras.projection, extras.support, scaled.scaling.primal, target)
            kkt = Kkt(self.backend, target, scaled, self.user_set)
            checkpoint = None
            if extras.checkpoint is not None:
                # Every attempt is another program, or the same one scaled otherwise: each has its own state.
                place = Path(extras.checkpoint) / (f"attempt-{self.attempts}" if self.attempts > 1 else "")
                checkpoint = Checkpoint(place, self.lp, scaled, options)
            scaled = replace(scaled, K=None)  # the backend has its own copy; a large matrix need not be held twice
        clock.look()
        sign, offset = (-1.0 if self.lp.maximise else 1.0), self.lp.offset + target.offset
        loop = Pdhg(
            kkt, replace(self.first, iteration_limit=iteration_limit), options, clock,
            weight=start.weight or self.options.initial_weight,
            confirm=lambda x, y: self.judge(*self.unscale(scaled, x, y)), on_progress=extras.on_progress,
            projection=None if self.user_set is None else self.user_set.project_scaled,
            in_user_sense=lambda value: sign * (value + offset), checkpoint=checkpoint,
            reach=1.0 if self.reduced is None else _PRESOLVED_REACH,
            patience=0.0 if self.reduced is None else _PRESOLVED_PATIENCE, polishing=polishing_of(self, scaled),
        )  # fmt: skip
        if inner is None:
            x, y = self._scaled_start(scaled, start)
        else:
            x, y = scaled.scaling.x_in(inner[0]), scaled.scaling.y_in(inner[1])
            x = np.clip(x, scaled.lower, scaled.upper)
        outcome = loop.solve(x, y)
        self.reached = outcome, scaled, self.reduced
        return outcome, scaled

    def inner(
        self, lp: LinearProgram, tolerance: float, most: int | None, options: PdhgOptions, values: Any = None
    ) -> PdhgRun:
        """A run without presolve on another program, on this backend and within this run's time."""
        left = self.clock.left()
        left = None if left is None else max(left, 1e-3)
        stopping = StoppingCriteria(tolerance=min(tolerance, 0.5), iteration_limit=most, time_limit_s=left)
        whole, extras = Settled(lp, None, np.zeros(lp.shape[1])), Extras(presolve=False, value_scaling=values)
        return PdhgRun(lp, whole, stopping, options, Clock(left), self.backend, extras)

    def _scaled_start(self, scaled: ScaledProgram, start: Start) -> tuple[FloatArray, FloatArray]:
        """The start in scaled units, inside the bounds (or the user's set) and the signs of the rows."""
        s = scaled.scaling
        x = np.clip(start.x, self.rest.lower, self.rest.upper)
        if self.user_set is not None:
            x = self.user_set.project(x)
        y = start.y if self.settled.rows is None else start.y[self.settled.rows]
        target = self.rest
        if self.reduced is not None:
            target = self.reduced.lp
            x, y = self.reduced.start(x, y)
        y = np.clip(y, *multiplier_range(target.row_lower, target.row_upper))
        return np.clip(s.x_in(x), scaled.lower, scaled.upper), s.y_in(y)

    def unscale(self, scaled: ScaledProgram | None, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The point of the original program; ``scaled`` None: x, y are in the units of what presolve left."""
        target = self.rest if self.reduced is None else self.reduced.lp
        if scaled is not None:
            x, y = scaled.scaling.x_out(x), scaled.scaling.y_out(y)
        x = np.clip(x, target.lower, target.upper)
        y = np.clip(y, *multiplier_range(target.row_lower, target.row_upper))
        if self.reduced is not None:
            x, y = self.reduced.finish(x, y)
        return x, self.settled.full_y(y, self.lp.shape[0])

    def point(self, scaled: ScaledProgram | None, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
        """Where a run of the loop ended, in the original program."""
        if outcome.polished is None:
            return self.unscale(scaled, outcome.x, outcome.y)
        return outcome.polished[0], self.settled.full_y(outcome.polished[1], self.lp.shape[0])

    def judge(self, x: FloatArray, y: FloatArray) -> Residuals:
        """Residuals of a point of the original program."""
        return residuals(self.lp, x, y) if self.user_set is None else self.user_set.residuals(x, y)

    # ---- answers -------------------------------------------------------------------------------------------------
    def _package(self, scaled: ScaledProgram | None, outcome: Outcome) -> Solution:
        x, y = self.point(scaled, outcome)
        if outcome.polished is not None:
            self.notes.append("feasibility polishing")
        info = SolveInfo(
            method="pdhg",
            why=outcome.why or "first-order method for sparse linear and separable concave programs (r2HPDHG)",
            iterations=outcome.iterations,
            products=outcome.products,
            history=outcome.history,
        )
        if outcome.status is Status.PRIMAL_INFEASIBLE and outcome.ray is not None:
            y = self.settled.full_y(outcome.ray, self.lp.shape[0])
        elif outcome.status is Status.DUAL_INFEASIBLE and outcome.ray is not None:
            x = outcome.ray
        return self._answer(outcome.status, x, y, info)

    def _cut_short(self, start: Start, status: Status, why: str) -> Solution:
        """Stopped outside of the loop: the point of its last run, or nothing but the start."""
        if self.reached is not None:
            outcome, scaled, self.reduced = self.reached
            return self._package(scaled, replace(outcome, status=status, why=f"{why}; the best point so far"))
        why = f"{why} before the first iteration"
        x = np.clip(start.x, self.rest.lower, self.rest.upper)
        y = np.clip(start.y, *multiplier_range(self.lp.row_lower, self.lp.row_upper))
        return self._answer(status, x, y, SolveInfo(method="pdhg", why=why))

    def _answer(self, status: Status, x: FloatArray, y: FloatArray, info: SolveInfo) -> Solution:
        info.backend, info.device = self.backend.name, self.backend.device()
        info.notes += self.notes
        if self.user_set is not None and not self.user_set.certified:
            info.notes.append("no support function given: dual_objective is an estimate, not a bound")
        return answer(self.lp, status, x, y, self.judge(x, y), info, self.stopping, self.clock)

    def _unbounded_or_infeasible(self, solution: Solution) -> Solution:
        """A recession direction shows that no dual feasible point exists; see whether a feasible point exists at all.

        The same rows and bounds without the objective: a Farkas ray there outranks the direction, a feasible point
        makes the program unbounded, and without either within a bounded effort the answer stays "dual infeasible".
        """
        info, spent, limit = solution.info, solution.info.iterations, self.stopping.iteration_limit
        budget, left = max(_FEASIBILITY_ITERATIONS, 2 * spent), self.clock.left()
        if (limit is not None and limit <= spent) or left == 0.0:
            info.why += "; the limits left no room to look for a feasible point"
            return solution
        search = StoppingCriteria(
            tolerance=self.stopping.tolerance,
            iteration_limit=budget if limit is None else min(budget, limit - spent),
            time_limit_s=left,
        )
        rest = self.rest
        plain = LinearProgram(np.zeros(rest.shape[1]), rest.K, rest.row_lower, rest.row_upper, rest.lower, rest.upper)
        inner = PdhgRun(
            plain, Settled(plain, None, np.zeros(rest.shape[1])), search, self.options, Clock(left), self.backend,
            Extras(presolve=False),
        )  # fmt: skip
        found = inner.nested(warm_start_of(plain, None))
        info.iterations, info.products = spent + found.info.iterations, info.products + found.info.products
        info.seconds = {**info.seconds, "feasibility": found.info.seconds, "total": self.clock.elapsed()}
        if found.status is Status.PRIMAL_INFEASIBLE:
            info.why = f"{found.info.why} (and {info.why})"
            y = self.settled.full_y(found.y, self.lp.shape[0])
            return Solution(found.x, y, -(self.lp.K.T @ y), np.nan, np.nan, Status.PRIMAL_INFEASIBLE, info)
        if found.status is Status.OPTIMAL:
            info.why += "; a feasible point exists: the program is unbounded"
        else:
            info.why += "; no feasible point was found: unbounded or infeasible"
        return solution


def _after(first: Outcome, second: Outcome) -> Outcome:
    """``second``, with the effort of ``first`` before it."""
    second.history = first.history + [
        {**entry, "iteration": entry["iteration"] + first.iterations} for entry in second.history
    ]  # fmt: skip
    second.iterations += first.iterations
    second.products += first.products
    return second
