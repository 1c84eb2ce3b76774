"""Technique mixes: which techniques make a good, in which shares, and Leontief systems of a mix solved to one side.

A mix S (m x n) says how much of every technique makes one unit of good i: sum_j B_ij S_ji = 1. With A_s = A S the plan
x = S q delivers at least (I - A_s) q, exactly that if no technique makes two goods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError
from .leontief import solve_leontief
from .problem import FloatArray
from .program import PlanningProgram
from .rigour import gamma
from .solution import uninterrupted

INTERIOR = 1e-12  # how far inside, relative to the throughput of its row, a one-sided solution aims to be
_REACH_STEPS = 200
_POLICY_STEPS = 30
_CORRECTIONS = 5
SMALL = 1_000  # goods up to which a solve from nothing is quicker and steadier than corrections of a start


@dataclass(frozen=True)
class Mix:
    """Shares S (m, n), inputs A_s = A S (n, n), and which goods the mix can make at all."""

    shares: sp.csr_array
    inputs: sp.csr_array
    makes: np.ndarray[Any, np.dtype[np.bool_]]


def build_mix(
    program: PlanningProgram,
    weights: FloatArray,
    unit_cost: FloatArray,
    allowed: np.ndarray[Any, np.dtype[np.bool_]] | None = None,
) -> Mix:
    """Shares in proportion to the weights (m,) >= 0 of the allowed techniques, by output of the good.

    A good whose techniques all weigh zero is made by the one of least ``unit_cost`` (m,) per unit of the good.
    """
    n, m, _ = program.shape
    if program.diagonal_output is not None and (allowed is None or allowed.all()):
        inverse = 1.0 / program.diagonal_output
        if (inverse == 1.0).all():
            return Mix(sp.csr_array(sp.eye_array(n)), program.input, np.ones(n, bool))
        A = program.input
        scaled = sp.csr_array((A.data * inverse[A.indices], A.indices, A.indptr), shape=(n, n))
        return Mix(sp.csr_array(sp.diags_array(inverse)), scaled, np.ones(n, bool))
    coo = program.output.tocoo()
    i, j, b = coo.row, coo.col, coo.data
    keep = b > 0.0 if allowed is None else (b > 0.0) & allowed[j]
    i, j, b = i[keep], j[keep], b[keep]
    made = np.bincount(i, weights=b * weights[j], minlength=n)
    share = np.where(made[i] > 0.0, weights[j] / np.where(made[i] > 0.0, made[i], 1.0), 0.0)
    idle = made[i] == 0.0
    order = np.lexsort((unit_cost[j[idle]] / b[idle], i[idle]))
    at = np.flatnonzero(idle)[order]
    first = np.append(True, i[at][1:] != i[at][:-1]) if at.size else np.zeros(0, bool)
    share[at[first]] = 1.0 / b[at[first]]
    used = share > 0.0
    shares = sp.csr_array((share[used], (j[used], i[used])), shape=(m, n))
    makes = np.zeros(n, bool)
    makes[i] = True
    return Mix(shares, sp.csr_array(program.input @ shares), makes)


def reach(matrix: sp.csr_array, start: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Goods that ``start`` (n,) bool needs directly or indirectly; everything if chains are longer than 200 steps."""
    size = _magnitude(matrix)
    active = start.copy()
    for _ in range(_REACH_STEPS):
        if active.all():
            return active
        wider = active | (size @ active.astype(np.float64) > 0.0)
        if (wider == active).all():
            return active
        active = wider
    return np.ones(start.shape, bool)


