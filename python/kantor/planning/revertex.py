"""The exact vertex of a plan folder, checked from the raw problem: states, numbers, optimality, intervals.

The states say which columns and rows of the linear program are basic. Everything else follows from them. Of up to
MOST_DENSE goods and limits this module solves both square systems again (dense factors with refinement in extended
precision) and compares every stored number; of larger ones it checks that the stored numbers satisfy both systems to
rounding, not that no other numbers do. Of all it checks that plan and prices are feasible and complementary. Small
vertices are decided in fractions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import scipy.linalg
import scipy.sparse as sp

from .recheck import Problem
from .revertex_model import (
    DEGENERATE,
    ROUNDING,
    Long,
    Model,
    Shares,
    at_bounds,
    exactly_optimal,
    most_share,
    wrong_intervals,
)

_COLUMNS = (
    ("state", "activity", "reduced_cost", "rent_low", "rent_high"),
    ("state", "price", "surplus", "low", "high"),
    ("state", "use", "rent", "low", "high"),
)
MOST_DENSE = 2_000  # goods and limits for which the systems are solved again
MOST_EXACT = 60
_PLACES = (
    {"idle": -1, "running": 0, "full": 1},
    {"balanced": -1, "surplus": 0},
    {"at least": -1, "slack": 0, "at most": 1},
)
Array = np.ndarray[Any, Any]


def wrong_vertex(
    problem: Problem, facts: dict[str, Any], tables: list[pd.DataFrame], sign: float, bounds: tuple[float, float]
) -> Iterator[str]:
    """What is stated of a vertex and does not follow from its states. ``tables``: techniques, products, limits.

    ``sign`` is -1 where a maximum was computed as a minimum; ``bounds`` are those proved of the optimum.
    """
    if problem.kind == "utility":
        yield "vertex: stated, but a utility has none"
        return
    for table, columns_of in zip(tables, _COLUMNS, strict=True):
        if tuple(table.columns) != columns_of:
            yield f"vertex: its tables have the columns {list(table.columns)}, expected {list(columns_of)}"
            return
    model, parts = Model.of(problem), [_places(table, words) for table, words in zip(tables, _PLACES, strict=True)]
    if any(part is None for part in parts) or [len(part) for part in parts if part is not None] != [
        problem.output.shape[1], problem.output.shape[0], problem.resource_use.shape[0]
    ]:  # fmt: skip
        yield "vertex: its tables hold other states or rows than the plan has"
        return
    scale = [] if problem.kind == "use" else [{"running": 0, "idle": -1}.get(str(facts["scale"]), 9)]
    columns = np.concatenate([parts[0], np.array(scale, int)])
    rows = np.concatenate([parts[1], parts[2]])
    basic, tight = np.flatnonzero(columns == 0), np.flatnonzero(rows != 0)
    if facts["rows"] != rows.size or basic.size != tight.size or (problem.kind == "use" and facts["scale"] is not None):
        yield f"vertex: {basic.size} running techniques for {tight.size} balances and limits that bind"
        return
    yield from _wrong_numbers(model, columns, rows, facts, tables, sign, bounds)


def _places(table: pd.DataFrame, words: dict[str, int]) -> Array | None:
    places = [words.get(str(state)) for state in table["state"]]
    return None if None in places else np.array(places, dtype=int)


def _wrong_numbers(
    model: Model, columns: Array, rows: Array, facts: dict[str, Any], tables: list[pd.DataFrame], sign: float,
    bounds: tuple[float, float],
) -> Iterator[str]:  # fmt: skip
    techniques, products, limits = tables
    m, n = len(techniques), len(products)
    value = sign * facts["objective"]
    number = lambda table, column: table[column].to_numpy(np.float64)  # noqa: E731
    x, y = number(techniques, "activity"), np.concatenate([number(products, "price"), -number(limits, "rent")])
    if columns.size > m:
        x = np.append(x, value)
    side = np.where(rows > 0, model.high, model.low)
    at = np.where(columns > 0, model.cap, 0.0)
    off = np.flatnonzero((columns != 0) & (x != at))
    if off.size or not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(side[rows != 0]).all()):
        yield f"vertex: technique number {off[0] if off.size else 0} is not at the bound that its state says"
        return
    shares = Shares(model, x, y, np.where(rows != 0, np.abs(np.where(rows != 0, side, 0.0)), 0.0))
    if rows.size <= MOST_DENSE:
        solved = _solved(model, columns, rows, side, at)
        if solved is None:
            yield "vertex: its basis is singular"
            return
        moved = max(shares.columns(x - solved[0]), shares.rows(y - solved[1]))
        if not moved <= ROUNDING:
            yield f"vertex: activity, prices or rents differ from those of its states by {moved:.1e} of what flows"
            return
    row = (Long(model.K) @ x.astype(np.longdouble)).astype(np.float64)
    reduced = (model.c - Long(sp.csr_array(model.K.T)) @ y.astype(np.longdouble)).astype(np.float64)
    goods_low = np.where(rows[:n] != 0, row[:n], model.low[:n])
    claims = {
        "use of a limit": most_share(np.abs(number(limits, "use") - row[n:]), shares.row[n:]),
        "surplus of a product": most_share(np.abs(number(products, "surplus") - (row[:n] - goods_low)), shares.row[:n]),
        "reduced cost": most_share(np.abs(number(techniques, "reduced_cost") - reduced[:m]), shares.column[:m]),
        "balance or limit": most_share(np.where(rows != 0, np.abs(row - np.where(rows != 0, side, 0)), 0), shares.row),
        "price of a running technique": most_share(np.where(columns == 0, np.abs(reduced), 0.0), shares.column),
        "objective": abs(value - float(model.c @ x) * (-1.0 if columns.size > m else 1.0)) / max(abs(value), 1e-300),
    }
    for what, share in claims.items():
        if not share <= ROUNDING:
            yield f"vertex: {what} is off by {share:.1e} of what flows"
    room = 1e-12 * max(abs(b) for b in bounds)
    if not bounds[0] - room <= facts["objective"] <= bounds[1] + room:
        yield f"vertex: its objective {facts['objective']!r} is outside the proved bounds"
    yield from _not_optimal(model, columns, rows, x, y, row, reduced, shares)
    yield from _wrong_counts(model, columns, rows, x, y, row, reduced, shares, facts)
    yield from wrong_intervals(model, x, y, row, reduced, shares, facts, tables)
    if facts["exact"] != (rows.size <= MOST_EXACT):
        yield f"vertex: exact is {facts['exact']!r} for {rows.size} goods and limits"
    elif facts["exact"] and not exactly_optimal(model, columns, rows):
        yield "vertex: it is not optimal in exact arithmetic"


def _solved(model: Model, columns: Array, rows: Array, side: Array, at: Array) -> tuple[Array, Array] | None:
    """(x, y) that the states determine; None where they determine nothing."""
    basic, tight = np.flatnonzero(columns == 0), np.flatnonzero(rows != 0)
    square = model.K[tight][:, basic].toarray()
    rest = np.where(columns == 0, 0.0, at).astype(np.longdouble)
    right = side[tight].astype(np.longdouble) - (Long(sp.csr_array(model.K[tight])) @ rest)
    x, y = rest.astype(np.float64), np.zeros(rows.size)
    if not basic.size:
        return x, y
    system = _Dense.of(square)
    if system is None:
        return None
    x[basic] = system.solve(np.asarray(right, np.longdouble))
    y[tight] = system.solve(model.c[basic].astype(np.longdouble), transposed=True)
    return (x, y) if np.isfinite(x).all() and np.isfinite(y).all() else None


class _Dense:
    """A regular dense matrix, factorised once in units of its rows and columns for both of its systems."""

    def __init__(self, matrix: Array, scaled: Array, rows: Array, columns: Array) -> None:
        self.matrix, self.rows, self.columns = sp.csr_array(matrix), rows, columns
        self.factors = scipy.linalg.lu_factor(scaled)

    @staticmethod
    def of(matrix: Array) -> _Dense | None:
        """None for a matrix that is singular to rounding."""
        scaled, rows, columns = matrix.copy(), np.ones(matrix.shape[0]), np.ones(matrix.shape[0])
        with np.errstate(all="ignore"):
            for _ in range(6):
                r = 1.0 / np.sqrt(np.abs(scaled).max(axis=1))
                scaled, rows = scaled * r[:, None], rows * r
                c = 1.0 / np.sqrt(np.abs(scaled).max(axis=0))
                scaled, columns = scaled * c, columns * c
            if not np.isfinite(scaled).all() or np.linalg.cond(scaled) > 1e14:
                return None
        return _Dense(matrix, scaled, rows, columns)

    def solve(self, right: Array, transposed: bool = False) -> Array:
        """The solution of matrix x = right, or of the transposed system, refined in extended precision."""
        before, after = (self.columns, self.rows) if transposed else (self.rows, self.columns)
        wide = Long(sp.csr_array(self.matrix.T) if transposed else self.matrix)
        x = np.zeros(right.size, np.longdouble)
        with np.errstate(all="ignore"):
            for _ in range(6):
                rest = (right - wide @ x) * before
                x = x + after * scipy.linalg.lu_solve(
                    self.factors, rest.astype(np.float64), trans=1 if transposed else 0
                )
        return x.astype(np.float64)


def _not_optimal(
    model: Model, columns: Array, rows: Array, x: Array, y: Array, row: Array, reduced: Array, shares: Shares
) -> Iterator[str]:
    """Violated bounds and limits, and signs that say that another plan is better."""
    outside = shares.columns(np.maximum(0.0, np.maximum(-x, x - model.cap)))
    beyond = most_share(np.maximum(0.0, np.maximum(model.low - row, row - model.high)), shares.row)
    gain = np.where(columns > 0, np.maximum(reduced, 0.0), np.where(columns < 0, np.maximum(-reduced, 0.0), 0.0))
    better = most_share(np.where(model.cap == 0.0, 0.0, gain), shares.column)
    turned = np.where(rows < 0, np.maximum(-y, 0.0), np.maximum(y, 0.0))
    wrong = shares.rows(np.where((model.low == model.high) | (rows == 0), 0.0, turned))
    idle = np.flatnonzero((rows == 0) & (y != 0))
    if not max(outside, beyond) <= ROUNDING:
        yield f"vertex: it violates a capacity, balance or limit by {max(outside, beyond):.1e} of what flows"
    if not max(better, wrong) <= ROUNDING:
        yield f"vertex: its prices are off by {max(better, wrong):.1e}: another plan is better"
    if idle.size:
        yield f"vertex: row number {idle[0]} has a price or rent, but does not bind"


def _wrong_counts(
    model: Model, columns: Array, rows: Array, x: Array, y: Array, row: Array, reduced: Array, shares: Shares,
    facts: dict[str, Any],
) -> Iterator[str]:  # fmt: skip
    at = at_bounds(model, x, row, shares)
    degenerate = int(((columns == 0) & at.columns).sum() + ((rows == 0) & at.rows).sum())
    flat = (columns != 0) & (model.cap > 0) & (np.abs(reduced) <= DEGENERATE * shares.column)
    free = (rows != 0) & (model.low != model.high) & (shares.each_row(y) <= DEGENERATE)
    for key, expected in (("degenerate", degenerate), ("alternatives", int(flat.sum() + free.sum()))):
        if facts[key] != expected:
            yield f"vertex: {key} is stated as {facts[key]!r}, recomputed {expected}"
