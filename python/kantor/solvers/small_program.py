"""Small linear programs inside a larger search, by HiGHS' simplex method, from the basis of the program before.

A search solves many programs that differ little. The basis of the last one saves most of the pivots, if it is square:
rows and columns that came and went since leave it a few entries too large or too small, and HiGHS then starts from
nothing. :func:`square` mends it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import highspy
import numpy as np

from ..backends.world import once
from .exact import SMALL_MATRIX_VALUE, import_highspy
from .problem import FloatArray

LOWER, BASIC, UPPER = 0, 1, 2
Statuses = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]  # of columns, of rows
Found = tuple[FloatArray, FloatArray, np.ndarray[Any, Any], np.ndarray[Any, Any]]

_PRIMAL_SIMPLEX = 4
_UNSCALED = 0
_NAMES = (highspy.HighsBasisStatus.kLower, highspy.HighsBasisStatus.kBasic, highspy.HighsBasisStatus.kUpper)
_STATUS = {highspy.HighsBasisStatus.kBasic: BASIC, highspy.HighsBasisStatus.kUpper: UPPER}
_OPTIONS: dict[str, Any] = {
    "output_flag": False,
    "parallel": "off",  # not "threads": HiGHS refuses to run with another number than an earlier run of the process had
    "presolve": "off",
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
    "small_matrix_value": SMALL_MATRIX_VALUE,
}


@once
def solve_small(
    cost: FloatArray,
    matrix: Any,
    row_low: FloatArray,
    row_high: FloatArray,
    low: FloatArray,
    high: FloatArray,
    start: Statuses | None = None,
    most_pivots: int | None = None,
    out_of_time: Callable[[], bool] | None = None,
) -> Found | None:
    """(values of columns, row duals, status of columns, of rows), or None: no solution, too many pivots, no time.

    ``matrix`` is CSC; its rows and columns should be in comparable units if there is a ``start``: from one, the primal
    simplex method runs without scaling, because the dual one, from a basis that is optimal for a neighbouring program
    but neither primal nor dual feasible, needs as many pivots as from nothing.
    """
    size = max(float(np.abs(cost).max(initial=0.0)), 1e-300)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost / size, low, high
    lp.row_lower_, lp.row_upper_ = row_low, row_high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    h = import_highspy().Highs()
    for name, value in _OPTIONS.items():
        h.setOptionValue(name, value)
    h.passModel(lp)
    if start is not None:
        h.setOptionValue("simplex_strategy", _PRIMAL_SIMPLEX)
        h.setOptionValue("simplex_scale_strategy", _UNSCALED)
        columns, rows = square(start, low, high, row_low, row_high)
        basis = highspy.HighsBasis()
        basis.col_status, basis.row_status = [_NAMES[s] for s in columns], [_NAMES[s] for s in rows]
        basis.valid = True
        h.setBasis(basis)
    if most_pivots is not None:
        h.setOptionValue("simplex_iteration_limit", int(most_pivots))
    if out_of_time is not None:
        h.cbSimplexInterrupt.subscribe(lambda event: event.interrupt() if out_of_time() else None)
    h.run()
    if h.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution, found = h.getSolution(), h.getBasis()
    status = lambda part: np.array([_STATUS.get(s, LOWER) for s in part], dtype=np.int64)  # noqa: E731
    duals = size * np.asarray(solution.row_dual)
    return np.asarray(solution.col_value), duals, status(found.col_status), status(found.row_status)


def square(start: Statuses, low: FloatArray, high: FloatArray, row_low: FloatArray, row_high: FloatArray) -> Statuses:
    """A basis with as many entries as rows, from one with a few too many or too few; zero is the present point.

    Those nearest to a bound leave it, and rows furthest from theirs enter. That it is singular then is for HiGHS to
    notice, which replaces columns by rows.

    >>> low, high, one = np.array([-0.1, -8.0]), np.array([0.2, 9.0]), np.ones(1)
    >>> columns, rows = square((np.array([1, 1]), np.array([0])), low, high, -one, one)
    >>> columns.tolist(), rows.tolist()
    ([0, 1], [0])
    """
    columns, rows = start[0].copy(), start[1].copy()
    status = np.concatenate([columns, rows])
    below, above = np.abs(np.concatenate([low, row_low])), np.abs(np.concatenate([high, row_high]))
    room = np.minimum(below, above)
    excess = int((status == BASIC).sum()) - rows.size
    if excess > 0:
        basic = np.flatnonzero(status == BASIC)
        leave = basic[np.argsort(room[basic], kind="stable")[:excess]]
        status[leave] = np.where(below[leave] <= above[leave], LOWER, UPPER)
    elif excess < 0:
        idle = columns.size + np.flatnonzero(rows != BASIC)
        status[idle[np.argsort(-room[idle], kind="stable")[:-excess]]] = BASIC
    return status[: columns.size], status[columns.size :]
