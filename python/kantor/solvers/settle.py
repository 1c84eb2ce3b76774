"""What needs no iterations: free rows, rows and columns without entries, utilities that rows hold at minus infinity.

A row without entries holds 0 and is either idle or already a proof of infeasibility; a free row is idle. A column
without entries takes the best value of its own interval, or shows that the objective has no lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ProblemError
from . import terms as separable
from .domain import forced_to_zero
from .problem import FloatArray, LinearProgram, SeparableTerms, TermKind
from .solution import Status
from .termination import norm


@dataclass(frozen=True)
class Settled:
    """``lp`` is what is left (None when nothing is); ``rows`` its rows in the original, None for all of them.

    ``x`` (N,) holds the values of the columns without entries, zero elsewhere. ``status`` is set when the answer is
    already known: OPTIMAL, or infeasible with ``ray``.
    """

    lp: LinearProgram | None
    rows: Any
    x: FloatArray
    status: Status | None = None
    ray: FloatArray | None = None
    why: str = ""

    def full_y(self, y: FloatArray, rows: int) -> FloatArray:
        """Duals of all rows from those of the rows left: idle rows have zero."""
        if self.rows is None:
            return y
        out = np.zeros(rows)
        out[self.rows] = y
        return out


def settle(lp: LinearProgram) -> Settled:
    """Decide idle rows and columns without entries."""
    K = lp.K
    if K.nnz and not K.data.all():
        K = K.copy()
        K.eliminate_zeros()
    columns = K.shape[1]
    in_row = np.diff(K.indptr)
    ray = _empty_row_ray(lp, in_row == 0)
    if ray is not None:
        row = int(np.flatnonzero(ray)[0])
        return Settled(
            None, None, np.zeros(columns), Status.PRIMAL_INFEASIBLE, ray, f"row {row} has no entries but excludes 0"
        )
    held = forced_to_zero(lp)
    if held is not None:
        j, multipliers = held
        why = f"column {j} can only be 0, where its {TermKind(int(lp.terms.kind[j])).name} term is infinite"  # type: ignore[union-attr]
        return Settled(None, None, np.zeros(columns), Status.PRIMAL_INFEASIBLE, multipliers / norm(multipliers), why)
    idle = (in_row == 0) | (np.isinf(lp.row_lower) & np.isinf(lp.row_upper))
    rows = np.flatnonzero(~idle) if idle.any() else None
    if rows is not None:
        K = K[rows]
    empty = np.ones(columns, bool)
    empty[K.indices] = False
    x, ray = _empty_columns(lp, empty)
    if ray is not None:
        why = f"column {int(np.flatnonzero(ray)[0])} is in no limiting row and lowers the objective for ever"
        return Settled(None, rows, x, Status.DUAL_INFEASIBLE, ray, why)
    if K.nnz == 0:
        return Settled(None, rows, x, Status.OPTIMAL, None, "no row limits any column: each is best on its own")
    if K is lp.K and not empty.any():
        return Settled(lp, None, x)
    rest = LinearProgram(
        c=lp.c,
        K=K,
        row_lower=lp.row_lower if rows is None else lp.row_lower[rows],
        row_upper=lp.row_upper if rows is None else lp.row_upper[rows],
        lower=np.where(empty, x, lp.lower),
        upper=np.where(empty, x, lp.upper),
        terms=lp.terms,
    )
    return Settled(rest, rows, x)


def _empty_row_ray(lp: LinearProgram, empty: Any) -> FloatArray | None:
    wrong = empty & ((lp.row_lower > 0) | (lp.row_upper < 0))
    if not wrong.any():
        return None
    i = int(np.flatnonzero(wrong)[0])
    ray = np.zeros(empty.size)
    ray[i] = 1.0 if lp.row_lower[i] > 0 else -1.0
    return ray


def _empty_columns(lp: LinearProgram, empty: Any) -> tuple[FloatArray, FloatArray | None]:
    """Best values of the columns without entries, or the unit vector along which one of them has none."""
    x = np.zeros(empty.size)
    at = np.flatnonzero(empty)
    if not at.size:
        return x, None
    terms = SeparableTerms.linear(at.size) if lp.terms is None else separable.select(lp.terms, at)
    best = separable.minimiser(terms, lp.c[at], lp.lower[at], lp.upper[at])
    lost = ~np.isfinite(best)
    if not lost.any():
        x[at] = best
        return x, None
    first = int(np.flatnonzero(lost)[0])
    j, kind = int(at[first]), TermKind(int(terms.kind[first]))
    if np.isfinite(separable.infimum(terms, lp.c[at], lp.lower[at], lp.upper[at])[first]):
        raise ProblemError(
            f"column {j}: no row and no upper bound limits it, and its {kind.name} term is best only at infinity"
        )
    ray = np.zeros(empty.size)
    ray[j] = np.sign(best[first])
    return np.where(np.isfinite(x), x, 0.0), ray
