"""balance_table: one reported table and what its rows and columns must add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...errors import OptionError, ProblemError
from ..labels import numbers, positions, show
from .result import Balance, Part, like
from .system import Totals, check_options, labels_of, read_part, read_totals, solve_parts


@dataclass
class BalancedTable(Balance):
    """A balanced table and how it came about; see :class:`kantor.data.balancing.result.Balance`.

    table : of the kind that was given: DataFrame, SciPy sparse array or array
    row_residuals, column_residuals : sums of the balanced table less the reported totals, by label; NaN where unknown
    """

    table: Any = None

    @property
    def row_residuals(self) -> pd.Series:
        """Row sums less row totals."""
        return self._off("row")

    @property
    def column_residuals(self) -> pd.Series:
        """Column sums less column totals."""
        return self._off("column")

    def _off(self, kind: str) -> pd.Series:
        side = self.totals.loc[self.totals.index.get_level_values("kind") == kind].droplevel("kind")
        return (side["balanced"] - side["reported"]).rename(f"{kind} residual")


@dataclass(frozen=True)
class Subtotal:
    """What a block of cells adds up to: labels of its rows and of its columns (None: all), total, standard error."""

    rows: Any
    columns: Any
    total: float
    error: float = 0.0


def balance_table(
    table: Any,
    rows: Any = None,
    columns: Any = None,
    *,
    cell_error: Any = None,
    row_error: Any = 0.0,
    column_error: Any = 0.0,
    subtotals: Sequence[Subtotal] = (),
    method: str = "entropy",
    tolerance: float = 1e-9,
    max_iterations: int = 1000,
) -> BalancedTable:
    """Adjust a table as little as possible so that it adds up.

    Parameters
    ----------
    table : reported cells (n, m): DataFrame, SciPy sparse matrix or array; zeros stay zero
    rows, columns : totals (n,), (m,): arrays, or Series and mappings by label. None: that side is free
    cell_error : standard errors of the cells: a table like ``table`` (0 keeps a cell), or a number, the same share of
        each cell. None: RAS, and with negative cells GRAS, in which a cell's variance is proportional to the cell
    row_error, column_error : standard errors of the totals: 0, they are met exactly; a number, a share of each; a
        vector, inf where a total is unknown. Totals with errors give way; they are weighed against ``cell_error``
    subtotals : further totals of blocks of cells
    method : "entropy" keeps the sign of each cell; "least-squares" may change it, and lets zeros with an error change
    tolerance : every total holds to this share of its size (the larger of it and its cells' magnitudes); in (0, 1)
    max_iterations : most sweeps and Newton steps, >= 1

    Returns
    -------
    BalancedTable: the table, residuals by label, what changed most, the distance; status ITERATION_LIMIT if some total
    does not hold, with its name in ``info.why``.

    Raises
    ------
    ProblemError
        NaN, labels that do not match; totals that cannot be met: exact totals of a connected group of rows and columns
        that add up to different sums, a total that is not zero over cells that are, rows that need more than the
        columns they have cells in hold. Rows and columns are named.
    OptionError
        An option out of its range; errors of totals without ``cell_error``.

    Notes
    -----
    Objective, sources and method: :mod:`kantor.data.balancing.cells`.

    >>> import numpy as np
    >>> found = balance_table(np.array([[1.0, 2.0], [3.0, 4.0]]), rows=[4.0, 6.0], columns=[5.0, 5.0])
    >>> found.table.round(4).tolist()
    [[1.7577, 2.2423], [3.2423, 2.7577]]
    >>> balance_table(np.array([[1.0, 2.0], [3.0, 4.0]]), rows=[4.0, 6.0], columns=[5.0, 6.0])
    Traceback (most recent call last):
        ...
    kantor.errors.ProblemError: totals: row '0', row '1' add up to 10, but column '0', column '1', ... to 11 ...
    """
    check_options(method, tolerance, max_iterations)
    if rows is None and columns is None and not subtotals:
        raise OptionError("balance_table: give rows, columns or subtotals")
    names = [labels_of(table, axis, "table") for axis in (0, 1)]
    part = read_part("table", table, names[0], names[1], cell_error, method == "least-squares")
    sides = [
        _side("row", rows, names[0], row_error, part.at),
        _side("column", columns, names[1], column_error, part.to),
    ]
    more = [_subtotal(k, sub, part) for k, sub in enumerate(subtotals)]
    if cell_error is None and any((side.error[np.isfinite(side.error)] > 0.0).any() for side in (*sides, *more)):
        raise OptionError("balance_table: errors of totals need cell_error, to weigh them against those of the cells")
    balance = solve_parts([part], [*sides, *more], method, tolerance, max_iterations)
    return BalancedTable(**vars(balance), table=like(table, part.at, part.to, balance.balanced[0]))


def _side(kind: str, totals: Any, labels: pd.Index, error: Any, where: np.ndarray) -> Totals:
    if totals is None:
        return Totals(kind, labels[:0], np.zeros(0), np.zeros(0))
    side = read_totals(kind, totals, labels, error)
    side.entries.append((where, np.arange(where.size), 1.0))
    return side


def _subtotal(number: int, sub: Subtotal, part: Part) -> Totals:
    """One total over the cells of a block."""
    inside: np.ndarray = np.ones(part.value.size, dtype=bool)
    for wanted, labels, where, side in (
        (sub.rows, part.rows, part.at, "rows"),
        (sub.columns, part.columns, part.to, "columns"),
    ):
        if wanted is not None:
            chosen: np.ndarray = np.zeros(len(labels), dtype=bool)
            chosen[_places(wanted, labels, f"subtotal {number + 1} {side}")] = True
            inside &= chosen[where]
    cells = np.flatnonzero(inside)
    target, error = (float(numbers(v, f"subtotal {number + 1}")) for v in (sub.total, sub.error))
    if not np.isfinite(target) or not error >= 0.0:
        raise ProblemError(f"subtotal {number + 1}: total {target!r} with error {error!r}, expected finite and >= 0")
    label = pd.Index([f"{number + 1}"])
    first: np.ndarray = np.zeros(cells.size, dtype=np.int64)
    return Totals("subtotal", label, np.array([target]), np.array([error]), [(first, cells, 1.0)])


def _places(wanted: Any, labels: pd.Index, what: str) -> np.ndarray:
    every = pd.Index(wanted) if isinstance(wanted, list | pd.Index | np.ndarray) else pd.Index([wanted])
    at = labels.get_indexer(every)
    if (at < 0).any():
        positions(every[at < 0], labels, what, "table")
        raise ProblemError(f"{what}: {show(every[at < 0][0])!r} is no label of the table")
    return np.asarray(at)
