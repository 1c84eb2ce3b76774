"""M = A or A' as the solvers use it: sparse or dense, prepared on a backend, with guards for what rounding can do.

A dense table stays the array it came as: no copy, products by BLAS (:class:`DenseBackend`).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend, Operator, get_backend
from ..backends.matrices import check_values
from ..backends.reference import ReferenceBackend
from .over import Whole
from .problem import FloatArray
from .rigour import gamma
from .square_table import extremes

LARGEST_SINGLE = 1e38


class DenseBackend(ReferenceBackend):
    """Products of a dense array by BLAS, vectors by NumPy: they are small beside the table.

    With ``values="float32"`` the table is stored, and multiplied, in single precision.
    """

    name = "blas"

    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        check_values(values)
        matrix = matrix.astype(values, order="A", copy=False)
        return Operator(matrix.shape, matrix.size, matrix, matrix.T if transpose else None, values)

    def matvec(self, A: Operator, x: Any, out: Any) -> None:
        self._product(A.handle, x, out)

    def rmatvec(self, A: Operator, y: Any, out: Any) -> None:
        self._product(A.transpose, y, out)

    def _product(self, matrix: Any, x: Any, out: Any) -> None:
        if matrix.dtype == x.dtype:
            np.matmul(matrix, x, out=out)
        else:
            out[...] = matrix @ x.astype(matrix.dtype)


class Operand:
    """M (n, n) in CSR or as an array, on a backend.

    Attributes
    ----------
    matrix : what was given
    backend, op : where M is, and M there
    signed : M has an entry below zero
    over : reductions over the goods of host arrays
    stages : M laid out for Backend.stage_sweep, None unless ``in_stages`` has found that this pays
    guard : (n,) gamma_k, k = entries of the row + 4: |fl(M x) - M x| <= guard |M| |x|, with two more terms to spare
    """

    over: Whole = Whole()
    stages: Any = None
    few = False  # ``op`` is prepared for a few products

    def __init__(self, matrix: Any, backend: str | Backend, signed: bool | None = None) -> None:
        self.matrix = matrix
        self.n = int(matrix.shape[0])
        self.dense = not sp.issparse(matrix)
        self.sparse_backend = get_backend(backend)  # what is used where a dense table has to become sparse
        self.backend = DenseBackend() if self.dense else self.sparse_backend
        if signed is None:
            signed = bool(matrix.size) and bool((matrix if self.dense else matrix.data).min(initial=0.0) < 0.0)
        self.signed = signed
        self.op = self.backend.prepare(matrix, transpose=False)

    def in_stages(self) -> Any:
        """Lay M out for stages where the backend has them and they pay; then few products are to follow."""
        if not (self.signed or self.dense):
            self.stages = self.backend.stages(self.op)
        if self.stages is not None:
            self.backend.few_products(self.op)
            self.few = True
        return self.stages

    def for_many_products(self) -> Operator:
        """M on the backend, prepared for many products even if few were expected."""
        if self.few:
            self.op, self.few = self.backend.prepare(self.matrix, transpose=False), False
        return self.op

    @cached_property
    def guard(self) -> FloatArray:
        entries = np.full(self.n, self.n) if self.dense else np.diff(self.matrix.indptr)
        return np.asarray(gamma(entries + 4))

    @cached_property
    def rough(self) -> Operator:
        """M with its values rounded to float32, for iterations whose residuals are judged by M itself."""
        return self.backend.prepare(self.matrix, transpose=False, values="float32")

    @property
    def has_rough(self) -> bool:
        """``rough`` has been made already."""
        return "rough" in self.__dict__

    @property
    def fits_float32(self) -> bool:
        """No entry is too large for float32."""
        lowest, largest = extremes(self.matrix if self.dense else self.matrix.data)
        return max(-lowest, largest) < LARGEST_SINGLE

    @property
    def entries(self) -> int:
        """Entries that a product reads."""
        return int(self.matrix.size if self.dense else self.matrix.nnz)

    @cached_property
    def size_op(self) -> Operator:
        """|M| on the backend; M itself if it has no entry below zero."""
        return self.backend.prepare(self.magnitudes(), transpose=False) if self.signed else self.op

    def magnitudes(self) -> Any:
        """|M|; shares the index arrays, or is M, if it has no entry below zero."""
        if not self.signed:
            return self.matrix
        if self.dense:
            return np.abs(self.matrix)
        matrix = self.matrix
        return sp.csr_array((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)

    def toarray(self) -> FloatArray:
        """M as a dense array."""
        return np.asarray(self.matrix if self.dense else self.matrix.toarray())

    def times(self, x: FloatArray, op: Operator | None = None) -> FloatArray:
        """M x, or |M| x with ``op=size_op``, on the host."""
        out = self.backend.zeros(x.shape)
        self.backend.matvec(self.op if op is None else op, self.backend.from_host(x), out)
        return np.array(self.backend.to_host(out))
