"""One solve of one plan: from the arrays of the plan to a labelled result, with what each part took."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..backends.world import now
from ..errors import OptionError
from ..solvers.dispatch import solve_program
from ..solvers.vertex import at_vertex
from .by_region import divide_plan
from .given import start_of
from .labelled import label_solution
from .shared_years import solve_years
from .vertex import label_vertex
from .wording import in_labels

if TYPE_CHECKING:
    from ..solvers.program_solution import ProgramSolution
    from .plan import Plan
    from .result import PlanResult


def solve_once(
    plan: Plan,
    tolerance: float,
    method: str,
    backend: str,
    time_limit_s: float | None,
    iteration_limit: int | None,
    warm_start: PlanResult | None,
    on_progress: Callable[[dict[str, float]], object] | None,
    vertex: bool,
) -> PlanResult:
    """The result of :meth:`kantor.Plan.solve` for one objective, neither elastic nor in an order of priority."""
    started = now()
    time_limit_s = None if time_limit_s == float("inf") else time_limit_s
    options: dict[str, Any] = {
        "tolerance": tolerance,
        "method": method,
        "backend": backend,
        "time_limit_s": time_limit_s,
        "iteration_limit": iteration_limit,
    }
    if vertex and plan.compiled.kind == "utility":
        raise OptionError("vertex: a utility has no vertex, its optimum lies where prices equal marginal utilities")
    start = None if warm_start is None else start_of(plan, warm_start)
    compiled, corner = started, None
    together = not vertex and method in ("auto", "reduced") and iteration_limit is None
    solution: ProgramSolution | None = solve_years(plan, tolerance, backend, on_progress) if together else None
    if solution is None:
        program = plan.compile()
        divide_plan(plan.economy, program)
        compiled = now()
        solution = solve_program(program, warm_start=start, on_progress=on_progress, **options)
        if vertex:
            left = None if time_limit_s is None else time_limit_s - (now() - started)
            try:
                solution, corner = at_vertex(program, solution, backend, left)
            except KeyboardInterrupt:  # the plan itself is there
                solution.info.notes.append("vertex: interrupted before one was found")
            solution.info.seconds["vertex"] = now() - compiled - solution.info.seconds["total"]
    solution.info.why = in_labels(solution.info.why, plan)
    solution.info.notes = [in_labels(note, plan) for note in solution.info.notes]
    result = label_solution(plan, solution, options | {"vertex": vertex})
    result.vertex = None if corner is None else label_vertex(plan, corner)
    finished = now()
    result.info.seconds = {
        "total": finished - started,
        "compile": compiled - started,
        "solve": dict(result.info.seconds),
    }
    return result
