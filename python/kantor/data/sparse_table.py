"""Sparse tables with labels, and the field of an economy that keeps one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..errors import ProblemError
from .labels import as_index
from .matrix import as_csr, as_frame

if TYPE_CHECKING:
    from .economy import Economy


@dataclass(frozen=True, eq=False)
class SparseTable:
    """Rows and columns with labels; ``matrix`` is CSR of that shape. What a DataFrame is for tables full of numbers."""

    index: pd.Index
    columns: pd.Index
    matrix: sp.csr_array

    def to_frame(self) -> pd.DataFrame:
        """The table written out in full."""
        return pd.DataFrame(self.matrix.toarray(), self.index, self.columns)


def as_sparse_table(table: Any, columns: pd.Index, what: str) -> SparseTable:
    """A DataFrame or SparseTable as canonical CSR whose columns are the given labels, in their order.

    Raises ProblemError for labels that do not fit or are repeated, and for entries that are no finite numbers.
    """
    if isinstance(table, SparseTable):
        index = as_index(table.index, f"{what} rows")
        matrix = as_csr(table.matrix, index, table.columns, what)
        if not table.columns.equals(columns):
            at = columns.get_indexer(table.columns)
            if len(at) != len(columns) or (np.sort(at) != np.arange(len(columns))).any():
                raise ProblemError(f"{what}: the labels of its columns are not those of the techniques")
            matrix = sp.csr_array(matrix[:, np.argsort(at)])
        return SparseTable(index, columns, matrix)
    frame = as_frame(table, None, columns, what)
    return SparseTable(frame.index, columns, as_csr(frame.to_numpy(), frame.index, columns, what))


class Intensities:
    """A field of :class:`kantor.Economy` that is kept sparse and read as a DataFrame indicators x techniques.

    Where every year and every region has indicators of its own, nearly all intensities are zero: written out they would
    take a hundred times the memory. Reading the field writes them out; :attr:`Economy.intensity_matrix` does not.
    """

    def __get__(self, eco: Economy | None, owner: Any = None) -> pd.DataFrame:
        if eco is None:
            raise AttributeError("intensities")
        kept = self.kept(eco)
        return kept.to_frame() if isinstance(kept, SparseTable) else kept

    def __set__(self, eco: Economy, value: Any) -> None:
        eco.__dict__["intensities"] = value

    @staticmethod
    def kept(eco: Economy) -> Any:
        """What is stored: a SparseTable, once the economy has checked it."""
        return eco.__dict__["intensities"]
