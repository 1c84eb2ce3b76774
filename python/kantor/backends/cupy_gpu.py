"""The cupy backend: the kernels of csrc/cuda compiled at run time, for installs without nvcc; needs CuPy and a GPU.

Arrays are CuPy's, so a user's own projection may be any CuPy function, ElementwiseKernel or RawKernel. Work goes to
CuPy's current stream. The first use compiles for some seconds; CuPy keeps the result on disk.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import BackendError, BackendUnavailable, OptionError, ProblemError
from . import cupy_kernels as layout
from .matrices import csr_of
from .protocol import Array, Backend, DeviceTerms, Operator, PdhgState, Scalar

INSTALL = "pip install 'kantor[gpu13]' for a driver of CUDA 13, 'kantor[gpu]' for CUDA 12"

# The vectors of a state in the order of PdhgVectors (csrc/cuda/pdhg_steps.hpp); the terms follow.
_COLUMN_VECTORS = ("c", "lower", "upper", "x_anchor", "x", "x_hat", "x_reflected", "dx", "aty")
_ROW_VECTORS = ("row_lower", "row_upper", "y_anchor", "y", "y_hat", "dy", "ax")
_TERMS = ("kind", "a", "b", "e")


class CupyBackend(Backend):
    """One NVIDIA GPU through CuPy; raises BackendUnavailable without CuPy, a GPU, or the headers of csrc."""

    name = "cupy"

    def __init__(self) -> None:
        try:
            self._cupy: Any = importlib.import_module("cupy")
        except ImportError as error:
            raise BackendUnavailable(f"CuPy is not installed ({error}); {INSTALL}") from error
        try:
            devices = self._cupy.cuda.runtime.getDeviceCount()
        except self._cupy.cuda.runtime.CUDARuntimeError as error:
            raise BackendUnavailable(f"CuPy finds no GPU: {error}") from error
        if devices == 0:
            raise BackendUnavailable("CuPy finds no GPU")
        package = Path(__file__).resolve().parents[1]
        folder = layout.header_folder(package)
        if folder is None:
            raise BackendUnavailable(f"the C++ headers are missing: looked for {package / '_csrc'}; {INSTALL}")
        options = ("-std=c++17", "--fmad=false")  # sums fuse where the kernels ask for it, and nowhere else
        self._module = self._cupy.RawModule(code=layout.source_text(folder), options=options)
        self._kernels: dict[str, Any] = {}

    # ---- memory ------------------------------------------------------------------------------------------------
    def from_host(self, array: np.ndarray) -> Array:
        if array.dtype not in (np.float64, np.uint8):
            raise ProblemError(f"array: dtype {array.dtype}, expected float64 or uint8")
        with self._errors():
            return self._cupy.array(array, order="C")

    def to_host(self, array: Array) -> np.ndarray:
        with self._errors():
            return self._cupy.asnumpy(array)

    def zeros(self, shape: int | tuple[int, ...]) -> Array:
        with self._errors():
            return self._cupy.zeros(shape)

    def copy(self, source: Array, out: Array) -> None:
        self._check("source", source, out.shape, source.dtype)
        with self._errors():
            self._cupy.copyto(out, source)

    # ---- operator ------------------------------------------------------------------------------------------------
    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        csr = csr_of(matrix, values)
        if max(csr.shape) > np.iinfo(np.int32).max:
            raise ProblemError(f"matrix: shape {csr.shape}, expected fewer than 2^31 rows and columns on one device")
        with self._errors():
            handle = _Csr(self._cupy, csr)  # checks the indices, so before SciPy transposes them
            turned = _Csr(self._cupy, csr.T.tocsr()) if transpose else None
            return Operator(csr.shape, int(csr.nnz), handle, turned, values)

    def matvec(self, A: Operator, x: Array, out: Array) -> None:
        self._product(A.handle, x, out)

    def rmatvec(self, A: Operator, y: Array, out: Array) -> None:
        self._product(_transpose_of(A), y, out)

    # ---- vectors ---------------------------------------------------------------------------------------------------
    def axpby(self, a: Scalar, x: Array, b: Scalar, y: Array) -> None:
        self._check("y", y, y.shape)
        self._check("x", x, y.shape)
        if np.ndim(a) == 0 and np.ndim(b) == 0:
            self._elements("axpby", y.size, np.float64(a), x, np.float64(b), y)
            return
        k = y.shape[1] if y.ndim == 2 else 1
        weights = []
        for name, w in (("a", a), ("b", b)):
            if np.ndim(w) > 0 and np.shape(w) != (k,):
                raise ProblemError(f"{name}: shape {np.shape(w)}, expected a number or shape ({k},)")
            weights.append(self._cupy.asarray(np.full(k, w, dtype=np.float64)))
        self._elements("axpby_columns", y.size, weights[0], x, weights[1], y, np.int64(k))

    def multiply(self, x: Array, y: Array, out: Array) -> None:
        for name, array in (("out", out), ("x", x), ("y", y)):
            self._check(name, array, out.shape)
        self._elements("multiply", out.size, x, y, out)

    def clip(self, x: Array, lower: Array, upper: Array, out: Array) -> None:
        for name, array in (("out", out), ("x", x), ("lower", lower), ("upper", upper)):
            self._check(name, array, out.shape)
        self._elements("clip", out.size, x, lower, upper, out)

    def prox(self, terms: DeviceTerms, tau: float, v: Array, out: Array) -> None:
        self._check("out", out, (out.size,))
        self._check("v", v, out.shape)
        self._check_terms(terms, out.shape)
        self._elements("prox", out.size, terms.kind, terms.a, terms.b, terms.e, np.float64(tau), v, out)

    # ---- reductions ------------------------------------------------------------------------------------------------
    def dot(self, pairs: Sequence[tuple[Array, Array]]) -> np.ndarray:
        return self._reduce("dot", list(pairs))

    def norm(self, xs: Sequence[Array], ord: float = 2) -> np.ndarray:
        if ord == np.inf:
            return self._reduce("largest", [(x, x) for x in xs])
        if ord != 2:
            raise OptionError(f"ord: got {ord!r}, expected 2 or inf")
        return np.sqrt(self._reduce("dot", [(x, x) for x in xs]))

    # ---- fused steps -------------------------------------------------------------------------------------------------
    def primal_step(self, s: PdhgState, last: bool) -> None:
        if s.projection is not None:
            super().primal_step(s, last)
            return
        n = s.x.size
        scalars = (np.float64(s.eta), np.float64(s.weight), np.int64(s.k), np.int64(n))
        self._launch(f"primal_step_{_variant(s, last)}", (layout.element_blocks(n),), self._vectors(s), *scalars)

    def dual_step(self, s: PdhgState, last: bool) -> None:
        m = s.y.size
        scalars = (np.float64(s.eta), np.float64(s.weight), np.int64(s.k), np.int64(m))
        name = "dual_step_last_plain" if last else "dual_step_plain"
        self._launch(name, (layout.element_blocks(m),), self._vectors(s), *scalars)

    def pdhg_block(self, s: PdhgState, iterations: int) -> None:
        if s.projection is not None:  # a Python function: the loop must come back for it
            super().pdhg_block(s, iterations)
            return
        K, transpose, vectors = s.A.handle, _transpose_of(s.A), self._vectors(s)
        self._check("x", s.x, (K.shape[1],))
        self._check("y", s.y, (K.shape[0],))
        if "cupy_control" not in s.private:
            s.private["cupy_control"] = self._cupy.zeros(4)
        control = s.private["cupy_control"]
        self._launch("set_control", (1,), control, np.float64(s.eta), np.float64(s.weight), np.int64(s.k))
        for i in range(iterations):
            last = i == iterations - 1
            self._fused("primal", _variant(s, last), transpose, vectors, control)
            self._fused("dual", "last_plain" if last else "plain", K, vectors, control)
        s.k += iterations

    def device(self) -> str:
        runtime = self._cupy.cuda.runtime
        properties = runtime.getDeviceProperties(runtime.getDevice())
        name = properties["name"].decode()
        return f"{name} (sm_{properties['major']}{properties['minor']}), CuPy {self._cupy.__version__}"

    def synchronise(self) -> None:
        with self._errors():
            self._cupy.cuda.get_current_stream().synchronize()

    # ---- private -----------------------------------------------------------------------------------------------------
    @contextmanager
    def _errors(self) -> Iterator[None]:
        cuda = self._cupy.cuda
        known = (
            cuda.runtime.CUDARuntimeError,
            cuda.driver.CUDADriverError,
            cuda.memory.OutOfMemoryError,
            cuda.compiler.CompileException,
        )
        try:
            yield
        except known as error:
            raise BackendError(f"CuPy: {type(error).__name__}: {error}") from error

    def _launch(self, name: str, grid: tuple[int, ...], *arguments: Any) -> None:
        if 0 in grid:
            return
        with self._errors():
            if name not in self._kernels:
                self._kernels[name] = self._module.get_function(f"kantor_{name}")
            self._kernels[name](grid, (layout.BLOCK_THREADS,), arguments)

    def _elements(self, name: str, n: int, *arguments: Any) -> None:
        self._launch(name, (layout.element_blocks(n),), *arguments, np.int64(n))

    def _check(self, name: str, array: Array, shape: tuple[int, ...], dtype: Any = np.float64) -> None:
        """A kernel reads whatever address it is given: nothing may reach one that is not exactly as expected."""
        if not isinstance(array, self._cupy.ndarray):
            raise ProblemError(f"{name}: got {type(array).__name__}, expected a cupy.ndarray; from_host makes one")
        if array.shape != shape:
            raise ProblemError(f"{name}: shape {array.shape}, expected {shape}")
        if array.dtype != dtype:
            raise ProblemError(f"{name}: dtype {array.dtype}, expected {np.dtype(dtype)}")
        if not array.flags.c_contiguous:
            raise ProblemError(f"{name}: strided, expected C-contiguous")

    def _check_terms(self, terms: DeviceTerms, shape: tuple[int, ...]) -> None:
        for name in _TERMS:
            self._check(f"terms.{name}", getattr(terms, name), shape, np.uint8 if name == "kind" else np.float64)

    def _product(self, A: _Csr, x: Array, out: Array) -> None:
        self._check("x", x, (A.shape[1], *x.shape[1:2]))
        self._check("out", out, (A.shape[0], *x.shape[1:2]))
        k = x.shape[1] if x.ndim == 2 else 1
        columns = layout.tile_columns(k)
        tiles = -(-k // columns)
        partials = A.partials if k == 1 else self._cupy.empty(A.buckets.segments * k)
        grid, giants = (A.buckets.blocks(columns), tiles), (A.buckets.giants, tiles)
        self._launch(f"product_{A.single}{columns}", grid, A.packed, x, np.int64(k), partials, out)
        self._launch(f"product_giant_{columns}", giants, A.rows, np.int64(k), partials, out)

    def _fused(self, half: str, variant: str, A: _Csr, vectors: Array, control: Array) -> None:
        self._launch(f"{half}_{A.single}{variant}", (A.buckets.blocks(1),), A.packed, vectors, control, A.partials)
        self._launch(f"{half}_giant_{variant}", (A.buckets.giants,), A.rows, vectors, control, A.partials)

    def _reduce(self, kind: str, pairs: list[tuple[Array, Array]]) -> np.ndarray:
        if not pairs:
            return np.empty(0)
        wide = pairs[0][0].shape[1:2]
        for x, y in pairs:
            self._check("x", x, (x.shape[0], *wide))
            self._check("y", y, x.shape)
        k = wide[0] if wide else 1
        columns = layout.tile_columns(k)
        tiles = -(-k // columns)
        most = max(layout.chunks_of(x.shape[0], columns) for x, _ in pairs)
        with self._errors():
            items = self._cupy.asarray(np.stack([layout.words(x, y, x.shape[0]) for x, y in pairs]))
            partials = self._cupy.empty(len(pairs) * most * k)
            results = self._cupy.empty((len(pairs), *wide))
        sizes = (np.int64(k), np.int64(most))
        self._launch(f"{kind}_{columns}", (most, len(pairs), tiles), items, *sizes, partials)
        self._launch(f"{kind}_chunks_{columns}", (1, len(pairs), tiles), items, *sizes, partials, results)
        return self.to_host(results)

    def _vectors(self, s: PdhgState) -> Array:
        """The state's addresses as a PdhgVectors in device memory, made anew only when one of them has changed."""
        n, m = s.x.size, s.y.size
        for name in _COLUMN_VECTORS:
            self._check(name, getattr(s, name), (n,))
        for name in _ROW_VECTORS:
            self._check(name, getattr(s, name), (m,))
        if s.terms is not None:
            self._check_terms(s.terms, (n,))
        arrays = [getattr(s, name) for name in _COLUMN_VECTORS + _ROW_VECTORS]
        arrays += [None if s.terms is None else getattr(s.terms, name) for name in _TERMS]
        packed = layout.words(*arrays)
        kept, device = s.private.get("cupy_vectors", (None, None))
        if kept is None or not np.array_equal(kept, packed):
            with self._errors():
                device = self._cupy.asarray(packed)
            s.private["cupy_vectors"] = (packed, device)
        return device


