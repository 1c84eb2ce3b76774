"""Scaling: values first if given, else logarithmic scales where units are extreme, then Ruiz, Pock-Chambolle, and the
sizes of sides and costs (docs/notation.md).

With row scale dr, column scale dc, and the numbers s_p, s_o the scaled program is

    K' = K / (dr dc),   c' = s_o c / dc,   sides' = s_p sides / dr,   bounds' = s_p dc bounds,
    x' = s_p dc x,      y' = s_o dr y,     objective' = s_p s_o objective.

Ruiz divides row i by sqrt(max_j |K_ij|) and column j by sqrt(max_i |K_ij|), several times; Pock-Chambolle (alpha = 1)
divides by the square roots of the row and column sums of |K_ij|, after which ||K'||_2 <= 1 (Schur's test). Then
s_p = 1/||b/dr||, s_o = 1/||c/dc||, so that costs and sides may be counted in any unit: with 1/(1 + ||.||), the usual
choice, a plan whose costs are 1e-12 of a large unit is solved as if it had none. Source: arXiv 2106.04756 section 3.2
for the two equilibrations; value scaling and the last step are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg

from ..errors import OptionError, ProblemError
from . import terms as separable
from .options import PdhgOptions
from .problem import FloatArray, LinearProgram, SeparableTerms
from .termination import norm, side_norm

# Nonzeros handled at a time: temporaries stay near 100 MB however large the matrix is.
_CHUNK = 1 << 22
# Conjugate gradients of the logarithmic scales: relative residual, most iterations.
_LOG_TOLERANCE, _LOG_ITERATIONS = 1e-9, 200
_WIDE_BITS = 6.0


@dataclass(frozen=True)
class Scaling:
    """Row scale dr (M,), column scale dc (N,), primal and objective scales s_p, s_o; see the module's formulas."""

    row: FloatArray
    column: FloatArray
    primal: float
    objective: float

    def x_in(self, x: FloatArray) -> FloatArray:
        """Scaled x' of an original x."""
        return x * self.column * self.primal

    def x_out(self, x: FloatArray) -> FloatArray:
        """Original x of a scaled x'."""
        return x / self.column / self.primal

    def y_in(self, y: FloatArray) -> FloatArray:
        """Scaled y' of an original y."""
        return y * self.row * self.objective

    def y_out(self, y: FloatArray) -> FloatArray:
        """Original y of a scaled y'."""
        return y / self.row / self.objective

    def reduced_costs_out(self, rho: FloatArray) -> FloatArray:
        """Original reduced costs of scaled ones."""
        return rho * self.column / self.objective


@dataclass(frozen=True)
class ScaledProgram:
    """The scaled arrays; K shares its index arrays with the original matrix; ||K||_2 <= norm_bound, rigorously."""

    K: Any
    c: FloatArray
    lower: FloatArray
    upper: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray
    terms: SeparableTerms | None
    scaling: Scaling
    norm_bound: float
    log_scaled: bool = False


def scale_program(
    lp: LinearProgram,
    options: PdhgOptions,
    value_scaling: tuple[Any, Any] | None = None,
    *,
    scale_columns: bool = True,
    between: Callable[[], None] = lambda: None,
) -> ScaledProgram:
    """Scale a program. With ``scale_columns=False`` all columns keep one common scale (for a user's own projection).

    value_scaling: (value of a unit of each row (M,), value of a unit of each column (N,)), both > 0: K starts as
    diag(row values) K diag(1/column values), so that the units rows and columns are counted in no longer matter.
    between: called after every piece of work, of about a second at most; what it raises ends the work.
    """
    values = check_values(value_scaling, lp.shape)
    if values is not None and not scale_columns:
        raise OptionError("value_scaling: cannot be used together with projection, which keeps the columns' scale")
    row, column = (np.ones(lp.shape[0]), np.ones(lp.shape[1])) if values is None else (1.0 / values[0], values[1])
    wanted = options.log_scaling
    log_scaled = values is None and scale_columns and (wide_units(lp.K) if wanted is None else wanted)
    if log_scaled:
        log_scales(lp.K, row, column, between)
    equilibrate(lp.K, row, column, options.ruiz_iterations, scale_columns, between)
    c = lp.c / column
    row_lower, row_upper = lp.row_lower / row, lp.row_upper / row
    primal = 1.0 / _size(side_norm(row_lower, row_upper), side_norm(lp.lower * column, lp.upper * column))
    objective = 1.0 / _size(_cost_norm(lp, c, column), 0.0)
    terms = None if lp.terms is None else lp.terms.scaled(1.0 / (primal * column), objective * primal)
    K = scaled_matrix(lp.K, row, column)
    return ScaledProgram(
        K=K,
        c=objective * c,
        lower=primal * column * lp.lower,
        upper=primal * column * lp.upper,
        row_lower=primal * row_lower,
        row_upper=primal * row_upper,
        terms=terms,
        scaling=Scaling(row, column, primal, objective),
        # Schur's test with the square roots of the sums as weights: one, up to rounding, after Pock-Chambolle.
        norm_bound=1.0 + 1e-10 if scale_columns else _schur_bound(K),
        log_scaled=log_scaled,
    )


