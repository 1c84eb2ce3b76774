"""The linear program of a plan as the verifier reads it: what flows, optimal prices as intervals, exact optimality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.optimize import linprog

from .recheck import Problem

ROUNDING = 1e-11  # differences below this share of what flows through a row or column are rounding
DEGENERATE = 1e-12
_INTERVAL = 1e-7  # ends of intervals are optima of linear programs, solved here by another program
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Model:
    """min c.x, low <= K x <= high, 0 <= x <= cap: techniques, then the scale; goods, then limits."""

    K: sp.csr_array
    c: Array
    cap: Array
    low: Array
    high: Array

    @staticmethod
    def of(problem: Problem) -> Model:
        n, m = problem.output.shape
        scaled = problem.kind == "scale"
        extra = sp.csr_array(-problem.targets.reshape(-1, 1)) if scaled else sp.csr_array((n, 0))
        none = sp.csr_array((problem.resource_use.shape[0], extra.shape[1]))
        K = sp.block_array([[problem.output - problem.input, extra], [problem.resource_use, none]], format="csr")
        goods = np.zeros(n) if scaled else problem.targets
        return Model(
            sp.csr_array(K),
            np.append(np.zeros(m), -1.0) if scaled else problem.cost,
            np.append(problem.capacity, np.inf) if scaled else problem.capacity,
            np.concatenate([goods, problem.lower]),
            np.concatenate([np.full(n, np.inf), problem.upper]),
        )


class Shares:
    """What flows through rows and columns, and the largest share of it that a change of x or y makes."""

    def __init__(self, model: Model, x: Array, y: Array, side: Array) -> None:
        K = sp.csr_array(abs(model.K))
        self.row, self.column = K @ np.abs(x) + side, K.T @ np.abs(y) + np.abs(model.c)
        # Of one unit: each is asked for many times, and a product with K costs more than all the rest.
        self.per_column = _largest(sp.diags_array(inverse(self.row)) @ K, 0)
        self.per_row = _largest(K @ sp.diags_array(inverse(self.column)), 1)

    def columns(self, change: Array) -> float:
        """Of changes of x, one at a time."""
        return float(self.each_column(change).max(initial=0.0))

    def rows(self, change: Array) -> float:
        """Of changes of y."""
        return float(self.each_row(change).max(initial=0.0))

    def each_column(self, change: Array) -> Array:
        """(N,) the same, column by column."""
        return self.per_column * np.abs(change)

    def each_row(self, change: Array) -> Array:
        """(M,) the same for y, row by row."""
        return self.per_row * np.abs(change)


def _largest(matrix: Any, axis: int) -> Array:
    """The largest entry of every column (axis 0) or row (axis 1)."""
    matrix = sp.csr_array(matrix)
    return np.asarray(matrix.max(axis=axis).todense()).ravel() if matrix.nnz else np.zeros(matrix.shape[1 - axis])


def inverse(v: Array) -> Array:
    """1 / v; 1 where nothing flows."""
    return 1.0 / np.where(v > 0.0, v, 1.0)


def most_share(error: Array, size: Array) -> float:
    """The largest error as a share of what flows."""
    share = error * inverse(size)
    return float(share.max(initial=0.0)) if not np.isnan(share).any() else float("inf")


class Long:
    """A matrix that is multiplied in extended precision."""

    def __init__(self, matrix: sp.csr_array) -> None:
        self.matrix = matrix

    def __matmul__(self, x: Array) -> Array:
        matrix, out = self.matrix, np.zeros(self.matrix.shape[0], np.longdouble)
        terms = matrix.data.astype(np.longdouble) * x[matrix.indices]
        filled = np.flatnonzero(np.diff(matrix.indptr))
        if filled.size:
            out[filled] = np.add.reduceat(terms, matrix.indptr[filled])
        return out


@dataclass(frozen=True)
class AtBounds:
    """Columns at zero and at capacity (N,), rows at their lower and at their upper side (M,), to rounding."""

    zero: Array
    full: Array
    low: Array
    high: Array

    @property
    def columns(self) -> Array:
        """At either bound."""
        return self.zero | self.full

    @property
    def rows(self) -> Array:
        """At either side."""
        return self.low | self.high


def at_bounds(model: Model, x: Array, row: Array, shares: Shares) -> AtBounds:
    """What stands at a bound or side."""
    gap = lambda v, bound: np.abs(v - np.where(np.isfinite(bound), bound, 0.0))  # noqa: E731
    zero = shares.each_column(x) <= DEGENERATE
    full = np.isfinite(model.cap) & (shares.each_column(gap(x, model.cap)) <= DEGENERATE)
    sides = [np.isfinite(side) & (gap(row, side) <= DEGENERATE * shares.row) for side in (model.low, model.high)]
    return AtBounds(zero, full, sides[0], sides[1])


# ---- intervals ----
def wrong_intervals(
    model: Model, x: Array, y: Array, row: Array, reduced: Array, shares: Shares, facts: dict[str, Any],
    tables: list[pd.DataFrame],
) -> Iterator[str]:  # fmt: skip
    """Stated ends of intervals that are not the least and greatest optimal prices and rents."""
    techniques, products, limits = tables
    m, n = len(techniques), len(products)
    pairs = [(products, "low", "high"), (limits, "low", "high"), (techniques, "rent_low", "rent_high")]
    ends = [np.concatenate([table[(low, high)[k]].to_numpy(np.float64) for table, low, high in pairs]) for k in (0, 1)]
    if not facts["intervals"]:
        if not all(np.isnan(end).all() for end in ends):
            yield "vertex: intervals are stated, but plan.json says that there are none"
        return
    if any(np.isnan(end).any() for end in ends):
        yield "vertex: an interval has no ends"
        return
    rent = np.where(np.isfinite(model.cap[:m]) & (x[:m] == model.cap[:m]), np.maximum(-reduced[:m], 0.0), 0.0)
    point = np.concatenate([y[:n], -y[n:], rent])
    if not facts["degenerate"]:
        size = max(float(np.abs(point).max(initial=0.0)), 1e-300)
        off = max(float(np.abs(end - point).max(initial=0.0)) for end in ends) / size
        if not off <= ROUNDING:
            yield f"vertex: prices are unique, but intervals are stated, off by {off:.1e}"
        return
    yield from _wrong_ends(model, x, row, shares, point, ends, m, n)


def _wrong_ends(
    model: Model, x: Array, row: Array, shares: Shares, point: Array, ends: list[Array], m: int, n: int
) -> Iterator[str]:
    """Every end is an optimum over the prices that are feasible and complementary to the plan."""
    K = model.K.toarray()
    scale = inverse(shares.column)
    size = np.maximum((np.abs(K) * scale).max(axis=1, initial=0.0), 1e-300)
    A, side = (K * scale).T / size, model.c * scale
    at = at_bounds(model, x, row, shares)
    limits = [(None if h else 0.0, None if lo else 0.0) for lo, h in zip(at.low, at.high, strict=True)]
    most, least, equal = at.zero & ~at.full, at.full & ~at.zero, ~at.zero & ~at.full
    given = {
        "A_ub": np.vstack([A[most], -A[least]]), "b_ub": np.concatenate([side[most], -side[least]]),
        "A_eq": A[equal], "b_eq": side[equal], "bounds": limits, "method": "highs",
    }  # fmt: skip
    for k in range(point.size):
        cost, offset = np.zeros(size.size), 0.0
        if k < size.size:
            cost[k] = (1.0 if k < n else -1.0) / size[k]
        elif not (np.isfinite(model.cap[k - size.size]) and x[k - size.size] == model.cap[k - size.size]):
            if ends[0][k] != 0.0 or ends[1][k] != 0.0:
                yield f"vertex: technique number {k - size.size} is not at its capacity, but its rent is an interval"
            continue
        else:
            cost, offset = K[:, k - size.size] / size, -float(model.c[k - size.size])
        unit = float(np.abs(cost).max()) or 1.0
        for sign, stated in ((1.0, ends[0][k]), (-1.0, ends[1][k])):
            found = linprog(sign * cost / unit, **given)
            if found.status not in (0, 3):
                yield f"vertex: an end of interval number {k} could not be recomputed ({found.message})"
                return
            end = sign * (-np.inf) if found.status == 3 else sign * float(found.fun) * unit + offset
            end = end if k < size.size else max(end, 0.0)
            allowed = _INTERVAL * max(abs(end), unit, abs(offset)) if np.isfinite(end) else 0.0
            if not (stated == end or abs(stated - end) <= allowed):
                yield f"vertex: an end of interval number {k} is {stated!r}, recomputed {end!r}"
                return


# ---- in fractions ----
def exactly_optimal(model: Model, columns: Array, rows: Array) -> bool:
    """Whether the states determine one point and one set of prices, and these are feasible and optimal, exactly."""
    basic, tight = np.flatnonzero(columns == 0), np.flatnonzero(rows != 0)
    K = [[Fraction(float(a)) for a in line] for line in model.K.toarray()]
    c = [Fraction(float(a)) for a in model.c]
    x = [Fraction(float(model.cap[j])) if columns[j] > 0 else Fraction(0) for j in range(columns.size)]
    side = [Fraction(float((model.high if rows[i] > 0 else model.low)[i])) for i in tight]
    dot = lambda a, b: sum((u * v for u, v in zip(a, b, strict=True) if u and v), Fraction(0))  # noqa: E731
    inner = _gauss(
        [[K[i][j] for j in basic] for i in tight], [s - dot(K[i], x) for i, s in zip(tight, side, strict=True)]
    )
    outer = _gauss([[K[i][j] for i in tight] for j in basic], [c[j] for j in basic])
    if inner is None or outer is None:
        return False
    for at, value in zip(basic.tolist(), inner, strict=True):
        x[at] = value
    y = [Fraction(0)] * rows.size
    for at, value in zip(tight.tolist(), outer, strict=True):
        y[at] = value
    if not all(0 <= v <= cap for v, cap in zip(x, model.cap, strict=True)):
        return False
    for i in range(rows.size):
        value = dot(K[i], x)
        if not model.low[i] <= value <= model.high[i]:
            return False
        if (y[i] > 0 and value != model.low[i]) or (y[i] < 0 and value != model.high[i]):
            return False
    for j in range(columns.size):
        reduced = c[j] - dot([K[i][j] for i in range(rows.size)], y)
        if (reduced > 0 and x[j] != 0) or (reduced < 0 and x[j] != model.cap[j]):
            return False
    return True


def _gauss(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    """The solution of a square system by elimination, exactly; None if it is singular."""
    lines = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    n = len(lines)
    for k in range(n):
        pivot = next((i for i in range(k, n) if lines[i][k]), None)
        if pivot is None:
            return None
        lines[k], lines[pivot] = lines[pivot], lines[k]
        top = [value / lines[k][k] for value in lines[k]]
        lines[k] = top
        for i in range(n):
            factor = lines[i][k]
            if i != k and factor:
                lines[i] = [a - factor * b for a, b in zip(lines[i], top, strict=True)]
    return [line[n] for line in lines]
