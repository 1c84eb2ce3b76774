"""The border of a bordered Leontief system: the tight rows and basic columns of a small program, factorised.

The small programs of :mod:`kantor.solvers.exchange` hold the contents of goods to a few digits. Their optimal basis is a
square system, with which the residuals of the whole plan are corrected until plan and prices are those of the basis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from .problem import FloatArray
from .small_program import BASIC

_WIDEST = 4_000
_CORRECTIONS = 8
_ENOUGH = 1e-12


class Border:
    """``rows``, ``columns``: positions of the tight rows and the basic columns, equally many."""

    def __init__(self, matrix: Any, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]) -> None:
        self.rows, self.columns = rows, columns
        self.factors = scipy.linalg.lu_factor(matrix[rows][:, columns].toarray(), check_finite=False)

    @staticmethod
    def of(matrix: Any, columns_at: np.ndarray[Any, Any], rows_at: np.ndarray[Any, Any]) -> Border | None:
        """The border of a basis, by its statuses; None if it is not square, too wide, or singular to rounding.

        >>> import scipy.sparse as sp
        >>> border = Border.of(sp.csc_array([[2.0, 5.0], [4.0, 7.0]]), np.array([1, 0]), np.array([0, 1]))
        >>> border.solve(np.ones(1)).tolist()
        [0.5]
        """
        rows, columns = np.flatnonzero(rows_at != BASIC), np.flatnonzero(columns_at == BASIC)
        if rows.size != columns.size or not 0 < rows.size <= _WIDEST:
            return None
        border = Border(matrix.tocsr(), rows, columns)
        pivots = np.abs(np.diag(border.factors[0]))
        return border if np.isfinite(pivots).all() and pivots.min() > 1e-13 * pivots.max() else None

    def solve(self, right: FloatArray, transposed: bool = False) -> FloatArray:
        """The step that takes ``right`` away, of the columns' activities or (transposed) of the rows' multipliers."""
        step: FloatArray = scipy.linalg.lu_solve(self.factors, right, trans=1 if transposed else 0, check_finite=False)
        return step

    def correct(
        self, missing: Callable[[], FloatArray], step: Callable[[FloatArray], None], transposed: bool = False
    ) -> None:
        """Steps that take away what is ``missing`` (of the whole system), for as long as it shrinks."""
        before, last = np.inf, None
        for _ in range(_CORRECTIONS):
            off = missing()
            worst = float(np.abs(off).max())
            if not worst < 0.5 * before:
                if last is not None and not worst < before:
                    step(-last)
                    missing()
                return
            if worst <= _ENOUGH:
                return
            before, last = worst, self.solve(off, transposed)
            step(last)
