"""Leontief systems of tables in shards: every rank has its own rows, its own part of x and d, and nothing whole.

The methods, the refinement and the proof of the error are those of solve_leontief (kantor.solvers.leontief_block,
kantor.solvers.error_bound); only what reduces host arrays is exchanged (kantor.solvers.over).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend, Operator, get_backend
from ..backends.distributed import DistributedBackend, SpreadBackend
from ..backends.partition import Layout
from ..backends.world import World
from ..errors import OptionError
from .error_bound import bound_error
from .leontief_block import Block
from .leontief_run import CHAIN
from .operand import Operand
from .over import Parts
from .problem import FloatArray
from .rigour import gamma
from .solution import SolveInfo, Status
from .watch import Stopwatch


@dataclass
class ShardedSolution:
    """A rank's part of the answer, and what all ranks know alike.

    Attributes
    ----------
    x, error_bound : (own goods,) gross output and |x - exact| <= error_bound, proved; None if not asked for
    first : number of the first own good in the whole table
    status, iterations, residual : of the whole system; residual = ||d - (I - A) x||_2 / ||d||_2
    halo : values that this rank fetches in one product
    """

    x: FloatArray
    error_bound: FloatArray | None
    first: int
    status: Status
    iterations: int
    residual: float
    halo: int
    info: SolveInfo


class _ShardedOperand(Operand):
    """M from every rank's rows; what the host sees are own goods."""

    def __init__(self, rows: sp.csr_array, backend: SpreadBackend, consume: bool) -> None:
        self.backend = self.sparse_backend = backend
        self.n, self.dense, self.matrix = int(rows.shape[0]), False, None
        self.over = Parts(backend.world)
        self.signed = not self.over.all(not rows.nnz or rows.data.min() >= 0.0)
        # Before the rows are given up: their parts are all that stays.
        self.guard = np.asarray(gamma(np.diff(rows.indptr) + 4))
        self.held = int(rows.nnz)
        size = (
            sp.csr_array((np.abs(rows.data), rows.indices.copy(), rows.indptr), shape=rows.shape)
            if self.signed
            else None
        )
        self.op = backend.prepare_rows(rows, consume=consume)
        self.magnitude: Operator = self.op if size is None else backend.prepare_rows(size, consume=True)

    @property
    def size_op(self) -> Operator:
        return self.magnitude

    @property
    def entries(self) -> int:
        return self.held


def solve_rows(
    rows: sp.csr_array,
    d: FloatArray,
    layout: Layout,
    world: World,
    *,
    tolerance: float = 1e-10,
    backend: str | Backend = "auto",
    max_iterations: int = 10_000,
    error_bound: bool = True,
    clock: Stopwatch | None = None,
    consume: bool = False,
) -> ShardedSolution:
    """Solve x = A x + d from every rank's rows (own goods, n) of A and part (own goods,) of d. Collective.

    ``layout`` says which goods are whose: contiguous pieces. Options as in solve_leontief. Numbers must be finite.
    ``rows`` is no longer needed once the operator is made: a caller that lets go of it saves its memory, and with
    ``consume``, which lets it be overwritten, a copy of it.
    """
    if not 0.0 < tolerance < 1.0:
        raise OptionError(f"tolerance: {tolerance!r}, expected a number with 0 < tolerance < 1")
    clock = clock or Stopwatch()
    local = get_backend(backend)
    if isinstance(local, DistributedBackend):
        local = local.local
    operand = _ShardedOperand(rows, SpreadBackend(local, world, layout), consume)
    del rows
    clock.lap("prepare")
    info = SolveInfo(
        why=f"{layout.n} sectors in shards on {world.size} ranks", backend="distributed", tolerance=tolerance,
        device=f"{world.size} ranks, each {local.name}: {local.device()}",
    )  # fmt: skip
    x, status, block = np.zeros(d.size), Status.OPTIMAL, None
    if not operand.over.all(d == 0.0):
        block = Block(operand, None, d, tolerance, max_iterations, lambda *_: None, lambda: None)
        status, x = block.run(CHAIN), block.answer()
        info.method, info.iterations, info.products = "+".join(block.used), block.watch.iterations, block.products
        info.why = block.why if status is not Status.OPTIMAL else info.why
        info.primal_residual = float(block.given.max())
    clock.lap("solve")
    bound = None
    if error_bound:
        proof = bound_error(operand, d, x)
        info.products += proof.products
        info.notes.append(proof.why)
        bound = proof.bound
        clock.lap("error_bound")
    info.seconds = clock.seconds
    handle: Any = operand.op.handle
    return ShardedSolution(
        x, bound, int(layout.offsets[world.rank]), status, info.iterations,
        0.0 if block is None else float(block.given.max()), handle.forward.fetched, info,
    )  # fmt: skip
