"""The linear program of a plan, solved in rounds until the certificate closes.

Round by round the tolerance of the linear program is tightened from a warm start. Where a certificate has a side that
cannot be proved, an *interior* program comes between: every limit a little narrower, every balance a little higher,
every cost a little lower, so that its approximate solution lies strictly inside the true program and its dual. It
serves as the safe plan to blend with.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..backends import Backend
from ..backends.world import now
from ..errors import ProblemError
from .bounds import DualPoint, planning_prices
from .certificate import Certificate, InfeasibilityProof, certify, merge, prove_infeasible
from .evaluate import Evaluator
from .lp import solve_lp
from .options import PdhgOptions, StoppingCriteria
from .problem import FloatArray, LinearProgram
from .program import PlanningProgram, to_linear_program, value_scaling
from .program_solution import ProgramSolution
from .repair import PlanPoint
from .solution import Status
from .value_units import Answer, ValueUnits
from .verify import verify_lp

_MOST_ROUNDS = 8
_TIGHTEST = 1e-13
_INTERIOR_SHARES = (1e-4, 1e-6, 1e-8, 1e-10)  # how far inside the interior programs lie, tried in this order
_EXTRA_ITERATIONS = 20_000  # rounds after the first may take this and ten times what the first one took
# The programs come in units of value; scales of logarithms on top of those slow the method down.
_IN_VALUES = PdhgOptions(log_scaling=False)
_FAILED = (Status.INTERRUPTED, Status.NUMERICAL_ERROR)
# Where the structure allows, a vertex is looked for from (tolerance, at most so many iterations).
_COARSE = ((1e-3, 1_000), (1e-4, 4_000), (1e-5, 16_000))

Polish = Callable[[PlanPoint, DualPoint, Callable[[], bool]], tuple[PlanPoint, DualPoint, bool]]


@dataclass(frozen=True)
class Start:
    """A plan and a dual point to start from."""

    plan: PlanPoint
    dual: DualPoint

    @staticmethod
    def from_vectors(
        program: PlanningProgram, activity: FloatArray, prices: FloatArray, rents: FloatArray, floor_rents: FloatArray
    ) -> Start:
        """Deliver what the activity makes; the scale by worth, for on new data some good may not balance at all."""
        made = program.output @ activity - program.input @ activity
        net, wanted = np.maximum(made, 0.0), program.targets > 0.0
        scale = math.nan
        if program.kind == "scale":
            least = float(np.min(net[wanted] / program.targets[wanted]))
            worth = float(prices @ program.targets)
            scale = max(least, float(prices @ made) / worth) if worth > 0.0 else least
        consumption = np.where(program.consumed, net, 0.0) if program.kind == "utility" else program.targets
        return Start(PlanPoint(activity, scale, consumption), DualPoint(prices, rents, floor_rents))

    @staticmethod
    def given(program: PlanningProgram, given: ProgramSolution | tuple[Any, Any] | None) -> Start | None:
        """A warm start as a user gives it, checked; None where there is none, or an earlier solve had no answer."""
        n, m, r = program.shape
        if given is None:
            return None
        if isinstance(given, ProgramSolution):
            activity, prices, rents, floors = given.activity, given.prices, given.rents, given.floor_rents
            if rents.shape != (r,):
                rents = floors = np.zeros(r)
        else:
            try:
                activity, prices = given
            except (TypeError, ValueError):
                raise ProblemError("warm_start: expected a ProgramSolution or a pair (activity, prices)") from None
            rents = floors = np.zeros(r)
        for name, vector, length in (("activity", activity, m), ("prices", prices, n)):
            if np.shape(vector) != (length,):
                raise ProblemError(f"warm_start: {name} has shape {np.shape(vector)}, expected ({length},)")
        if not all(np.isfinite(v).all() for v in (activity, prices, rents, floors)):
            return None  # an earlier solve without an answer is no start
        return Start.from_vectors(program, np.asarray(activity, float), np.asarray(prices, float), rents, floors)


@dataclass(frozen=True)
class Outcome:
    """How the rounds ended; ``proof`` for infeasible programs; ``objective`` of a plan that is not certified."""

    status: Status
    why: str
    plan: PlanPoint
    proof: InfeasibilityProof | None = None
    certified: bool = True
    objective: float = math.nan


class LpRounds:
    """The rounds of one solve; ``best`` is the best certificate at any time, also after an interruption."""

    def __init__(
        self,
        evaluator: Evaluator,
        stopping: StoppingCriteria,
        method: str,
        backend: Backend,
        start: Start | None,
        began: float,
        on_progress: Callable[[dict[str, float]], object] | None,
        best: Certificate | None,
        polish: Polish | None = None,
    ):
        self.polish = polish
        self.evaluator, self.program, self.stopping = evaluator, evaluator.program, stopping
        self.method, self.backend, self.start, self.began = method, backend, start, began
        self.on_progress, self.best = on_progress, best
        self.lp, self.layout = to_linear_program(self.program)
        self.units = ValueUnits(*value_scaling(self.program, planning_prices(self.evaluator, backend)))
        self.safe: PlanPoint | None = None
        self.safe_dual: DualPoint | None = None
        self.last: Answer | None = None
        self.iterations = self.products = self.first_iterations = 0
        self.seconds: dict[str, Any] = {"lp": 0.0, "certificate": 0.0}
        self.notes: list[str] = []
        self.history: list[dict[str, float]] = []

    # ---- the loop --------------------------------------------------------------------------------------------------
    def solve(self) -> Outcome:
        """Solve, certify, and go on with tighter tolerances, from inside where needed."""
        tolerance, shares = self.stopping.tolerance, iter(_INTERIOR_SHARES)
        coarse = self._solve_coarsely() if self.polish is not None else None
        if self.best is not None and self.best.gap <= tolerance:
            return Outcome(Status.OPTIMAL, "", self.best.plan)
        if coarse is not None and self._out_of_budget():
            self._certify(coarse)
            return self._unfinished(coarse)
        answer = self._solve_lp(self.lp, tolerance, coarse or self._warm(), first=True)
        if answer.status is Status.DUAL_INFEASIBLE:
            return Outcome(answer.status, answer.info.why, self._plan(answer))
        before = math.inf
        for _ in range(_MOST_ROUNDS):
            if answer.status is Status.PRIMAL_INFEASIBLE:
                return self._explain_infeasible(answer)
            best = self._certify(answer)
            # One side is not proved, or a tighter tolerance does not help it.
            if best.gap > self.stopping.tolerance and (math.isinf(best.gap) or best.gap > 0.5 * before):
                best = self._look_inside(answer, next(shares, None))
            if best.gap <= self.stopping.tolerance:
                return Outcome(Status.OPTIMAL, "", best.plan)
            before = best.gap if math.isfinite(best.gap) else before
            tolerance = 0.1 * tolerance
            if tolerance < _TIGHTEST or self._out_of_budget() or answer.status in _FAILED:
                break
            answer = self._solve_lp(self.lp, tolerance, answer)
        return self._unfinished(answer)

    def _solve_coarsely(self) -> Answer | None:
        """Approximate points of rising precision, each polished to a vertex and certified, until that settles it."""
        assert self.polish is not None
        answer: Answer | None = None
        for tolerance, most in _COARSE:
            if tolerance < self.stopping.tolerance:
                break
            answer = self._solve_lp(self.lp, tolerance, answer or self._warm(), most=most)
            if answer.status in (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE):
                return None
            if answer.status in _FAILED:
                return answer
            began = time.perf_counter()
            try:
                plan, dual, settled = self.polish(self._plan(answer), self._dual(answer), self._out_of_budget)
            except KeyboardInterrupt:
                self._certify(answer)
                raise
            self.seconds["exchange"] = self.seconds.get("exchange", 0.0) + time.perf_counter() - began
            if settled or self._out_of_budget():
                best = self._add_certificate(plan, dual)
                if best.gap <= self.stopping.tolerance or self._out_of_budget():
                    break
        return answer

    def _certify(self, answer: Answer) -> Certificate:
        return self._add_certificate(self._plan(answer), self._dual(answer))

    def _add_certificate(self, plan: PlanPoint, dual: DualPoint) -> Certificate:
        began = time.perf_counter()
        new = certify(
            self.evaluator, plan, dual, tolerance=self.stopping.tolerance, safe=self.safe, safe_dual=self.safe_dual,
            backend=self.backend,
        )  # fmt: skip
        self.best = merge(self.best, new)
        self.seconds["certificate"] += time.perf_counter() - began
        if self.on_progress is not None:
            entry = {"iteration": float(self.iterations), "seconds": self._elapsed(), "gap": self.best.gap}
            self.on_progress(entry | {"lower_bound": self.best.lower, "upper_bound": self.best.upper})
        return self.best

    def _look_inside(self, answer: Answer, share: float | None) -> Certificate:
        """Solve the interior program; its solution is certified, and kept to blend with."""
        assert self.best is not None
        if share is None or self._out_of_budget():
            return self.best
        inner = self._interior(self._plan(answer), self._dual(answer), share)
        found = self._solve_lp(inner, 0.01 * share, answer)
        if found.status is not Status.OPTIMAL:
            self.notes.append(f"no plan was found inside every limit by a share of {share:.0e} ({found.status.value})")
            return self.best
        self.safe, self.safe_dual = self._plan(found), self._dual(found)
        self._add_certificate(self.safe, self.safe_dual)
        return self._certify(answer)

    def _interior(self, plan: PlanPoint, dual: DualPoint, share: float) -> LinearProgram:
        """The linear program with every restriction, primal and dual, tightened by ``share`` of the terms in it."""
        program, evaluator = self.program, self.evaluator
        n, m, _ = program.shape
        lp, _ = to_linear_program(program, share)
        _, throughput = evaluator.net_output(np.clip(plan.activity, 0.0, program.capacity))
        row_lower = lp.row_lower.copy()
        row_lower[:n] += share * (throughput + np.abs(row_lower[:n]))
        cost = lp.c.copy()
        _, guard, _ = evaluator.column_excess(dual.prices, dual.rents, dual.floor_rents, program.cost)
        # Conversions both ways are circles that any gain would run for ever.
        cost[:m] -= np.where(evaluator.conversions, 0.0, share * guard / evaluator.column_guard)
        return replace(lp, row_lower=row_lower, c=cost)

    # ---- pieces -------------------------------------------------------------------------------------------------
    def _plan(self, answer: Answer) -> PlanPoint:
        return PlanPoint(*self.layout.split_primal(answer.x, self.program.targets))

    def _dual(self, answer: Answer) -> DualPoint:
        return DualPoint(*self.layout.split_dual(answer.y))

    def _warm(self) -> tuple[FloatArray, FloatArray] | None:
        if self.start is None:
            return None
        plan, dual = self.start.plan, self.start.dual
        x = self.layout.join_primal(plan.activity, plan.scale, plan.consumption)
        return self.units.start(x, self.layout.join_dual(dual.prices, dual.rents, dual.floor_rents))

    def _solve_lp(
        self, lp: LinearProgram, tolerance: float, start: Any, first: bool = False, most: int | None = None
    ) -> Answer:
        """One call of solve_lp in value units within what is left of the limits, from an Answer or a point or None."""
        began, limit, seconds = time.perf_counter(), self._iterations_left(), self.stopping.time_limit_s
        if not first:
            bounded = _EXTRA_ITERATIONS + 10 * self.first_iterations if most is None else most
            limit = bounded if limit is None else min(limit, bounded)
        try:
            solution = solve_lp(
                self.units.program(lp),
                tolerance=max(tolerance, _TIGHTEST),
                method="pdhg" if self.method == "auto" else self.method,
                backend=self.backend,
                time_limit_s=None if seconds is None else max(1e-3, seconds - self._elapsed()),
                iteration_limit=limit,
                warm_start=start.solution if isinstance(start, Answer) else start,
                on_progress=self._progress,
                presolve=None if self.method == "highs" else False,
                options=None if self.method == "highs" else _IN_VALUES,
            )
        finally:
            self.seconds["lp"] += time.perf_counter() - began
        self.iterations += solution.info.iterations
        self.products += solution.info.products
        self.history += solution.info.history
        if first:
            self.first_iterations = solution.info.iterations
        self.last = self.units.answer(lp, solution)
        if solution.status is Status.INTERRUPTED:
            self._certify(self.last)  # of the interior program too: any plan and any prices will do
            raise KeyboardInterrupt
        return self.last

    def _progress(self, entry: dict[str, float]) -> None:
        if self.on_progress is not None:
            self.on_progress(entry | {"iteration": entry.get("iteration", 0.0) + self.iterations})

    def _elapsed(self) -> float:
        return now() - self.began

    def _iterations_left(self) -> int | None:
        limit = self.stopping.iteration_limit
        return None if limit is None else max(0, limit - self.iterations)

    def _out_of_budget(self) -> bool:
        time_limit = self.stopping.time_limit_s
        return self._iterations_left() == 0 or (time_limit is not None and self._elapsed() >= time_limit)

    def _explain_infeasible(self, answer: Answer) -> Outcome:
        """Turn the ray into a proof; without one the claim is not repeated."""
        began = time.perf_counter()
        plan = self._plan(answer)
        proof = prove_infeasible(self.evaluator, self._dual(answer), np.nan_to_num(plan.activity), backend=self.backend)
        self.seconds["certificate"] += time.perf_counter() - began
        if proof is None:
            proof = self._infeasible_by_scale()
        if proof is not None:
            return Outcome(Status.PRIMAL_INFEASIBLE, answer.info.why, plan, proof)
        why = f"{answer.info.why}; but the ray could not be turned into a proof"
        return Outcome(Status.NUMERICAL_ERROR, why, plan)

    def _infeasible_by_scale(self) -> InfeasibilityProof | None:
        """Prices and rents at which less than the whole demand can be made: a proof where the ray gave none."""
        program = self.program
        if program.kind != "use" or not (program.targets > 0.0).any() or self._out_of_budget():
            return None
        scaled = Evaluator(replace(program, kind="scale", cost=np.zeros(program.shape[1])))
        left = replace(self.stopping, iteration_limit=self._iterations_left())
        rounds = LpRounds(scaled, left, self.method, self.backend, None, self.began, self.on_progress, None)
        rounds.solve()
        self.iterations += rounds.iterations
        self.products += rounds.products
        if rounds.best is None:
            return None
        return prove_infeasible(self.evaluator, rounds.best.dual, rounds.best.plan.activity, backend=self.backend)

    def _unfinished(self, answer: Answer) -> Outcome:
        """No certificate within the tolerance: a limit was reached, or a side cannot be proved."""
        best = self.best
        assert best is not None
        if answer.status in (Status.TIME_LIMIT, *_FAILED) or self._out_of_budget():
            status = answer.status if answer.status is not Status.OPTIMAL else Status.ITERATION_LIMIT
            return Outcome(status, f"stopped with a proved gap of {best.gap:.1e}", best.plan)
        if best.feasible and best.bound_valid:
            return Outcome(Status.ITERATION_LIMIT, f"the proved gap stays at {best.gap:.1e}", best.plan)
        why = f"not certified: {'; '.join(best.notes)}"
        solution = answer.in_physical_units(self.lp, self.stopping.tolerance)
        if answer.status is Status.OPTIMAL and verify_lp(self.lp, solution).ok:
            why = f"{why}; verify_lp confirms the tolerance"
            objective = solution.objective if self.program.kind == "use" else -solution.objective
            return Outcome(Status.OPTIMAL, why, best.plan, certified=False, objective=objective)
        return Outcome(Status.ITERATION_LIMIT, why, best.plan)
