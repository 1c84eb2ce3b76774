"""The border of a bordered Leontief system: the tight rows and basic columns of a small program, factorised.

The small programs of :mod:`kantor.solvers.exchange` hold the contents of goods to a few digits. Their optimal basis is
a square system, with which the residuals of the whole plan are corrected until plan and prices are those of the basis.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import LinearOperator, gmres

from .problem import FloatArray
from .small_program import BASIC

_WIDEST = 4_000
_CORRECTIONS = 20
# Of what was missing: a correction that leaves more is not taken, one that leaves less is a success.
_USEFUL, _SOLVED = 1e-2, 1e-6
_REDUCTION, _ENOUGH = 1e-11, 1e-12  # of what is missing that may be left: relative, and per row


class Border:
    """``rows``, ``columns``: positions of the tight rows and the basic columns, equally many."""

    def __init__(self, matrix: Any, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]) -> None:
        self.rows, self.columns = rows, columns
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # of a singular one: the pivots say it
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
    ) -> bool:
        """Take away what is ``missing`` (of the whole system, linear in the steps taken) to rounding, by GMRES.

        The factors know the system to the digits of the contents; where those are coarse, steps by them alone would not
        converge. False if GMRES does not either: then nothing is changed.
        """
        taken = np.zeros(self.rows.size)

        def go_to(place: FloatArray) -> None:
            step(place - taken)
            taken[:] = place

        first = missing()
        size = float(np.linalg.norm(first))
        if not size > _ENOUGH * np.sqrt(first.size):
            return True

        def image(place: FloatArray) -> FloatArray:
            go_to(place.ravel())
            return first - missing()

        n = first.size
        system: Any = LinearOperator((n, n), matvec=image, dtype=np.float64)
        near: Any = LinearOperator((n, n), matvec=lambda v: self.solve(v.ravel(), transposed), dtype=np.float64)
        target = max(_REDUCTION, _ENOUGH * np.sqrt(n) / size)
        place, _ = gmres(system, first, M=near, rtol=target, restart=_CORRECTIONS, maxiter=1)
        go_to(place if np.isfinite(place).all() else np.zeros(n))
        # A basis that is singular but for the digits dropped has no point: what there was stays.
        left = float(np.linalg.norm(missing()))
        if not left <= _USEFUL * size:
            go_to(np.zeros(n))
            missing()
        return left <= _SOLVED * size
