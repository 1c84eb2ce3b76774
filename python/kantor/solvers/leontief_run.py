"""One call of solve_leontief: method and units are chosen, the columns go through in blocks, bounds are proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..backends import Backend, get_backend
from .aggregation import Aggregation, aggregate
from .error_bound import ErrorBound, bound_error
from .leontief_block import Block
from .operand import LARGEST_SINGLE, Operand
from .own_units import in_units, rough_output
from .problem import FloatArray
from .productive import check_productive
from .single_sweeps import SingleSweeps
from .solution import SolveInfo, Status
from .square_table import SquareTable
from .staged_sweeps import StagedSweeps
from .watch import Stopwatch

DIRECT_SIZE = 512  # up to here a dense factorisation takes a few milliseconds and is exact to rounding
CHAIN = ("bicgstab", "anderson", "neumann")  # "auto" goes on to the next when one stalls
# Columns that go through the matrix together. A row of eight is a line of the cache, and while a block of eight stays
# in cache, wider ones lose more there than they save by reading the matrix once. A dense table gains from any width.
NARROW, WIDTH, DENSE_WIDTH = 8, 32, 128
CACHE_BYTES = 2**24
BLOCK_BYTES = 2**31  # most that the eight vectors of a method may take, all columns of a block
VECTORS = 8
ROUGH_FROM = 1_000_000  # entries from which the table outgrows the caches, so that half as wide values pay


@dataclass
class _Inside:
    """What the iterations see: the table in the units ``unit`` (None: as given), its precision, a preconditioner."""

    operand: Operand
    unit: FloatArray | None = None
    rough: bool = False
    aggregation: Aggregation | None = None
    sweeps: SingleSweeps | StagedSweeps | None = None


class LeontiefRun:
    """Solves (I - M) x = d, M = A or A', and gathers what is to be told about it."""

    def __init__(
        self,
        table: SquareTable,
        transpose: bool,
        backend: str | Backend,
        d: FloatArray,
        tolerance: float,
        max_iterations: int,
        on_progress: Callable[[dict[str, float]], object] | None,
        groups: np.ndarray[Any, Any] | None = None,
    ) -> None:
        self.clock = Stopwatch()
        self.table, self.d, self.tolerance, self.max_iterations = table, d, tolerance, max_iterations
        self.on_progress, self.groups = on_progress, groups
        matrix = table.oriented(transpose)
        if table.dense and not _by_blas(backend):
            matrix = table.sparse(transpose)
        self.operand = Operand(matrix, backend, signed=not table.nonnegative)
        self.x = np.zeros(d.shape)
        self.residual: FloatArray | None = None  # of x, where it is known in d's units
        # a column that is never reached stays at x = 0
        self.residuals = np.atleast_1d(d.any(axis=0)).astype(np.float64)
        self.value_residuals = self.residuals.copy()
        self.iterations = self.products = self.columns_done = 0
        self.used: list[str] = []
        self.notes: list[str] = []
        self.history: list[dict[str, float]] = []
        self.why = ""
        self.probed = False
        if not table.nonnegative:
            self.notes.append(f"{table.negatives} entries of A are below zero: bounds count magnitudes")
        self.clock.lap("prepare")

    # ---- solving -----------------------------------------------------------------------------------------------------
    def solve(self, method: str, start: FloatArray | None) -> Status:
        """Solve all columns; the answer is left in ``x``."""
        chain, why = self._plan(method, start is not None)
        inside = _Inside(self.operand)
        if chain[0] != "direct" and self.d.any():
            why += self._look_inside(inside, method)
            self.clock.lap("prepare")
        status = Status.OPTIMAL
        for columns in self._blocks(inside.sweeps):
            block = Block(
                inside.operand,
                inside.unit,
                self.d if columns is None else np.ascontiguousarray(self.d[:, columns]),
                self.tolerance,
                self.max_iterations,
                self._progress,
                self._probe,
                inside.rough,
                inside.aggregation,
                inside.sweeps,
            )
            if start is not None:
                block.start(start if columns is None else start[:, columns])
            found = block.run(chain)
            self._take(block, columns)
            if found is not Status.OPTIMAL and status is Status.OPTIMAL:
                status, self.why = found, f"{block.why}; {why}"
            if found is Status.INTERRUPTED:
                status = found
                break
        if status is Status.OPTIMAL:
            self.why = why
        self.clock.lap("solve")
        return status

    def _look_inside(self, inside: _Inside, method: str) -> str:
        """Choose units, precision and preconditioner; what is to be told about them."""
        said = ""
        if not self.operand.signed and self.table.in_many_units():
            inside.unit = rough_output(self.operand, self.d)
            matrix = in_units(self.operand.matrix, inside.unit)
            inside.operand = Operand(matrix, self.operand.backend, signed=False)
            said += "; many column sums exceed 1, so goods have different units: each is counted in its own output"
        if method == "auto" and self.operand.entries >= ROUGH_FROM and self._fits_float32(inside):
            if inside.operand.backend.gains_by_float32(inside.operand.op.shape):
                inside.rough = True
                said += "; it reads the table in float32, and float64 residuals correct it"
                inside.operand.backend.few_products(inside.operand.op)
            said += self._sweeps_first(inside)
        if self.groups is not None:
            demand = self.d if inside.unit is None else (self.d.T / inside.unit).T
            output = rough_output(inside.operand, demand)
            inside.aggregation, told = aggregate(inside.operand, self.groups, output)
            said += f"; {told}"
        return said

    def _fits_float32(self, inside: _Inside) -> bool:
        """No entry inside is too large for float32."""
        if inside.unit is not None:
            return inside.operand.fits_float32
        return max(-self.table.lowest, self.table.largest) < LARGEST_SINGLE

    def _sweeps_first(self, inside: _Inside) -> str:
        """Choose the sweeps that come first; what is to be told about them. The entries fit float32."""
        columns = 1 if self.d.ndim == 1 else self.d.shape[1]
        backend = inside.operand.backend
        if self.groups is not None:
            return ""
        if columns >= NARROW and backend.sweeps_in_single:
            inside.sweeps = SingleSweeps(backend, inside.operand.op)
            return f"; plain sweeps in float32 come first, {inside.sweeps.width} columns a pass"
        if columns == 1 and inside.operand.in_stages() is not None:
            inside.sweeps = StagedSweeps(backend, inside.operand.stages)
            return "; sweeps that use at once what they compute come first, in float32; float64 residuals correct it"
        return ""

    def _plan(self, method: str, warm: bool) -> tuple[tuple[str, ...], str]:
        n = self.table.n
        if method != "auto":
            return (method,), f"method {method!r} was asked for"
        if n <= DIRECT_SIZE and not warm:
            why = f"{n} sectors <= {DIRECT_SIZE}: one dense factorisation is quickest and exact to rounding"
            return ("direct", *CHAIN), why
        reason = "a starting point is given" if n <= DIRECT_SIZE else f"{n} sectors > {DIRECT_SIZE}"
        return CHAIN, f"{reason}: BiCGSTAB needs the fewest products with tables whose one large eigenvalue is real"

    def _blocks(self, sweeps: SingleSweeps | StagedSweeps | None = None) -> list[slice | None]:
        """The columns in groups that go through the matrix together; None: d has one dimension."""
        if self.d.ndim == 1:
            return [None]
        wide = NARROW if 8 * NARROW * self.table.n <= CACHE_BYTES else WIDTH
        wide = sweeps.width if sweeps is not None else wide
        wide = DENSE_WIDTH if self.operand.dense else min(wide, WIDTH)
        width = int(min(wide, max(1, BLOCK_BYTES // (8 * VECTORS * self.table.n))))
        count = -(-self.d.shape[1] // width)
        cuts = np.linspace(0, self.d.shape[1], count + 1).round().astype(int)
        return [slice(int(a), int(b)) for a, b in pairwise(cuts)]

    def _take(self, block: Block, columns: slice | None) -> None:
        at = slice(None) if columns is None else columns
        if columns is None:
            self.x, self.residual = block.answer(), block.residual()
        else:
            self.x[:, at] = block.answer()
        self.residuals[at], self.value_residuals[at] = block.given, block.value_residuals()
        self.iterations = max(self.iterations, block.watch.iterations)
        self.products += block.products
        self.used += [name for name in block.used if name not in self.used]
        self.notes += [note for note in block.notes if note not in self.notes]
        self.columns_done += self.residuals[at].size

    def _probe(self) -> None:
        """Raise ProblemError if the table is not productive; looked at once."""
        if not self.probed:
            self.probed = True
            check_productive(self.table, backend=self.operand.sparse_backend)

    def _progress(self, iteration: int, worst: float) -> None:
        entry = {
            "iteration": float(iteration),
            "primal_residual": worst,
            "seconds": self.clock.elapsed(),
            "columns_done": float(self.columns_done),
        }
        self.history.append(entry)
        if self.on_progress is not None:
            self.on_progress(entry)

    # ---- the result --------------------------------------------------------------------------------------------------
    def bound(self, kind: str) -> ErrorBound:
        """Certified componentwise bounds on the error of x; infinite if there is no proof."""
        found = bound_error(self.operand, self.d, self.x, tight=kind == "tight", residual=self.residual)
        self.products += found.products
        self.notes.append(found.why)
        if found.vector is None:
            self._probe()
        self.clock.lap("error_bound")
        return found

    def info(self) -> SolveInfo:
        """What is to be told."""
        return SolveInfo(
            method="+".join(self.used) or "none",
            why=self.why,
            backend=self.operand.backend.name,
            device=self.operand.backend.device(),
            iterations=self.iterations,
            products=self.products,
            primal_residual=float(self.residuals.max()),
            tolerance=self.tolerance,
            seconds=self.clock.seconds,
            history=self.history,
            notes=self.notes,
        )


def _by_blas(backend: str | Backend) -> bool:
    """A dense table is multiplied by BLAS on the host unless a backend is asked for, or found, that lives elsewhere."""
    return backend == "auto" and get_backend("auto").name in ("native", "numba", "reference")
