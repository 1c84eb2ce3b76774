"""What balancing says: residuals by label, what changed most, how far the table moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ...solvers.solution import NotOptimal, SolveInfo, Status


@dataclass
class Part:
    """One reported table: its cells as COO, their standard errors (None: not given) and where they are in the list."""

    name: str
    rows: pd.Index
    columns: pd.Index
    at: np.ndarray
    to: np.ndarray
    value: np.ndarray
    error: np.ndarray | None
    start: int = 0

    def frame(self, cells: np.ndarray, balanced: np.ndarray) -> pd.DataFrame:
        """Some of the cells with the labels of their rows and columns."""
        levels: list[Any] = [pd.Index([self.name]), self.rows.to_flat_index(), self.columns.to_flat_index()]
        codes: list[Any] = [np.zeros(cells.size, dtype=np.int64), self.at[cells], self.to[cells]]
        index = pd.MultiIndex(
            levels=levels,
            codes=codes,
            names=["table", "row", "column"],
            verify_integrity=False,
        )
        error = np.full(cells.size, np.nan) if self.error is None else self.error[cells]
        return pd.DataFrame({"reported": self.value[cells], "error": error, "balanced": balanced[cells]}, index)


@dataclass
class Balance:
    """The part of a result that is the same for tables and supply-use pairs.

    Attributes
    ----------
    status : OPTIMAL if every total holds to the tolerance, else ITERATION_LIMIT
    totals : one row a total, labelled (kind, label): ``reported`` and its ``error``, ``balanced``: what the cells add
        up to now, ``residual``: balanced less reported where the total is exact, ``change`` where it may give way
    distance : sum of |a| (rho ln rho - rho + 1), rho = balanced / reported: 0 only if nothing changed. Infinite if a
        least-squares adjustment changed a sign
    info : method, why, iterations, largest relative residual, notes
    parts, balanced : the cells as read, and their new values, table by table
    """

    status: Status
    totals: pd.DataFrame
    distance: float
    info: SolveInfo
    parts: list[Part]
    balanced: list[np.ndarray]

    @property
    def largest_residual(self) -> float:
        """Largest |residual| of an exact total, in the unit of the table."""
        off = self.totals["residual"].abs().max()
        return 0.0 if np.isnan(off) else float(off)

    @property
    def cells(self) -> pd.DataFrame:
        """All cells that are not zero, by (table, row, column): reported, error (NaN if not given), balanced."""
        return pd.concat([p.frame(np.arange(p.value.size), z) for p, z in zip(self.parts, self.balanced, strict=True)])

    def changes(self, count: int = 20) -> pd.DataFrame:
        """The cells that changed most: by standard errors where they were given, else by amount."""
        frames = []
        for part, z in zip(self.parts, self.balanced, strict=True):
            size = np.abs(z - part.value)
            if part.error is not None:
                size = np.divide(size, part.error, out=np.zeros_like(size), where=part.error > 0.0)
            most = np.argpartition(-size, count - 1)[:count] if size.size > count else np.arange(size.size)
            frames.append(part.frame(most, z).assign(size=size[most]))
        table = pd.concat(frames).sort_values("size", ascending=False, kind="stable").head(count).drop(columns="size")
        table["change"] = table["balanced"] - table["reported"]
        table["ratio"] = table["balanced"] / table["reported"].where(table["reported"] != 0.0)
        table["in_errors"] = table["change"] / table["error"].where(table["error"] > 0.0)
        return table

    def raise_for_status(self) -> None:
        """Raise NotOptimal unless every total holds."""
        if self.status is not Status.OPTIMAL:
            raise NotOptimal(f"status is {self.status.value}: {self.info.why}")


def entropy_distance(reported: np.ndarray, balanced: np.ndarray) -> float:
    """sum |a| (rho ln rho - rho + 1), rho = z / a (Lenzen, Wood and Gallego 2007, equation 4)."""
    here = reported != 0.0
    ratio = balanced[here] / reported[here]
    if (ratio < 0.0).any() or (balanced[~here] != 0.0).any():
        return np.inf
    logarithm = np.log(ratio, out=np.zeros_like(ratio), where=ratio > 0.0)
    return float(np.abs(reported[here]) @ (ratio * logarithm - ratio + 1.0))


def like(original: Any, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> Any:
    """Cells as the same kind of table as ``original``."""
    shape = original.shape if hasattr(original, "shape") else np.shape(original)
    if len(shape) == 1:
        vector = np.zeros(shape)
        vector[rows] = values
        return pd.Series(vector, original.index, name=original.name) if isinstance(original, pd.Series) else vector
    table = sp.csr_array((values, (rows, columns)), shape=shape)
    if isinstance(original, pd.DataFrame):
        if shape[1] and all(isinstance(kind, pd.SparseDtype) for kind in original.dtypes):
            frames: Any = pd.DataFrame.sparse
            return frames.from_spmatrix(sp.csr_matrix(table), original.index, original.columns)
        return pd.DataFrame(table.toarray(), original.index, original.columns)
    if sp.issparse(original):
        kind: Any = original
        return table.asformat(kind.format)
    return table.toarray()
