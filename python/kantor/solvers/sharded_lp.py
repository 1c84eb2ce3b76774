"""Linear programs in shards: every rank has its own rows and columns and entries, and nothing whole.

The loop is that of solve_lp (kantor.solvers.pdhg), its checks those of kantor.solvers.kkt; only scaling, which looks at
sums of entries, and the norms of the data are found together. The end is judged by :func:`judge` on the raw entries.
Rays are not looked for: a program without an optimum ends at a limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend, Operator, get_backend
from ..backends.distributed import DistributedBackend, SpreadBackend
from ..backends.partition import Layout
from ..backends.reference import ReferenceBackend
from ..backends.world import World
from .clock import Clock
from .kkt import Kkt
from .options import PdhgOptions, StoppingCriteria
from .pdhg import Pdhg
from .problem import FloatArray
from .program_part import ProgramPart
from .scaling import ScaledProgram, Scaling
from .solution import SolveInfo, Status
from .termination import Residuals, multiplier_range, relative_gap, side_norm, support
from .termination import norm as host_norm


@dataclass
class ShardedLpSolution:
    """A rank's part of the answer, and what all ranks know alike.

    x, reduced_costs : own columns; y : own rows; ``residuals`` (kantor.solvers.termination) are of the whole program
    first_row, first_column : numbers of the first own ones in the whole program
    halo : values that this rank fetches in one product K x
    """

    x: FloatArray
    y: FloatArray
    reduced_costs: FloatArray
    status: Status
    objective: float
    dual_objective: float
    residuals: Residuals
    iterations: int
    first_row: int
    first_column: int
    halo: int
    info: SolveInfo


class _Parts:
    """Norms and sums of vectors of which every rank has a part."""

    def __init__(self, world: World) -> None:
        self.world = world

    def norm(self, *own: float) -> list[float]:
        """2-norms of vectors from the norms of the ranks' parts."""
        return [float(v) for v in np.sqrt(self.world.sum(np.square(np.array(own))))]

    def sum(self, *own: float) -> list[float]:
        """Sums over the ranks."""
        return [float(v) for v in self.world.sum(np.array(own))]


class _PartsKkt(Kkt):
    """The checks of the loop, whose norms of the data are those of the whole program."""

    def __init__(self, backend: Backend, part: Any, scaled: ScaledProgram, over: _Parts) -> None:
        super().__init__(backend, part, scaled)
        self._b_norm, self._c_norm, self._scaled_b_norm, self._scaled_c_norm = over.norm(
            self._b_norm, self._c_norm, self._scaled_b_norm, self._scaled_c_norm
        )


