"""Reported tables and totals read into one list of cells and one list of totals."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ...errors import OptionError, ProblemError
from ...solvers.solution import SolveInfo, Status
from ..labels import aligned, as_index, numbers, show
from ..matrix import as_csr
from .cells import Cells, adjust, relative_residuals
from .conflicts import check_sums, name_starved, settle
from .result import Balance, Part, entropy_distance

METHODS = ("entropy", "least-squares")


@dataclass
class Totals:
    """One block of totals: labels, targets, standard errors (inf: no such total), and its entries in G."""

    kind: str
    labels: pd.Index
    target: np.ndarray
    error: np.ndarray
    entries: list[tuple[np.ndarray, np.ndarray, float]] = field(default_factory=list)  # (total, cell, sign)


def read_part(name: str, table: Any, rows: pd.Index, columns: pd.Index, error: Any, keep_zeros: bool) -> Part:
    """The cells of a table that are not zero; with ``keep_zeros`` also zeros that have a standard error."""
    if isinstance(table, pd.Series) or (not hasattr(table, "toarray") and np.ndim(table) == 1):
        matrix = sp.csr_array(aligned(table, rows, name)[:, None])
    else:
        matrix = as_csr(table, rows, columns, name)
    coo = matrix.tocoo()
    at, to, value = coo.row.astype(np.int64), coo.col.astype(np.int64), coo.data
    if error is None:
        return Part(name, rows, columns, at, to, value, None)
    if np.ndim(error) == 0 and not hasattr(error, "shape"):
        share = float(error)
        if not (np.isfinite(share) and share >= 0.0):
            raise OptionError(f"{name} error: {error!r}, expected a share >= 0 of each cell, or a table")
        return Part(name, rows, columns, at, to, value, share * np.abs(value))
    if np.ndim(error) == 1:
        errors = sp.csr_array(aligned(error, rows, f"{name} error")[:, None])
    else:
        errors = as_csr(error, rows, columns, f"{name} error")
    if errors.nnz and errors.data.min() < 0.0:
        raise ProblemError(f"{name} error: some entry is {errors.data.min()!r}, expected standard errors >= 0")
    if keep_zeros:
        # Adding keeps the pattern of both; a cell of zero with an error may become anything.
        pattern = sp.csr_array(abs(matrix) + errors).tocoo()
        at, to = pattern.row.astype(np.int64), pattern.col.astype(np.int64)
        value = np.asarray(matrix[at, to]).ravel()
    return Part(name, rows, columns, at, to, value, np.asarray(errors[at, to]).ravel())


def read_totals(kind: str, totals: Any, labels: pd.Index, error: Any) -> Totals:
    """Targets and their standard errors; a scalar error is a share of each total."""
    target = aligned(totals, labels, kind)
    if np.ndim(error) == 0 and not hasattr(error, "shape"):
        share = float(error)
        spread = np.full(target.size, np.inf) if np.isinf(share) else share * np.abs(target)
    else:
        given = error.astype(float) if isinstance(error, pd.Series) else _labelled(error, labels, f"{kind} error")
        free = given == np.inf
        spread = aligned(given.mask(free, 0.0), labels, f"{kind} error")
        spread = np.where(aligned(free.astype(float), labels, f"{kind} error") > 0.0, np.inf, spread)
    if not (spread >= 0.0).all():
        raise ProblemError(f"{kind} error: some entry is {spread[~(spread >= 0.0)][0]!r}, expected >= 0 (inf: unknown)")
    return Totals(kind, labels, target, spread)


def _labelled(values: Any, labels: pd.Index, what: str) -> pd.Series:
    vector = numbers(values, what)
    if vector.shape != (len(labels),):
        raise ProblemError(f"{what}: shape {vector.shape}, expected ({len(labels)},), one value for each label")
    return pd.Series(vector, labels)


def check_options(method: str, tolerance: float, max_iterations: int) -> None:
    """Raise OptionError for options out of range."""
    if method not in METHODS:
        raise OptionError(f"method: {method!r}, expected one of {', '.join(METHODS)}")
    if not 0.0 < tolerance < 1.0:
        raise OptionError(f"tolerance: {tolerance!r}, expected a number in (0, 1)")
    if isinstance(max_iterations, bool) or not isinstance(max_iterations, int) or max_iterations < 1:
        raise OptionError(f"max_iterations: {max_iterations!r}, expected a whole number >= 1")


def solve_parts(
    parts: list[Part],
    totals: list[Totals],
    method: str,
    tolerance: float,
    max_iterations: int,
) -> Balance:
    """Adjust all parts together. The first two totals are the two sides: rows and columns, products and industries."""
    every = _Everything(parts, totals, method)
    reduced = settle(every.cells, every.name, 1e-12)
    check_sums(reduced.cells, every.sides, every.name, 0.5 * tolerance)
    found = adjust(reduced.cells, tolerance, max_iterations)
    if not found.converged:
        name_starved(reduced.cells, found.multipliers, every.sides, every.name, tolerance)
    z = reduced.value
    z[reduced.kept] = found.value
    worst = relative_residuals(every.cells, z, found.multipliers)
    status = Status.OPTIMAL if worst.max(initial=0.0) <= tolerance else Status.ITERATION_LIMIT
    info = SolveInfo(
        method=found.method,
        why=_why(status, found.far, worst, every),
        iterations=found.iterations,
        primal_residual=float(worst.max(initial=0.0)),
        tolerance=tolerance,
        notes=every.notes(z),
    )
    ends = np.cumsum([part.value.size for part in parts])[:-1]
    balanced = np.split(z, ends)
    return Balance(status, every.totals_frame(z), entropy_distance(every.cells.value, z), info, parts, balanced)


def _why(status: Status, far: bool, worst: np.ndarray, every: _Everything) -> str:
    if status is Status.OPTIMAL:
        return "every total holds"
    at = int(np.argmax(worst))
    said = f"{every.name(at)} misses its total by {worst[at]:.2g} of its size"
    return said + ("; multipliers grow without limit: the totals do not fit the zeros and signs" if far else "")


class _Everything:
    """All cells and all totals in one numbering."""

    def __init__(self, parts: list[Part], totals: list[Totals], method: str) -> None:
        self.parts, self.all = parts, totals
        self.entropy = method == "entropy"
        value = np.concatenate([part.value for part in parts])
        error = [part.error for part in parts]
        variance = np.concatenate([np.abs(p.value) if e is None else e**2 for p, e in zip(parts, error, strict=True)])
        theta = np.divide(variance, np.abs(value), out=np.zeros(value.size), where=value != 0.0)
        if all(e is None for e in error):
            theta = np.where(value != 0.0, 1.0, 0.0)
        rows, columns, data, target, spread = [], [], [], [], []
        starts = np.concatenate([[0], np.cumsum([len(t.labels) for t in totals])]).astype(int)
        self.starts = starts
        for start, block in zip(starts, totals, strict=False):
            for which, cell, sign in block.entries:
                known = np.isfinite(block.error[which])
                rows.append(which[known] + start)
                columns.append(cell[known])
                data.append(np.full(int(known.sum()), sign))
            target.append(np.where(np.isfinite(block.error), block.target, 0.0))
            spread.append(np.where(np.isfinite(block.error), block.error, 0.0))
        shape = (int(starts[-1]), value.size)
        G = sp.csr_array((np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))), shape=shape)
        self.cells = Cells(
            value, variance, theta, G, np.concatenate(target), np.concatenate(spread) ** 2,
            [slice(int(a), int(b)) for a, b in pairwise(starts) if b > a], self.entropy,
        )  # fmt: skip
        self.sides = (slice(int(starts[0]), int(starts[1])), slice(int(starts[1]), int(starts[2])))

    def name(self, i: int) -> str:
        """A total in words."""
        block = int(np.searchsorted(self.starts, i, side="right")) - 1
        return f"{self.all[block].kind} {show(self.all[block].labels[i - self.starts[block]])!r}"

    def notes(self, z: np.ndarray) -> list[str]:
        """What a reader should know."""
        said = []
        flipped = int(np.count_nonzero(np.sign(z) * np.sign(self.cells.value) < 0.0))
        if flipped:
            said.append(f"{flipped} cells changed their sign; method 'entropy' keeps signs")
        emptied = int(np.count_nonzero((z == 0.0) & (self.cells.value != 0.0)))
        if emptied:
            said.append(f"{emptied} cells became 0, as a total of 0 asks")
        return said

    def totals_frame(self, z: np.ndarray) -> pd.DataFrame:
        sums = self.cells.G @ z
        frames = []
        for start, block in zip(self.starts, self.all, strict=False):
            balanced = sums[start : start + len(block.labels)]
            known = np.isfinite(block.error)
            off = balanced - block.target
            frame = pd.DataFrame(
                {
                    "reported": block.target,
                    "error": block.error,
                    "balanced": np.where(known, balanced, np.nan),
                    "residual": np.where(known & (block.error == 0.0), off, np.nan),
                    "change": np.where(known & (block.error > 0.0), off, np.nan),
                }
            )
            frame.index = pd.MultiIndex.from_arrays(
                [[block.kind] * len(frame), block.labels.to_flat_index()], names=["kind", "label"]
            )
            frames.append(frame)
        return pd.concat(frames)


def labels_of(table: Any, axis: int, name: str) -> pd.Index:
    """Labels of one axis of a table: its own, or 0..n-1."""
    if isinstance(table, pd.DataFrame):
        return as_index(table.axes[axis], f"{name} {'rows' if axis == 0 else 'columns'}")
    shape = table.shape if hasattr(table, "shape") else np.shape(table)
    if len(shape) != 2:
        raise ProblemError(f"{name}: got {len(shape)} dimension(s), expected a table of two")
    return pd.RangeIndex(shape[axis])
