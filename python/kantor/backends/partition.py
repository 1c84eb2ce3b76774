"""Who owns which rows and columns: layouts, ways to divide, and what a division will cost before anything is solved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

Indices = np.ndarray[Any, Any]

GRAPH_ENTRIES = 20_000_000  # most entries that "auto" hands to the graph partitioner: some 10 s and 1 GB
_SEED = 20260101


@dataclass(frozen=True)
class Layout:
    """A division of the indices 0..n-1 among ranks.

    Indices are put in an order in which every rank's are adjacent: rank r owns the *positions*
    offsets[r] .. offsets[r + 1] - 1. ``order`` (n,) int64 lists the indices by position, ascending within a rank;
    None: they already are in order.
    """

    offsets: Indices
    order: Indices | None = None

    @property
    def n(self) -> int:
        """How many indices there are."""
        return int(self.offsets[-1])

    @property
    def size(self) -> int:
        """How many ranks."""
        return self.offsets.size - 1

    @property
    def counts(self) -> Indices:
        """How many each rank owns."""
        return np.diff(self.offsets)

    def owned(self, rank: int) -> Any:
        """The indices of a rank: what picks its part out of an array."""
        part = slice(int(self.offsets[rank]), int(self.offsets[rank + 1]))
        return part if self.order is None else self.order[part]

    @cached_property
    def _position(self) -> Indices:
        assert self.order is not None
        position = np.empty(self.n, dtype=np.int64)
        position[self.order] = np.arange(self.n, dtype=np.int64)
        return position

    def position(self, index: Indices) -> Indices:
        """Positions (int64) of indices."""
        return np.asarray(index, dtype=np.int64) if self.order is None else self._position[index]

    def owner(self, position: Indices) -> Indices:
        """The rank that owns each position."""
        return np.searchsorted(self.offsets, position, side="right") - 1

    @staticmethod
    def of_owners(owner: Indices, size: int) -> Layout:
        """The layout in which index i belongs to rank owner[i]."""
        offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=size))]).astype(np.int64)
        ascending = owner.size == 0 or bool((np.diff(owner) >= 0).all())
        return Layout(offsets, None if ascending else np.argsort(owner, kind="stable").astype(np.int64))


def contiguous(weights: Indices, size: int) -> Layout:
    """Pieces of adjacent indices with about equal weights.

    >>> contiguous(np.array([4, 1, 1, 1, 1, 4]), 3).offsets.tolist()
    [0, 1, 5, 6]
    """
    # Every index counts for something, so that empty rows are divided too.
    reached = np.cumsum(np.asarray(weights, dtype=np.float64) + 1e-3)
    total = reached[-1] if reached.size else 0.0
    middle = reached - 0.5 * np.diff(reached, prepend=0.0)
    cuts = np.searchsorted(middle, total * np.arange(1, size) / size)
    return Layout(np.concatenate([[0], cuts, [reached.size]]).astype(np.int64))


def by_groups(groups: Indices, weights: Indices, size: int) -> Layout:
    """Whole groups to ranks: neighbours together, for they are listed near each other because they are near; or, if
    that leaves a rank with over a tenth more, the heaviest first, each to the rank with the least so far. With fewer
    groups than ranks the groups are cut: contiguous pieces in the order of the groups.

    >>> by_groups(np.array([0, 0, 1, 1, 2, 2]), np.array([3, 3, 2, 2, 1, 1]), 2).offsets.tolist()
    [0, 2, 6]
    """
    weights = np.asarray(weights, dtype=np.float64)
    _, member = np.unique(groups, return_inverse=True)
    load = np.bincount(member, weights=weights)
    if load.size < size:
        order = np.argsort(member, kind="stable")
        pieces = contiguous(weights[order], size)
        owner = np.empty(member.size, dtype=np.int64)
        owner[order] = np.repeat(np.arange(size), pieces.counts)
        return Layout.of_owners(owner, size)
    rank_of, carried = np.zeros(load.size, dtype=np.int64), np.zeros(size)
    for group in np.argsort(-load, kind="stable"):
        rank_of[group] = np.argmin(carried)
        carried[rank_of[group]] += load[group]
    beside = np.repeat(np.arange(size), contiguous(load, size).counts)
    if np.bincount(beside, weights=load, minlength=size).max() <= 1.1 * carried.max():
        rank_of = beside
    return Layout.of_owners(rank_of[member], size)


def by_graph(matrix: Any, size: int) -> tuple[Layout, Layout]:
    """(rows, columns) by METIS: square matrices keep row i and column i together, others are cut as bipartite graphs.

    Vertices weigh what their row and column hold, so that entries are balanced. Raises ImportError without pymetis.
    """
    import pymetis  # type: ignore[import-not-found, unused-ignore]

    rows, columns = matrix.shape
    pattern = sp.csr_array((np.ones(matrix.nnz, dtype=np.int8), matrix.indices, matrix.indptr), shape=matrix.shape)
    square = rows == columns
    graph = pattern + pattern.T if square else sp.block_array([[None, pattern], [pattern.T, None]], format="csr")
    graph = sp.csr_array(graph)
    if square:
        graph.setdiag(0)
        graph.eliminate_zeros()
    by_row, by_column = np.diff(pattern.indptr), np.bincount(pattern.indices, minlength=columns)
    weights = (by_row + by_column if square else np.concatenate([by_row, by_column])) + 1
    adjacency = pymetis.CSRAdjacency(graph.indptr.astype(np.int64), graph.indices.astype(np.int64))
    _, membership = pymetis.part_graph(size, adjacency, vweights=weights.tolist(), options=pymetis.Options(seed=_SEED))
    owner = np.asarray(membership, dtype=np.int64)
    if square:
        layout = Layout.of_owners(owner, size)
        return layout, layout
    return Layout.of_owners(owner[:rows], size), Layout.of_owners(owner[rows:], size)


SCHEMES = ("rows", "parts", "shorter", "grid")
COMPARED_ENTRIES = 20_000_000  # above, the schemes are not compared and rows stay whole


@dataclass(frozen=True)
class Held:
    """Who holds which entries for one product M x, and what that moves; each number is 8 bytes a right-hand side.

    An entry's holder fetches its column's value from that column's owner and sends its row's sum to that row's owner.

    ``scheme`` : "rows": with the row's owner; "parts": the same, but rows more than half full lie with the columns'
    owners, or one rank would fetch nearly all of x for a limit's row; "shorter": for each pair of ranks with the row's
    or the column's owner, wherever fewer numbers travel; "grid": on a two-dimensional grid of ranks.
    ``pairs`` (P, P) bool, "shorter" only: entries in rows of r and columns of c lie with c.
    ``values``, ``sums`` : numbers fetched and sums sent by all ranks; ``most``: what one rank receives at most.
    ``balance`` : most entries on a rank over their mean.
    """

    scheme: str
    values: int
    sums: int
    most: int
    balance: float
    pairs: Indices | None = None

    @property
    def moved(self) -> int:
        """All numbers that travel in one product."""
        return self.values + self.sums


def grid_shape(size: int) -> tuple[int, int]:
    """The most nearly square p x q = size.

    >>> grid_shape(12), grid_shape(7)
    ((3, 4), (1, 7))
    """
    p = max(d for d in range(1, int(size**0.5) + 1) if size % d == 0)
    return p, size // p


def full_rows(matrix: Any) -> Indices:
    """Rows more than half full, unless more than one in 64 is: then the matrix is simply dense."""
    full = np.flatnonzero(2 * np.diff(matrix.indptr) > matrix.shape[1])
    return full if full.size <= matrix.shape[0] // 64 else full[:0]


def holders(matrix: Any, rows: Layout, columns: Layout, scheme: str, pairs: Indices | None = None) -> Indices:
    """The rank that holds each entry of a CSR matrix, in the order of its entries."""
    M, N = matrix.shape
    at = np.repeat(_owners(rows, M), np.diff(matrix.indptr))
    if scheme == "rows":
        return at
    of = _owners(columns, N)[matrix.indices]
    if scheme == "parts":
        full = np.zeros(M, dtype=bool)
        full[full_rows(matrix)] = True
        return np.where(np.repeat(full, np.diff(matrix.indptr)), of, at)
    if scheme == "shorter":
        assert pairs is not None
        return np.where(pairs[at, of], of, at)
    q = grid_shape(rows.size)[1]
    return (at // q) * q + of % q  # own entries stay: rank r sits at (r // q, r % q)


def _owners(layout: Layout, n: int) -> Indices:
    return layout.owner(layout.position(np.arange(n))).astype(np.int32)


def compare(matrix: Any, rows: Layout, columns: Layout) -> list[Held]:
    """What one product with a CSR ``matrix`` moves by every scheme."""
    size, (M, N) = rows.size, matrix.shape
    i = np.repeat(np.arange(M, dtype=np.int64), np.diff(matrix.indptr))
    j = matrix.indices.astype(np.int64)
    row_owner, column_owner = _owners(rows, M).astype(np.int64), _owners(columns, N).astype(np.int64)
    found = []
    for scheme in SCHEMES:
        pairs = _shorter(i, j, row_owner, column_owner, size) if scheme == "shorter" else None
        holder = holders(matrix, rows, columns, scheme, pairs).astype(np.int64)
        values = np.unique((holder * N + j)[holder != column_owner[j]])
        sums = np.unique((holder * M + i)[holder != row_owner[i]])
        received = np.bincount(values // max(1, N), minlength=size)
        received += np.bincount(row_owner[sums % max(1, M)], minlength=size)
        held = np.bincount(holder, minlength=size)
        balance = float(held.max() / max(1.0, held.mean()))
        found.append(Held(scheme, values.size, sums.size, int(received.max(initial=0)), balance, pairs))
    return found


def _shorter(i: Indices, j: Indices, row_owner: Indices, column_owner: Indices, size: int) -> Indices:
    """(P, P) whether fewer sums than values travel between the owner r of rows and the owner c of columns."""
    at, of = row_owner[i], column_owner[j]
    away = at != of
    M, N = row_owner.size, column_owner.size
    values, sums = np.unique((at * N + j)[away]), np.unique((of * M + i)[away])
    as_values = np.bincount((values // max(1, N)) * size + column_owner[values % max(1, N)], minlength=size * size)
    as_sums = np.bincount(row_owner[sums % max(1, M)] * size + sums // max(1, M), minlength=size * size)
    return (as_sums < as_values).reshape(size, size)


def fewest(found: list[Held]) -> Held:
    """The scheme that moves the fewest numbers of those no worse balanced than 1.3 times whole rows, the first of all.

    A tie goes to the simpler one.
    """
    return min((held for held in found if held.balance <= 1.3 * found[0].balance), key=lambda held: held.moved)


def best(matrix: Any, rows: Layout, columns: Layout) -> Held:
    """What :func:`fewest` finds among the schemes.

    Matrices too large to compare keep their rows whole but for full ones.
    """
    if rows.size == 1 or matrix.nnz > COMPARED_ENTRIES:
        return Held("parts" if full_rows(matrix).size and rows.size > 1 else "rows", -1, -1, -1, float("nan"))
    return fewest(compare(matrix, rows, columns))


def divide(matrix: Any, size: int, way: str = "auto") -> tuple[Layout, Layout, str]:
    """(layout of rows, of columns, words) for a CSR matrix; "auto" keeps what moves fewer numbers."""
    M, N = matrix.shape
    by_row, by_column = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=N)
    if M == N:
        rows = columns = contiguous(by_row + by_column, size)
    else:
        rows, columns = contiguous(by_row, size), contiguous(by_column, size)
    few = size > (M if M == N else M + N)  # METIS would complain on standard output
    if way == "contiguous" or few or size == 1 or (way == "auto" and matrix.nnz > GRAPH_ENTRIES):
        return rows, columns, "contiguous pieces of equal numbers of entries"
    try:
        graph = by_graph(matrix, size)
    except ImportError:
        if way == "graph":
            raise
        return rows, columns, "contiguous pieces (pymetis is not installed: pip install 'kantor[partition]')"
    if way == "graph":
        return *graph, "METIS"
    plain, cut = best(matrix, rows, columns), best(matrix, *graph)
    if cut.moved < plain.moved and cut.balance < max(1.1, 1.05 * plain.balance):
        return *graph, f"METIS: {cut.moved:,} numbers moved by a product, contiguous pieces {plain.moved:,}"
    return rows, columns, f"contiguous pieces: {plain.moved:,} numbers moved by a product, METIS {cut.moved:,}"


def ways(matrix: Any, size: int, groups: Indices | None = None) -> list[tuple[str, list[Held] | None, str]]:
    """(way, what products move by every scheme or None, why not) of every way to divide a CSR matrix."""
    rows, columns, _ = divide(matrix, size, "contiguous")
    found: list[tuple[str, list[Held] | None, str]] = [("contiguous", compare(matrix, rows, columns), "")]
    if groups is not None:
        weights = np.diff(matrix.indptr) + np.bincount(matrix.indices, minlength=matrix.shape[1])
        layout = by_groups(groups, weights + 1.0, size)
        found.append(("regions", compare(matrix, layout, layout), ""))
    try:
        found.append(("METIS", compare(matrix, *by_graph(matrix, size)), ""))
    except ImportError:
        found.append(("METIS", None, "pymetis is not installed: pip install 'kantor[partition]'"))
    return found