class _Csr:
    """A matrix in device memory with its buckets, and the BucketedCsr (csrc/cuda/product_body.hpp) that names them.

    ``rows`` is the RowBuckets within it; ``single`` is what stands in the names of kernels for float32 values.
    """

    def __init__(self, cupy: Any, csr: sp.csr_array) -> None:
        indptr = np.ascontiguousarray(csr.indptr, dtype=np.int64)
        self.shape: tuple[int, int] = csr.shape
        self.single = "single_" if csr.dtype == np.float32 else ""
        self.buckets = buckets = layout.bucket_rows(indptr)
        outside = np.flatnonzero((csr.indices < 0) | (csr.indices >= csr.shape[1]))
        if outside.size:
            at = int(outside[0])
            raise ProblemError(f"matrix: nonzero {at} has column {csr.indices[at]}, expected 0 .. {csr.shape[1] - 1}")
        self._row_ptr = cupy.asarray(indptr)
        self._col_idx = cupy.asarray(np.ascontiguousarray(csr.indices, dtype=np.int32))
        self._values = cupy.asarray(np.ascontiguousarray(csr.data))
        self._order = cupy.asarray(buckets.order) if buckets.order.size else None
        self._giant_first = cupy.asarray(buckets.giant_first)
        self._segment_owner = cupy.asarray(buckets.segment_owner)
        self.partials = cupy.empty(buckets.segments)
        self.packed = cupy.asarray(
            layout.words(
                *csr.shape,
                self._row_ptr,
                self._col_idx,
                self._values,
                *buckets.first,
                self._order,
                self._giant_first,
                self._segment_owner,
                buckets.segment_length,
                buckets.segments,
            )
        )
        self.rows = self.packed[layout.MATRIX_WORDS :]


def _variant(s: PdhgState, last: bool) -> str:
    return ("last_" if last else "") + ("plain" if s.terms is None else "terms")


def _transpose_of(A: Operator) -> _Csr:
    if A.transpose is None:
        raise ProblemError("A: prepared without its transpose; prepare(matrix, transpose=True) stores it")
    return A.transpose
