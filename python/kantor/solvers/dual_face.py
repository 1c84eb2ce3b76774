"""Ranges of prices and rents over all optimal ones: where a vertex is degenerate, they are intervals.

Prices and rents are optimal exactly if they are feasible and complementary to one optimal plan (Goldman and Tucker
1956), whichever that is. With an exact vertex x the optimal ones are therefore all y with

    y_i >= 0 at a lower side, <= 0 at an upper one, free at both, 0 where row i has room;
    c_j - (K'y)_j = 0 where x_j lies between its bounds, >= 0 at the lower, <= 0 at the upper one,

without any value that would have to be met to a tolerance. Each end of an interval is a linear program on this face.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends.world import once
from ..errors import OptionError
from .basis import ROUNDING
from .exact import SMALL_MATRIX_VALUE, highs_model, import_highspy
from .problem import FloatArray, LinearProgram
from .value_units import ValueUnits
from .vertex import MOST_ROWS, ProgramVertex

_HIGHS = {
    "output_flag": False, "parallel": "off", "solver": "simplex", "small_matrix_value": SMALL_MATRIX_VALUE,
    "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10,
}  # fmt: skip


@once
def multiplier_ranges(vertex: ProgramVertex, rows: Any, columns: Any) -> tuple[FloatArray, FloatArray]:
    """(low, high) over all optimal multipliers: of those of ``rows``, then of what ``columns`` earn beyond their cost.

    In the units of the planning program; -inf or inf where there is no end. ``rows`` and ``columns`` are positions in
    the linear program. The multiplier of a good's row is its price, that of a limit's row its floor rent minus its
    rent; what a technique earns is the rent of its capacity where that is full.

    Raises OptionError where a degenerate vertex has more than MOST_ROWS goods and limits, and where HiGHS finds no end.
    """
    rows, columns = np.asarray(rows, np.intp), np.asarray(columns, np.intp)
    low = np.concatenate([vertex.y[rows], -vertex.reduced[columns]])
    high = low.copy()
    if vertex.degenerate()[0] == 0:
        return low, high
    M = vertex.lp.shape[0]
    if M > MOST_ROWS:
        raise OptionError(f"price intervals: for plans of at most {MOST_ROWS:,} goods and limits, this has {M:,}")
    face, units = _face(vertex)
    solver = _solver(face)
    for k, at in enumerate([*rows.tolist(), *(M + columns).tolist()]):
        cost = np.zeros(M)
        if at < M:
            cost[at] = 1.0
            unit, offset = vertex.row_unit[at] / units.rows[at], 0.0
        else:
            j = at - M
            cost = np.asarray(vertex.lp.K[:, [j]].todense()).ravel() / units.rows
            unit, offset = vertex.value_unit / vertex.column_unit[j], -float(vertex.lp.c[j])
        size = float(np.abs(cost).max()) or 1.0
        ends = [_end(solver, sign * cost / size, M) for sign in (1.0, -1.0)]
        found = [unit * (size * end + offset) if np.isfinite(end) else end for end in (ends[0], -ends[1])]
        # The vertex itself is one of the points of the face, whatever rounding makes of the ends.
        low[k], high[k] = min(low[k], found[0]), max(high[k], found[1])
    return low, high


def _face(vertex: ProgramVertex) -> tuple[LinearProgram, ValueUnits]:
    """The optimal multipliers as the feasible points of a linear program, in units of value."""
    lp, point = vertex.lp, vertex.point
    scale = np.where(point.column_size > 0.0, 1.0 / point.column_size, 1.0)
    size = np.maximum(_largest_row(sp.csr_array(abs(lp.K)) @ sp.diags_array(scale)), 1e-300)
    units = ValueUnits(size, np.ones(lp.shape[1]))
    at_low, at_high = _at(lp, point.row, point.row_size)
    low = np.where(at_high, -np.inf, 0.0)
    high = np.where(at_low, np.inf, 0.0)
    x_low = np.isfinite(lp.lower) & (point.column_distance(lp.K, _gap(point.x, lp.lower)) <= ROUNDING)
    x_high = np.isfinite(lp.upper) & (point.column_distance(lp.K, _gap(point.x, lp.upper)) <= ROUNDING)
    # (K'y)_j <= c_j at the lower bound, >= at the upper one, = between them; in units of what flows there.
    matrix = sp.csr_array(sp.diags_array(scale) @ lp.K.T @ sp.diags_array(1.0 / size))
    side = lp.c * scale
    return LinearProgram(
        np.zeros(lp.shape[0]),
        matrix,
        row_lower=np.where(x_low, -np.inf, side),
        row_upper=np.where(x_high, np.inf, side),
        lower=low,
        upper=high,
    ), units


def _largest_row(matrix: Any) -> FloatArray:
    return np.asarray(matrix.max(axis=1).todense()).ravel() if matrix.nnz else np.ones(matrix.shape[0])


def _at(lp: LinearProgram, row: FloatArray, size: FloatArray) -> tuple[Any, Any]:
    """Rows at their lower side, and at their upper one."""
    low = np.isfinite(lp.row_lower) & (_gap(row, lp.row_lower) <= ROUNDING * size)
    return low, np.isfinite(lp.row_upper) & (_gap(row, lp.row_upper) <= ROUNDING * size)


def _gap(value: FloatArray, bound: FloatArray) -> FloatArray:
    return np.abs(value - np.where(np.isfinite(bound), bound, 0.0))


def _solver(face: LinearProgram) -> Any:
    highspy = import_highspy()
    solver = highspy.Highs()
    for name, value in _HIGHS.items():
        solver.setOptionValue(name, value)
    solver.passModel(highs_model(highspy, face))
    return solver


def _end(solver: Any, cost: FloatArray, count: int) -> float:
    """The least cost over the face; -inf without end. One solve after another starts from the last basis."""
    import highspy

    solver.changeColsCost(count, np.arange(count, dtype=np.int32), cost)
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kOptimal:
        return float(solver.getInfo().objective_function_value)
    if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return -np.inf
    # Without an end there is no interval, and the vertex alone would pass for one.
    words = solver.modelStatusToString(status)
    raise OptionError(f"price intervals: HiGHS found no end of one ({words.lower()})")
