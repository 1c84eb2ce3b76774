"""The native backend: C++ kernels with OpenMP and SIMD (csrc/kernels.hpp), whole blocks of iterations without Python.

Results are bitwise the same for every number of threads and every instruction set; see csrc/reduce.hpp for the order.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BackendUnavailable, OptionError, ProblemError
from .host import HostBackend
from .matrices import check_values, csr_of, rounded
from .protocol import Array, DeviceTerms, Operator, PdhgState, Scalar

# A thread that waits for the next kernel is to sleep: one that spins takes the processor from whoever else works here
# and from the kernel that comes. The OpenMP runtime reads this once, when it is loaded with the core.
_asked = os.environ.get("OMP_WAIT_POLICY")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
try:
    from .. import _core
except ImportError as error:
    raise BackendUnavailable(
        f"the native core kantor._core is not built ({error}); "
        "with a C++17 compiler at hand: pip install --force-reinstall --no-deps kantor"
    ) from error
finally:
    if _asked is None:  # ours: it is not for the processes started from here
        del os.environ["OMP_WAIT_POLICY"]


_SHORT_VECTOR = 65_536  # columns: such a vector stays in the second-level cache


class NativeBackend(HostBackend):
    """NumPy arrays, C++ kernels. Matrices are used where they lie: do not change one that is prepared.

    The number of threads is $KANTOR_NUM_THREADS, else $OMP_NUM_THREADS, else the processors this process may use.

    >>> import scipy.sparse as sp
    >>> backend = NativeBackend()
    >>> A = backend.prepare(sp.csr_array([[1.0, 2.0], [0.0, 3.0]]))
    >>> out = backend.zeros(2)
    >>> backend.matvec(A, np.array([1.0, 1.0]), out)
    >>> out.tolist()
    [3.0, 3.0]
    """

    name = "native"
    sweeps_in_single = True

    def __init__(self) -> None:
        _core.set_num_threads(default_threads())

    @property
    def threads(self) -> int:
        """How many threads the kernels may use; results do not depend on it."""
        return int(_core.num_threads())

    @threads.setter
    def threads(self, count: int) -> None:
        _core.set_num_threads(count)

    # ---- memory ------------------------------------------------------------------------------------------------
    def zeros(self, shape: int | tuple[int, ...]) -> Array:
        # Filled by the threads that will use it: on a machine with several memories each page lands near its thread.
        out = np.empty(shape)
        _core.fill(0.0, out)
        return out

    def copy(self, source: Array, out: Array) -> None:
        _core.copy(source, out)

    # ---- operator ------------------------------------------------------------------------------------------------
    def prepare(self, matrix: Any, *, transpose: bool = True, values: str = "float64") -> Operator:
        check_values(values)
        if getattr(matrix, "format", None) == "csc":
            # The columns of a CSC matrix are the rows of its transpose, as they lie.
            turned = _csr(matrix, matrix.shape[0], values)
            handle = turned.transpose()
            return Operator(matrix.shape, int(matrix.nnz), handle, turned if transpose else None, values)
        csr = csr_of(matrix)
        handle = _csr(csr, csr.shape[1], values)
        return Operator(csr.shape, int(csr.nnz), handle, handle.transpose() if transpose else None, values)

    def few_products(self, A: Operator) -> None:
        A.handle.few_products()
        if A.transpose is not None:
            A.transpose.few_products()

    def gains_by_float32(self, shape: tuple[int, int]) -> bool:
        # A longer x is gathered through tiles, or from anywhere: both take hardly less with float32 values, while
        # refinement takes more products (docs/decisions/0003-leontief-methods.md).
        return shape[1] <= _SHORT_VECTOR

    def matvec(self, A: Operator, x: Array, out: Array) -> None:
        _core.product(A.handle, x, out)

    def rmatvec(self, A: Operator, y: Array, out: Array) -> None:
        _core.product(_transpose_of(A), y, out)

    def net_product(self, A: Operator, x: Array, out: Array) -> None:
        _core.product(A.handle, x, out, net=True)

    def single(self, array: np.ndarray) -> Array:
        return np.array(array, dtype=np.float32, order="C")

    def single_sweep(self, A: Operator, r: Array, x: Array, out: Array) -> np.ndarray:
        return np.asarray(_core.single_sweep(A.handle, r, x, out))

    def stages(self, A: Operator, bits: int = 0) -> Any:
        if A.values != "float64":
            return None
        bits = bits or _core.stage_bits(A.handle)
        return _core.Stages(A.handle, bits) if bits else None

    def stage_sweep(self, stages: Any, d: Array, x: Array, inner: int) -> float:
        return float(np.sqrt(_core.stage_sweep(stages, d, x, inner)))

    # ---- vectors ---------------------------------------------------------------------------------------------------
    def axpby(self, a: Scalar, x: Array, b: Scalar, y: Array) -> None:
        _core.axpby(a, x, b, y)

    def combine(self, a: Scalar, x: Array, b: Scalar, z: Array, c: Scalar, y: Array) -> None:
        _core.combine(a, x, b, z, c, y)

    def multiply(self, x: Array, y: Array, out: Array) -> None:
        _core.multiply(x, y, out)

    def clip(self, x: Array, lower: Array, upper: Array, out: Array) -> None:
        _core.clip(x, lower, upper, out)

    def prox(self, terms: DeviceTerms, tau: float, v: Array, out: Array) -> None:
        _core.prox(terms, tau, v, out)

    # ---- reductions ------------------------------------------------------------------------------------------------
    def dot(self, pairs: Sequence[tuple[Array, Array]]) -> np.ndarray:
        return _core.dot(pairs)

    def norm(self, xs: Sequence[Array], ord: float = 2) -> np.ndarray:
        if ord == np.inf:
            return _core.largest_magnitude(xs)
        if ord != 2:
            raise OptionError(f"ord: got {ord!r}, expected 2 or inf")
        return np.sqrt(_core.dot([(x, x) for x in xs]))

    # ---- fused steps -------------------------------------------------------------------------------------------------
    def primal_step(self, s: PdhgState, last: bool) -> None:
        if s.projection is not None:
            super().primal_step(s, last)
        else:
            _core.primal_step(s, last)

    def dual_step(self, s: PdhgState, last: bool) -> None:
        _core.dual_step(s, last)

    def pdhg_block(self, s: PdhgState, iterations: int) -> None:
        if s.projection is not None:  # a Python function: the loop must come back for it
            super().pdhg_block(s, iterations)
            return
        _core.pdhg_block(s.A.handle, _transpose_of(s.A), s, iterations)
        s.k += iterations

    def device(self) -> str:
        info = _core.build_info()
        return f"cpu, {self.threads} threads ({info['threads']}), {info['isa']}"


def default_threads() -> int:
    """Threads to use: $KANTOR_NUM_THREADS, else $OMP_NUM_THREADS, else what affinity and the control group allow."""
    for name in ("KANTOR_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "").split(",")[0].strip()  # OMP_NUM_THREADS may list one count a nesting level
        if not value:
            continue
        if not value.isdigit() or int(value) < 1:
            raise OptionError(f"{name}: got {value!r}, expected a whole number of threads, at least 1")
        return int(value)
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(usable, _group_limit() or usable))


def _group_limit(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Processors granted by the control group (version 2 or 1), rounded up; None if there is no limit."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if quota == "max" or int(quota) <= 0:
        return None
    return -(-int(quota) // int(period))


def _csr(matrix: Any, columns: int, values: str) -> Any:
    """A _core.Csr or SingleCsr over the arrays of a compressed SciPy matrix; converts only what has another type."""
    single = values == "float32"
    data = rounded(matrix) if single else np.ascontiguousarray(matrix.data, dtype=np.float64)
    return (_core.SingleCsr if single else _core.Csr)(
        np.ascontiguousarray(matrix.indptr, dtype=np.int64),
        np.ascontiguousarray(matrix.indices, dtype=np.int32),
        data,
        columns,
    )


def _transpose_of(A: Operator) -> Any:
    if A.transpose is None:
        raise ProblemError("A: prepared without its transpose; prepare(matrix, transpose=True) stores it")
    return A.transpose
