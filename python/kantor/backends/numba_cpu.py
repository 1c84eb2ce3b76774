"""The Numba backend: compiled parallel kernels where there is no C++ core; it needs no compiler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import BackendUnavailable
from .host import HostBackend
from .matrices import csr_of
from .protocol import Array, DeviceTerms, Operator, PdhgState, Scalar

try:
    import numba

    from . import numba_kernels as kernels
except ImportError as error:
    raise BackendUnavailable(f"numba cannot be imported ({error}); install it with: pip install numba") from error

PART_COST = 16384  # nonzeros per block of rows: some tens of microseconds, so that many blocks even out the threads
ROW_COST = 4  # what a row itself costs, in nonzeros
SMALL = 32768  # below this many elements or nonzeros waking the threads costs more than the work
NARROW = 2**31  # from this many nonzeros on the row pointers take 64 bits

NO_TERMS = DeviceTerms(np.zeros(0, np.uint8), np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Rows:
    """A CSR matrix as the kernels read it: ``parts`` cuts the rows into blocks of about equal cost."""

    parts: np.ndarray[Any, np.dtype[np.uint64]]
    indptr: np.ndarray[Any, Any]
    indices: np.ndarray[Any, np.dtype[np.uint32]]
    data: np.ndarray[Any, np.dtype[Any]]

    @staticmethod
    def of(matrix: Any) -> Rows:
        """View a CSR matrix with unsigned indices; no copy of int32 indices and of values."""
        nnz = int(matrix.indptr[-1])
        indices = matrix.indices.astype(np.int32, copy=False).view(np.uint32)
        if nnz < NARROW:
            indptr = matrix.indptr.astype(np.int32, copy=False).view(np.uint32)
        else:
            indptr = matrix.indptr.astype(np.int64, copy=False).view(np.uint64)
        return Rows(_parts(matrix.indptr), indptr, indices, matrix.data)

    @property
    def matrix(self) -> tuple[Any, Any, Any]:
        return self.indptr, self.indices, self.data


def _parts(indptr: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Row numbers at which a new block begins, ends included; they depend on the matrix only."""
    rows = indptr.size - 1
    cost = indptr.astype(np.int64) + ROW_COST * np.arange(rows + 1)
    cuts = np.arange(0, cost[-1] + 1, PART_COST)
    return np.unique(np.append(np.searchsorted(cost, cuts), rows)).astype(np.uint64)


