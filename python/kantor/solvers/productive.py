"""Is an economy productive? Proved bounds on the spectral radius of A, or the group of sectors that is at fault.

An upper bound below 1 proves that every final demand can be met (Hawkins and Simon 1949). A lower bound of 1 or more
for a group proves that the group, run at levels w, uses at least as much of each of its goods as it makes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend, get_backend
from ..errors import OptionError
from .fault import find_fault
from .problem import FloatArray
from .radius import radius_bounds
from .square_table import SquareTable, read_table


@dataclass(frozen=True)
class RadiusBounds:
    """lower <= rho(|A|) <= upper, both proved with rounding included; rho(A) = rho(|A|) if A has no negative entry.

    Attributes
    ----------
    lower, upper : the bounds; upper < 1 proves the economy productive
    vector : (n,) w > 0 with |A| w <= upper w, the proof of ``upper``
    heavy : sectors whose column sum exceeds 1: more input than output if all is counted in value. Information only
    negatives : number of negative entries; with some, the bounds are those of the magnitudes
    notes : what a reader should know, in words
    """

    lower: float
    upper: float
    vector: FloatArray
    heavy: tuple[object, ...] = ()
    negatives: int = 0
    notes: list[str] = field(default_factory=list)


def check_productive(
    A: Any, labels: Any = None, *, tolerance: float = 1e-6, backend: str | Backend = "auto"
) -> RadiusBounds:
    """Prove that the spectral radius of A is below 1, or name the sectors that use more than they make.

    Parameters
    ----------
    A : (n, n) SciPy sparse matrix, array or DataFrame of input coefficients
    labels : names of the sectors of an unlabelled table
    tolerance : the bounds are tightened until upper - lower <= tolerance upper; a large table that is proved productive
        is left alone after some hundred products. 1 asks for the proof alone, in about twenty products

    Raises NotProductive, a ProblemError, if A >= 0 is not: it names the strongly connected group of sectors with the
    largest radius, a small part of it that already uses more than it makes, by how much its inputs from one another
    would have to fall and where that tells most, and the sectors with column sums above 1. With negative entries that
    is raised only if the group provably uses more than it makes with them counted as they are; otherwise an ``upper``
    of 1 or more says that nothing was proved.

    >>> import numpy as np
    >>> bounds = check_productive(np.array([[0.25, 0.4], [0.14, 0.12]]))
    >>> 0.4304 < bounds.lower <= bounds.upper < 0.4305
    True
    >>> check_productive(np.array([[0.5, 0.0], [0.2, 1.1]]), labels=["corn", "iron"])
    Traceback (most recent call last):
        ...
    kantor.solvers.fault.NotProductive: A: not productive: 'iron' uses 1.1 times the amount it makes of itself; ...
    """
    if not 0.0 < tolerance <= 1.0:
        raise OptionError(f"tolerance: {tolerance!r}, expected a number in (0, 1]")
    table = read_table(A, labels)
    matrix = table.sparse()
    size = (
        matrix
        if table.nonnegative
        else sp.csr_array((abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
    )
    lower, upper, w = radius_bounds(size, tolerance, get_backend(backend), "proved")
    sums = table.column_sums()
    negatives = 0 if table.nonnegative else int(np.count_nonzero(matrix.data < 0.0))
    notes = []
    if negatives:
        notes.append(
            f"{negatives} negative entries, the first {_first_negative(matrix, table)}: the bounds count magnitudes"
        )
    if upper >= 1.0:
        fault = find_fault(matrix, size, sums, table, tolerance, get_backend(backend))
        if fault is not None:
            raise fault
        notes.append(
            "not proved productive: the magnitudes have a radius of 1 or more, the entries as they are may not"
        )
    heavy = np.flatnonzero(sums > 1.0)
    if heavy.size:
        heavy = heavy[np.argsort(-sums[heavy], kind="stable")]
        notes.append(f"{heavy.size} sectors with a column sum above 1: {table.names(heavy)}")
    heavy_labels = tuple(int(j) for j in heavy) if table.labels is None else tuple(table.labels[heavy])
    return RadiusBounds(lower, upper, w, heavy_labels, negatives, notes)


def _first_negative(matrix: sp.csr_array, table: SquareTable) -> str:
    at = int(np.flatnonzero(matrix.data < 0.0)[0])
    row = int(np.searchsorted(matrix.indptr, at, side="right")) - 1
    return f"{float(matrix.data[at]):.3g} in row {table.name(row)}, column {table.name(matrix.indices[at])}"
