"""Certified componentwise error bounds for Leontief systems.

For any w > 0 with (I - |M|) w > 0 the spectral radius of |M| is below 1 and (I - |M|)^-1 >= 0, so a point xh with
residual r = d - (I - M) xh has an error of at most

    |x - xh| <= |(I - M)^-1| |r| <= (I - |M|)^-1 |r| <= kappa w,    kappa = max_i |r_i| / ((I - |M|) w)_i.

Every quantity is evaluated with a guard gamma_k sum |terms|, k = entries of the row + 4, that covers the rounding of
the products whatever their order of summation (Higham, Accuracy and Stability, section 3.1), so the bound holds for
the arrays as they are stored. w is found by one rough solve of (I - |M|) w = |r| + guard; how it was found does not
matter for the proof. One w serves all right-hand sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..backends import Backend, Operator, get_backend
from .krylov import System, Watch, bicgstab, neumann
from .problem import FloatArray
from .rigour import gamma

SWEEPS = 6  # plain sweeps that give w its rough shape, in whatever units the goods are counted
FLOORS = (0.02, 0.5)  # share of that shape that is added to |r|: more is easier to solve for and less tight
STEPS = 100  # BiCGSTAB iterations, two products each; and sweeps after them
TINY = float(np.finfo(np.float64).tiny)  # more than any product can lose by underflow


@dataclass(frozen=True)
class ErrorBound:
    """``bound`` like x, infinite without a proof; ``vector`` w (n,) or None; ``radius`` a proved bound on rho(|M|)."""

    bound: FloatArray
    vector: FloatArray | None
    radius: float
    why: str
    products: int


def bound_error(
    matrix: sp.csr_array, d: FloatArray, x: FloatArray, *, backend: str | Backend = "auto", op: Operator | None = None
) -> ErrorBound:
    """Bound |x - exact x| for (I - M) x = d in every component.

    Parameters
    ----------
    matrix : M (n, n), CSR; for values pass A'
    d, x : (n,) or (n, k)
    backend, op : where the products are done, and M prepared there if it already is

    >>> import numpy as np, scipy.sparse as sp
    >>> M = sp.csr_array(np.array([[0.25, 0.4], [0.14, 0.12]]))
    >>> found = bound_error(M, np.array([55.0, 30.0]), np.array([100.0, 50.0 + 1e-9]))
    >>> bool(1e-9 <= found.bound[1] < 2e-9)
    True
    """
    kernels = get_backend(backend)
    signed = matrix.nnz > 0 and bool(matrix.data.min() < 0.0)
    size = sp.csr_array((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape) if signed else matrix
    op = kernels.prepare(matrix, transpose=False) if op is None else op
    size_op = kernels.prepare(size, transpose=False) if signed else op
    guard = gamma(np.diff(matrix.indptr) + 4)
    error, products = _residual_bound(kernels, op, size_op, guard, d, x)
    largest = error if error.ndim == 1 else np.max(error / _column_sizes(error), axis=1)
    if not np.isfinite(largest).all():
        return ErrorBound(np.full(x.shape, np.inf), None, np.inf, "no error bound: x is not finite", products)
    if not largest.any():
        return ErrorBound(np.zeros(x.shape), np.zeros(0), np.nan, "error bound 0: x = d = 0", products)
    proof = Proof(System(kernels, size_op, None), guard)
    w, margin = proof.find(largest)
    if w is None or margin is None:
        why = "no error bound: no w > 0 with (I - |A|) w > 0 was found"
        why += ", entries below zero count with their magnitudes" if signed else ""
        return ErrorBound(np.full(x.shape, np.inf), None, np.inf, why, products + proof.products)
    kappa = np.max(error / (margin if error.ndim == 1 else margin[:, None]), axis=0)
    bound = (1.0 + 8.0 * np.finfo(np.float64).eps) * kappa * (w if error.ndim == 1 else w[:, None])
    radius = float(np.max((w - margin) / w)) * (1.0 + 1e-15)
    why = f"error bound proved; spectral radius of |A| at most {min(radius, 1.0):.6g} by the same vector"
    return ErrorBound(bound, w, radius, why, products + proof.products)


def _column_sizes(error: FloatArray) -> FloatArray:
    sizes = np.sqrt(np.einsum("ij,ij->j", error, error))
    return np.where(sizes > 0.0, sizes, 1.0)


def _residual_bound(
    kernels: Backend, op: Operator, size_op: Operator, guard: FloatArray, d: FloatArray, x: FloatArray
) -> tuple[FloatArray, int]:
    """An upper bound on |d - (I - M) x|, shaped like x."""
    product = _product(kernels, op, x)
    count = 1
    if size_op is op and x.min() >= 0.0:
        size = product
    else:
        size = _product(kernels, size_op, np.abs(x))
        count = 2
    if x.ndim == 2:
        guard = guard[:, None]
    terms = np.abs(d) + np.abs(x) + size
    residual = np.abs((d - x) + product)
    # An exactly empty row has no underflow either: 0 stays a possible bound.
    return (residual + guard * terms + np.where(terms > 0.0, TINY, 0.0)) * (1.0 + 1e-15), count


def _product(kernels: Backend, op: Operator, x: FloatArray) -> FloatArray:
    out = kernels.zeros(x.shape)
    kernels.matvec(op, kernels.from_host(x), out)
    return np.array(kernels.to_host(out))


class Proof:
    """Finds w > 0 with (I - |M|) w > 0, rounding included, and about as small as (I - |M|)^-1 s for a given s."""

    def __init__(self, system: System, guard: FloatArray) -> None:
        self.system, self.guard, self.products = system, guard, 0

    def margin(self, w: FloatArray) -> FloatArray:
        """A lower bound on (I - |M|) w for w >= 0."""
        self.products += 1
        size = _product(self.system.backend, self.system.op, w)
        return ((w - size) - self.guard * (w + size) - TINY) * (1.0 - 1e-15)

    def find(self, s: FloatArray) -> tuple[FloatArray | None, FloatArray | None]:
        """(w, margin > 0), or (None, None)."""
        positive = s[s > 0.0]
        s = np.where(s > 0.0, s, 1e-3 * positive.min())
        s = s / s.max()
        shape = self._sweep(s, s, SWEEPS)
        for floor in FLOORS:
            w = self._solve(s + floor * shape, shape)
            for sweeps in (0, 2, 8, 32):
                if sweeps:
                    w = self._sweep(s + floor * shape, w, sweeps)
                if not np.isfinite(w).all() or not (w > 0.0).all():
                    break
                margin = self.margin(w)
                if (margin > 0.0).all():
                    return w, margin
            if np.isfinite(w).all() and (w > 0.0).all():
                shape = w
        return None, None

    def _sweep(self, s: FloatArray, w: FloatArray, times: int) -> FloatArray:
        """w <- |M| w + s, which never makes a non-negative w negative and spreads its accuracy to every row."""
        system, backend = self.system, self.system.backend
        S, W, out = backend.from_host(s), backend.from_host(w), system.new()
        for _ in range(times):
            system.times(W, out)
            backend.axpby(1.0, S, 1.0, out)
            W, out = out, W
        self.products += times
        return np.array(backend.to_host(W))

    def _solve(self, s: FloatArray, shape: FloatArray) -> FloatArray:
        """(I - |M|) w = s in the units of ``shape``, until no row of the residual can reach half of s."""
        scaled = System(self.system.backend, self.system.op, None, scale=shape)
        right = scaled.backend.from_host(s / shape)
        target = np.array([0.5 * float((s / shape).min())])
        z, r = scaled.new(), scaled.new(right)
        if bicgstab(scaled, right, z, r, Watch(target, STEPS)) != "converged":
            z = scaled.new(right)
            scaled.residual(right, z, r)
            neumann(scaled, right, z, r, Watch(target, STEPS))
        self.products += scaled.products
        return np.array(scaled.backend.to_host(z)) * shape
