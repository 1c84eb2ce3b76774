"""Bases of linear programs: the point and the multipliers of one, by bordered Leontief solves with refinement.

The rows at a side (tight) and the columns between their bounds (basic) of a :class:`kantor.solvers.rational.Basis` are
equally many, and K[tight, basic] is regular. Nearly every tight row of a plan is a good with a basic technique of its
own; those form a core, a Leontief matrix, and everything else - scarce resources, the scale, goods without a technique
between its bounds, second techniques - is a narrow border (Schur complement). Only the core is solved with, iteratively
where it is large, so the matrix as a whole is never factorised. Residuals are taken in extended precision on the raw
numbers and corrected until the answer is good to the last digits of float64 (iterative refinement: Wilkinson 1963).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from ..errors import KantorError
from .leontief import solve_leontief
from .problem import FloatArray, LinearProgram
from .rational import Basis
from .solution import uninterrupted
from .value_units import ValueUnits

_DENSE = 600  # cores up to this size are factorised as dense matrices
_WIDEST = 2_000  # columns of a border
_REFINEMENTS = 8
_INNER = 1e-11
# Distances below this share of what flows through a row or column are rounding.
ROUNDING = 1e-12
# A flow of less than this share of the largest, by value, is no flow: in a row where exactly nothing flows, what is
# computed is rounding of other rows, and any part of it is all of it.
NO_FLOW = 1e-18

Solve = Callable[[FloatArray], FloatArray]
LongArray = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BasicPoint:
    """What a basis of a linear program determines; N columns, M rows.

    Attributes
    ----------
    basis: columns at a bound (-1, 1) or between (0), rows at a side (-1, 1) or not (0).
    x: (N,) the point, columns at a bound exactly there; y: (M,) multipliers, zero at rows that are not at a side.
    reduced: (N,) c - K'y, exactly zero for columns between their bounds.
    row: (M,) K x, exactly the side for rows at one.
    row_size, column_size: (M,), (N,) what flows through a row, |K| |x| + |side|, and a column, |K|'|y| + |c|; at
        least NO_FLOW of the largest.
    violation: the largest violation of a bound, a side, or the sign of a multiplier or reduced cost, as a share of
        what flows there; 0 where all hold. An optimal vertex has none beyond :data:`ROUNDING`.
    residual: the largest residual of both systems, as a share of what flows there, in extended precision.
    """

    basis: Basis
    x: FloatArray
    y: FloatArray
    reduced: FloatArray
    row: FloatArray
    row_size: FloatArray
    column_size: FloatArray
    violation: float
    residual: float
    # What a unit of each column and row moves, as a share of what flows: asked for several times, a pass over K each.
    _per_unit: dict[str, FloatArray] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def optimal(self) -> bool:
        """Whether this is an optimal vertex, to rounding."""
        return self.violation <= ROUNDING and self.residual <= ROUNDING

    def column_distance(self, K: sp.csr_array, distance: FloatArray) -> FloatArray:
        """(N,) distances in x as the largest share of what flows through any row that they move."""
        if "column" not in self._per_unit:
            self._per_unit["column"] = _largest(sp.csc_array(abs(K)), self.row_size)
        return np.where(distance > 0.0, self._per_unit["column"] * distance, 0.0)

    def row_distance(self, K: sp.csr_array, distance: FloatArray) -> FloatArray:
        """(M,) distances in y as the largest share of what flows through any column that they move."""
        if "row" not in self._per_unit:
            self._per_unit["row"] = _largest(sp.csr_array(abs(K)), self.column_size)
        return np.where(distance > 0.0, self._per_unit["row"] * distance, 0.0)


def basic_point(lp: LinearProgram, units: ValueUnits, basis: Basis) -> BasicPoint | None:
    """The point of a basis of a linear program without terms; None if the basis is singular, or too wide to solve.

    ``units`` say what rows and columns are worth, so that the solves do not depend on physical units.

    >>> lp = LinearProgram([1.0], np.array([[3.0]]), row_lower=[1.0])
    >>> units = ValueUnits(np.ones(1), np.ones(1))
    >>> basic_point(lp, units, Basis(np.array([0]), np.array([-1]))).x
    array([0.33333333])
    """
    basic, tight = np.flatnonzero(basis.columns == 0), np.flatnonzero(basis.rows != 0)
    if basic.size != tight.size:
        return None
    x = np.where(basis.columns > 0, lp.upper, np.where(np.isfinite(lp.lower), lp.lower, 0.0))
    x[basic] = 0.0
    side = np.where(basis.rows > 0, lp.row_upper, lp.row_lower)
    if not (np.isfinite(x).all() and np.isfinite(side[tight]).all()):
        return None
    K = lp.K
    square = sp.csr_array(K[tight][:, basic])
    solver = Bordered.of(square, units.rows[tight], units.columns[basic])
    if solver is None:
        return None
    right = side[tight].astype(np.longdouble) - sp.csr_array(K[tight]) @ x.astype(np.longdouble)
    inner = _refined(square, right, solver.solve, units.rows[tight])
    y = np.zeros(lp.shape[0])
    costs = lp.c[basic].astype(np.longdouble)
    outer = _refined(sp.csr_array(square.T), costs, solver.solve_transposed, 1.0 / units.columns[basic])
    if inner is None or outer is None:
        return None
    x[basic], y[tight] = inner, outer
    return _judged(lp, units, basis, x, y, side)


def _at_least(flow: FloatArray, value: FloatArray) -> FloatArray:
    """Flows, raised to NO_FLOW of the largest; ``value`` is what one of each unit is worth."""
    return np.maximum(flow, NO_FLOW * (flow * value).max(initial=0.0) / value)


def _judged(
    lp: LinearProgram, units: ValueUnits, basis: Basis, x: FloatArray, y: FloatArray, side: FloatArray
) -> BasicPoint:
    """The point with everything that is said of it."""
    K = lp.K
    size = abs(K)
    tight = basis.rows != 0
    row = (K @ x.astype(np.longdouble)).astype(np.float64)
    row_size = _at_least(size @ np.abs(x) + np.where(tight, np.abs(np.where(tight, side, 0.0)), 0.0), units.rows)
    reduced = (lp.c - K.T @ y.astype(np.longdouble)).astype(np.float64)
    column_size = _at_least(size.T @ np.abs(y) + np.abs(lp.c), 1.0 / units.columns)
    share = lambda part, whole: part / np.where(whole > 0.0, whole, 1.0)  # noqa: E731
    residual = max(
        share(np.where(tight, np.abs(row - np.where(tight, side, 0.0)), 0.0), row_size).max(initial=0.0),
        share(np.where(basis.columns == 0, np.abs(reduced), 0.0), column_size).max(initial=0.0),
    )
    row, reduced = np.where(tight, side, row), np.where(basis.columns == 0, 0.0, reduced)
    point = BasicPoint(basis, x, y, reduced, row, row_size, column_size, np.inf, float(residual))
    # Columns outside their bounds, rows outside their sides, multipliers and reduced costs of the wrong sign.
    fixed, equal = lp.lower == lp.upper, lp.row_lower == lp.row_upper
    outside = point.column_distance(K, np.maximum(0.0, np.maximum(lp.lower - x, x - lp.upper)))
    beyond = share(np.maximum(0.0, np.maximum(lp.row_lower - row, row - lp.row_upper)), row_size)
    signs = np.where(basis.columns > 0, np.maximum(reduced, 0.0), np.maximum(-reduced, 0.0))
    signs = np.where(fixed | (basis.columns == 0), 0.0, signs)
    free = (basis.columns != 0) & np.isneginf(lp.lower) & np.isposinf(lp.upper)
    signs = np.where(free, np.abs(reduced), signs)
    wrong = np.where(basis.rows < 0, np.maximum(-y, 0.0), np.maximum(y, 0.0))
    wrong = point.row_distance(K, np.where(equal | ~tight, 0.0, wrong))
    worst = max(part.max(initial=0.0) for part in (outside, beyond, share(signs, column_size), wrong))
    return replace(point, violation=float(worst))


def _largest(size: Any, flow: FloatArray) -> FloatArray:
    """max over the entries of each major slice of entry / flow of the minor index."""
    flow = np.where(flow > 0.0, flow, 1.0)
    ratio = size.data / flow[size.indices]
    out = np.zeros(size.indptr.size - 1)
    filled = np.flatnonzero(np.diff(size.indptr))
    if filled.size:
        out[filled] = np.maximum.reduceat(ratio, size.indptr[:-1][filled])
    return out


def _refined(matrix: sp.csr_array, right: LongArray, solve: Solve, value: FloatArray) -> FloatArray | None:
    """The solution of matrix @ x = right, corrected until the corrections are rounding; None if they do not shrink.

    ``value``: what one of each row is worth.
    """
    x = np.zeros(right.size, np.longdouble)
    before = np.inf
    size = abs(matrix)
    for _ in range(_REFINEMENTS):
        rest = right - matrix @ x
        whole = _at_least(size @ np.abs(x).astype(np.float64) + np.abs(right).astype(np.float64), value)
        worst = float((np.abs(rest) / np.where(whole > 0.0, whole, 1.0)).max(initial=0.0))
        if not np.isfinite(worst):
            return None
        if worst == 0.0 or worst > 0.5 * before:
            break
        before = worst
        x = x + solve(rest.astype(np.float64)).astype(np.longdouble)
    return x.astype(np.float64) if np.isfinite(x).all() else None


# ---- solves ----------------------------------------------------------------------------------------------------------
class Bordered:
    """Solves with a square matrix whose rows mostly have a column of their own; in units of value inside."""

    def __init__(
        self, matrix: sp.csr_array, row_value: FloatArray, column_value: FloatArray, core: Core, rows: Any, columns: Any
    ) -> None:
        self.row_value, self.column_value = row_value, column_value
        self.core, (self.own_rows, self.rows), (self.own_columns, self.columns) = core, rows, columns
        below = sp.csr_array(matrix[self.rows])
        self.right = sp.csr_array(matrix[self.own_rows][:, self.columns])
        self.below = sp.csr_array(below[:, self.own_columns])
        corner = below[:, self.columns].toarray()
        if self.rows.size:
            self.spread = core.solve(self.right.toarray())
            self.lu = scipy.linalg.lu_factor(corner - self.below @ self.spread)

    @staticmethod
    def of(matrix: sp.csr_array, row_value: FloatArray, column_value: FloatArray) -> Bordered | None:
        """A solver, or None if the matrix is singular to rounding or the border too wide."""
        scaled = sp.csr_array(sp.diags_array(row_value) @ matrix @ sp.diags_array(1.0 / column_value))
        rows, columns = _own_columns(scaled)
        if rows.size < matrix.shape[0] - _WIDEST:
            return None
        rest = [np.setdiff1d(np.arange(matrix.shape[0]), part) for part in (rows, columns)]
        try:
            core = Core.of(sp.csr_array(scaled[rows][:, columns]))
            if core is None:
                return None
            made = Bordered(scaled, row_value, column_value, core, (rows, rest[0]), (columns, rest[1]))
        except (np.linalg.LinAlgError, scipy.linalg.LinAlgWarning, RuntimeError, ValueError):
            return None
        if rest[0].size:
            pivots = np.abs(np.diag(made.lu[0]))
            if not pivots.min() > 1e-14 * pivots.max():
                return None
        return made

    def solve(self, right: FloatArray) -> FloatArray:
        """matrix^-1 right."""
        right = right * self.row_value
        out = np.zeros(right.size)
        first = self.core.solve(right[self.own_rows])
        if self.rows.size:
            border = scipy.linalg.lu_solve(self.lu, right[self.rows] - self.below @ first)
            out[self.columns] = border
            first = first - self.spread @ border
        out[self.own_columns] = first
        return out / self.column_value

    def solve_transposed(self, right: FloatArray) -> FloatArray:
        """matrix'^-1 right."""
        right = right / self.column_value
        out = np.zeros(right.size)
        inner = right[self.own_columns]
        if self.rows.size:
            border = scipy.linalg.lu_solve(self.lu, right[self.columns] - self.spread.T @ inner, trans=1)
            out[self.rows] = border
            inner = inner - self.below.T @ border
        out[self.own_rows] = self.core.solve(inner, transpose=True)
        return out * self.row_value


