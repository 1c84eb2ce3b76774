"""Units in which every good counts alike, whatever units people report in: its own gross output, roughly.

A table in money has hardly a column sum above 1. One in tonnes, pieces and litres may have entries and demands of any
size, and a 2-norm then sees only the goods with large numbers. In the units x of a rough gross output M becomes D^-1
M D, D = diag(x), whose rows sum to at most about 1; x follows a change of units, so nothing inside depends on them. x
is rounded to powers of two, so that changing units and back costs no digit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .operand import Operand
from .problem import FloatArray

SWEEPS = 8  # of x <- M x + |d|
MOST_SWEEPS = 64  # for goods that are many steps away from any demand
CHUNK = 1 << 18


def rough_output(operand: Operand, d: FloatArray) -> FloatArray:
    """d + M d + M^2 d + ..., some terms, to the next lower power of two; 1 for goods that nobody needs.

    The columns of d are added up, each in its own size.
    """
    demand = np.abs(d)
    if demand.ndim == 2:
        sizes = demand.max(axis=0)
        demand = (demand / np.where(sizes > 0.0, sizes, 1.0)).sum(axis=1)
    demand = demand / demand.max()
    x = demand
    for sweep in range(MOST_SWEEPS):
        new = operand.times(x) + demand
        reached = bool(((new > 0.0) == (x > 0.0)).all())
        x = new / max(1.0, float(new.max()) / 1e100)
        if sweep >= SWEEPS and reached:
            break
    return np.ldexp(1.0, np.frexp(np.where(x > 0.0, x, 1.0))[1] - 1)


def in_units(matrix: Any, unit: FloatArray) -> Any:
    """D^-1 M D, D = diag(unit); a CSR matrix shares its index arrays with the given one."""
    if isinstance(matrix, np.ndarray):
        turned = matrix * unit
        turned /= unit[:, None]
        return turned
    data = np.empty_like(matrix.data)
    lengths = np.diff(matrix.indptr)
    row = 0
    while row < unit.size:  # some rows at a time: temporaries of the size of the matrix would double the memory
        last = int(np.searchsorted(matrix.indptr, matrix.indptr[row] + CHUNK, side="right"))
        last = min(max(last - 1, row + 1), unit.size)
        part = slice(int(matrix.indptr[row]), int(matrix.indptr[last]))
        data[part] = matrix.data[part] * unit[matrix.indices[part]] / np.repeat(unit[row:last], lengths[row:last])
        row = last
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
