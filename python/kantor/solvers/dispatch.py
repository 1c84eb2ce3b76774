"""solve_program: choose a method by the structure of a planning program, and end with a certificate.

Square economies with a few upper limits are eliminated (:mod:`kantor.solvers.reduced`); where every technique makes one
good, policy iteration and block exchange find the vertex (:mod:`kantor.solvers.choice`); everything else goes to the
first-order method on the linear program (:mod:`kantor.solvers.lp`). Both are followed by a certificate, and rounds with
tighter tolerances follow until its gap closes (:mod:`kantor.solvers.rounds`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..backends import Backend, get_backend
from ..backends.world import now
from ..errors import OptionError, ProblemError, suggest
from .bounds import DualPoint
from .certificate import prove_infeasible
from .choice import Choice, ChoiceAnswer, coupling
from .endless import prove_endless
from .evaluate import Evaluator
from .exchange_point import Exchanged
from .interior import interior_point, worth_trying
from .options import StoppingCriteria
from .plain_units import PlainUnits
from .problem import FloatArray
from .program import PlanningProgram
from .program_solution import ProgramSolution
from .proved import Proved
from .reduced import reducible, solve_reduced
from .repair import PlanPoint
from .rounds import LpRounds, Start
from .solution import Status, uninterrupted
from .technology import not_leontief
from .terms import user_columns
from .unlimited import unlimited_good

_SIDE_ITERATIONS = 20_000
METHODS = ("auto", "reduced", "policy", "level", "exchange", "interior", "pdhg", "highs")
# From the vertex of other data: techniques that cost at most this much more may be chosen now.
_NEARLY_CHOSEN = 0.01
# A plan that reaches less than half of what is possible is no start: where shipments go both ways the techniques that
# are cheapest at quoted rents may form a circle, whose activities in the thousands are never forgotten from there.
_WORTH_STARTING_FROM = 0.5
_COUPLINGS = {"policy": "nothing", "level": "limits"}


def solve_program(
    program: PlanningProgram,
    tolerance: float = 1e-6,
    method: str = "auto",
    backend: str | Backend = "auto",
    time_limit_s: float | None = None,
    iteration_limit: int | None = None,
    warm_start: ProgramSolution | tuple[Any, Any] | None = None,
    on_progress: Callable[[dict[str, float]], object] | None = None,
) -> ProgramSolution:
    """Solve a planning program and prove how good the answer is.

    Parameters
    ----------
    program: what to plan.
    tolerance: OPTIMAL means a proved gap of at most this, in (0, 1).
    method: "auto"; "reduced": the Leontief elimination of square economies; "policy": policy iteration, where
        nothing couples the goods; "level": quoted rents, where only limits do; "exchange": the first-order method to a
        few digits, then block exchange to the vertex, for techniques with one product each; "interior": the interior
        point method of HiGHS, for kinds "scale" and "use"; "pdhg": the first-order method on the linear program;
        "highs": the simplex method of HiGHS on it, for small programs of kind "scale" and "use".
    backend: kernels, see kantor.backends.get_backend.
    time_limit_s, iteration_limit: for everything together; the best plan and the best bound so far are returned.
    warm_start: an earlier ProgramSolution, or (activity, prices), of a program with the same goods and techniques.
    on_progress: called with a dict of numbers at every check of the first-order method and, with ``lower_bound``,
        ``upper_bound`` and ``gap``, after every certificate.

    Raises ProblemError and OptionError for impossible input. Not converging is a status.

    >>> import numpy as np
    >>> A = np.array([[0.25, 0.4], [0.14, 0.12]])
    >>> hours = dict(resource_use=[[0.8, 3.6]], resource_upper=[520.0])
    >>> solution = solve_program(PlanningProgram.build("scale", np.eye(2), A, [55.0, 30.0], **hours))
    >>> round(solution.scale, 9), solution.prices.round(9).tolist(), solution.gap < 1e-10
    (2.0, [0.007692308, 0.019230769], True)
    """
    if not isinstance(program, PlanningProgram):
        raise ProblemError(f"program: got {type(program).__name__}, expected a PlanningProgram")
    if method not in METHODS:
        raise OptionError(f"method: {method!r} is unknown{suggest(method, METHODS)}")
    stopping = StoppingCriteria(tolerance=tolerance, iteration_limit=iteration_limit, time_limit_s=time_limit_s)
    start = Start.given(program, warm_start)
    kernels = get_backend(backend)
    units = PlainUnits.of(program)
    inner = None if units is None else units.enter(program)
    if units is None or inner is None:
        return _Run(program, stopping, method, kernels, start, on_progress).solve()
    tell = None if on_progress is None else units.leave_progress(on_progress)
    start = None if start is None else units.enter_start(start)
    return units.leave(_Run(inner, stopping, method, kernels, start, tell).solve())


class _Run(Proved):
    """One call: which methods are tried, in which order, and what each of them hands on."""

    choice: Choice | None = None

    def solve(self) -> ProgramSolution:
        """Reduced if the structure allows, then the linear program if that did not settle it."""
        try:
            self.evaluator = Evaluator(self.program)
            why_not = (
                reducible(self.program)
                if self.method in ("auto", "reduced")
                else f"method {self.method!r} was asked for"
            )
            if self.method == "reduced" and why_not:
                raise OptionError(f"method: 'reduced' does not apply: {why_not}; use 'auto' or 'pdhg'")
            endless = unlimited_good(self.program, self._small_scale)
            if endless is not None:
                why = f"good {endless[0]} can be made without any limited resource, so no plan is the best"
                return self.unbounded(why, endless[1])
            if not why_not:
                done = self._reduced()
                if done is not None:
                    return done
                why_not = self.info.notes[-1]
            done = self._choose_techniques() or self._interior()
            return self._linear_program(why_not) if done is None else done
        except KeyboardInterrupt:
            return self.finish(Status.INTERRUPTED, "interrupted")

    def _small_scale(self, program: PlanningProgram) -> tuple[float, FloatArray]:
        """The largest scale proved, and the activity, of a side question."""
        answer = self._aside(program)
        return answer.lower_bound, answer.activity

    def _has_a_plan(self) -> bool:
        """Whether some plan is proved feasible: one that is known, or any one that asks for nothing best."""
        if self.best is not None and self.best.feasible:
            return True
        program, (n, m, _) = self.program, self.program.shape
        targets = program.targets if program.kind == "use" else np.zeros(n)
        any_plan = replace(program, kind="use", targets=targets, cost=np.zeros(m))
        return math.isfinite(self._aside(any_plan).upper_bound)

    def _aside(self, program: PlanningProgram) -> ProgramSolution:
        """A side question, answered roughly; Ctrl-C in it ends the whole solve."""
        return uninterrupted(solve_program(program, 1e-2, backend=self.backend, iteration_limit=_SIDE_ITERATIONS))

    # ---- the two methods -------------------------------------------------------------------------------------------
    def _reduced(self) -> ProgramSolution | None:
        """The eliminated problem; None if it does not settle the program and the linear program should."""
        self.used.append("reduced")
        began = time.perf_counter()
        answer = solve_reduced(self.program, self.backend)
        self.info.seconds["reduced"] = time.perf_counter() - began
        if answer is None:
            note = "the reduced form has no solution"
        elif answer.status is Status.PRIMAL_INFEASIBLE:
            proof = self.timed(
                "certificate", prove_infeasible, self.evaluator, answer.dual, answer.plan.activity, backend=self.backend
            )
            if proof is not None:
                return self.infeasible(proof, answer.plan, answer.why)
            note = f"{answer.why}, but that proves nothing: a table with negative entries can do better"
        elif answer.status is Status.DUAL_INFEASIBLE:
            direction = self.timed(
                "certificate", prove_endless, self.program, answer.plan.activity, self._has_a_plan, self.backend
            )
            if direction is not None:
                return self.unbounded(answer.why, direction)
            note = f"{answer.why}, it seems, but the direction found proves nothing"
        else:
            certificate = self.certify(answer)
            if certificate.gap <= self.stopping.tolerance:
                return self.finish(Status.OPTIMAL, f"square economy eliminated to x = L C: {answer.why}")
            note = f"the elimination leaves a gap of {certificate.gap:.1e}: free disposal pays, or entries are negative"
            self.start = Start(answer.plan, answer.dual)
        self.info.notes.append(note)
        return self.finish(Status.ITERATION_LIMIT, note) if self.method == "reduced" else None

    def _choose_techniques(self) -> ProgramSolution | None:
        """Policy iteration or quoted rents if they settle it; else prepares what polishes the linear program."""
        asked = self.method in ("policy", "level", "exchange")
        if self.method != "auto" and not asked:
            return None
        kind, why_not = coupling(self.program), not_leontief(self.program)
        if self.method in ("policy", "level") and kind not in ("nothing", _COUPLINGS[self.method]):
            why_not = why_not or f"{kind} couple the goods"
        if user_columns(self.program.terms).size:
            why_not = why_not or "the utility is a user's own"
        if self.method == "exchange" and self.program.kind == "utility":
            why_not = why_not or "utilities have no vertex"
        if asked and why_not:
            raise OptionError(f"method: {self.method!r} does not apply: {why_not}; use 'auto' or 'pdhg'")
        if why_not or (self.program.kind == "utility" and kind != "limits"):
            return None
        earlier = None if self.start is None else self.start.dual.prices
        choice = Choice(self.program, self.backend, self.stopping.tolerance, earlier)
        self.choice = None if self.program.kind == "utility" else choice
        if self.start is not None and kind != "nothing" and self.choice is not None:
            done = self._near_the_start(self.start, kind)
            if done is not None:
                return done
        if kind == "capacities" or self.method == "exchange":
            return None
        limited = np.isfinite(self.program.resource_upper).any()
        name = "policy" if kind == "nothing" and not (self.method == "level" and limited) else "level"
        self.used.append(name)
        if name == "policy":
            answer = self.timed(name, choice.policy)
        else:
            rents = None if self.start is None else self.start.dual.rents
            most = self.stopping.iteration_limit
            vertex = self.method == "auto"
            answer = self.timed(name, choice.level, self.out_of_time, vertex=vertex, most_quotes=most, rents=rents)
        self.info.iterations = choice.steps
        self.info.products, self.info.history = round(choice.technology.passes), choice.history
        if self.certify(answer).gap <= self.stopping.tolerance:
            what = "nothing couples the goods" if name == "policy" else "only limits couple the goods"
            return self.finish(Status.OPTIMAL, f"choice of technique, {what}: {answer.why}")
        self.info.notes.append(f"{answer.why}, which leaves a gap of {self.gap():.1e}")
        why = f"stopped with a proved gap of {self.gap():.1e}"
        if self.out_of_time():
            return self.finish(Status.TIME_LIMIT, why)
        if self.stopping.iteration_limit is not None and choice.steps >= self.stopping.iteration_limit:
            return self.finish(Status.ITERATION_LIMIT, why)
        found = (answer.plan.activity, answer.dual.prices, answer.dual.rents)
        if self.gap() <= _WORTH_STARTING_FROM and all(np.isfinite(part).all() for part in found):
            self.start = Start(answer.plan, answer.dual)
        return None

    def _near_the_start(self, start: Start, kind: str) -> ProgramSolution | None:
        """The vertex near a warm start: after small changes of the data few goods are in doubt, and nothing is solved
        anew. Only the certificate decides; where it does not settle it, the other methods follow."""
        if self.method not in ("auto", "exchange") or not start.dual.prices.any() or not start.plan.activity.any():
            return None
        assert self.choice is not None
        searches: list[tuple[str, Callable[..., tuple[ChoiceAnswer, Exchanged]], tuple[float, ...]]] = []
        if kind == "limits" and self.method == "auto":
            searches.append(("nearby", self.choice.nearby, ()))
        searches.append(("exchange", self.choice.exchange, (_NEARLY_CHOSEN,)))
        for name, search, near in searches:
            self.used.append(name)
            answer, found = self.timed(name, search, start.plan, start.dual, self.out_of_time, *near)
            self.info.notes.append(answer.why)
            self.info.products, self.info.history = round(self.choice.technology.passes), self.choice.history
            if found.settled and self.certify(answer).gap <= self.stopping.tolerance:
                return self.finish(Status.OPTIMAL, f"from the earlier plan: {answer.why}")
            if found.settled:
                self.start = Start(answer.plan, answer.dual)
        return None

    def _interior(self) -> ProgramSolution | None:
        """The interior point method where the size suits it; what it leaves open, the linear program goes on from."""
        asked = self.method == "interior"
        if asked and self.program.kind == "utility":
            raise OptionError("method: 'interior' does not apply: utilities are not linear; use 'auto' or 'pdhg'")
        suits = self.method == "auto" and self.choice is None and self.backend.device().startswith("cpu")
        if not asked and not (suits and self.stopping.iteration_limit is None and worth_trying(self.program)):
            return None
        limit = self.stopping.time_limit_s
        left, most = None if limit is None else limit - (now() - self.began), self.stopping.iteration_limit
        self.used.append("interior")
        tolerance = self.stopping.tolerance
        answer = self.timed("interior", interior_point, self.evaluator, tolerance, self.backend, left, most)
        self.info.iterations = answer.iterations
        if answer.plan is None:
            self.info.notes.append(f"the interior point method found no plan ({answer.why})")
        elif self.certify(answer).gap <= self.stopping.tolerance:
            return self.finish(Status.OPTIMAL, f"linear program by an interior point method: {answer.why}")
        else:
            self.info.notes.append(f"the interior point method ({answer.why}) leaves a gap of {self.gap():.1e}")
            self.start = Start(answer.plan, answer.dual)
        if self.out_of_time():
            return self.finish(Status.TIME_LIMIT, self.info.notes[-1])
        spent = most is not None and answer.iterations >= most
        return self.finish(Status.ITERATION_LIMIT, self.info.notes[-1]) if spent else None

    def _polish(
        self, plan: PlanPoint, dual: DualPoint, out_of_time: Callable[[], bool]
    ) -> tuple[PlanPoint, DualPoint, bool]:
        """The vertex near an approximate point."""
        assert self.choice is not None
        if not plan.activity.any():
            return plan, dual, False  # nothing runs, so nothing tells what should
        if "exchange" not in self.used:
            self.used.append("exchange")
        answer, found = self.choice.exchange(plan, dual, out_of_time)
        self.info.notes.append(answer.why)
        return answer.plan, answer.dual, found.settled

    def _linear_program(self, why_not: str) -> ProgramSolution:
        name = "highs" if self.method == "highs" else "pdhg"
        self.used.append(name)
        left = self.stopping.iteration_limit
        left = None if left is None else max(0, left - self.info.iterations)
        stopping = replace(self.stopping, iteration_limit=left)
        rounds = LpRounds(
            self.evaluator, stopping, name, self.backend, self.start, self.began, self.on_progress, self.best,
            None if self.choice is None else self._polish,
        )  # fmt: skip
        try:
            outcome = rounds.solve()
        except KeyboardInterrupt:
            self._absorb(rounds)
            return self.finish(Status.INTERRUPTED, "interrupted")
        self._absorb(rounds)
        what = "linear program" if self.program.kind != "utility" else "separable concave program"
        by = {"pdhg": "by the first-order method", "highs": "by HiGHS"}[name]
        why = f"{what} {by}, for {why_not}" + (f"; {outcome.why}" if outcome.why else "")
        if outcome.proof is not None:
            return self.infeasible(outcome.proof, outcome.plan, why)
        if outcome.status is Status.DUAL_INFEASIBLE and self.program.kind == "utility":
            return self.unbounded(why, outcome.plan.activity)
        if outcome.status is Status.DUAL_INFEASIBLE:
            direction = prove_endless(self.program, outcome.plan.activity, self._has_a_plan, self.backend)
            if direction is not None:
                return self.unbounded(why, direction)
            return self.finish(Status.NUMERICAL_ERROR, f"{why}; but the direction could not be turned into a proof")
        return self.finish(outcome.status, why, outcome.certified, outcome.objective)

    def _absorb(self, rounds: LpRounds) -> None:
        self.best = rounds.best
        info = self.info
        passes = 0.0 if self.choice is None else self.choice.technology.passes
        info.iterations, info.products = info.iterations + rounds.iterations, rounds.products + round(passes)
        info.seconds |= rounds.seconds
        info.notes += rounds.notes
        info.history = rounds.history
        if rounds.last is not None:
            last = rounds.last
            if last.status not in (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE):
                judged = last.judged(rounds.lp)
                info.primal_residual, info.dual_residual = judged.primal, judged.dual
            if last.info.backend not in ("", "none"):
                info.backend, info.device = last.info.backend, last.info.device
