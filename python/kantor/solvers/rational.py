"""Vertices of linear programs in rational arithmetic: exact for the numbers as stored, no tolerance anywhere.

A basis says which columns lie between their bounds and which rows stand at a side. It determines a point and
multipliers by two square systems, solved here without rounding by fraction-free elimination (Bareiss 1968). Whether the
point keeps every bound and every reduced cost has its sign is then a matter of fact. For small systems only: the
numbers grow with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .problem import FloatArray, LinearProgram


@dataclass(frozen=True)
class Basis:
    """``columns`` (N,) and ``rows`` (M,): -1 at the lower bound or side, 1 at the upper one, 0 in between (basic)."""

    columns: np.ndarray[Any, Any]
    rows: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Vertex:
    """The point x (N,) and multipliers y (M,) of a basis, and what is true of them.

    ``feasible``: x keeps all bounds and sides; ``optimal_signs``: every multiplier and reduced cost has its sign, so
    that ``value`` = c.x is the minimum if both hold, at least the minimum if ``feasible``, at most it if
    ``optimal_signs``.
    """

    x: list[Fraction]
    y: list[Fraction]
    value: Fraction
    feasible: bool
    optimal_signs: bool


def vertex(lp: LinearProgram, basis: Basis) -> Vertex | None:
    """The vertex of a basis of a small linear program without terms; None if the basis is singular.

    >>> lp = LinearProgram([1.0], np.array([[3.0]]), row_lower=[1.0])
    >>> vertex(lp, Basis(np.array([0]), np.array([-1]))).x
    [Fraction(1, 3)]
    """
    K = lp.K.toarray()
    basic, tight = np.flatnonzero(basis.columns == 0), np.flatnonzero(basis.rows != 0)
    if basic.size != tight.size:
        return None
    x = [Fraction(0)] * lp.shape[1]
    for j in np.flatnonzero(basis.columns != 0):
        bound = float(lp.lower[j] if basis.columns[j] < 0 else lp.upper[j])
        x[j] = Fraction(bound) if math.isfinite(bound) else Fraction(0)
    sides = [Fraction(float(lp.row_lower[i] if basis.rows[i] < 0 else lp.row_upper[i])) for i in tight]
    square = K[np.ix_(tight, basic)]
    right = [side - _dot(K[i], x) for side, i in zip(sides, tight, strict=True)]
    inner = _solve(square, right)
    multipliers = _solve(square.T, [Fraction(float(lp.c[j])) for j in basic])
    if inner is None or multipliers is None:
        return None
    for j, value in zip(basic, inner, strict=True):
        x[j] = value
    y = [Fraction(0)] * lp.shape[0]
    for i, value in zip(tight, multipliers, strict=True):
        y[i] = value
    return Vertex(x, y, _dot(lp.c, x), _feasible(lp, K, x), _optimal_signs(lp, K, x, y))


def optimal_vertex(
    lp: LinearProgram, basis: Basis, most: int = 60, out_of_time: Callable[[], bool] = lambda: False
) -> tuple[Basis, Vertex, int] | None:
    """(an optimal basis near ``basis``, its vertex, pivots made), every sign of it without tolerance.

    From a basis that is feasible or optimal in its signs, by the primal or the dual simplex method with the least-index
    rule (Bland 1977); None if it is neither, if it is singular, after ``most`` pivots, or out of time.
    """
    K = lp.K.toarray()
    for pivots in range(most + 1):
        if out_of_time():
            return None
        found = vertex(lp, basis)
        if found is None:
            return None
        if found.feasible and found.optimal_signs:
            return basis, found, pivots
        if found.feasible:
            step = _enter(lp, K, basis, found)
        elif found.optimal_signs:
            step = _leave(lp, K, basis, found)
        else:
            return None
        if step is None:
            return None
        basis = step
    return None


# A variable is a column j, or the value of a row i, numbered N + i: (number, place) with place as in Basis.
def _bounds(lp: LinearProgram, k: int) -> tuple[float, float]:
    n = lp.shape[1]
    pair = (lp.lower[k], lp.upper[k]) if k < n else (lp.row_lower[k - n], lp.row_upper[k - n])
    return float(pair[0]), float(pair[1])


def _moved(basis: Basis, k: int, place: int) -> None:
    part, at = (basis.columns, k) if k < basis.columns.size else (basis.rows, k - basis.columns.size)
    part[at] = place


def _copy(basis: Basis) -> Basis:
    return Basis(basis.columns.copy(), basis.rows.copy())


def _direction(lp: LinearProgram, K: FloatArray, basis: Basis, k: int) -> list[Fraction] | None:
    """Changes of all variables (columns, then row values) per unit of nonbasic variable k, the other ones held."""
    basic, tight = np.flatnonzero(basis.columns == 0), np.flatnonzero(basis.rows != 0)
    rows, n = lp.shape
    right = [-Fraction(float(K[i, k])) if k < n else Fraction(int(i == k - n)) for i in tight]
    inner = _solve(K[np.ix_(tight, basic)], right)
    if inner is None:
        return None
    change = [Fraction(0)] * n
    if k < n:
        change[k] = Fraction(1)
    for j, value in zip(basic.tolist(), inner, strict=True):
        change[j] = value
    return change + [_dot(K[i], change) for i in range(rows)]


def _moves(lp: LinearProgram, K: FloatArray, basis: Basis, out: int) -> list[Fraction] | None:
    """What a unit of each nonbasic variable changes in the basic one ``out``, from one transposed solve; basic ones: 0.

    With B the basic columns of the tight rows, x_basic = B^-1 (sides - rest), so that a row w of B^-1, or of
    K_out,basic B^-1, says it for all nonbasic variables at once.
    """
    basic, tight = np.flatnonzero(basis.columns == 0), np.flatnonzero(basis.rows != 0)
    rows, n = lp.shape
    right = [Fraction(int(j == out)) if out < n else Fraction(float(K[out - n, j])) for j in basic]
    w = _solve(K[np.ix_(tight, basic)].T, right)
    if w is None:
        return None
    moves = [Fraction(0)] * (n + rows)
    for k in np.flatnonzero(basis.columns != 0).tolist():
        direct = Fraction(float(K[out - n, k])) if out >= n else Fraction(0)
        moves[k] = direct - _dot(K[tight, k], w)
    for i, value in zip(tight.tolist(), w, strict=True):
        moves[n + i] = value
    return moves


def _values(lp: LinearProgram, K: FloatArray, found: Vertex) -> list[Fraction]:
    return found.x + [_dot(K[i], found.x) for i in range(lp.shape[0])]


def _costs(lp: LinearProgram, K: FloatArray, found: Vertex) -> list[Fraction]:
    """Reduced costs of columns, then of row values (their multipliers)."""
    reduced = [Fraction(float(lp.c[j])) - _dot(K[:, j], found.y) for j in range(lp.shape[1])]
    return reduced + found.y


def _places(basis: Basis) -> list[int]:
    return [*basis.columns.tolist(), *basis.rows.tolist()]


def _enter(lp: LinearProgram, K: FloatArray, basis: Basis, found: Vertex) -> Basis | None:
    """One step of the primal simplex method."""
    values, costs, places = _values(lp, K, found), _costs(lp, K, found), _places(basis)
    for k, (place, cost) in enumerate(zip(places, costs, strict=True)):
        low, high = _bounds(lp, k)
        if place == 0 or low == high or not cost:
            continue
        sign = -1 if cost > 0 else 1
        if (place < 0 and sign < 0 and math.isfinite(low)) or (place > 0 and sign > 0 and math.isfinite(high)):
            continue
        change = _direction(lp, K, basis, k)
        if change is None:
            return None
        steps: list[tuple[Fraction, int, int]] = []
        for i, value in enumerate(values):
            rate = sign * change[i]
            bounds = _bounds(lp, i)
            if (i == k or places[i] == 0) and rate:
                bound = bounds[1] if rate > 0 else bounds[0]
                if math.isfinite(bound):
                    steps.append(((Fraction(bound) - value) / rate, i, 1 if rate > 0 else -1))
        if not steps:
            return None  # without end
        _, out, side = min(steps)
        new = _copy(basis)
        _moved(new, k, 0)
        _moved(new, out, side)
        return new
    return None


def _leave(lp: LinearProgram, K: FloatArray, basis: Basis, found: Vertex) -> Basis | None:
    """One step of the dual simplex method."""
    values, costs, places = _values(lp, K, found), _costs(lp, K, found), _places(basis)
    for out, value in enumerate(values):
        low, high = _bounds(lp, out)
        if places[out] != 0 or _within(value, low, high):
            continue
        side = -1 if value < low else 1
        moves = _moves(lp, K, basis, out)
        if moves is None:
            return None
        ratios: list[tuple[Fraction, int]] = []
        for k, place in enumerate(places):
            bounds = _bounds(lp, k)
            if place == 0 or bounds[0] == bounds[1]:
                continue
            # The leaving variable has to move towards its side as k moves off its own.
            move = moves[k] * (1 if place < 0 else -1)
            if (move > 0) if side < 0 else (move < 0):
                ratios.append((abs(costs[k] / moves[k]), k))
        if not ratios:
            return None  # infeasible
        _, k = min(ratios)
        new = _copy(basis)
        _moved(new, out, side)
        _moved(new, k, 0)
        return new
    return None


def _solve(matrix: FloatArray, right: Sequence[Fraction]) -> list[Fraction] | None:
    """The solution of a square system, exactly; None if it is singular."""
    n = len(right)
    rows = [_integers([*(Fraction(float(a)) for a in matrix[i]), right[i]]) for i in range(n)]
    previous = 1
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k]), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        top = rows[k]
        for i in range(k + 1, n):
            row, first = rows[i], rows[i][k]
            # Exact division: every entry is a minor of the matrix (Sylvester's identity).
            rows[i] = [0] * (k + 1) + [(top[k] * row[j] - first * top[j]) // previous for j in range(k + 1, n + 1)]
        previous = top[k]
    x = [Fraction(0)] * n
    for k in range(n - 1, -1, -1):
        rest = rows[k][n] - sum((rows[k][j] * x[j] for j in range(k + 1, n)), Fraction(0))
        x[k] = Fraction(rest) / rows[k][k]
    return x


def _integers(row: list[Fraction]) -> list[int]:
    """The row times its common denominator."""
    common = math.lcm(*(a.denominator for a in row))
    return [int(a * common) for a in row]


def _dot(a: FloatArray, x: Sequence[Fraction]) -> Fraction:
    return sum((Fraction(float(a[j])) * x[j] for j in np.flatnonzero(a).tolist()), Fraction(0))


def _within(value: Fraction, low: float, high: float) -> bool:
    return value >= low and value <= high  # Fractions compare exactly with floats


def _feasible(lp: LinearProgram, K: FloatArray, x: Sequence[Fraction]) -> bool:
    bounds = all(_within(x[j], lp.lower[j], lp.upper[j]) for j in range(len(x)))
    return bounds and all(_within(_dot(K[i], x), lp.row_lower[i], lp.row_upper[i]) for i in range(K.shape[0]))


def _optimal_signs(lp: LinearProgram, K: FloatArray, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
    """Whether (x, y) is complementary and every finite bound that a sign needs is there."""
    for i in range(K.shape[0]):
        if y[i] and not math.isfinite(lp.row_lower[i] if y[i] > 0 else lp.row_upper[i]):
            return False
        if y[i] and _dot(K[i], x) != Fraction(float(lp.row_lower[i] if y[i] > 0 else lp.row_upper[i])):
            return False
    for j in range(K.shape[1]):
        reduced = Fraction(float(lp.c[j])) - _dot(K[:, j], y)
        bound = float(lp.lower[j] if reduced > 0 else lp.upper[j])
        if reduced and not (math.isfinite(bound) and x[j] == Fraction(bound)):
            return False
    return True
