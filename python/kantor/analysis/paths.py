"""Structural path analysis: the largest single chains of supply behind a footprint, with a certified remainder.

The total s'(I - A)^-1 y is the sum, over all chains i_t -> ... -> i_1 -> i_0 of suppliers, of
s_it a_(it, it-1) ... a_(i1, i0) y_i0 (Defourny and Thorbecke 1984, Economic Journal 94, 111-136; Lenzen 2003,
Structural Change and Economic Dynamics 14, 1-34). Everything below a chain that ends at product i with flow f adds up
to m_i f, m = A'm + s. With non-negative numbers m_i f therefore bounds every chain that begins with it, so that a
best-first search that opens the largest m_i f first finds the largest chains one after another and knows when no other
can be larger. With negative entries the bound is that of the magnitudes, (I - |A'|)^-1 |s|.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..backends import Backend
from ..data.economy import Economy
from ..data.labels import show
from ..errors import OptionError
from .system import TOLERANCE, InputOutput, members, solve


@dataclass(frozen=True)
class StructuralPaths:
    """The largest paths of a footprint.

    paths : one row a path, largest contribution first. ``path``: labels from the product of final demand to the
        supplier where the resource is used, joined with " <- "; ``tier``: number of purchases in between;
        ``contribution`` in ``unit``; ``share`` of the total; ``cumulative`` share; ``sectors``: the labels as a tuple
    total : the whole footprint, with ``error_bound``: |total - exact| <= error_bound
    remainder : total less the listed paths: what all chains that are not listed add up to
    largest_unlisted : no other chain (with max_tier: of that length) contributes more than this in magnitude (proved)
    complete : True if the list provably holds the largest paths; False if max_nodes ended the search first
    nodes : chains looked at
    """

    paths: pd.DataFrame
    total: float
    error_bound: float
    remainder: float
    largest_unlisted: float
    complete: bool
    nodes: int
    indicator: str
    unit: str


def structural_paths(
    economy: Economy,
    by: str,
    *,
    demand: Any = "total",
    sectors: Any = None,
    count: int = 20,
    max_tier: int | None = None,
    max_nodes: int = 1_000_000,
    tolerance: float = TOLERANCE,
    backend: str | Backend = "auto",
) -> StructuralPaths:
    """The ``count`` chains of supply that contribute most to a footprint.

    Parameters
    ----------
    economy : one technique for each product
    by : indicator or alias
    demand : final demand, anything :meth:`Economy.demand` takes
    sectors : only the final demand of these products (labels, regions, sector names); None: all
    count : how many paths, >= 1
    max_tier : longest chain that is listed, >= 0; None: no limit
    max_nodes : chains that are looked at before the search gives up, >= 1
    tolerance, backend : as in :func:`kantor.solve_leontief`

    Raises ProblemError for unknown names, OptionError for numbers out of range.

    >>> import kantor as kt
    >>> found = structural_paths(kt.load_economy("eu_2006"), "labour", count=3)
    >>> found.paths["path"].tolist(), found.complete
    (['services', 'services <- services', 'industry'], True)
    """
    for name, number, least in (("count", count, 1), ("max_nodes", max_nodes, 1), ("max_tier", max_tier, 0)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
            raise OptionError(f"{name}: {number!r}, expected a whole number >= {least}")
    if isinstance(demand, str):
        economy = economy.for_demand(demand)
    system = InputOutput.of(economy, "structural_paths", by, tolerance, backend)
    y = economy.demand(demand).to_numpy()
    if sectors is not None:
        kept = members(system.products, sectors, "sectors")
        y = np.where(np.isin(np.arange(y.size), kept), y, 0.0)
    s = system.S.to_numpy()[0]
    found = system.contents(s[None, :])
    total = float(found.value[0] @ y)
    bound = float(found.bound[0] @ np.abs(y)) + 2**-52 * y.size * float(np.abs(found.value[0]) @ np.abs(y))
    search = _Search(system, s, y, _subtrees(system, s, found.value[0] + found.bound[0]), max_tier)
    chains = search.run(count, max_nodes)
    paths = _frame(chains, system.products, total)
    return StructuralPaths(
        paths,
        total,
        bound,
        total - float(paths["contribution"].sum()),
        search.largest_open,
        search.complete,
        search.nodes,
        str(system.S.index[0]),
        str(system.units.iloc[0]),
    )


def _subtrees(system: InputOutput, s: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """An upper bound on (I - |A'|)^-1 |s|."""
    if (system.A.nnz == 0 or system.A.data.min() >= 0.0) and s.min(initial=0.0) >= 0.0:
        return upper
    size = sp.csr_array((np.abs(system.A.data), system.A.indices, system.A.indptr), shape=system.A.shape)
    found = solve(size, np.abs(s), True, system.tolerance, system.backend)
    return np.asarray(found.value + found.bound)


@dataclass(frozen=True)
class _Chain:
    """A chain of purchases: the last supplier, the flow it delivers, and the chain it extends."""

    last: int
    flow: float
    tier: int
    before: _Chain | None

    def sectors(self) -> tuple[int, ...]:
        return (*(self.before.sectors() if self.before is not None else ()), self.last)


class _Search:
    """Best-first search; each chain offers its suppliers one by one, those with the largest subtrees first."""

    def __init__(self, system: InputOutput, s: np.ndarray, y: np.ndarray, m: np.ndarray, max_tier: int | None) -> None:
        self.s, self.m, self.max_tier = s, m, max_tier
        self.columns = sp.csc_array(system.A)
        self.sorted: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.y = y
        self.nodes, self.largest_open, self.complete, self.serial = 0, 0.0, False, 0
        self.heap: list[tuple[float, int, _Chain | None, int]] = []

    def run(self, count: int, max_nodes: int) -> list[tuple[float, _Chain]]:
        """The chains with the largest contributions in magnitude."""
        order = np.argsort(-np.abs(self.y) * self.m, kind="stable")
        self.root = (order, self.y[order])
        self._offer(None, 0)
        best: list[tuple[float, int, float, _Chain]] = []
        while self.heap:
            worst = best[0][0] if len(best) == count else 0.0
            if -self.heap[0][0] <= worst or self.nodes >= max_nodes:
                break
            _, _, parent, k = heapq.heappop(self.heap)
            chain = self._child(parent, k)
            self._offer(parent, k + 1)
            if self.max_tier is None or chain.tier < self.max_tier:
                self._offer(chain, 0)
            self.nodes += 1
            value = self.s[chain.last] * chain.flow
            if value != 0.0:
                push = heapq.heappush if len(best) < count else heapq.heappushpop
                push(best, (abs(value), -self.nodes, value, chain))
        kept = best[0][0] if len(best) == count else 0.0
        ahead = -self.heap[0][0] if self.heap else 0.0
        self.complete = bool(ahead <= kept)
        self.largest_open = max(kept, ahead)
        return [(value, chain) for _, _, value, chain in sorted(best, key=lambda entry: (-entry[0], -entry[1]))]

    def _suppliers(self, chain: _Chain | None) -> tuple[np.ndarray, np.ndarray]:
        """Suppliers and coefficients of a chain's last product, largest a_ij m_i first; of no chain: final demand."""
        if chain is None:
            return self.root
        j = chain.last
        if j not in self.sorted:
            column = slice(self.columns.indptr[j], self.columns.indptr[j + 1])
            rows, data = self.columns.indices[column], self.columns.data[column]
            order = np.argsort(-np.abs(data) * self.m[rows], kind="stable")
            self.sorted[j] = rows[order], data[order]
        return self.sorted[j]

    def _child(self, parent: _Chain | None, k: int) -> _Chain:
        rows, data = self._suppliers(parent)
        flow, tier = (1.0, 0) if parent is None else (parent.flow, parent.tier + 1)
        return _Chain(int(rows[k]), float(data[k]) * flow, tier, parent)

    def _offer(self, parent: _Chain | None, k: int) -> None:
        """Put supplier number k of a chain on the heap, with a bound on all chains through it."""
        rows, data = self._suppliers(parent)
        if k < len(rows):
            flow = 1.0 if parent is None else abs(parent.flow)
            size = flow * abs(data[k]) * self.m[rows[k]] * (1.0 + 1e-12)
            if size > 0.0:
                self.serial += 1
                heapq.heappush(self.heap, (-float(size), self.serial, parent, k))


def _frame(chains: list[tuple[float, _Chain]], products: pd.Index, total: float) -> pd.DataFrame:
    names = [tuple(products[i] for i in chain.sectors()) for _, chain in chains]
    table = pd.DataFrame(
        {
            "path": [" <- ".join(show(label) for label in path) for path in names],
            "tier": [chain.tier for _, chain in chains],
            "contribution": [float(value) for value, _ in chains],
        }
    )
    table["share"] = table["contribution"] / total if total else np.nan
    table["cumulative"] = table["share"].cumsum()
    table["sectors"] = pd.Series(names, dtype=object)
    return table
