"""A plan's linear program in units of value, so that neither its solution nor its tolerances depend on physical units.

A unit of every row and column is worth what :func:`kantor.solvers.program.value_scaling` says. With x' = x * column
value and y' = y / row value the program reads K' = diag(row value) K diag(1 / column value), sides * row value, costs /
column value; its objective is the same number. Residuals in these units compare like with like (tonnes of steel and
hours do not add up, their values do).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .problem import FloatArray, LinearProgram
from .solution import Solution, SolveInfo, Status
from .termination import Residuals, residuals


@dataclass(frozen=True)
class Answer:
    """A solution of the linear program: x (N,), y (M,) in physical units, and ``solution`` in value units."""

    x: FloatArray
    y: FloatArray
    solution: Solution

    @property
    def status(self) -> Status:
        """How the solve ended."""
        return self.solution.status

    @property
    def info(self) -> SolveInfo:
        """How it was found; residuals in value units."""
        return self.solution.info

    def judged(self, lp: LinearProgram) -> Residuals:
        """Residuals and objectives in physical units."""
        return residuals(lp, self.x, self.y)

    def in_physical_units(self, lp: LinearProgram, tolerance: float) -> Solution:
        """A Solution of the physical program, for verify_lp."""
        judged = self.judged(lp)
        info = SolveInfo(method=self.info.method, tolerance=tolerance)
        reduced_costs = lp.c - lp.K.T @ self.y
        return Solution(self.x, self.y, reduced_costs, judged.objective, judged.dual_objective, self.status, info)


@dataclass(frozen=True)
class ValueUnits:
    """Worth of a unit of every row (M,) and column (N,), all > 0."""

    rows: FloatArray
    columns: FloatArray

    def program(self, lp: LinearProgram) -> LinearProgram:
        """``lp`` in value units."""
        K = sp.csr_array(lp.K, copy=True)
        K.data *= np.repeat(self.rows, np.diff(K.indptr))
        K.data /= self.columns[K.indices]
        return LinearProgram(
            lp.c / self.columns,
            K,
            row_lower=lp.row_lower * self.rows,
            row_upper=lp.row_upper * self.rows,
            lower=lp.lower * self.columns,
            upper=lp.upper * self.columns,
            terms=None if lp.terms is None else lp.terms.scaled(1.0 / self.columns, 1.0),
            name=lp.name,
        )

    def start(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A starting point in value units."""
        return x * self.columns, y / self.rows

    def answer(self, lp: LinearProgram, solution: Solution) -> Answer:
        """A solution of ``program(lp)`` back in physical units; directions and rays likewise."""
        x = solution.x / self.columns
        if solution.status is not Status.DUAL_INFEASIBLE:
            x = np.clip(x, lp.lower, lp.upper)
        return Answer(x, solution.y * self.rows, solution)
