"""Gross output of a table in shards, and linear programs in shards, on many ranks."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend
from ..backends.partition import Layout
from ..backends.world import World
from ..data.program_checkpoint import ProgramCheckpoint
from ..data.program_shards import open_program
from ..data.shards import open_shards
from ..errors import ProblemError
from ..solvers.problem import FloatArray
from ..solvers.program_part import ProgramPart
from ..solvers.sharded import ShardedSolution, solve_rows
from ..solvers.sharded_lp import ShardedLpSolution, judge, solve_part
from ..solvers.solution import Status
from ..solvers.termination import Residuals
from ..solvers.watch import Stopwatch


def solve_leontief_shards(
    folder: str | Path,
    *,
    world: World,
    demand: FloatArray | None = None,
    tolerance: float = 1e-10,
    backend: str | Backend = "auto",
    max_iterations: int = 10_000,
    error_bound: bool = True,
) -> ShardedSolution:
    """Solve x = A x + d for a table in shards (kantor.data.shards) on the ranks of ``world``. Collective.

    Parameters
    ----------
    folder : the table; at least as many shards as ranks
    demand : (own goods,) in place of the demand in the shards
    tolerance, max_iterations, error_bound : as in solve_leontief
    backend : the kernels of every rank

    Raises ProblemError, on all ranks, for a damaged shard, which is named, or numbers that are not finite; and where no
    proof of productivity comes with a solve that fails. Not converging is a status.
    """
    clock = Stopwatch()
    error: Exception | None = None
    layout, rows, d = Layout(np.zeros(world.size + 1, dtype=np.int64)), sp.csr_array((0, 0)), np.zeros(0)
    try:
        table = open_shards(folder)
        layout, pieces = table.layout(world.size)
        rows, d = table.read(pieces[world.rank])
        d = d if demand is None else _demand(demand, d.size)
    except (ProblemError, MemoryError) as trouble:
        error = trouble
    world.agree(error)
    clock.lap("read")
    held = [rows]
    del rows
    return solve_rows(
        held.pop(), d, layout, world, tolerance=tolerance, backend=backend, max_iterations=max_iterations,
        error_bound=error_bound, clock=clock, consume=True,
    )  # fmt: skip


def solve_lp_shards(
    folder: str | Path,
    *,
    world: World,
    tolerance: float = 1e-6,
    iteration_limit: int | None = None,
    time_limit_s: float | None = None,
    backend: str | Backend = "auto",
    checkpoint: str | Path | None = None,
) -> ShardedLpSolution:
    """Solve a linear program in shards (kantor.data.program_shards) by the first-order method, on all ranks.

    No rank ever has more than its own rows, columns and entries. Options as in solve_lp; ``time_limit_s`` within
    ``kantor.distributed()``. ``checkpoint``: a folder in which every rank keeps its part of the state, every half
    minute and when interrupted; a later call goes on from it, on any number of ranks. The answer is judged once more on
    the shards, read again: an optimum that they do not bear out is a NUMERICAL_ERROR. Raises ProblemError, on all
    ranks, for a damaged file, which is named. Collective.
    """
    rows, columns, part = _program_part(folder, world)
    held, state = [part], None
    del part
    if checkpoint is not None:
        identity = hashlib.sha256("".join(shard.sha256 for shard in open_program(folder).shards).encode()).hexdigest()
        state = ProgramCheckpoint(checkpoint, identity, rows, columns, world)
    found = solve_part(
        held.pop(), rows, columns, world, tolerance=tolerance, iteration_limit=iteration_limit,
        time_limit_s=time_limit_s, backend=backend, checkpoint=state,
    )  # fmt: skip
    found.residuals = verify_lp_shards(folder, found, world=world)
    if found.status is Status.OPTIMAL and not found.residuals.within(tolerance):
        found.status = Status.NUMERICAL_ERROR
    return found


def verify_lp_shards(folder: str | Path, solution: ShardedLpSolution, *, world: World) -> Residuals:
    """The residuals of the ranks' parts of an answer, from the entries in the shards. Collective."""
    rows, columns, part = _program_part(folder, world)
    return judge(part, rows, columns, world, solution.x, solution.y)


def _program_part(folder: str | Path, world: World) -> tuple[Layout, Layout, ProgramPart]:
    found, error = None, None
    try:
        program = open_program(folder)
        rows, columns, pieces = program.layout(world.size)
        found = rows, columns, program.read(pieces[world.rank])
    except (ProblemError, MemoryError) as trouble:
        error = trouble
    world.agree(error)
    assert found is not None
    return found


def _demand(given: Any, size: int) -> FloatArray:
    d = np.asarray(given, dtype=np.float64)
    if d.shape != (size,):
        raise ProblemError(f"demand: shape {d.shape}, expected ({size},): the goods of this rank's shards")
    if not np.isfinite(d).all():
        raise ProblemError(f"demand[{int(np.flatnonzero(~np.isfinite(d))[0])}] is not finite")
    return d
