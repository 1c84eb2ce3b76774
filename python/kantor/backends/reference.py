"""The reference backend: plain NumPy and SciPy, checked by hand, the oracle for every other backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from . import pointwise
from .host import HostBackend
from .matrices import csr_of
from .protocol import Array, DeviceTerms, Operator, Scalar


class ReferenceBackend(HostBackend):
    """NumPy arrays, SciPy products; slow and simple."""

    name = "reference"

    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        csr = csr_of(matrix, values).astype(np.float64, copy=False)
        return Operator(csr.shape, csr.nnz, csr, csr.T.tocsr() if transpose else None, values)

    def matvec(self, A: Operator, x: Array, out: Array) -> None:
        out[...] = A.handle @ x

    def rmatvec(self, A: Operator, y: Array, out: Array) -> None:
        out[...] = A.transpose @ y

    def stages(self, A: Operator, bits: int = 0) -> Any:
        """[(rows, what they need of all goods, what they need of each other)], or None without ``bits``: no gain."""
        if not bits:
            return None
        single = sp.csr_array(A.handle.astype(np.float32).astype(np.float64))
        cuts = range(0, A.shape[0], 1 << bits)
        parts = [slice(first, min(first + (1 << bits), A.shape[0])) for first in cuts]
        return [(rows, single[rows], single[rows][:, rows]) for rows in parts]

    def stage_sweep(self, stages: Any, d: Array, x: Array, inner: int) -> float:
        squares = 0.0
        for rows, all_goods, own in stages:
            others = d[rows] + all_goods @ x - own @ x[rows]
            for turn in range(inner):
                new = others + own @ x[rows]
                if turn == 0:
                    squares += float(np.sum((new - x[rows]) ** 2))
                x[rows] = new
        return float(np.sqrt(squares))

    def axpby(self, a: Scalar, x: Array, b: Scalar, y: Array) -> None:
        # A weight of zero, also of one column alone, must not read the old y: 0 * NaN is NaN.
        with np.errstate(invalid="ignore"):
            y[...] = a * x + np.where(np.equal(b, 0.0), 0.0, b * y)

    def multiply(self, x: Array, y: Array, out: Array) -> None:
        np.multiply(x, y, out=out)

    def clip(self, x: Array, lower: Array, upper: Array, out: Array) -> None:
        np.minimum(np.maximum(x, lower), upper, out=out)

    def prox(self, terms: DeviceTerms, tau: float, v: Array, out: Array) -> None:
        out[...] = pointwise.prox(terms.kind, tau, v, terms.a, terms.b, terms.e)

    def dot(self, pairs: Sequence[tuple[Array, Array]]) -> np.ndarray:
        return np.array([np.einsum("i...,i...->...", x, y) for x, y in pairs])

    def norm(self, xs: Sequence[Array], ord: float = 2) -> np.ndarray:
        if ord == np.inf:
            return np.array([np.max(np.abs(x), axis=0, initial=0.0) for x in xs])
        return np.sqrt(self.dot([(x, x) for x in xs]))