def one_sided_solve(
    A: sp.csr_array,
    d: FloatArray,
    side: float,
    *,
    transpose: bool = False,
    interior: float = INTERIOR,
    start: FloatArray | None = None,
    backend: Any = "auto",
) -> FloatArray | None:
    """x with side * (x - M x - d) about ``interior`` times throughput on every row, M = A or A'; None if that fails.

    d is (n,) or, for k systems at once, (n, k). Krylov solves measure residuals in the 2-norm, which says nothing about
    rows in small units. Plain sweeps x <- M x + d after each solve spread the accuracy to every row; the aim is then
    checked row by row. ``start`` is near the solution; corrections make up for what it is off.
    """
    M = sp.csr_array(A.T) if transpose else A
    size = _magnitude(M)
    margin = np.maximum(interior, 4.0 * gamma(np.diff(M.indptr) + 4))
    margin = margin.reshape(-1, *[1] * (d.ndim - 1))
    active = reach(M, d != 0.0)
    x = np.where(active, _leontief(M, d, 1e-10, backend) if start is None else start, 0.0)
    for _ in range(2):
        x = M @ x + d
    throughput = np.abs(x) + size @ np.abs(x) + np.abs(d)
    aim = d + side * margin * throughput
    for _ in range(_CORRECTIONS):
        missing = aim - (x - M @ x)
        if not np.isfinite(missing).all():
            return None
        if (np.abs(missing) <= 0.5 * margin * throughput).all():
            break
        x = x + np.where(active, _leontief(M, missing, 1e-6, backend, rough=True), 0.0)
        for _ in range(2):
            x = M @ x + aim
    return x


def _magnitude(A: sp.csr_array) -> sp.csr_array:
    return abs(A) if A.nnz and A.data.min() < 0.0 else A


def _leontief(M: sp.csr_array, d: FloatArray, tolerance: float, backend: Any, rough: bool = False) -> FloatArray:
    """x = M x + d as well as it can be had; NaN if M is not productive: the caller's checks then fail, not this."""
    if not d.any():
        return np.zeros(d.shape)
    start = np.zeros(d.shape) if rough else None  # a start rules out a dense factorisation, too much for a correction
    try:
        found = solve_leontief(M, d, tolerance=tolerance, backend=backend, error_bound=False, x0=start)
    except ProblemError:
        return np.full(d.shape, np.nan)
    return np.asarray(uninterrupted(found).x)  # the callers hold what was found so far


def least_output(
    A: sp.csr_array,
    d: FloatArray,
    *,
    can_make: np.ndarray[Any, np.dtype[np.bool_]] | None = None,
    interior: float = INTERIOR,
    start: FloatArray | None = None,
    backend: Any = "auto",
) -> tuple[FloatArray, np.ndarray[Any, Any]] | None:
    """The least q >= 0 with q >= A q + d (a little above it), and the goods that are produced; None if it fails.

    d may hold negative entries (supplies from outside), A too (by-products): q = max(0, A q + d) is found by policy
    iteration over the set of produced goods, which rises monotonically when A >= 0. Rows of goods outside ``can_make``
    are left as they are. ``start`` as in :func:`one_sided_solve`, used where no such set has to be found.
    """
    if can_make is not None and not can_make.all():
        A, d = _rows(A, can_make), np.where(can_make, d, 0.0)
    active = reach(A, d > 0.0)
    masked, demand = A, d
    if (d < 0.0).any() or _magnitude(A) is not A:
        start = None
        for _ in range(_POLICY_STEPS):
            masked = _rows(A, active)
            demand = np.where(active, d, 0.0)
            q = _leontief(masked, demand, 1e-10, backend)
            if not np.isfinite(q).all():
                return None
            q = np.where(active, masked @ q + demand, 0.0)
            wanted = A @ np.maximum(q, 0.0) + d > 0.0
            if (wanted == active).all():
                break
            active = wanted
    least = one_sided_solve(masked, demand, 1.0, interior=interior, start=start, backend=backend)
    return None if least is None else (np.maximum(least, 0.0), active)


def _rows(A: sp.csr_array, keep: np.ndarray[Any, Any]) -> sp.csr_array:
    """A with the other rows emptied."""
    if keep.all():
        return A
    kept = sp.csr_array(sp.diags_array(keep.astype(np.float64)) @ A)
    kept.eliminate_zeros()
    return kept
