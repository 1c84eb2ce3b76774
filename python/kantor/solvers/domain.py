"""Programs without an optimum because of their terms: forced to where utility is minus infinity, or best at infinity.

LOG with b = 0 and POWER with e > 1 need x > 0. Rows whose sides are exactly zero can force x = 0 (a limit of zero on
all that makes a good): then no point has a finite objective, and the rows' multipliers prove it. HYPERBOLIC and POWER
with e > 1 rise for ever towards a finite value: without a limit on the good no point attains it, and no iteration ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError
from .problem import FloatArray, LinearProgram, SeparableTerms, TermKind
from .rays import FUZZ, implied_bounds, polish, recession_range, row_recession_range

# Rounds of forcing: one for every link of the longest chain of inputs between a zero limit and a good.
_MOST_ROUNDS = 200


def singular_at_zero(terms: SeparableTerms) -> Any:
    """Columns (N,) whose term is infinite at zero."""
    infinite = (terms.kind == TermKind.POWER) & (terms.e > 1) | (terms.kind == TermKind.LOG) & (terms.b == 0)
    return infinite & (terms.a > 0)


def forced_to_zero(lp: LinearProgram) -> tuple[int, FloatArray] | None:
    """A column that rows with zero sides hold at 0, where its term is infinite, and multipliers (M,) that prove it.

    With rho = -K'y every feasible x has rho.x <= 0, while rho >= 0 and rho_j > 0: x_j > 0 is impossible.

    >>> import numpy as np
    >>> log = SeparableTerms(np.array([3, 0], np.uint8), np.ones(2), np.zeros(2), np.zeros(2))
    >>> K = np.array([[-1.0, 2.0], [0.0, 1.0]])    # x_0 <= 2 x_1 and x_1 <= 0
    >>> forced_to_zero(LinearProgram(np.zeros(2), K, [0.0, -np.inf], [np.inf, 0.0], terms=log))
    (0, array([ 1.        , -2.00000002]))
    """
    if lp.terms is None:
        return None
    wanted = singular_at_zero(lp.terms) & (lp.lower == 0)
    if not wanted.any():
        return None
    row = np.repeat(np.arange(lp.shape[0]), np.diff(lp.K.indptr))
    free = (lp.upper > 0) | (lp.lower < 0)
    holder, sign_of, round_of = np.full(lp.c.size, -1), np.zeros(lp.c.size), np.zeros(lp.c.size, int)
    for number in range(_MOST_ROUNDS):
        new = np.zeros(lp.c.size, bool)
        for half, (sign, side) in enumerate(((1.0, lp.row_upper), (-1.0, lp.row_lower))):
            entry = free[lp.K.indices] & (lp.K.data != 0)
            pushes = entry & (sign * lp.K.data > 0) & (lp.lower[lp.K.indices] == 0)
            other = np.bincount(row[entry & ~pushes], minlength=lp.shape[0]) > 0
            held = pushes & ((side == 0) & ~other)[row]
            columns = lp.K.indices[held]
            holder[columns], sign_of[columns], round_of[columns], new[columns] = (
                row[held],
                sign,
                2 * number + half,
                True,
            )
            free[columns] = False
        if (wanted & new).any():
            j = int(np.flatnonzero(wanted & new)[0])
            return j, _proof(lp, j, holder, sign_of, round_of)
        if not new.any():
            return None
    return None


def _proof(lp: LinearProgram, j: int, holder: Any, sign_of: FloatArray, round_of: Any) -> FloatArray:
    """Backwards through the rounds: the row that held a column cancels the negative reduced cost later rows left it."""
    y = np.zeros(lp.shape[0])
    y[holder[j]] = -sign_of[j]
    transposed = lp.K.T.tocsr()
    for number in range(int(round_of[j]), -1, -1):
        rho = -(transposed @ y)
        for k in np.flatnonzero((holder >= 0) & (round_of == number) & (rho < 0)):
            entries = slice(transposed.indptr[k], transposed.indptr[k + 1])
            at = transposed.indices[entries] == holder[k]
            missing = -rho[k] / abs(float(transposed.data[entries][at].sum()))
            y[holder[k]] -= sign_of[k] * missing * (1.0 + 1e-8)
    return y


def refuse_unattained(lp: LinearProgram, maximise: Callable[[LinearProgram], FloatArray | None]) -> None:
    """Raise ProblemError if a term is best only at infinity and nothing stands in the way: a free good.

    ``maximise`` solves a linear program (of directions along which nothing gets worse) and returns its point or None.
    """
    if lp.terms is None:
        return
    kind, rises = lp.terms.kind, lp.terms.a > 0
    rises &= (kind == TermKind.HYPERBOLIC) | (kind == TermKind.POWER) & (lp.terms.e > 1)
    rises &= np.isinf(implied_bounds(lp)[1]) if rises.any() else False
    if not rises.any():
        return
    low, high = recession_range(lp)
    row_low, row_high = row_recession_range(lp)
    cost = -np.where(rises, 1.0, 0.0)
    K = sp.vstack([lp.K, sp.csr_array(lp.c[None, :])], format="csr")
    range_low, range_high = np.append(row_low, -np.inf), np.append(row_high, 0.0)
    found = maximise(LinearProgram(cost, K, range_low, range_high, np.maximum(low, -1.0), np.minimum(high, 1.0)))
    if found is None or -float(cost @ found) < 1e-3:
        return
    d = np.clip(polish(K, np.where(np.abs(found) > 1e-6, found, 0.0), range_low, range_high, 1e-6), low, high)
    moved, size = K @ d, abs(K) @ np.abs(d)
    if (np.abs(moved - np.clip(moved, range_low, range_high)) <= FUZZ * size).all() and (d[rises] > 0).any():
        j = int(np.flatnonzero(rises & (d > 0))[0])
        raise ProblemError(
            f"column {j}: its {TermKind(int(kind[j])).name} term is best only at infinity, and no row, bound or cost "
            "limits it; give it an upper bound"
        )
