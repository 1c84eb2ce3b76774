"""Presolve: a smaller linear program with the same optimum, by HiGHS, and the way back for any approximate point.

The program is equilibrated first (value units if given, then as for PDHG, rounded to powers of two), so that
HiGHS' absolute tolerances mean the same in every unit. HiGHS removes empty, singleton, redundant and duplicate rows,
fixed, free, dominated and duplicate columns and doubleton equations, and tightens bounds (its presolve needs no basis).
Its postsolve restores x, y and reduced costs of an optimal point exactly and of an approximate one approximately:
it may enlarge residuals, so the caller judges what comes back on the original data and iterates on if it has to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends.world import anywhere
from . import highs_run
from . import terms as separable
from .clock import Clock, OutOfTime
from .exact import SMALL_MATRIX_VALUE, highs_model, import_highspy
from .problem import FloatArray, LinearProgram
from .scaling import equilibrate, log_scales, scaled_matrix, wide_units
from .termination import multiplier_range

# Above this many nonzeros presolve is off unless asked for: its time and memory grow faster than a product's.
MOST_NONZEROS = 2_000_000
_RUIZ_PASSES = 10


@dataclass(frozen=True)
class Presolved:
    """``lp`` is what HiGHS left of ``full``; ``rows``, ``columns`` say which of its rows and columns those were.

    Row i of ``full`` was divided by ``row[i]``, column j by ``column[j]``, before HiGHS saw it.
    """

    full: LinearProgram
    lp: LinearProgram
    row: FloatArray
    column: FloatArray
    rows: Any
    columns: Any
    highs: Any

    @property
    def solved(self) -> bool:
        """Whether nothing is left to decide."""
        return self.lp.shape[1] == 0

    def start(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A starting point (N,), (M,) of ``full`` as one of ``lp``: the entries that were kept.

        Duals of removed rows are lost: the start is as good as the reductions left it, and any start is a valid one.
        """
        x, y = (x * self.column)[self.columns], (y * self.row)[self.rows]
        return np.clip(x, self.lp.lower, self.lp.upper), y

    def finish(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The point of ``full`` that (x, y) of ``lp`` stands for, inside its bounds and the signs of its rows.

        NaN where HiGHS refuses: such a point satisfies no tolerance.
        """
        highspy, full = import_highspy(), self.full
        point = highspy.HighsSolution()
        point.col_value, point.row_value = x.tolist(), (self.lp.K @ x).tolist()
        point.row_dual, point.col_dual = y.tolist(), (self.lp.c - self.lp.K.T @ y).tolist()
        point.value_valid = point.dual_valid = True
        status = self.highs.postsolve(point)
        got = self.highs.getSolution()
        x, y = np.array(got.col_value, dtype=np.float64), np.array(got.row_dual, dtype=np.float64)
        if status == highspy.HighsStatus.kError or x.shape != full.c.shape or y.shape != full.row_lower.shape:
            return np.full(full.c.size, np.nan), np.full(full.row_lower.size, np.nan)
        x, y = x / self.column, y / self.row
        return np.clip(x, full.lower, full.upper), np.clip(y, *multiplier_range(full.row_lower, full.row_upper))


def presolve(
    lp: LinearProgram, clock: Clock, tolerance: float, values: tuple[FloatArray, FloatArray] | None = None
) -> tuple[Presolved | None, str]:
    """(the reduced program, "") or (None, why there is none): nothing to remove, or HiGHS found it infeasible.

    An infeasible program is left to the caller as it is, for the certificate has to hold on the original rows.
    values: worth of a unit of every row (M,) and column (N,), as in solve_lp. Raises OutOfTime.
    """
    refused = unsuitable(lp)
    if refused:
        return None, refused
    row, column = (np.ones(n) for n in lp.shape) if values is None else (1.0 / values[0], values[1].copy())
    _equilibrate_by_powers_of_two(lp, row, column, clock, values is not None)
    highspy = import_highspy()
    scaled = LinearProgram(
        lp.c / column,
        scaled_matrix(lp.K, row, column),
        lp.row_lower / row,
        lp.row_upper / row,
        lp.lower * column,
        lp.upper * column,
    )
    model, highs = highs_model(highspy, scaled), highspy.Highs()
    # The presolved model keeps names but not indices, so the names are the indices.
    model.col_names_ = [f"c{j}" for j in range(lp.shape[1])]
    model.row_names_ = [f"r{i}" for i in range(lp.shape[0])]
    _set_options(highs, tolerance, clock.left())
    if highs.passModel(model) == highspy.HighsStatus.kError:
        return None, "presolve: HiGHS refused the program"
    highs_run.interruptible(highs.presolve)
    clock.look()
    return _reduced(highspy, highs, lp, row, column)


def unsuitable(lp: LinearProgram) -> str:
    """Why HiGHS cannot presolve this program, or ""."""
    if separable.active_columns(lp.terms).size:
        return "presolve: only for linear programs, and this one has concave terms"
    magnitudes = np.abs(lp.K.data)
    if ((magnitudes > 0) & (magnitudes <= SMALL_MATRIX_VALUE)).any():
        return f"presolve: left out, HiGHS would drop entries of magnitude <= {SMALL_MATRIX_VALUE:g}"
    return ""


def _equilibrate_by_powers_of_two(
    lp: LinearProgram, row: FloatArray, column: FloatArray, clock: Clock, valued: bool
) -> None:
    """Multiply (row, column) in place: dividing by powers of two rounds nothing."""
    before = row.copy(), column.copy()
    if not valued and wide_units(lp.K):
        log_scales(lp.K, row, column, clock.look)
    equilibrate(lp.K, row, column, _RUIZ_PASSES, between=clock.look)
    for scale, start in zip((row, column), before, strict=True):
        scale[:] = start * np.exp2(np.rint(np.log2(scale / start)))


def _set_options(highs: Any, tolerance: float, seconds: float | None) -> None:
    tight = min(1e-7, max(1e-10, 1e-2 * tolerance))
    options = {
        "output_flag": False,
        "presolve": "on",
        "small_matrix_value": SMALL_MATRIX_VALUE,
        "primal_feasibility_tolerance": tight,
        "dual_feasibility_tolerance": tight,
    }
    if seconds is not None:
        options["time_limit"] = max(seconds, 1e-3)
    for name, value in options.items():
        highs.setOptionValue(name, value)


def _reduced(
    highspy: Any, highs: Any, full: LinearProgram, row: FloatArray, column: FloatArray
) -> tuple[Presolved | None, str]:
    kinds, status = highspy.HighsPresolveStatus, highs.getModelPresolveStatus()
    if anywhere(status == kinds.kTimeout):
        raise OutOfTime
    if status not in (kinds.kReduced, kinds.kReducedToEmpty):
        words = {kinds.kInfeasible: "HiGHS finds the program infeasible", kinds.kNotReduced: "nothing to remove"}
        words[kinds.kUnboundedOrInfeasible] = "HiGHS finds the program unbounded or infeasible"
        return None, f"presolve: {words.get(status, f'HiGHS says {status.name}')}"
    left = highs.getPresolvedLp()
    stored, shape = left.a_matrix_, (left.num_row_, left.num_col_)
    parts = np.asarray(stored.value_, dtype=np.float64), np.asarray(stored.index_), np.asarray(stored.start_)
    form = sp.csc_array if stored.format_ == highspy.MatrixFormat.kColwise else sp.csr_array
    # Of a program reduced to nothing HiGHS may leave the pointers of the old matrix.
    matrix = form(parts, shape=shape).tocsr() if min(shape) else sp.csr_array(shape)
    lp = LinearProgram(
        np.asarray(left.col_cost_),
        matrix,
        np.asarray(left.row_lower_),
        np.asarray(left.row_upper_),
        np.asarray(left.col_lower_),
        np.asarray(left.col_upper_),
        offset=float(left.offset_),
        name=full.name,
    )
    rows = np.array([int(name[1:]) for name in left.row_names_], dtype=np.intp)
    columns = np.array([int(name[1:]) for name in left.col_names_], dtype=np.intp)
    return Presolved(full, lp, row, column, rows, columns, highs), ""
