"""Contents: what a unit of a good needs of other goods and of the limits, all told, by the techniques in use."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .problem import FloatArray
from .technology import Technology

_CHAIN = 40
_CONTENT = 1e-9


class Contents:
    """Contents by one technique a good; A_P' is ``rows`` (n, n) of a :class:`kantor.solvers.technology.Technology`."""

    def __init__(self, technology: Technology) -> None:
        self.technology = technology
        self.of_limits: FloatArray | None = None
        self.kept: tuple[Any, ...] = (None, 0.0, None, None)

    def limits(self, rows: sp.csr_array, marginal: np.ndarray[Any, Any]) -> FloatArray:
        """V = L_P'R_P (n, r): what a unit of each good needs of each limit; ``marginal`` (n,) are the techniques P."""
        right = np.ascontiguousarray(self.technology.use[marginal])
        if right.shape[1]:
            start = right if self.of_limits is None else self.of_limits
            right = self.of_limits = self.technology.solve(rows, right, start, _CONTENT)
        return right

    def goods(self, rows: sp.csr_array, goods: np.ndarray[Any, Any], drop: float) -> sp.csr_array:
        """L_P'e_k = e_k + A_P'e_k + ... for the goods k (n, k), a series without entries below ``drop``.

        Kept for as long as the techniques and the precision stay the same: towards the end of a search they do.
        """
        of, precision, at, kept = self.kept
        if of is rows and precision == drop and np.isin(goods, at).all():
            return sp.csr_array(kept[:, np.searchsorted(at, goods)])
        n, k = rows.shape[0], goods.size
        term = sp.csr_array((np.ones(k), (goods, np.arange(k))), shape=(n, k))
        total = term
        for _ in range(_CHAIN):
            term = sp.csr_array(rows @ term)
            self.technology.products += min(1.0, 0.02 * k)
            term.data[np.abs(term.data) < drop] = 0.0
            term.eliminate_zeros()
            if not term.nnz:
                break
            total = total + term
        total = sp.csr_array(total)
        self.kept = (rows, drop, goods, total)
        return total