def solve_part(
    part: ProgramPart, rows: Layout, columns: Layout, world: World, *, tolerance: float = 1e-6,
    iteration_limit: int | None = None, time_limit_s: float | None = None, backend: str | Backend = "auto",
    options: PdhgOptions | None = None, checkpoint: Any = None,
) -> ShardedLpSolution:  # fmt: skip
    """Solve a linear program from every rank's part of it. Collective.

    ``rows``, ``columns`` say whose they are: contiguous pieces. Options as in solve_lp; ``time_limit_s`` needs
    ``kantor.distributed()``, where all ranks read one clock. ``checkpoint``: a kantor.data.program_checkpoint.
    """
    local = get_backend(backend)
    if isinstance(local, DistributedBackend):
        local = local.local
    spread, over, clock = SpreadBackend(local, world), _Parts(world), Clock(time_limit_s)
    chosen = replace(options or PdhgOptions(), detect_rays=False)
    stopping = StoppingCriteria(tolerance=tolerance, iteration_limit=iteration_limit, time_limit_s=time_limit_s)
    with clock.phase("scaling"):
        scaled = _scale(part, rows, columns, spread, over, chosen.ruiz_iterations)
    part = replace(part, entries=sp.csr_array((0, 0)))  # the backend has its own copy
    raw = SimpleNamespace(
        c=part.c, lower=part.lower, upper=part.upper, row_lower=part.row_lower, row_upper=part.row_upper, terms=None
    )
    kkt = _PartsKkt(spread, raw, scaled, over)
    scale = scaled.scaling
    data = _data_norms(part, over)

    def judged(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, Residuals]:
        """(x, y, reduced costs, residuals) in original units of a scaled point, its bounds and signs kept."""
        x = np.clip(scale.x_out(x), part.lower, part.upper)
        y = np.clip(scale.y_out(y), *multiplier_range(part.row_lower, part.row_upper))
        activity, taken = spread.zeros(y.size), spread.zeros(x.size)
        spread.matvec(kkt.A, spread.from_host(x * scale.column), activity)
        spread.rmatvec(kkt.A, spread.from_host(y * scale.row), taken)
        rho = part.c - spread.to_host(taken) * scale.column
        return x, y, rho, _residuals(part, x, y, spread.to_host(activity) * scale.row, rho, data, over)

    loop = Pdhg(kkt, stopping, chosen, clock, confirm=lambda x, y: judged(x, y)[-1], checkpoint=checkpoint)
    start = np.clip(np.zeros(part.c.size), scaled.lower, scaled.upper)
    outcome = loop.solve(start, np.zeros(part.row_lower.size))
    x, y, rho, found = judged(outcome.x, outcome.y)
    info = SolveInfo(
        "pdhg", outcome.why or f"a program in shards on {world.size} ranks", "distributed",
        f"{world.size} ranks, each {local.name}: {local.device()}", outcome.iterations, outcome.products,
        history=outcome.history, seconds=dict(clock.phases) | {"total": clock.elapsed()}, tolerance=tolerance,
    )  # fmt: skip
    handle: Any = kkt.A.handle
    return ShardedLpSolution(
        x, y, rho, outcome.status, found.objective, found.dual_objective, found, outcome.iterations,
        int(rows.offsets[world.rank]), int(columns.offsets[world.rank]), handle.forward.fetched, info,
    )  # fmt: skip


def judge(part: ProgramPart, rows: Layout, columns: Layout, world: World, x: FloatArray, y: FloatArray) -> Residuals:
    """The residuals of a point from raw entries, by kantor.solvers.termination's formulas. Collective.

    A sign of y that its row cannot have counts as dual residual, x outside its bounds as primal residual.
    """
    over, spread = _Parts(world), SpreadBackend(ReferenceBackend(), world)
    K = spread.prepare_entries(part.entries, part.at, rows, columns)
    signed = np.clip(y, *multiplier_range(part.row_lower, part.row_upper))
    activity, taken = spread.zeros(y.size), spread.zeros(x.size)
    spread.matvec(K, spread.from_host(x), activity)
    spread.rmatvec(K, spread.from_host(signed), taken)
    data = _data_norms(part, over)
    found = _residuals(part, x, signed, spread.to_host(activity), part.c - spread.to_host(taken), data, over)
    outside, wrong = over.norm(host_norm(x - np.clip(x, part.lower, part.upper)), host_norm(y - signed))
    primal = math.hypot(found.primal, outside / (1.0 + data[0]))
    return replace(found, primal=primal, dual=math.hypot(found.dual, wrong / (1.0 + data[1])))


def _data_norms(part: ProgramPart, over: _Parts) -> list[float]:
    """||b||, ||c||."""
    return over.norm(side_norm(part.row_lower, part.row_upper), host_norm(part.c))


def _residuals(
    part: ProgramPart, x: FloatArray, y: FloatArray, activity: FloatArray, rho: FloatArray, data: list[float],
    over: _Parts,
) -> Residuals:  # fmt: skip
    b_norm, c_norm = data
    off = host_norm(activity - np.clip(activity, part.row_lower, part.row_upper))
    admissible = np.clip(rho, *multiplier_range(part.lower, part.upper))
    off, wrong = over.norm(off, host_norm(rho - admissible))
    dual_own = support(y, part.row_lower, part.row_upper) + support(admissible, part.lower, part.upper)
    P, D = over.sum(float(part.c @ x), dual_own)
    return Residuals(off / (1.0 + b_norm), wrong / (1.0 + c_norm), relative_gap(P, D), P, D)


