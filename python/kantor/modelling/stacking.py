"""Labels and matrices of many blocks as one index and one CSR matrix, without a Python object for every entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import scipy.sparse as sp

# (first row, first column, matrix): the matrix stands there.
Placed = tuple[int, int, Any]


class Block(NamedTuple):
    """Labels that begin with the same parts: (*prefix, *label) for each of ``labels``."""

    prefix: tuple[Any, ...]
    labels: pd.Index | Sequence[Any]


def stacked_labels(blocks: Sequence[Block], names: Sequence[Any]) -> pd.MultiIndex:
    """The labels of all blocks one after another, in as many levels as there are names.

    A label with fewer levels than are left after the prefix gets "" before its own.
    """
    given = [b.labels if isinstance(b.labels, pd.Index) else _index(b.labels) for b in blocks]
    distinct = list({id(labels): labels for labels in given}.values())
    counts = [len(labels) for labels in given]
    levels, codes = [], []
    for level in range(len(names)):
        values: dict[int, Any] = {}
        for labels in distinct if any(level >= len(block.prefix) for block in blocks) else ():
            own = level - (len(names) - labels.nlevels)
            values[id(labels)] = labels.get_level_values(own) if own >= 0 else pd.Index([""])
        prefixes = {b.prefix[level]: None for b in blocks if level < len(b.prefix)}
        parts = [pd.Index([p]) for p in prefixes] + list(values.values())
        known = parts[0].append(parts[1:]) if len(parts) > 1 else parts[0]
        number, level_values = pd.factorize(known)
        at, place = len(prefixes), {}
        for key, part in values.items():
            place[key], at = number[at : at + len(part)], at + len(part)
        of_prefix = dict(zip(prefixes, number[: len(prefixes)], strict=True))
        by_block = []
        for block, labels, count in zip(blocks, given, counts, strict=True):
            if level < len(block.prefix):
                by_block.append(np.full(count, of_prefix[block.prefix[level]]))
            else:
                by_block.append(np.broadcast_to(place[id(labels)], (count,)))
        code = np.concatenate(by_block) if by_block else np.zeros(0, int)
        used = np.bincount(code, minlength=len(level_values)) > 0
        levels.append(level_values[used].infer_objects())
        codes.append((np.cumsum(used) - 1)[code])
    # what pandas would verify holds as it was made: codes stand for levels, which have each value once
    return pd.MultiIndex(levels=levels, codes=cast(Any, codes), names=list(names), verify_integrity=False)


def _index(labels: Sequence[Any]) -> pd.Index:
    several = bool(len(labels)) and all(isinstance(label, tuple) for label in labels)
    return pd.MultiIndex.from_tuples(list(labels)) if several else pd.Index(list(labels))


def stacked_matrix(parts: Sequence[Placed], shape: tuple[int, int]) -> sp.csr_array:
    """One canonical CSR matrix; where parts overlap they add up. Each part is copied once, row by row in its place."""
    blocks = [(row, column, _csr(matrix)) for row, column, matrix in sorted(parts, key=lambda part: part[1])]
    pointer = np.zeros(shape[0] + 1, np.int64)
    for row, _, matrix in blocks:
        pointer[row + 1 : row + 1 + matrix.shape[0]] += np.diff(matrix.indptr)
    np.cumsum(pointer, out=pointer)
    total = int(pointer[-1])
    kind = np.int32 if max(total, *shape) < 2**31 else np.int64
    indices, data = np.empty(total, kind), np.empty(total)
    free = pointer[:-1].copy()
    for row, column, matrix in blocks:
        rows, length = slice(row, row + matrix.shape[0]), np.diff(matrix.indptr)
        starts, ends = pointer[row : rows.stop], pointer[row + 1 : rows.stop + 1]
        where: Any = slice(int(pointer[row]), int(pointer[row]) + matrix.nnz)
        if not ((free[rows] == starts).all() and (starts + length == ends).all()):  # other blocks share these rows
            where = np.repeat(free[rows] - matrix.indptr[:-1], length) + np.arange(matrix.nnz)
        if isinstance(where, slice):
            np.add(matrix.indices, column, out=indices[where], casting="same_kind")
        else:
            indices[where] = matrix.indices + kind(column)
        data[where] = matrix.data
        free[rows] += length
    together: sp.csr_array = sp.csr_array((data, indices, pointer.astype(kind)), shape=shape)
    if _side_by_side(blocks):
        together.has_canonical_format = True
    elif not together.has_canonical_format:
        together.sum_duplicates()
    return together


def _csr(matrix: Any) -> sp.csr_array:
    """The matrix itself where it is one: what SciPy found out about its form is kept with it."""
    return matrix if isinstance(matrix, sp.csr_array) else sp.csr_array(matrix)


def _side_by_side(blocks: Sequence[Placed]) -> bool:
    """Whether the blocks, sorted by their first columns, are canonical and no two share a place."""
    ends: list[tuple[int, int, int]] = []  # rows from, rows to, columns to
    for row, column, matrix in blocks:
        below = row + matrix.shape[0]
        if not matrix.has_canonical_format or any(r < below and row < to and column < end for r, to, end in ends):
            return False
        ends = [one for one in ends if one[2] > column]
        ends.append((row, below, column + matrix.shape[1]))
    return True
