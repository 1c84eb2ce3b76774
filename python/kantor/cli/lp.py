"""``kantor lp``: solve a programme in an MPS file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..atomic import new_file
from ..backends.world import once
from ..errors import OptionError, ProblemError
from .console import Exit, exit_code, finish, print_json, say
from .plan import Checkpoint, Json, Quiet
from .progress import steps
from .sharded import is_program, lp_shards

if TYPE_CHECKING:
    from ..solvers.problem import LinearProgram
    from ..solvers.solution import Solution


def lp(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="An MPS file, .mps or .mps.gz, or a folder of shards.", show_default=False),
    ],
    tolerance: Annotated[float, typer.Option(help="Largest relative primal residual, dual residual and gap.")] = 1e-6,
    method: Annotated[str, typer.Option(help="auto, planning, pdhg, or highs for small programmes.")] = "auto",
    backend: Annotated[str, typer.Option(help="auto, cuda, native, numba, reference or cupy.")] = "auto",
    time_limit: Annotated[float | None, typer.Option(help="Stop after this many seconds.", metavar="SECONDS")] = None,
    iteration_limit: Annotated[int | None, typer.Option(help="Stop after this many iterations.", metavar="N")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write x, y and reduced_costs as NPZ.")
    ] = None,
    checkpoint: Checkpoint = None,
    relax_integers: Annotated[
        bool, typer.Option("--relax-integers", help="Treat integer columns as continuous.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Solve a linear programme and recheck the answer on the file's own numbers.

    Exit code 0: optimal; 1: the recheck failed; 3: infeasible or unbounded, with a ray; 4: a limit was reached;
    130: interrupted. A folder of shards (kantor generate regional-program) is solved by pdhg, every rank of mpiexec or
    srun reading only its own; --out then names a folder that they write together.
    """
    if is_program(file):
        if method not in ("auto", "pdhg") or relax_integers:
            raise OptionError(f"{file}: a program in shards is solved by pdhg, and has no integers")
        lp_shards(file, out, as_json, quiet, tolerance=tolerance, backend=backend, time_limit_s=time_limit,
                  iteration_limit=iteration_limit, checkpoint=checkpoint)  # fmt: skip
        return
    from ..solvers.lp import solve_lp
    from ..solvers.mps import read_mps
    from ..solvers.verify import verify_lp

    if out is not None:
        _check_target(out)
    with steps(quiet=quiet) as step:
        step.begin(f"reading {file}")
        problem = read_mps(file, relax_integers=relax_integers)
        step.begin("solving")
        solution = solve_lp(
            problem,
            tolerance=tolerance,
            method=method,
            backend=backend,
            time_limit_s=time_limit,
            iteration_limit=iteration_limit,
            on_progress=step.follow(tolerance),
            checkpoint=checkpoint,
        )
        step.begin("rechecking")
        checked = verify_lp(problem, solution)
    if out is not None:
        _write(out, solution)
        say(f"wrote {out}", quiet=quiet)
    facts = _facts(problem, solution, checked)
    if as_json:
        print_json(facts)
    else:
        _print(facts)
    finish(exit_code(solution.status) if checked.ok else Exit.FAILED)


def _facts(problem: LinearProgram, solution: Solution, checked: Any) -> dict[str, Any]:
    info = solution.info
    rows, columns = problem.shape
    return {
        "name": problem.name,
        "rows": rows,
        "columns": columns,
        "nonzeros": int(problem.K.nnz),
        "status": solution.status,
        "objective": solution.objective,
        "dual_objective": solution.dual_objective,
        "lower_bound": None,  # a first-order answer proves no bound; plans do
        "upper_bound": None,
        "gap": info.gap,
        "primal_residual": info.primal_residual,
        "dual_residual": info.dual_residual,
        "iterations": info.iterations,
        "method": info.method,
        "why": info.why,
        "backend": info.backend,
        "device": info.device,
        "seconds": info.seconds,
        "notes": info.notes,
        "rechecked": checked,
    }


def _print(facts: dict[str, Any]) -> None:
    lines = [f"{facts['name'] or 'programme'}: {facts['status'].value}"]
    lines.append(f"size       {facts['rows']:,} rows, {facts['columns']:,} columns, {facts['nonzeros']:,} entries")
    if math.isfinite(facts["objective"]):
        lines.append(f"objective  {facts['objective']:.12g}, dual {facts['dual_objective']:.12g}")
    known = [
        (name, facts[key]) for name, key in (("primal", "primal_residual"), ("dual", "dual_residual"), ("gap", "gap"))
    ]
    residuals = [f"{name} {value:.1e}" for name, value in known if math.isfinite(value)]
    lines += [f"residuals  {', '.join(residuals)}"] if residuals else []
    lines.append(
        f"work       {facts['seconds'].get('total', math.nan):.3g} s, method {facts['method']}, "
        f"{facts['iterations']:,} iterations, backend {facts['backend']}"
    )
    lines += [f"why        {facts['why']}"] if facts["why"] else []
    lines += [f"note       {note}" for note in facts["notes"]]
    held = facts["rechecked"]
    lines.append("rechecked  " + ("the answer holds on the file's numbers" if held.ok else "; ".join(held.reasons)))
    for line in lines:
        typer.echo(line)


@once
def _check_target(out: Path) -> None:
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ProblemError(
            f"{out}: cannot be written: {'is a folder' if out.is_dir() else f'{out.parent} is no folder'}"
        )


@once
def _write(out: Path, solution: Solution) -> None:
    import numpy as np

    with new_file(out) as file:
        np.savez_compressed(
            file,
            x=solution.x,
            y=solution.y,
            reduced_costs=solution.reduced_costs,
            objective=solution.objective,
            status=solution.status.value,
        )
