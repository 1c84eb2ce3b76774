"""Small linear programs by HiGHS' simplex method: an independent answer for tests and for tiny programs."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends.world import once
from ..errors import BackendUnavailable, OptionError, ProblemError
from . import highs_run
from .clock import Clock
from .options import StoppingCriteria
from .problem import FloatArray, LinearProgram
from .rational import Basis
from .scaling import equilibrate, log_scales, scaled_matrix, wide_units
from .solution import Status

# HiGHS drops matrix entries at or below this; smaller ones are refused here instead.
SMALL_MATRIX_VALUE = 1e-12
_RUIZ_PASSES = 10


@functools.cache
def import_highspy() -> Any:
    """The module highspy, or BackendUnavailable with the install line."""
    try:
        import highspy
    except ImportError as error:
        raise BackendUnavailable("highspy is not installed; pip install highspy") from error
    with _nothing_printed():  # the first solver of a process prints its licence, whatever its options
        highspy.Highs()
    return highspy


@contextlib.contextmanager
def _nothing_printed() -> Iterator[None]:
    """Standard output, also of compiled code, leads nowhere for as long as the block runs."""
    try:
        kept = os.dup(1)
    except OSError:  # closed: nothing can be printed
        yield
        return
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
        ctypes.CDLL(None).fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


@once
def solve_exact(
    lp: LinearProgram, stopping: StoppingCriteria, clock: Clock | None = None, presolve: bool = True
) -> tuple[Status, str, FloatArray, FloatArray, int]:
    """(status, why, x, y, simplex iterations) of the minimisation; a ray in y or x for the infeasible statuses."""
    clock = clock or Clock(stopping.time_limit_s)
    if lp.terms is not None and lp.terms.kind.any():
        raise OptionError(
            "method: 'highs' solves linear programs only, and this one has concave terms; use method='pdhg'"
        )
    magnitudes = np.abs(lp.K.data)
    small = (magnitudes > 0) & (magnitudes <= SMALL_MATRIX_VALUE)
    if small.any():
        raise ProblemError(
            f"K: {int(small.sum())} entries of magnitude <= {SMALL_MATRIX_VALUE:g}, which HiGHS would drop; "
            "use method='pdhg'"
        )
    highspy = import_highspy()
    given, (row, column) = lp, powers_of_two(lp)
    lp = in_units(given, row, column)
    solver = _run(highspy, lp, stopping, clock, presolve=presolve)
    kinds = highspy.HighsModelStatus
    if solver.getModelStatus() in (kinds.kInfeasible, kinds.kUnbounded, kinds.kUnboundedOrInfeasible):
        # Rays exist only after a simplex run on the whole model.
        solver = _run(highspy, lp, stopping, clock, presolve=False)
    solution, info = solver.getSolution(), solver.getInfo()
    x, y = _vector(solution.col_value, lp.shape[1]), _vector(solution.row_dual, lp.shape[0])
    status, why = _status(highspy, solver)
    if status is Status.PRIMAL_INFEASIBLE:
        y = _least_violation_duals(highspy, lp, stopping, clock)
    elif status is Status.DUAL_INFEASIBLE:
        x = np.asarray(solver.getPrimalRay()[2], dtype=np.float64)
    return status, why, x / column, y / row, int(info.simplex_iteration_count)


def powers_of_two(lp: LinearProgram) -> tuple[FloatArray, FloatArray]:
    """(row, column) to divide by where entries differ so much in size that units must be the reason; else ones.

    HiGHS' tolerances are absolute, and its own scaling keeps within bounds that such units exceed.
    """
    row, column = (np.ones(n) for n in lp.shape)
    if wide_units(lp.K):
        log_scales(lp.K, row, column)
        equilibrate(lp.K, row, column, _RUIZ_PASSES)
    return np.exp2(np.rint(np.log2(row))), np.exp2(np.rint(np.log2(column)))


def in_units(lp: LinearProgram, row: FloatArray, column: FloatArray) -> LinearProgram:
    """The program with row i divided by ``row[i]`` and column j by ``column[j]``: x' = column x, y' = row y."""
    return LinearProgram(
        lp.c / column, scaled_matrix(lp.K, row, column), lp.row_lower / row, lp.row_upper / row, lp.lower * column,
        lp.upper * column,
    )  # fmt: skip


def highs_model(highspy: Any, lp: LinearProgram) -> Any:
    """The minimisation, without its constant, as HiGHS takes it."""
    model = highspy.HighsLp()
    columns = lp.K.tocsc()
    model.num_row_, model.num_col_ = lp.shape
    model.col_cost_, model.col_lower_, model.col_upper_ = lp.c, lp.lower, lp.upper
    model.row_lower_, model.row_upper_ = lp.row_lower, lp.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = (
        columns.indptr,
        columns.indices,
        columns.data,
    )
    return model


def _run(highspy: Any, lp: LinearProgram, stopping: StoppingCriteria, clock: Clock, *, presolve: bool) -> Any:
    solver = highspy.Highs()
    default = solver.getOptionValue("small_matrix_value")[1]
    tight = min(1e-7, max(1e-10, stopping.tolerance))
    options = {
        "output_flag": False,
        "solver": "simplex",
        "presolve": "on" if presolve else "off",
        "small_matrix_value": SMALL_MATRIX_VALUE,
        "primal_feasibility_tolerance": tight,
        "dual_feasibility_tolerance": tight,
    }
    left = clock.left()
    if left is not None:
        options["time_limit"] = max(left, 1e-3)
    if stopping.iteration_limit is not None:
        options["simplex_iteration_limit"] = int(stopping.iteration_limit)
    for name, value in options.items():
        solver.setOptionValue(name, value)
    if solver.passModel(highs_model(highspy, lp)) == highspy.HighsStatus.kError:
        raise ProblemError("HiGHS refused the program")
    # Needed only while the matrix is taken in: left on, it stops the simplex method short on some infeasible programs.
    solver.setOptionValue("small_matrix_value", default)
    highs_run.run(highspy, solver)
    return solver


def _status(highspy: Any, solver: Any) -> tuple[Status, str]:
    kinds, status = highspy.HighsModelStatus, solver.getModelStatus()
    words = f"HiGHS simplex: {solver.modelStatusToString(status)}"
    known = {
        kinds.kOptimal: Status.OPTIMAL,
        kinds.kModelEmpty: Status.OPTIMAL,
        kinds.kTimeLimit: Status.TIME_LIMIT,
        kinds.kIterationLimit: Status.ITERATION_LIMIT,
        kinds.kInterrupt: Status.INTERRUPTED,
    }
    if status == kinds.kInfeasible:
        return Status.PRIMAL_INFEASIBLE, words
    if status == kinds.kUnbounded and solver.getPrimalRayExist()[1]:
        return Status.DUAL_INFEASIBLE, words
    return known.get(status, Status.NUMERICAL_ERROR), words


def _least_violation_duals(highspy: Any, lp: LinearProgram, stopping: StoppingCriteria, clock: Clock) -> FloatArray:
    """Row duals of "least total violation of the rows within the bounds": a Farkas ray if that violation is positive.

    HiGHS' own ray is not always there, and its sign is not fixed; this one always is.
    """
    rows = lp.shape[0]
    slack = sp.eye_array(rows, format="csr")
    elastic = LinearProgram(
        c=np.concatenate([np.zeros(lp.shape[1]), np.ones(2 * rows)]),
        K=sp.hstack([lp.K, slack, -slack], format="csr"),
        row_lower=lp.row_lower,
        row_upper=lp.row_upper,
        lower=np.concatenate([lp.lower, np.zeros(2 * rows)]),
        upper=np.concatenate([lp.upper, np.full(2 * rows, np.inf)]),
    )
    solver = _run(highspy, elastic, stopping, clock, presolve=True)
    return _vector(solver.getSolution().row_dual, rows)


def _vector(values: Any, length: int) -> FloatArray:
    vector = np.asarray(values, dtype=np.float64)
    return vector if vector.shape == (length,) else np.full(length, np.nan)


@once
def optimal_basis(lp: LinearProgram, stopping: StoppingCriteria) -> tuple[Status, Basis | None]:
    """(status, basis) of the simplex method without presolve; no basis unless it ends optimal."""
    highspy = import_highspy()
    solver = _run(highspy, lp, stopping, Clock(stopping.time_limit_s), presolve=False)
    status, _ = _status(highspy, solver)
    if status is not Status.OPTIMAL:
        return status, None
    return status, basis_of(highspy, solver)


def basis_of(highspy: Any, solver: Any) -> Basis:
    """The basis at which HiGHS stands."""
    kinds, found = highspy.HighsBasisStatus, solver.getBasis()
    place = {kinds.kLower: -1, kinds.kBasic: 0, kinds.kUpper: 1, kinds.kZero: -1, kinds.kNonbasic: -1}
    columns, rows = ([place[s] for s in part] for part in (found.col_status, found.row_status))
    return Basis(np.array(columns, dtype=np.int8), np.array(rows, dtype=np.int8))
