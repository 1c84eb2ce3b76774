"""What a solve of a planning program has proved so far, and how that becomes its answer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..backends import Backend
from ..backends.world import now
from .bounds import DualPoint
from .certificate import Certificate, InfeasibilityProof, certify, merge, relative_gap
from .evaluate import Evaluator
from .options import StoppingCriteria
from .plain_start import plain_start
from .problem import FloatArray
from .program import PlanningProgram
from .program_solution import ProgramSolution
from .repair import PlanPoint
from .rounds import Start
from .solution import SolveInfo, Status

_STOPPED = (Status.INTERRUPTED, Status.TIME_LIMIT, Status.ITERATION_LIMIT)


class Answered(Protocol):
    """What every method ends with: a plan and a dual point, of any quality."""

    @property
    def plan(self) -> PlanPoint:
        """The plan."""

    @property
    def dual(self) -> DualPoint:
        """Prices and rents."""


class Proved:
    """One solve: its program, limits and start, the best certificate, what was tried and where the time went."""

    evaluator: Evaluator

    def __init__(
        self,
        program: PlanningProgram,
        stopping: StoppingCriteria,
        method: str,
        backend: Backend,
        start: Start | None,
        on_progress: Callable[[dict[str, float]], object] | None,
    ):
        self.program, self.stopping, self.method, self.backend = program, stopping, method, backend
        self.start, self.on_progress = start, on_progress
        self.began = now()
        self.info = SolveInfo(backend=backend.name, device=backend.device(), tolerance=stopping.tolerance)
        self.best: Certificate | None = None
        self.used: list[str] = []

    # ---- certificates ------------------------------------------------------------------------------------------------
    def out_of_time(self) -> bool:
        """Whether the time limit has passed."""
        limit = self.stopping.time_limit_s
        return limit is not None and now() - self.began >= limit

    def gap(self) -> float:
        """The relative gap proved so far."""
        return math.inf if self.best is None else self.best.gap

    def certify(self, answer: Answered) -> Certificate:
        """Prove what an answer is worth, and keep the better plan and the better bound."""
        tolerance = self.stopping.tolerance
        new = self.timed(
            "certificate", certify, self.evaluator, answer.plan, answer.dual, tolerance=tolerance, backend=self.backend
        )
        self.best = merge(self.best, new)
        self.tell()
        return self.best

    def timed(self, name: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call a function and book its time under a name."""
        began = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            self.info.seconds[name] = self.info.seconds.get(name, 0.0) + time.perf_counter() - began

    def tell(self) -> None:
        """Report progress after a certificate."""
        if self.on_progress is not None and self.best is not None:
            best, seconds = self.best, now() - self.began
            entry = {"iteration": float(self.info.iterations), "seconds": seconds, "gap": best.gap}
            self.on_progress(entry | {"lower_bound": best.lower, "upper_bound": best.upper})

    def close(self, why: str) -> SolveInfo:
        """What is known of the solve, with its time."""
        info = self.info
        info.method, info.why = "+".join(self.used) or self.method, why
        info.seconds["total"] = now() - self.began
        return info

    def finish(self, status: Status, why: str, certified: bool = True, objective: float = math.nan) -> ProgramSolution:
        """The best certificate as a solution; without one, NaN everywhere."""
        if status in _STOPPED and not math.isfinite(self.gap()) and hasattr(self, "evaluator"):
            self._certify_plainly()
        n, m, r = self.program.shape
        best, kind = self.best, self.program.kind
        certified = certified and status is Status.OPTIMAL
        if best is None:
            blank = lambda k: np.full(k, np.nan)  # noqa: E731
            return ProgramSolution(
                status, np.nan, -np.inf, np.inf, np.inf, blank(m), np.nan, blank(n), blank(n), blank(r), blank(r),
                blank(m), info=self.close(why),
            )  # fmt: skip
        self.info.notes += [note for note in best.notes if note not in self.info.notes]
        self.info.gap = best.gap
        return ProgramSolution(
            status,
            best.value if best.feasible else objective,
            best.lower,
            best.upper,
            relative_gap(kind, best.lower, best.upper),
            best.plan.activity,
            best.plan.scale if kind == "scale" else math.nan,
            best.plan.scale * self.program.targets if kind == "scale" else best.plan.consumption,
            best.dual.prices,
            best.dual.rents,
            best.dual.floor_rents,
            best.capacity_rents,
            certified,
            info=self.close(why),
        )

    def _certify_plainly(self) -> None:
        """Where a side was not proved in time: a warm start, and what needs no solver, may prove it."""
        try:
            for start in (self.start, plain_start(self.evaluator, self.backend)):
                if start is not None and not math.isfinite(self.gap()):
                    self.certify(start)
        except KeyboardInterrupt:  # again: then without
            pass

    def infeasible(self, proof: InfeasibilityProof, plan: PlanPoint, why: str) -> ProgramSolution:
        """No plan exists, by this proof."""
        bounds = (np.inf, np.inf) if self.program.kind == "use" else (-np.inf, -np.inf)
        dual = proof.dual
        return ProgramSolution(
            Status.PRIMAL_INFEASIBLE, np.nan, *bounds, np.inf, plan.activity, math.nan, plan.consumption, dual.prices,
            dual.rents, dual.floor_rents, proof.capacity_rents, False, proof.surplus, self.close(why),
        )  # fmt: skip

    def unbounded(self, why: str, direction: FloatArray) -> ProgramSolution:
        """No plan is the best: along ``direction`` the objective never ends."""
        n, m, r = self.program.shape
        zero, best = np.zeros, -np.inf if self.program.kind == "use" else np.inf
        return ProgramSolution(
            Status.DUAL_INFEASIBLE, best, -np.inf, np.inf, np.inf, direction, math.nan, zero(n), zero(n), zero(r),
            zero(r), zero(m), info=self.close(why),
        )  # fmt: skip
