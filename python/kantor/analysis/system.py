"""The square system behind an analysis: inputs A, intensities by product, and solves that carry their error bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..backends import Backend
from ..data.base import own_techniques
from ..data.economy import Economy
from ..data.labels import position, show
from ..data.regions import divide_by_region
from ..errors import ProblemError, suggest
from ..solvers.leontief import solve_leontief
from ..solvers.rigour import gamma

TOLERANCE = 1e-12
# Columns solved at once: a chunk holds at most this many numbers, so that the vectors of a solve stay near 256 MB.
CHUNK = 4_000_000


@dataclass(frozen=True)
class Bounded:
    """Numbers and a proved bound on the error of each."""

    value: np.ndarray
    bound: np.ndarray

    def __add__(self, other: Bounded) -> Bounded:
        return self._sum(other, self.value + other.value)

    def __sub__(self, other: Bounded) -> Bounded:
        return self._sum(other, self.value - other.value)

    def _sum(self, other: Bounded, value: np.ndarray) -> Bounded:
        return Bounded(value, (self.bound + other.bound + np.abs(value) * 2**-52) * (1 + 2**-50))

    def scaled(self, factor: np.ndarray) -> Bounded:
        """Elementwise product with exact numbers."""
        value = self.value * factor
        return Bounded(value, (self.bound * np.abs(factor) + np.abs(value) * 2**-52) * (1 + 2**-50))

    def times(self, matrix: Any) -> Bounded:
        """Matrix product with an exact matrix from the right, rounding of the sums included (Higham, section 3.1)."""
        size = abs(matrix)
        spread = (np.abs(self.value) @ size) * gamma(np.array([matrix.shape[0] + 4]))[0]
        return Bounded(np.asarray(self.value @ matrix), (np.asarray(self.bound @ size) + spread) * (1 + 1e-12))


@dataclass(frozen=True)
class InputOutput:
    """A square economy: A (n, n), S (k, n) by product, gross output x (n,), and the unit of each indicator."""

    economy: Economy
    A: sp.csr_array
    S: pd.DataFrame
    x: np.ndarray
    units: pd.Series
    tolerance: float
    backend: str | Backend

    @classmethod
    def of(
        cls,
        economy: Economy,
        what: str,
        by: str | Iterable[str] | None = None,
        tolerance: float = TOLERANCE,
        backend: str | Backend = "auto",
        *,
        needed: bool = False,
    ) -> InputOutput:
        """The system of an economy in which one technique makes each product.

        ``by`` selects indicators, None all; results carry the names that were asked for, aliases too.
        """
        own = own_techniques(economy)
        if own is None:
            raise ProblemError(
                f"{what}: {economy.name!r} has products without a technique of their own; "
                "read a supply-use table with assumption='industry-technology' or 'product-technology'"
            )
        A = economy.A if economy.is_square else sp.csr_array(economy.A[:, own])
        names = economy.indicators if by is None else [by] if isinstance(by, str) else list(by)
        chosen = [economy.indicator_name(name) for name in names]
        if by is None and needed and not chosen:
            raise ProblemError(f"{what}: {economy.name!r} has no indicators; give it labour, energy or emissions")
        if len(set(chosen)) < len(chosen):
            raise ProblemError(f"{what}: the same indicator is named twice in {list(names)}")
        S = economy.intensities.loc[chosen].iloc[:, own].set_axis(economy.products, axis=1)
        S.index = pd.Index(names, name=economy.indicators.name)
        assert economy.indicator_units is not None  # the economy fills them in
        units = pd.Series(economy.indicator_units.loc[chosen].to_numpy(), S.index, name="unit")
        divide_by_region(economy)
        return cls(economy, A, S, economy.gross_output.to_numpy(), units, tolerance, backend)

    @property
    def products(self) -> pd.Index:
        """Labels of the n products."""
        return self.economy.products

    def outputs(self, demand: np.ndarray) -> Bounded:
        """Gross output x = A x + d for demands (n,) or (n, k)."""
        return solve(self.A, demand, False, self.tolerance, self.backend)

    def contents(self, direct: np.ndarray) -> Bounded:
        """Total requirements m = A'm + s for direct ones (k, n); shape (k, n)."""
        found = solve(self.A, np.ascontiguousarray(direct.T), True, self.tolerance, self.backend)
        return Bounded(np.ascontiguousarray(found.value.T), np.ascontiguousarray(found.bound.T))


def solve(
    A: sp.csr_array, right: np.ndarray, transpose: bool, tolerance: float = TOLERANCE, backend: str | Backend = "auto"
) -> Bounded:
    """solve_leontief in chunks of columns; raises NotOptimal if the tolerance is not reached."""
    if right.size == 0:
        return Bounded(right.astype(float), np.zeros(right.shape))
    width = max(1, CHUNK // A.shape[0])
    columns = right if right.ndim == 1 else [right[:, k : k + width] for k in range(0, right.shape[1], width)]
    parts = []
    for part in [columns] if right.ndim == 1 else columns:
        solution = solve_leontief(A, part, transpose=transpose, tolerance=tolerance, backend=backend)
        solution.raise_for_status()
        parts.append((solution.x, solution.error_bound))
    if len(parts) == 1:
        return Bounded(*parts[0])
    return Bounded(np.hstack([p[0] for p in parts]), np.hstack([p[1] for p in parts]))


def members(index: pd.Index, what: Any, argument: str) -> np.ndarray:
    """Positions named by a label, a value of one level (a region, say), or a list of these; at least one."""
    names = what if isinstance(what, list | pd.Index | np.ndarray | set) else [what]
    found: list[np.ndarray] = []
    for name in names:
        at = position(name, index)
        if at is not None:
            found.append(np.array([at]))
            continue
        levels = [np.flatnonzero(index.get_level_values(level) == name) for level in range(index.nlevels)]
        best = next((hits for hits in levels if hits.size), None)
        if best is None:
            known = [show(label) for label in index[:2000]]
            if index.nlevels > 1:
                known += [str(value) for level in range(index.nlevels) for value in index.unique(level)]
            raise ProblemError(f"{argument}: {show(name)!r} is none of the products" + suggest(show(name), known))
        found.append(best)
    if not found:
        raise ProblemError(f"{argument}: empty, expected at least one product")
    return np.unique(np.concatenate(found))