def _own_columns(matrix: sp.csr_array) -> tuple[Any, Any]:
    """(rows, columns): rows that get a column of their own, whose largest positive entry is there; as many as found.

    >>> [part.tolist() for part in _own_columns(sp.csr_array([[1.0, 4.0, -9.0], [2.0, 1.0, 0.0]]))]
    [[0, 1], [1, 0]]
    """
    entries = matrix.tocoo()
    positive = entries.data > 0.0
    row, column, value = entries.row[positive], entries.col[positive], entries.data[positive]
    # The largest entry of every column, then the largest of those in every row; ties to the lowest number.
    first = np.lexsort((row, -value, column))
    top = first[np.unique(column[first], return_index=True)[1]]
    of_row = top[np.lexsort((column[top], -value[top], row[top]))]
    rows, at = np.unique(row[of_row], return_index=True)
    return rows, column[of_row[at]]


class Core:
    """Solves with a square matrix with positive diagonal: dense factors, a Leontief iteration, or sparse factors."""

    def __init__(self, apply: Callable[[FloatArray, bool], FloatArray]) -> None:
        self._apply = apply

    def solve(self, right: FloatArray, transpose: bool = False) -> FloatArray:
        """matrix^-1 right, or matrix'^-1 right, for (k,) or (k, columns)."""
        return self._apply(right, transpose) if right.size else right

    @staticmethod
    def of(matrix: sp.csr_array) -> Core | None:
        """The solver that fits; None for a matrix that is singular to rounding."""
        if matrix.shape[0] <= _DENSE:
            factors = scipy.linalg.lu_factor(matrix.toarray(), check_finite=True)
            if matrix.shape[0] and not np.abs(np.diag(factors[0])).min() > 0.0:
                return None
            return Core(lambda right, transpose: scipy.linalg.lu_solve(factors, right, trans=1 if transpose else 0))
        own = matrix.diagonal()
        inputs = sp.csr_array(sp.eye_array(own.size) - matrix @ sp.diags_array(1.0 / own))
        inputs.setdiag(np.maximum(inputs.diagonal(), 0.0))
        inputs.eliminate_zeros()
        if not (inputs.nnz and inputs.data.min() < 0.0):
            try:
                leontief = Core(lambda right, transpose: _leontief(inputs, own, right, transpose))
                leontief.solve(np.ones(own.size))
                return leontief
            except KantorError:
                pass  # as a set of techniques it is not productive; it may be regular all the same
        lu: Any = splu(sp.csc_array(matrix))
        return Core(lambda right, transpose: lu.solve(right, "T" if transpose else "N"))


def _leontief(inputs: sp.csr_array, own: FloatArray, right: FloatArray, transpose: bool) -> FloatArray:
    """(I - inputs) diag(own) x = right, or diag(own) (I - inputs') x = right."""
    scale = own if right.ndim == 1 else own[:, None]
    given = right / scale if transpose else right
    found = uninterrupted(solve_leontief(inputs, given, transpose=transpose, tolerance=_INNER, error_bound=False))
    found.raise_for_status()
    x = np.asarray(found.x)
    return x if transpose else x / scale