def _even_parts(rows: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.append(np.arange(0, rows, kernels.CHUNK), rows).astype(np.uint64)


def _run(work: int, kernel: Any, *arguments: Any) -> Any:
    """Call a kernel, on one thread if its work is small; sums do not depend on that."""
    if work >= SMALL:
        return kernel(*arguments)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        return kernel(*arguments)
    finally:
        numba.set_num_threads(threads)


def _flat(x: Array) -> Array:
    return x if x.ndim == 1 else x.reshape(-1)


def _columns(x: Array) -> Array:
    return x if x.ndim == 2 else x.reshape(-1, 1)


class NumbaBackend(HostBackend):
    """NumPy arrays, kernels compiled at first use and kept on disk."""

    name = "numba"

    def __init__(self) -> None:
        self._no_matrix = Rows.of(sp.csr_array((0, 0), dtype=np.float64)).matrix

    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        csr = csr_of(matrix, values)
        return Operator(csr.shape, csr.nnz, Rows.of(csr), Rows.of(csr.T.tocsr()) if transpose else None, values)

    def matvec(self, A: Operator, x: Array, out: Array) -> None:
        self._product(A.handle, x, out)

    def rmatvec(self, A: Operator, y: Array, out: Array) -> None:
        self._product(A.transpose, y, out)

    def _product(self, rows: Rows, x: Array, out: Array) -> None:
        if x.ndim == 2 and x.shape[1] > 1:
            _run(rows.indices.size, kernels.spmm, rows.parts, *rows.matrix, x, out)
        else:
            _run(rows.indices.size, kernels.spmv, rows.parts, *rows.matrix, _flat(x), _flat(out))

    def axpby(self, a: Scalar, x: Array, b: Scalar, y: Array) -> None:
        if np.ndim(a) or np.ndim(b):
            k = y.shape[1]
            weights = [np.ascontiguousarray(np.broadcast_to(s, k), dtype=np.float64) for s in (a, b)]
            _run(y.size, kernels.axpby_columns, weights[0], x, weights[1], y)
        else:
            _run(y.size, kernels.axpby, float(a), _flat(x), float(b), _flat(y))

    def multiply(self, x: Array, y: Array, out: Array) -> None:
        _run(out.size, kernels.multiply, _flat(x), _flat(y), _flat(out))

    def clip(self, x: Array, lower: Array, upper: Array, out: Array) -> None:
        _run(out.size, kernels.clip, _flat(x), _flat(lower), _flat(upper), _flat(out))

    def prox(self, terms: DeviceTerms, tau: float, v: Array, out: Array) -> None:
        _run(out.size, kernels.prox, terms.kind, float(tau), v, terms.a, terms.b, terms.e, out)

    def dot(self, pairs: Sequence[tuple[Array, Array]]) -> np.ndarray:
        return np.array([self._dot(x, y) for x, y in pairs])

    def _dot(self, x: Array, y: Array) -> Any:
        return _run(x.size, kernels.dot if x.ndim == 1 else kernels.dot_columns, x, y).sum(axis=0)

    def norm(self, xs: Sequence[Array], ord: float = 2) -> np.ndarray:
        if ord == np.inf:
            return np.array([self._largest(x) for x in xs])
        return np.sqrt(self.dot([(x, x) for x in xs]))

    def _largest(self, x: Array) -> Any:
        chunks = _run(x.size, kernels.largest, _columns(x).view(np.int64))
        top = np.max(chunks, axis=0, initial=0).view(np.float64)
        return top[0] if x.ndim == 1 else top

    # ---- PDHG ------------------------------------------------------------------------------------------------------
    def primal_step(self, s: PdhgState, last: bool) -> None:
        if s.projection is not None:
            super().primal_step(s, last)
            return
        w = (s.k + 1.0) / (s.k + 2.0)
        parts = _even_parts(s.x.size)
        # x_hat and dx are undefined within a block, but a single step is allowed to be looked at: always write them.
        _run(
            s.x.size, kernels.primal, parts, self._no_matrix, s.y, s.aty, s.c, s.lower, s.upper, _terms(s), s.x,
            s.x_anchor, s.x_hat, s.x_reflected, s.dx, s.eta / s.weight, w, False, True,
        )  # fmt: skip

    def dual_step(self, s: PdhgState, last: bool) -> None:
        w = (s.k + 1.0) / (s.k + 2.0)
        parts = _even_parts(s.y.size)
        _run(
            s.y.size, kernels.dual, parts, self._no_matrix, s.x_reflected, s.ax, s.row_lower, s.row_upper,
            s.y, s.y_anchor, s.y_hat, s.dy, s.eta * s.weight, w, False, True,
        )  # fmt: skip

    def pdhg_block(self, s: PdhgState, iterations: int) -> None:
        if s.projection is not None:  # the projection is Python: it comes in between
            super().pdhg_block(s, iterations)
            return
        K, KT = s.A.handle, s.A.transpose
        _run(
            s.A.nnz, kernels.pdhg_block, K.parts, KT.parts, K.matrix, KT.matrix, s.aty, s.ax, s.c, s.lower, s.upper,
            s.row_lower, s.row_upper, _terms(s), s.x, s.x_anchor, s.x_hat, s.x_reflected, s.dx,
            s.y, s.y_anchor, s.y_hat, s.dy, s.eta / s.weight, s.eta * s.weight, s.k, iterations,
        )  # fmt: skip
        s.k += iterations

    def device(self) -> str:
        return f"cpu, {numba.get_num_threads()} threads"


def _terms(s: PdhgState) -> tuple[Array, Array, Array, Array]:
    terms = s.terms or NO_TERMS
    return terms.kind, terms.a, terms.b, terms.e
