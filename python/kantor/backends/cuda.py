"""The cuda backend: C++/CUDA kernels (csrc/cuda), whole blocks of iterations replayed as CUDA graphs.

Arrays are ``kantor._cuda.DeviceArray``; anything with ``__cuda_array_interface__`` (CuPy, PyTorch, Numba) is taken in
their place without a copy. Sums follow one fixed order, so results repeat to the bit on one kind of GPU.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import BackendUnavailable, OptionError, ProblemError
from .matrices import csr_of
from .protocol import Array, Backend, DeviceTerms, Operator, PdhgState, Scalar

INSTALL = "with nvcc of CUDA 12 or newer on PATH: pip install . -C cmake.define.KANTOR_CUDA=ON"


class CudaBackend(Backend):
    """One NVIDIA GPU, one stream. Choose the GPU with $CUDA_VISIBLE_DEVICES.

    Work is queued and runs behind Python; ``to_host``, ``dot``, ``norm`` and ``synchronise`` wait for it, and report
    what failed meanwhile as BackendError with the CUDA error and the line of the call.

    Raises BackendUnavailable if the module is not built or no GPU can be used.
    """

    name = "cuda"

    def __init__(self) -> None:
        try:
            self._cuda: Any = importlib.import_module("kantor._cuda")
        except ImportError as error:
            raise BackendUnavailable(f"the CUDA module kantor._cuda is not built ({error}); {INSTALL}") from error
        if self._cuda.device_count() == 0:
            raise BackendUnavailable(f"no GPU can be used: {self._cuda.device_reason()}")

    # ---- memory ------------------------------------------------------------------------------------------------
    def from_host(self, array: np.ndarray) -> Array:
        return self._cuda.DeviceArray.from_host(np.asarray(array, order="C"))

    def to_host(self, array: Array) -> np.ndarray:
        return self._own(array).to_host()

    def zeros(self, shape: int | tuple[int, ...]) -> Array:
        return self._cuda.zeros(shape)

    def copy(self, source: Array, out: Array) -> None:
        self._cuda.copy(source, out)

    # ---- operator ------------------------------------------------------------------------------------------------
    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        csr = csr_of(matrix, values)
        handle = self._csr(csr)  # checks the indices, so before SciPy transposes them
        return Operator(csr.shape, int(csr.nnz), handle, self._csr(csr.T.tocsr()) if transpose else None, values)

    def matvec(self, A: Operator, x: Array, out: Array) -> None:
        self._cuda.product(A.handle, x, out)

    def rmatvec(self, A: Operator, y: Array, out: Array) -> None:
        self._cuda.product(_transpose_of(A), y, out)

    # ---- vectors ---------------------------------------------------------------------------------------------------
    def axpby(self, a: Scalar, x: Array, b: Scalar, y: Array) -> None:
        self._cuda.axpby(a, x, b, y)

    def multiply(self, x: Array, y: Array, out: Array) -> None:
        self._cuda.multiply(x, y, out)

    def clip(self, x: Array, lower: Array, upper: Array, out: Array) -> None:
        self._cuda.clip(x, lower, upper, out)

    def prox(self, terms: DeviceTerms, tau: float, v: Array, out: Array) -> None:
        self._cuda.prox(terms, tau, v, out)

    # ---- reductions ------------------------------------------------------------------------------------------------
    def dot(self, pairs: Sequence[tuple[Array, Array]]) -> np.ndarray:
        return self._cuda.dot(pairs)

    def norm(self, xs: Sequence[Array], ord: float = 2) -> np.ndarray:
        if ord == np.inf:
            return self._cuda.largest_magnitude(xs)
        if ord != 2:
            raise OptionError(f"ord: got {ord!r}, expected 2 or inf")
        return np.sqrt(self._cuda.dot([(x, x) for x in xs]))

    # ---- fused steps -------------------------------------------------------------------------------------------------
    def primal_step(self, s: PdhgState, last: bool) -> None:
        if s.projection is None:
            self._cuda.primal_step(s, last)
            return
        asked, ours = s.private.get("cuda_projection", (None, None))
        if asked is not s.projection:
            ours = self.for_user(s.projection)
            s.private["cuda_projection"] = (s.projection, ours)
        super().primal_step(dataclasses.replace(s, projection=ours), last)

    def dual_step(self, s: PdhgState, last: bool) -> None:
        self._cuda.dual_step(s, last)

    def pdhg_block(self, s: PdhgState, iterations: int) -> None:
        if s.projection is not None:  # a Python function: the loop must come back for it
            super().pdhg_block(s, iterations)
            return
        if "cuda_blocks" not in s.private:
            s.private["cuda_blocks"] = self._cuda.PdhgBlocks()
        s.private["cuda_blocks"].run(s.A.handle, _transpose_of(s.A), s, iterations)
        s.k += iterations

    def device(self) -> str:
        version, driver = (
            f"{number // 1000}.{number % 1000 // 10}"
            for number in (self._cuda.runtime_version(), self._cuda.driver_version())
        )
        return f"{self._cuda.device_name()}, CUDA {version}, driver for {driver}"

    def synchronise(self) -> None:
        self._cuda.synchronise()

    # ---- exchange with CuPy ------------------------------------------------------------------------------------------
    def as_cupy(self, array: Array) -> Any:
        """The same memory as a ``cupy.ndarray``; call ``synchronise`` before using it on a stream of your own."""
        cupy = _usable_cupy()
        if cupy is None:
            raise BackendUnavailable("as_cupy: CuPy is not installed; pip install cupy-cuda13x (or cupy-cuda12x)")
        return cupy.asarray(array)

    def from_cupy(self, array: Any) -> Array:
        """The same memory as a DeviceArray, which keeps ``array`` alive."""
        return self._cuda.DeviceArray.from_interface(array)

    def for_user(self, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        """The function on CuPy views, its kernels queued on our stream, so that nothing has to wait for anything.

        Without CuPy it gets the DeviceArray itself, which has ``__cuda_array_interface__``.
        """
        cupy = _usable_cupy()
        if cupy is None:
            return function
        kept: list[Any] = [None, None]  # the last array and its view: making one waits for the stream

        def on_views(v: Array) -> Array:
            if kept[0] is not v:
                kept[:] = [v, cupy.asarray(v)]
            with _cupy_stream(cupy, self._cuda.Stream()):
                return function(kept[1])

        return on_views

    # ---- private -----------------------------------------------------------------------------------------------------
    def _own(self, array: Array) -> Any:
        if isinstance(array, self._cuda.DeviceArray):
            return array
        if not hasattr(array, "__cuda_array_interface__"):
            got = type(array).__name__
            raise ProblemError(f"array: got {got}, expected a device array; from_host copies one there")
        return self.from_cupy(array)

    def _csr(self, csr: sp.csr_array) -> Any:
        store = self._cuda.DeviceSingleCsr if csr.dtype == np.float32 else self._cuda.DeviceCsr
        return store(
            np.ascontiguousarray(csr.indptr, dtype=np.int64),
            np.ascontiguousarray(csr.indices, dtype=np.int32),
            np.ascontiguousarray(csr.data),
            csr.shape[1],
        )


def _usable_cupy() -> Any:
    """CuPy if it is installed and sees a GPU, else None."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError:
        return None
    return cupy if cupy.cuda.is_available() else None


def _cupy_stream(cupy: Any, stream: Any) -> Any:
    """The stream as CuPy's, for a with statement; the stream protocol came with CuPy 14."""
    if hasattr(cupy.cuda.Stream, "from_external"):
        return cupy.cuda.Stream.from_external(stream)
    return cupy.cuda.ExternalStream(stream.ptr)


def _transpose_of(A: Operator) -> Any:
    if A.transpose is None:
        raise ProblemError("A: prepared without its transpose; prepare(matrix, transpose=True) stores it")
    return A.transpose
