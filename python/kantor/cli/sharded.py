"""``kantor balance``, ``lp`` and ``plan`` for shards: no process has all of the input or of the answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import typer

from ..backends.world import World, active_or_alone, once
from ..errors import OptionError
from .console import exit_code, finish, print_json, print_table
from .progress import steps


def is_sharded(table: str) -> bool:
    """Whether this is a folder of shards."""
    from ..data.shards import HEAD

    return (Path(table) / HEAD).is_file()


def is_program(folder: Path) -> bool:
    """Whether this is a folder of a linear program's shards."""
    from ..data.program_shards import HEAD

    return (folder / HEAD).is_file()


def lp_shards(folder: Path, output: Path | None, as_json: bool, quiet: bool, **options: Any) -> None:
    """Solve on all ranks and recheck on the shards; ``output``: a folder that all ranks write. Collective."""
    import pandas as pd

    from ..analysis.shards import solve_lp_shards
    from ..data.parts import begin_parts

    world, began = active_or_alone(), time.perf_counter()
    if output is not None:
        once(begin_parts)(output)
    with steps(quiet=quiet) as step:
        step.begin(f"solving {folder} on {world.size} ranks")
        found = solve_lp_shards(folder, world=world, **options)
    facts = {
        "status": found.status.value, "objective": found.objective, "dual_objective": found.dual_objective,
        "gap": found.residuals.gap, "primal_residual": found.residuals.primal, "dual_residual": found.residuals.dual,
        "iterations": found.iterations, "method": found.info.method, "why": found.info.why, "ranks": world.size,
    }  # fmt: skip
    if output is not None:
        columns = np.arange(found.first_column, found.first_column + found.x.size)
        table = pd.DataFrame({"column": columns, "x": found.x, "reduced_cost": found.reduced_costs})
        _write(output, table, world, **facts)
    seconds = {"total": world.now() - began, **found.info.seconds}
    if as_json:
        print_json(facts | {"seconds": seconds})
    else:
        for name, value in facts.items():
            typer.echo(f"{name.replace('_', ' '):16}{value:.9g}" if isinstance(value, float) else f"{name:16}{value}")
    finish(exit_code(found.status))


def balance_shards(folder: Path, top: int, output: Path | None, as_json: bool, asked_more: bool) -> None:
    """Gross output for the final demand in the shards; ``output``: a folder that all ranks write. Collective."""
    import pandas as pd

    from ..analysis.shards import solve_leontief_shards
    from ..data.parts import begin_parts

    if asked_more:
        raise OptionError(
            f"{folder}: a table in shards has one final demand and no indicators; --parquet writes all rows"
        )
    world, began = active_or_alone(), time.perf_counter()
    if output is not None:
        once(begin_parts)(output)
    with steps(quiet=as_json) as step:
        step.begin(f"solving {folder} on {world.size} ranks")
        found = solve_leontief_shards(folder, world=world)
    if output is not None:
        goods = np.arange(found.first, found.first + found.x.size)
        table = pd.DataFrame({"good": goods, "gross_output": found.x, "error_bound": found.error_bound})
        facts = {"status": found.status.value, "iterations": found.iterations, "residual": found.residual}
        _write(output, table, world, **facts)
    totals = world.sum(np.array([found.x.sum(), found.x.size, found.halo]))
    largest = _largest(found, top, world)
    seconds = world.now() - began
    assert found.error_bound is not None  # it is computed unless one says not to
    worst = float(world.gather(np.array([found.error_bound.max(initial=0.0)])).max())
    if as_json:
        rows = [{"good": good, "gross_output": x, "error_bound": bound} for good, x, bound in largest]
        print_json({
            "status": found.status.value, "goods": int(totals[1]), "gross_output": float(totals[0]),
            "error_bound": worst, "ranks": world.size, "halo": int(totals[2]), "iterations": found.iterations,
            "residual": found.residual, "method": found.info.method, "largest": rows,
            "seconds": {"total": seconds, **found.info.seconds},
        })  # fmt: skip
    else:
        typer.echo(f"{folder}: {int(totals[1]):,} goods on {world.size} ranks, {found.status.value}, "
                   f"gross output {totals[0]:.9g}, {seconds:.2f} s")  # fmt: skip
        lines = [(f"{good}", f"{x:.9g}", f"{bound:.1e}") for good, x, bound in largest]
        print_table("Largest", ("good", "gross output", "error at most"), lines)
    finish(exit_code(found.status))


def plan_shards(scenario: Any, out: Path, options: dict[str, Any], as_json: bool, quiet: bool) -> None:
    """Solve and certify a plan of an economy in shards; all ranks write the folder. Collective."""
    from ..planning.sharded import begin_folder, save_sharded, solve_sharded_scenario

    world, began = active_or_alone(), time.perf_counter()
    once(begin_folder)(out)
    with steps(quiet=quiet) as step:
        step.begin(f"solving {scenario.path} on {world.size} ranks")
        plan, asked, part = solve_sharded_scenario(scenario, world, **options)
        step.begin(f"writing {out}")
        record = save_sharded(plan, asked, part, scenario, out, world)
    facts = {
        "status": record["status"], "objective": plan.objective, **record["certificate"], "method": plan.info.method,
        "why": plan.info.why, "iterations": plan.info.iterations, "ranks": world.size, "limits": record["limits"],
        "halo": int(world.sum(np.array([plan.halo]))[0]), "folder": str(out),
    }  # fmt: skip
    seconds = {"total": world.now() - began, **plan.info.seconds}
    if as_json:
        print_json(facts | {"seconds": seconds})
    else:
        for name in ("status", "objective", "lower_bound", "upper_bound", "gap", "ranks", "why"):
            value = facts[name]
            typer.echo(f"{name.replace('_', ' '):16}{value:.9g}" if isinstance(value, float) else f"{name:16}{value}")
        lines = [(line["indicator"], f"{line['use']:.9g}", f"{line['at_most']:.9g}", f"{line['rent']:.6g}")
                 for line in record["limits"]]  # fmt: skip
        print_table("Limits", ("indicator", "use", "at most", "rent"), lines)
    finish(exit_code(plan.status))


def _largest(found: Any, top: int, world: World) -> list[tuple[int, float, float]]:
    at = np.argsort(-found.x, kind="stable")[:top]
    mine = [(int(found.first + i), float(found.x[i]), float(found.error_bound[i])) for i in at]
    everyone = [line for part in world.comm.allgather(mine) for line in part]
    return sorted(everyone, key=lambda line: (-line[1], line[0]))[:top]


def _write(folder: Path, table: Any, world: World, **facts: Any) -> None:
    """Every rank its own part; the first one the head, when all parts are there."""
    from ..data.parts import finish_parts, write_part

    part, error = None, None
    try:
        part = write_part(folder, world.rank, table)
    except Exception as trouble:  # told to the others, who would wait
        error = trouble
    world.agree(error)
    parts = world.comm.allgather(part)
    once(finish_parts)(folder, parts, **facts)
