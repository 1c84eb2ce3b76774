"""A field of an economy that may be kept in blocks and is read as a sparse matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .economy import Economy


class Cells:
    """A table of coefficients: read, it is CSR; a table given in blocks is written out at the first reading.

    Over several years a table repeats the cells of one year: written out it takes as many times the memory. Blocks
    (:class:`kantor.modelling.blocks.Blocks`) are made of tables that were checked, and are not checked again.
    """

    def __init__(self, name: str):
        self.name = name

    def __get__(self, eco: Economy | None, owner: Any = None) -> Any:
        if eco is None:
            raise AttributeError(self.name)
        kept = eco.__dict__[self.name]
        if in_blocks(kept):
            kept = eco.__dict__[self.name] = kept.matrix
        return kept

    def __set__(self, eco: Economy, value: Any) -> None:
        eco.__dict__[self.name] = value

    def kept(self, eco: Economy) -> Any:
        """What is stored: a matrix, or its blocks as long as nobody has read the cells."""
        return eco.__dict__[self.name]


def in_blocks(table: Any) -> bool:
    """Whether a table is kept in blocks."""
    return hasattr(type(table), "matrix") and hasattr(table, "parts")  # of the type: reading it would write it out