def check_values(given: tuple[Any, Any] | None, shape: tuple[int, int]) -> tuple[FloatArray, FloatArray] | None:
    """The two vectors of ``value_scaling`` as copies; ProblemError for a wrong shape or a value that is not > 0."""
    if given is None:
        return None
    try:
        row, column = given
    except (TypeError, ValueError):
        raise ProblemError("value_scaling: expected two vectors (row values, column values)") from None
    return _positive("value_scaling[0]", row, shape[0]), _positive("value_scaling[1]", column, shape[1])


def equilibrate(
    K: Any, row: FloatArray, column: FloatArray, ruiz_iterations: int, scale_columns: bool = True,
    between: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Multiply (row, column) in place by Ruiz' and then Pock-Chambolle's scales of the CSR matrix K.

    ``between`` is called after every piece of work; what it raises ends the work.
    """
    for _ in range(ruiz_iterations):
        _divide(K, row, column, scale_columns, np.maximum, between)
    _divide(K, row, column, scale_columns, np.add, between)


def wide_units(K: Any) -> bool:
    """Whether the sizes of the entries spread so far (standard deviation of log2) that only units can be the reason.

    Programs as people write them stay below: the widest of Netlib's has 5.4 bits; units of lognormal(4) make 8.

    >>> wide_units(sp.csr_array([[1.0, 1e-9], [1e9, 1.0]]))
    True
    """
    count, total, squares = 0, 0.0, 0.0
    for start in range(0, K.data.size, _CHUNK):
        data = K.data[start : start + _CHUNK]
        logs = np.log2(np.abs(data[data != 0]))
        count, total, squares = count + logs.size, total + float(logs.sum()), squares + float(logs @ logs)
    return count > 0 and squares / count - (total / count) ** 2 > _WIDE_BITS**2


def log_scales(K: Any, row: FloatArray, column: FloatArray, between: Callable[[], None] = lambda: None) -> None:
    """Multiply (row, column) in place by the scales that bring |K_ij| / (row_i column_j) nearest to one.

    Nearest in the sum of squared logarithms (Curtis and Reid 1972), a least-squares problem solved by conjugate
    gradients. A change of units shifts the logarithms of its solution and nothing else: what is scaled afterwards does
    not depend on the units rows and columns were counted in.
    """
    M, N = K.shape
    filled = K.data != 0
    rows = np.repeat(np.arange(M), np.diff(K.indptr))[filled]
    columns = K.indices[filled]
    logs = np.log2(np.abs(K.data[filled])) - np.log2(row)[rows] - np.log2(column)[columns]
    in_row, in_column = (np.maximum(np.bincount(i, minlength=n), 1) for i, n in ((rows, M), (columns, N)))
    # The row unknowns are eliminated: S v = (columns' sums of what is left once row means are taken off).
    mean = lambda v: np.bincount(rows, weights=v, minlength=M) / in_row  # noqa: E731
    fold = lambda v: np.bincount(columns, weights=v, minlength=N)  # noqa: E731
    times = lambda v: in_column * v - fold(mean(v[columns])[rows])  # noqa: E731
    weight = np.sqrt(in_column)  # in the unknowns weight * v the diagonal preconditioner is in the system itself
    system: Any = LinearOperator((N, N), matvec=lambda w: times(w / weight) / weight, dtype=np.float64)
    v, _ = cg(
        system, fold(logs - mean(logs)[rows]) / weight, rtol=_LOG_TOLERANCE, maxiter=_LOG_ITERATIONS,
        callback=lambda _: between(),
    )  # fmt: skip
    v = v / weight
    row *= np.exp2(mean(logs - v[columns]))
    column *= np.exp2(v)


def _divide(
    K: Any,
    row: FloatArray,
    column: FloatArray,
    scale_columns: bool,
    combine: np.ufunc,
    between: Callable[[], None] = lambda: None,
) -> None:
    """One pass with the largest, or summed, magnitudes of rows and columns; empty ones keep their scale."""
    by_row, by_column = _sizes(K, row, column, combine, between)
    if not scale_columns:
        # Only rows may absorb the columns' share: divide them by the whole size instead of its square root.
        row *= np.where(by_row > 0, by_row, 1.0)
        return
    row *= np.sqrt(np.where(by_row > 0, by_row, 1.0))
    column *= np.sqrt(np.where(by_column > 0, by_column, 1.0))


def _sizes(
    K: Any, row: FloatArray, column: FloatArray, combine: np.ufunc, between: Callable[[], None] = lambda: None
) -> tuple[FloatArray, FloatArray]:
    """Largest (np.maximum) or summed (np.add) |K_ij| / (dr_i dc_j) of every row and every column."""
    by_row, by_column = np.zeros(K.shape[0]), np.zeros(K.shape[1])
    for first, last, entries in _row_chunks(K):
        between()
        size, columns, starts, filled = _magnitudes(K, row, column, first, last, entries)
        by_row[first:last][filled] = combine.reduceat(size, starts)
        if combine is np.maximum:
            np.maximum.at(by_column, columns, size)
        else:
            by_column += np.bincount(columns, weights=size, minlength=by_column.size)
    return by_row, by_column


def _row_chunks(K: Any) -> Iterator[tuple[int, int, slice]]:
    """(first row, last row, slice of entries) in pieces of about _CHUNK nonzeros; a longer row stays whole."""
    first, rows, pointer = 0, K.shape[0], K.indptr
    while first < rows:
        last = int(np.searchsorted(pointer, int(pointer[first]) + _CHUNK, side="right")) - 1
        last = min(max(last, first + 1), rows)
        if pointer[last] > pointer[first]:
            yield first, last, slice(int(pointer[first]), int(pointer[last]))
        first = last


def _magnitudes(
    K: Any, row: FloatArray, column: FloatArray, first: int, last: int, entries: slice
) -> tuple[FloatArray, Any, Any, Any]:
    """|K_ij| / (dr_i dc_j) of a piece, its column indices, and where its non-empty rows start."""
    lengths = np.diff(K.indptr[first : last + 1])
    columns = K.indices[entries]
    size = np.abs(K.data[entries])
    size /= np.repeat(row[first:last], lengths)
    size /= column[columns]
    filled = lengths > 0
    starts = (K.indptr[first:last] - K.indptr[first])[filled]
    return size, columns, starts, filled


def scaled_matrix(K: Any, row: FloatArray, column: FloatArray) -> Any:
    """diag(1/row) K diag(1/column), sharing the index arrays of K."""
    data = np.empty_like(K.data)
    for first, last, entries in _row_chunks(K):
        np.divide(K.data[entries], np.repeat(row[first:last], np.diff(K.indptr[first : last + 1])), out=data[entries])
        data[entries] /= column[K.indices[entries]]
    scaled = sp.csr_array((data, K.indices, K.indptr), shape=K.shape, copy=False)
    scaled.has_canonical_format = True
    return scaled


def _size(norm_of_sides: float, norm_of_bounds: float) -> float:
    """The size to divide by: the sides', unless they are dust next to the bounds; 1 if there is neither."""
    return norm_of_sides if norm_of_sides > 1e-8 * norm_of_bounds else norm_of_bounds or 1.0


def _cost_norm(lp: LinearProgram, c: FloatArray, column: FloatArray) -> float:
    columns = separable.active_columns(lp.terms)
    if lp.terms is None or not columns.size:
        return norm(c)
    slopes = separable.typical_slope(separable.select(lp.terms, columns)) / column[columns]
    return float(np.hypot(norm(c), norm(slopes)))


def _positive(name: str, value: Any, length: int) -> FloatArray:
    vector = np.array(value, dtype=np.float64)
    if vector.shape != (length,):
        raise ProblemError(f"{name}: shape {vector.shape}, expected ({length},)")
    bad = ~(np.isfinite(vector) & (vector > 0))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise ProblemError(f"{name}[{i}] is {vector[i]}, expected a finite number > 0")
    return vector


def _schur_bound(K: Any) -> float:
    """sqrt(largest row sum * largest column sum) of |K| >= ||K||_2."""
    by_row, by_column = _sizes(K, np.ones(K.shape[0]), np.ones(K.shape[1]), np.add)
    return float(np.sqrt(np.max(by_row, initial=0.0) * np.max(by_column, initial=0.0)))