def _scale(
    part: ProgramPart, rows: Layout, columns: Layout, spread: SpreadBackend, over: _Parts, passes: int
) -> ScaledProgram:
    """Rows and columns divided by the roots of their sums of magnitudes, again and again; the last time is
    Pock-Chambolle's, after which ||K||_2 <= 1. Sums are two products with |K|, so no rank sees others' entries."""
    sizes = sp.csr_array(
        (np.abs(part.entries.data), part.entries.indices, part.entries.indptr), shape=part.entries.shape
    )
    magnitude: Operator = spread.prepare_entries(sizes, part.at, rows, columns)
    row, column = np.ones(part.row_lower.size), np.ones(part.c.size)
    by_row, by_column = spread.zeros(row.size), spread.zeros(column.size)
    for _ in range(passes + 1):
        spread.matvec(magnitude, spread.from_host(1.0 / column), by_row)
        spread.rmatvec(magnitude, spread.from_host(1.0 / row), by_column)
        in_row, in_column = spread.to_host(by_row) / row, spread.to_host(by_column) / column
        row *= np.sqrt(np.where(in_row > 0.0, in_row, 1.0))
        column *= np.sqrt(np.where(in_column > 0.0, in_column, 1.0))
    del magnitude, sizes
    c, low, high = part.c / column, part.row_lower / row, part.row_upper / row
    b_norm, bounds_norm, c_norm = over.norm(
        side_norm(low, high), side_norm(part.lower * column, part.upper * column), host_norm(c)
    )
    # As scale_program: the sides' size, unless they are dust next to the bounds.
    primal = 1.0 / (b_norm if b_norm > 1e-8 * bounds_norm else bounds_norm or 1.0)
    objective = 1.0 / (c_norm or 1.0)
    return ScaledProgram(
        K=spread.prepare_entries(_divided(part, row, column, rows, columns, spread), part.at, rows, columns),
        c=objective * c, lower=primal * column * part.lower, upper=primal * column * part.upper,
        row_lower=primal * low, row_upper=primal * high, terms=None,
        scaling=Scaling(row, column, primal, objective), norm_bound=1.0 + 1e-10,
    )  # fmt: skip


def _divided(
    part: ProgramPart, row: FloatArray, column: FloatArray, rows: Layout, columns: Layout, spread: SpreadBackend
) -> sp.csr_array:
    """This rank's entries over their rows' and columns' scales, those of other ranks fetched once."""
    K, world = part.entries, spread.world
    used, place = np.unique(K.indices, return_inverse=True)
    by_column = _fetch(column, used.astype(np.int64), columns, world)[place]
    by_row = _fetch(row, part.at, rows, world)
    data = K.data / np.repeat(by_row, np.diff(K.indptr)) / by_column
    return sp.csr_array((data, K.indices, K.indptr), shape=K.shape)


def _fetch(own: FloatArray, wanted: Any, layout: Layout, world: World) -> FloatArray:
    """The values at ascending positions, of any rank, of a vector of which every rank has its own. Collective."""
    from ..backends.halo import Exchange

    first, last = (int(o) for o in layout.offsets[world.rank : world.rank + 2])
    inside = (wanted >= first) & (wanted < last)
    there = Exchange(world, layout, wanted[~inside])
    got = np.empty(int(there.counts.sum()))
    sends = np.ascontiguousarray(own[there.picked])
    world.comm.Alltoallv([sends, there.sends], [got, there.counts])
    found = np.empty(wanted.size)
    found[inside], found[~inside] = own[wanted[inside] - first], got
    return found
