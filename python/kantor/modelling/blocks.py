"""A matrix kept as the blocks it is made of, written out when somebody asks for its cells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import scipy.sparse as sp

from .stacking import Placed, stacked_matrix


class Blocks:
    """(first row, first column, matrix) of every block, and the shape of the whole; where blocks overlap they add up.

    A technology that is the same every year stands in many blocks and in memory once.
    """

    def __init__(self, parts: Sequence[Placed], shape: tuple[int, int]):
        self.parts, self.shape = tuple(parts), shape

    @property
    def nnz(self) -> int:
        """Entries of all blocks."""
        return sum(int(matrix.nnz) for _, _, matrix in self.parts)

    @cached_property
    def matrix(self) -> sp.csr_array:
        """The whole as canonical CSR."""
        return stacked_matrix(self.parts, self.shape)
