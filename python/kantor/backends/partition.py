"""Who owns which rows and columns: layouts, ways to divide, and what a division will cost before anything is solved."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """Whole groups to ranks, the heaviest first, each to the rank with the least so far; with fewer groups than ranks
    the groups are cut: contiguous pieces in the order of the groups.

    >>> by_groups(np.array([0, 0, 1, 1, 2, 2]), np.array([3, 3, 2, 2, 1, 1]), 2).owned(0).tolist()
    [0, 1]
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
    return Layout.of_owners(rank_of[member], size)


def by_graph(matrix: Any, size: int) -> tuple[Layout, Layout]:
    """(rows, columns) by METIS: square matrices keep row i and column i together, others are cut as bipartite graphs.

    Vertices weigh what their row and column hold, so that entries are balanced. Raises ImportError without pymetis.
    """
    import pymetis

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
    _, membership = pymetis.part_graph(
        size, xadj=graph.indptr.astype(np.int64), adjncy=graph.indices.astype(np.int64), vweights=weights.tolist(),
        options=pymetis.Options(seed=_SEED, contig=0),
    )  # fmt: skip
    owner = np.asarray(membership, dtype=np.int64)
    if square:
        layout = Layout.of_owners(owner, size)
        return layout, layout
    return Layout.of_owners(owner[:rows], size), Layout.of_owners(owner[rows:], size)


def split_rows(matrix: Any, size: int) -> Indices:
    """Rows so full that ranks had better each add up their own columns' part of them: a limit's, say.

    As rows of one rank they would make it gather nearly all of x. Summing parts moves about P^2 numbers a row, so rows
    with more entries than 2 P^2 and a sixteenth of the columns qualify; where more than one in 64 does, the matrix is
    simply dense and none is split.
    """
    filled = np.diff(matrix.indptr)
    full = np.flatnonzero(filled > max(2 * size * size, matrix.shape[1] // 16))
    return full if full.size <= matrix.shape[0] // 64 and size > 1 else full[:0]


@dataclass(frozen=True)
class Volume:
    """Numbers that one product K x and one K' y move, by way of dividing K; each number is 8 bytes a right-hand side.

    ``rows``, ``columns``: values of x, of y received, rows of K and of K' whole on one rank; with ``split``: the
    fullest rows summed by parts. ``shorter``: for each pair of ranks the shorter of values and partial sums. ``grid``:
    blocks of a two-dimensional grid, values spread down its columns and partial sums gathered along its rows.
    ``balance``: most entries on a rank over their mean. ``most``: the most that one rank receives in both products.
    """

    ranks: int
    rows: int
    columns: int
    split: int
    shorter: int
    grid: int
    balance: float
    most: int
    entries: int = field(default=0)

    @property
    def unsplit(self) -> int:
        """Both products, rows whole."""
        return self.rows + self.columns


def _distinct(a: Indices, b: Indices, n: int) -> Indices:
    """Distinct pairs (a, b), as a * n + b."""
    return np.unique(a.astype(np.int64) * n + b)


def volume(matrix: Any, rows: Layout, columns: Layout) -> Volume:
    """What products with a CSR ``matrix`` divided so will move."""
    size, (M, N) = rows.size, matrix.shape
    i = np.repeat(np.arange(M, dtype=np.int64), np.diff(matrix.indptr))
    j = matrix.indices.astype(np.int64)
    row_of, column_of = rows.owner(rows.position(np.arange(M))), columns.owner(columns.position(np.arange(N)))
    at, of = row_of[i], column_of[j]
    away = at != of
    levels, prices = _distinct(at[away], j[away], N), _distinct(of[away], i[away], M)
    # Ordered pairs (receiver of levels, sender): as many distinct columns, or as many distinct rows.
    sent = np.bincount((levels // N) * size + column_of[levels % N], minlength=size * size)
    partial = np.bincount(row_of[prices % M] * size + prices // M, minlength=size * size)
    received = np.bincount(levels // N, minlength=size) + np.bincount(prices // M, minlength=size)
    held = np.bincount(at, minlength=size) + np.bincount(of, minlength=size)
    return Volume(
        ranks=size,
        rows=levels.size,
        columns=prices.size,
        split=_split_volume(matrix, i, j, at, of, size),
        shorter=2 * int(np.minimum(sent, partial).sum()),
        grid=_grid_volume(i, j, rows, columns, size),
        balance=float(held.max() / max(1.0, held.mean())),
        most=int(received.max(initial=0)),
        entries=int(matrix.nnz),
    )


def _split_volume(matrix: Any, i: Indices, j: Indices, at: Indices, of: Indices, size: int) -> int:
    """Both products with the fullest rows and columns summed by parts, all parts to all ranks."""
    M, N = matrix.shape
    turned = sp.csr_array(matrix.T)
    full, wide = split_rows(matrix, size), split_rows(turned, size)
    away = at != of
    kept_rows, kept_columns = away & ~np.isin(i, full), away & ~np.isin(j, wide)
    shared = (full.size + wide.size) * size * (size - 1)
    return (
        _distinct(at[kept_rows], j[kept_rows], N).size + _distinct(of[kept_columns], i[kept_columns], M).size + shared
    )


def grid_shape(size: int) -> tuple[int, int]:
    """The most nearly square p x q = size.

    >>> grid_shape(12), grid_shape(7)
    ((3, 4), (1, 7))
    """
    p = max(d for d in range(1, int(size**0.5) + 1) if size % d == 0)
    return p, size // p


def _grid_volume(i: Indices, j: Indices, rows: Layout, columns: Layout, size: int) -> int:
    """Both products with blocks on a grid: rank (a, b) holds the rows of row a's ranks and the columns of column b's.

    The owner of row r, rank s, sits at (s // q, s % q): so does the owner of a column, and vectors need not move
    between their two uses.
    """
    _, q = grid_shape(size)
    row_owner = rows.owner(rows.position(np.arange(rows.n)))
    column_owner = columns.owner(columns.position(np.arange(columns.n)))
    block = (row_owner[i] // q) * q + column_owner[j] % q
    values, sums = _distinct(block, j, columns.n), _distinct(block, i, rows.n)
    moved = np.count_nonzero(values // columns.n != column_owner[values % columns.n])
    moved += np.count_nonzero(sums // rows.n != row_owner[sums % rows.n])
    return 2 * int(moved)


def divide(matrix: Any, size: int, way: str = "auto") -> tuple[Layout, Layout, str]:
    """(layout of rows, of columns, words) for a CSR matrix; "auto" keeps what moves fewer numbers."""
    M, N = matrix.shape
    by_row, by_column = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=N)
    if M == N:
        rows = columns = contiguous(by_row + by_column, size)
    else:
        rows, columns = contiguous(by_row, size), contiguous(by_column, size)
    if way == "contiguous" or size == 1 or (way == "auto" and matrix.nnz > GRAPH_ENTRIES):
        return rows, columns, "contiguous pieces of equal numbers of entries"
    try:
        graph = by_graph(matrix, size)
    except ImportError:
        if way == "graph":
            raise
        return rows, columns, "contiguous pieces (pymetis is not installed: pip install 'kantor[partition]')"
    if way == "graph":
        return *graph, "METIS"
    plain, cut = volume(matrix, rows, columns), volume(matrix, *graph)
    if cut.split < plain.split and cut.balance < max(1.1, 1.05 * plain.balance):
        return *graph, f"METIS: {cut.split:,} numbers moved, contiguous pieces {plain.split:,}"
    return rows, columns, f"contiguous pieces: {plain.split:,} numbers moved, METIS {cut.split:,}"
