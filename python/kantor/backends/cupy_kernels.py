"""The kernels of csrc/cuda for CuPy: the headers as one source, and the layout of what the kernels read.

Nothing here needs CuPy: the module that launches (cupy_gpu) hands it in. Names and numbers are those of
csrc/cuda/entry_points.hpp and csrc/cuda/row_buckets.hpp, and tests hold the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BLOCK_THREADS = 256
BLOCK_WARPS = 8
MOST_COLUMNS = 32
CHUNK_ELEMENTS = 8192
BUCKET_LIMITS = (16, 1024, 65536, 16384)  # nonzeros of a short, medium, long row; of a giant row's segment
MATRIX_WORDS = 5  # of a BucketedCsr, before its RowBuckets: rows, columns, row_ptr, col_idx, values
ENTRY_POINTS = "cuda/entry_points.hpp"

_INCLUDE = re.compile(r'\s*#include "([^"]+)"')


def header_folder(package: Path) -> Path | None:
    """Where the C++ headers are: ``_csrc`` in an installed package, ``csrc`` of a checkout; None if neither exists."""
    for folder in (package / "_csrc", package.parents[1] / "csrc"):
        if (folder / ENTRY_POINTS).is_file():
            return folder
    return None


def source_text(folder: Path) -> str:
    """The entry points with their headers in place of the includes, each once.

    One text rather than an include path, because CuPy keeps compiled kernels under a hash of the text it is given: a
    changed header must change it.
    """
    seen: set[Path] = set()

    def expand(path: Path) -> str:
        path = path.resolve()
        if path in seen:
            return ""
        seen.add(path)
        lines = []
        for line in path.read_text(encoding="utf-8").splitlines():
            found = _INCLUDE.match(line)
            if found:
                lines.append(expand(path.parent / found.group(1)))
            elif line.strip() != "#pragma once":
                lines.append(line)
        return "\n".join(lines) + "\n"

    return expand(folder / ENTRY_POINTS)


@dataclass
class Buckets:
    """Rows by length (csrc/cuda/row_buckets.hpp): giant, long, medium, short, in their own order within each.

    first (5,): the rows of bucket b are order[first[b]:first[b + 1]]; order (rows,) int32, empty if one bucket holds
    every row; giant_first (giants + 1,): segments before each giant row; segment_owner (segments,) int32.
    """

    first: np.ndarray
    order: np.ndarray
    giant_first: np.ndarray
    segment_owner: np.ndarray
    segment_length: int

    @property
    def segments(self) -> int:
        """Blocks that the giant rows take."""
        return int(self.giant_first[-1])

    @property
    def giants(self) -> int:
        """How many giant rows there are."""
        return self.giant_first.size - 1

    def blocks(self, columns: int) -> int:
        """Blocks of one product's launch, at least 1; ``columns`` is what one block serves."""
        rows = np.diff(self.first)
        short = BLOCK_THREADS // columns
        total = self.segments + int(rows[1]) + -(-int(rows[2]) // BLOCK_WARPS) + -(-int(rows[3]) // short)
        return max(1, total)


def bucket_rows(indptr: np.ndarray, limits: tuple[int, int, int, int] = BUCKET_LIMITS) -> Buckets:
    """Sort the rows of a CSR matrix into buckets by their number of nonzeros; indptr int64 (rows + 1,).

    >>> bucket_rows(np.array([0, 3, 2000, 2100])).order.tolist()
    [1, 2, 0]
    """
    lengths = np.diff(indptr)
    bucket = np.where(lengths > limits[2], 0, np.where(lengths > limits[1], 1, np.where(lengths > limits[0], 2, 3)))
    counts = np.bincount(bucket, minlength=4)
    order = np.argsort(bucket, kind="stable").astype(np.int32)
    per_giant = -(-lengths[bucket == 0] // limits[3])
    return Buckets(
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        order=np.empty(0, np.int32) if (counts == lengths.size).any() else order,
        giant_first=np.concatenate([[0], np.cumsum(per_giant)]).astype(np.int64),
        segment_owner=np.repeat(np.arange(per_giant.size, dtype=np.int32), per_giant),
        segment_length=limits[3],
    )


def tile_columns(k: int) -> int:
    """Columns that one block serves: the power of two at or above k, at most 32."""
    return min(MOST_COLUMNS, 1 << max(0, k - 1).bit_length())


def chunks_of(n: int, columns: int) -> int:
    """Blocks that add up an array of n rows."""
    return -(-n // (CHUNK_ELEMENTS // columns))


def element_blocks(n: int) -> int:
    """Blocks of an elementwise kernel over n elements."""
    return -(-n // BLOCK_THREADS)


def words(*values: Any) -> np.ndarray:
    """8-byte words as the structures of csrc/cuda hold them: integers, device arrays by their address, None as null."""

    def word(value: Any) -> int:
        if value is None:
            return 0
        return value.data.ptr if hasattr(value, "__cuda_array_interface__") else int(value)

    return np.array([word(value) for value in values], dtype=np.int64)
