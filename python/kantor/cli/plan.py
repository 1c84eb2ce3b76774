"""``kantor plan``, ``kantor verify`` and ``kantor report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..backends.world import once
from ..errors import OptionError
from .console import Exit, exit_code, finish, plain, print_json, say
from .progress import steps

if TYPE_CHECKING:
    from ..planning.result import PlanResult

Folder = Annotated[Path, typer.Argument(metavar="PLAN", help="A plan folder.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages.")]
Backend = Annotated[
    str | None, typer.Option(help="auto, cuda, native, numba, reference or cupy.", show_default="the file's, else auto")
]
Method = Annotated[
    str | None, typer.Option(help="How to solve; auto chooses by structure.", show_default="the file's, else auto")
]
Tolerance = Annotated[
    float | None, typer.Option(help="Largest certified relative gap.", show_default="the file's, else 1e-6")
]
TimeLimit = Annotated[float | None, typer.Option(help="Stop after this many seconds.", metavar="SECONDS")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="Keep the state of long solves here and go on from it.", metavar="FOLDER", show_default=False),
]
Vertex = Annotated[
    bool | None,
    typer.Option("--vertex/--no-vertex", help="Go on to an exact vertex.", show_default="the file's, else not"),
]
IterationLimit = Annotated[int | None, typer.Option(help="Stop after this many iterations.", metavar="N")]


def plan(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="A TOML file, a packaged scenario's name, or an economy: a text, workbook or folder of CSV files.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to write the plan folder.", show_default=False)
    ],
    backend: Backend = None,
    method: Method = None,
    tolerance: Tolerance = None,
    time_limit: TimeLimit = None,
    iteration_limit: IterationLimit = None,
    checkpoint: Checkpoint = None,
    vertex: Vertex = None,
    report: Annotated[bool, typer.Option("--report", help="Also write report.html into the folder.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute a plan from a scenario, certify it, and write a plan folder.

    Exit code 0: optimal; 3: infeasible or unbounded, with the diagnosis; 4: a limit was reached; 130: interrupted.
    After 4 and 130 the folder holds the best plan found and its certified gap. SIGTERM and SIGUSR1 interrupt
    like Ctrl-C. Under mpiexec or srun all ranks solve together; of an economy in shards none has the whole table
    (docs/scaling.md).
    """
    given = {
        "backend": backend,
        "method": method,
        "tolerance": tolerance,
        "time_limit_s": time_limit,
        "iteration_limit": iteration_limit,
        "vertex": vertex,
    }
    with steps(quiet=quiet) as step:
        step.begin(f"reading {scenario}")
        from ..planning.folder import check_writable
        from ..planning.scenario import build, load_scenario
        from ..planning.sharded import refuse_options, sharded_source

        loaded = load_scenario(scenario)
        if sharded_source(loaded) is not None:
            refuse_options(checkpoint=checkpoint, vertex=vertex, report=report)
        else:
            once(check_writable)(out)
        if checkpoint is not None and checkpoint.resolve().is_relative_to(out.resolve()):
            raise OptionError(f"--checkpoint: {checkpoint} lies in {out}, which the plan replaces; name another folder")
        options: dict[str, Any] = loaded.document.solve.model_dump() | {k: v for k, v in given.items() if v is not None}
    if sharded_source(loaded) is not None:
        _plan_shards(loaded, out, options, as_json, quiet)
        return
    with steps(quiet=quiet) as step:
        step.begin("building the plan")
        problem = build(loaded)
        step.begin("solving")
        result = problem.solve(**options, on_progress=step.follow(options["tolerance"]), checkpoint=checkpoint)
        code = exit_code(result.status)
        diagnosis: list[str] = []
        if code is Exit.INFEASIBLE:
            step.begin("looking for the cause")
            try:
                diagnosis = problem.diagnose(options["tolerance"]).lines
            except KeyboardInterrupt:  # that there is no plan is proved all the same, and written
                diagnosis, code = ["interrupted while looking for the cause"], Exit.INTERRUPTED
        step.begin(f"writing {out}")
        written = _write(result, out, report)
    _say_result(result, written, diagnosis, as_json=as_json, quiet=quiet)
    finish(code)


def _plan_shards(loaded: Any, out: Path, options: dict[str, Any], as_json: bool, quiet: bool) -> None:
    from .sharded import plan_shards

    method, vertex = options.pop("method"), options.pop("vertex")
    if method not in ("auto", "level") or vertex:
        raise OptionError(
            "plans of economies in shards are solved by quoted rents: method 'auto' or 'level', no vertex"
        )
    plan_shards(loaded, out, options, as_json, quiet)


def verify(
    folder: Folder,
    log: Annotated[bool, typer.Option("--log", help="PLAN is a log of plans: check the chain and every plan.")] = False,
    head: Annotated[
        str | None, typer.Option(help="With --log: the SHA-256 that the last plan.json must have.", metavar="HASH")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recheck a plan folder from the raw input, with code that shares nothing with the solvers.

    Exit code 0: the certificate holds; 1: it does not.
    """
    if log or head is not None:
        from ..feedback.log import verify_log

        with steps(quiet=as_json) as step:
            step.begin(f"verifying {folder}")
            line = verify_log(folder, head=head)
        if as_json:
            print_json(line)
        else:
            typer.echo(str(line))
        finish(Exit.DONE if line.ok else Exit.FAILED)
        return
    from ..planning.sharded import is_sharded_plan
    from ..planning.verify import verify_plan

    if is_sharded_plan(folder):
        _verify_shards(folder, as_json)
        return
    with steps(quiet=as_json) as step:
        step.begin(f"verifying {folder}")
        found = verify_plan(folder)
    if as_json:
        print_json(found.to_dict())
    else:
        typer.echo(str(found))
    finish(Exit.DONE if found.ok else Exit.FAILED)


def _verify_shards(folder: Path, as_json: bool) -> None:
    from ..planning.sharded_verify import verify_sharded

    with steps(quiet=as_json) as step:
        step.begin(f"verifying {folder}")
        found = verify_sharded(folder)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{folder}: the certificate holds" if found["ok"] else "\n".join([f"{folder}:", *found["reasons"]]))
    finish(Exit.DONE if found["ok"] else Exit.FAILED)


def report(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="The HTML file to write.", show_default="PLAN/report.html"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write one static HTML file about a plan: no script, no network."""
    from ..report.html import write_report

    written = write_report(folder, out or folder / "report.html")
    if as_json:
        print_json({"plan": folder, "report": written, "bytes": written.stat().st_size})
    else:
        say(f"wrote {written}")


@once
def _write(result: PlanResult, out: Path, report: bool) -> Path:
    """Save the plan, with its report, which the verifier ignores."""
    from ..planning.folder import save_plan
    from ..report.html import write_report

    return save_plan(result, out, (lambda folder: write_report(folder, folder / "report.html")) if report else None)


@once
def _say_result(result: PlanResult, written: Path, diagnosis: list[str], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        facts = result.to_dict()
        facts["folder"] = str(written)
        if diagnosis:
            facts["diagnosis"] = diagnosis
        print_json(plain(facts))
        return
    from .summary import print_plan

    print_plan(result)
    for line in diagnosis:
        typer.echo(line)
    say(f"wrote {written}", quiet=quiet)
