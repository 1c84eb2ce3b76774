"""The draws of the power-law family, compiled by Numba: the generator ``rand`` of glibc, and the two structures.

Cells are drawn one after the other, as the family is defined, and packed into one number each. Rows come out of them
by a radix sort: a partition into blocks of rows, then three counting passes within each block, so that every pass
writes to few enough places for the cache; a scatter straight into a million rows takes five times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

_LAG, _SHORT, _WARM = 31, 3, 344
ROW_SHIFT, COLUMN_SHIFT = np.uint64(40), np.uint64(16)
FAN = 16  # children of a node in the tree of running totals: one vector compare finds the child


@njit(cache=True)
def seeded(seed: Any) -> Any:
    """State of the generator: the last 31 numbers z, and where the oldest is (last entry)."""
    z = np.zeros(_WARM, np.uint32)
    z[0] = seed
    for i in range(1, _LAG):
        z[i] = np.uint32(np.uint64(16807) * np.uint64(z[i - 1]) % np.uint64(2147483647))
    for i in range(_LAG, _LAG + _SHORT):
        z[i] = z[i - _LAG]
    for i in range(_LAG + _SHORT, _WARM):
        z[i] = z[i - _SHORT] + z[i - _LAG]
    state = np.zeros(_LAG + 1, np.uint32)
    state[:_LAG] = z[_WARM - _LAG :]
    return state


@njit(inline="always")
def _next(state: Any) -> Any:
    """z_i = z_{i-3} + z_{i-31} mod 2^32; the output is z_i >> 1."""
    at = state[_LAG]
    back = at + np.uint32(_LAG - _SHORT)
    if back >= _LAG:
        back -= np.uint32(_LAG)
    z = np.uint32(state[at] + state[back])  # Numba adds in 64 bits
    state[at] = z
    at += np.uint32(1)
    state[_LAG] = np.uint32(0) if at == _LAG else at
    return np.uint32(z >> np.uint32(1))


@njit(inline="always")
def _below(state: Any, count: Any) -> Any:
    """A whole number in {0..count-1}."""
    return _next(state) % count


@njit(cache=True)
def outputs(state: Any, count: Any) -> Any:
    """The next ``count`` outputs of the generator."""
    out = np.empty(count, np.uint32)
    for i in range(count):
        out[i] = _next(state)
    return out


# ---- interconnected ------------------------------------------------------------------------------------------------
@njit(cache=True)
def draw_interconnected(state: Any, v: Any, q: Any, h: Any, cells: Any) -> Any:
    """Fill ``cells`` with what is drawn, one number a cell (:func:`_packed`); returns how many."""
    size, used = np.uint32(h), 0
    for k in range(v):
        known = np.uint32(k + 1)
        for _ in range(q):
            j = _below(state, known)
            i = _below(state, known)
            c = _below(state, size) + np.uint32(1)
            cells[used] = _packed(i, j, c)
            used += i != j
    return used


@njit(inline="always")
def _packed(i: Any, j: Any, c: Any) -> Any:
    """Row, column and size in one number: 24, 24 and 16 bits."""
    return np.uint64(i) << ROW_SHIFT | np.uint64(j) << COLUMN_SHIFT | np.uint64(c)


# ---- Price ---------------------------------------------------------------------------------------------------------
@njit(cache=True)
def draw_price(state: Any, v: Any, q: Any, h: Any, cells: Any) -> Any:
    """Fill ``cells`` with the cells of the Price structure, column after column; returns how many.

    The inputs already drawn weigh by their counters p. A tree of running totals finds the smallest j with
    p_0 + ... + p_j >= t: each node holds its children's running totals, and the child is how many of them are below t.
    """
    levels = 1
    while FAN**levels < v:
        levels += 1
    tree = np.zeros((levels, FAN ** (levels - 1) * FAN), np.uint32)
    last_user = np.full(v, -1, np.int32)
    size, total, used = np.uint32(h), 0, 0
    for k in range(v):
        for _ in range(min(q, k)):
            j = _find(tree, levels, _below(state, np.uint32(total)))
            if last_user[j] == k:
                continue
            last_user[j] = k
            _grow(tree, levels, j)
            total += 1
            cells[used] = _packed(j, k, _below(state, size) + np.uint32(1))
            used += 1
        _grow(tree, levels, k)
        total += 1
    return used


@njit(inline="always")
def _find(tree: Any, levels: Any, t: Any) -> Any:
    """The smallest leaf whose running total reaches t."""
    node = 0
    for level in range(levels):
        first = node * FAN
        child = 0
        for c in range(FAN):
            child += tree[level, first + c] < t
        if child > 0:
            t -= tree[level, first + child - 1]
        node = first + child
    return node


@njit(inline="always")
def _grow(tree: Any, levels: Any, leaf: Any) -> None:
    """One more at ``leaf``: in every node above, the running totals from its branch on."""
    for level in range(levels - 1, -1, -1):
        first = leaf // FAN * FAN
        branch = leaf - first
        for c in range(FAN):
            tree[level, first + c] += np.uint32(c >= branch)
        leaf //= FAN


# ---- cells to rows -------------------------------------------------------------------------------------------------
@njit(cache=True)
def partition(cells: Any, shift: Any, blocks: Any, out: Any) -> Any:
    """Cells by blocks of 2^shift rows, in few enough streams for the cache; returns where each block begins."""
    by = ROW_SHIFT + np.uint64(shift)
    begin = np.zeros(blocks + 1, np.int64)
    for cell in cells:
        begin[(cell >> by) + np.uint64(1)] += 1
    for b in range(blocks):
        begin[b + 1] += begin[b]
    place = begin[:blocks].copy()
    for cell in cells:
        b = cell >> by
        out[place[b]] = cell
        place[b] += 1
    return begin


@njit(cache=True, parallel=True)
def sort_blocks(cells: Any, begin: Any, shift: Any, indptr: Any) -> None:
    """Sort every block by row and column, merge repeated cells (the smallest size stays), count rows into ``indptr``.

    What is merged leaves a gap at the end of its block: indptr[i + 1] counts the entries of row i.
    """
    for b in prange(begin.size - 1):
        block = cells[begin[b] : begin[b + 1]]
        spare = np.empty_like(block)
        _pass(block, spare, COLUMN_SHIFT, 12)
        _pass(spare, block, COLUMN_SHIFT + np.uint64(12), 12)
        _pass(block, spare, ROW_SHIFT, shift)
        used = -1
        for cell in spare:
            if used >= 0 and block[used] >> COLUMN_SHIFT == cell >> COLUMN_SHIFT:
                block[used] = min(block[used], cell)
            else:
                used += 1
                block[used] = cell
                indptr[(cell >> ROW_SHIFT) + np.uint64(1)] += 1


@njit(inline="always")
def _pass(source: Any, out: Any, shift: Any, bits: Any) -> None:
    """Counting sort, stable, by ``bits`` bits above ``shift``."""
    mask = np.uint64((1 << bits) - 1)
    begin = np.zeros((1 << bits) + 1, np.int64)
    for cell in source:
        begin[((cell >> shift) & mask) + np.uint64(1)] += 1
    for b in range(1 << bits):
        begin[b + 1] += begin[b]
    for cell in source:
        b = (cell >> shift) & mask
        out[begin[b]] = cell
        begin[b] += 1


@njit(cache=True, parallel=True)
def unpack(cells: Any, begin: Any, target: Any, unit: Any, indices: Any, data: Any) -> None:
    """CSR entries, size / unit, of sorted blocks; those of block b go to target[b] .. target[b + 1]."""
    for b in prange(begin.size - 1):
        first = target[b]
        for p in range(target[b + 1] - first):
            cell = cells[begin[b] + p]
            indices[first + p] = (cell >> COLUMN_SHIFT) & np.uint64((1 << 24) - 1)
            data[first + p] = (cell & np.uint64((1 << 16) - 1)) / unit


@njit(cache=True)
def draw_baskets(state: Any, baskets: Any, draws: Any, v: Any, most: Any) -> Any:
    """(baskets, draws) columns and sizes in {1..most} of every basket, in the order they are drawn."""
    columns, sizes = np.empty((baskets, draws), np.int64), np.empty((baskets, draws), np.int64)
    for b in range(baskets):
        for d in range(draws):
            columns[b, d] = _below(state, np.uint32(v))
            sizes[b, d] = _below(state, np.uint32(most)) + np.uint32(1)
    return columns, sizes
