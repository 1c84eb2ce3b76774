"""The Numba kernels; arrays only. ``numba_cpu`` is their one caller.

Rules: index arrays come in unsigned (a signed index costs a wrap-around test per access, half the speed of a product);
sums run in an order fixed by the array alone, never by the number of threads; NaN in gives NaN out. The per-element
formulas restate csrc/pointwise.hpp.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any

import numpy as np
from numba import njit, prange

CHUNK = 8192  # elements per partial sum: fixed, so that sums do not depend on the number of threads
NEWTON_STEPS = 8
MAGNITUDE = np.int64(2**63 - 1)  # every bit of a double but its sign

# Reassociation lets LLVM keep several partial sums in one register; the order is still fixed when compiled.
SUMS = {"reassoc", "contract"}


# ---- products -----------------------------------------------------------------------------------------------------
@njit(inline="always")
def _row(indptr: Any, indices: Any, data: Any, x: Any, i: Any) -> Any:
    total = 0.0
    for p in range(indptr[i], indptr[i + 1]):
        total += data[p] * x[indices[p]]
    return total


@njit(parallel=True, cache=True)
def spmv(parts: Any, indptr: Any, indices: Any, data: Any, x: Any, out: Any) -> None:
    """out <- A x, one block of rows of about equal nonzeros at a time."""
    for part in prange(parts.size - 1):
        for i in range(parts[part], parts[part + 1]):
            out[i] = _row(indptr, indices, data, x, i)


@njit(parallel=True, cache=True)
def spmm(parts: Any, indptr: Any, indices: Any, data: Any, x: Any, out: Any) -> None:
    """out <- A x for x (n, k): four columns at a time in registers, the row's entries stay in the first cache."""
    k = np.uint64(x.shape[1])
    for part in prange(parts.size - 1):
        for i in range(parts[part], parts[part + 1]):
            j = np.uint64(0)
            while j + np.uint64(4) <= k:
                s0 = s1 = s2 = s3 = 0.0
                for p in range(indptr[i], indptr[i + 1]):
                    value, row = data[p], indices[p]
                    s0 += value * x[row, j]
                    s1 += value * x[row, j + np.uint64(1)]
                    s2 += value * x[row, j + np.uint64(2)]
                    s3 += value * x[row, j + np.uint64(3)]
                out[i, j] = s0
                out[i, j + np.uint64(1)] = s1
                out[i, j + np.uint64(2)] = s2
                out[i, j + np.uint64(3)] = s3
                j += np.uint64(4)
            while j < k:
                total = 0.0
                for p in range(indptr[i], indptr[i + 1]):
                    total += data[p] * x[indices[p], j]
                out[i, j] = total
                j += np.uint64(1)


# ---- vectors --------------------------------------------------------------------------------------------------------
@njit(parallel=True, cache=True)
def axpby(a: float, x: Any, b: float, y: Any) -> None:
    """y <- a x + b y on flat arrays; with b == 0 the old y is not read."""
    if b == 0.0:
        for i in prange(y.size):
            y[i] = a * x[i]
    else:
        for i in prange(y.size):
            y[i] = a * x[i] + b * y[i]


@njit(parallel=True, cache=True)
def axpby_columns(a: Any, x: Any, b: Any, y: Any) -> None:
    """y[:, j] <- a[j] x[:, j] + b[j] y[:, j]."""
    k = np.uint64(a.size)
    for i in prange(np.uint64(y.shape[0])):
        for j in range(k):
            y[i, j] = a[j] * x[i, j] if b[j] == 0.0 else a[j] * x[i, j] + b[j] * y[i, j]


@njit(parallel=True, cache=True)
def multiply(x: Any, y: Any, out: Any) -> None:
    """Backend.multiply on flat arrays."""
    for i in prange(out.size):
        out[i] = x[i] * y[i]


@njit(inline="always")
def _maximum(a: float, b: float) -> float:
    return a if a >= b or a != a else b


@njit(inline="always")
def _clip(x: float, lower: float, upper: float) -> float:
    y = _maximum(x, lower)
    return y if y <= upper or y != y else upper


@njit(parallel=True, cache=True)
def clip(x: Any, lower: Any, upper: Any, out: Any) -> None:
    """Backend.clip on flat arrays."""
    for i in prange(out.size):
        out[i] = _clip(x[i], lower[i], upper[i])


# ---- reductions -----------------------------------------------------------------------------------------------------
@njit(parallel=True, cache=True, fastmath=SUMS)
def dot(x: Any, y: Any) -> Any:
    """Partial sums of x.y, one a chunk."""
    partial = np.zeros((x.size + CHUNK - 1) // CHUNK)
    for chunk in prange(partial.size):
        total = 0.0
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, x.size)):
            total += x[i] * y[i]
        partial[chunk] = total
    return partial


@njit(parallel=True, cache=True)
def dot_columns(x: Any, y: Any) -> Any:
    """Partial sums of x.y columnwise: (chunks, k)."""
    n, k = np.uint64(x.shape[0]), np.uint64(x.shape[1])
    step = np.uint64(CHUNK)
    chunks = (n + step - np.uint64(1)) // step
    partial = np.zeros((chunks, k))
    for chunk in prange(chunks):
        for i in range(chunk * step, min((chunk + np.uint64(1)) * step, n)):
            for j in range(k):
                partial[chunk, j] += x[i, j] * y[i, j]
    return partial


@njit(parallel=True, cache=True)
def largest(bits: Any) -> Any:
    """Largest magnitude of each chunk of rows, columnwise; numbers in and out as their bits: (n, k) -> (chunks, k).

    Without the sign bit doubles are ordered as their bits are, and NaN lies above infinity: so one integer maximum is
    also the test for NaN.
    """
    n, k = np.uint64(bits.shape[0]), np.uint64(bits.shape[1])
    step = np.uint64(CHUNK)
    chunks = (n + step - np.uint64(1)) // step
    partial = np.zeros((chunks, k), np.int64)
    for chunk in prange(chunks):
        for i in range(chunk * step, min((chunk + np.uint64(1)) * step, n)):
            for j in range(k):
                partial[chunk, j] = max(partial[chunk, j], bits[i, j] & MAGNITUDE)
    return partial


# ---- proximal maps (kantor.solvers.problem.TermKind) -----------------------------------------------------------------
@njit(cache=True)
def _positive_root(v: float, q: float) -> float:
    root = sqrt(v * v + 4.0 * q)
    if v >= 0.0:
        return 0.5 * (v + root)
    return 0.0 if root == 0.0 else 2.0 * q / (root - v)


@njit(cache=True)
def _power_root(v: float, k0: float, s: float) -> float:
    a = k0 ** (1.0 / (1.0 + s))
    if not v < 0.0:
        u = _maximum(v, a)
        for _ in range(NEWTON_STEPS):
            slope = k0 * u ** (-s - 1.0)
            u = u - (u - v - slope * u) / (1.0 + s * slope)
        return u
    z = min(log(a), (log(k0) - log(-v)) / s)
    for _ in range(NEWTON_STEPS):
        u = exp(z)
        total = u - v
        z = z - (s * z + log(total) - log(k0)) / (s + u / total)
    return exp(z)


@njit(cache=True)
def _prox(kind: int, tau: float, v: float, a: float, b: float, e: float) -> float:
    if kind == 1:
        return (v + tau * a * b) / (1.0 + tau * a)
    if kind == 2:
        if v >= b - tau * a / b:
            return _positive_root(v, tau * a)
        return _maximum(0.0, (v + 2.0 * tau * a / b) / (1.0 + tau * a / (b * b)))
    if kind == 3:
        return _maximum(0.0, _positive_root(v + b, tau * a) - b)
    if kind == 4 and a > 0.0:
        return _power_root(v, tau * a, e)
    if kind == 5 and a > 0.0:
        shift = e * b
        return _maximum(0.0, _power_root(v + shift, tau * a * shift, 2.0) - shift)
    return v


@njit(parallel=True, cache=True)
def prox(kind: Any, tau: float, v: Any, a: Any, b: Any, e: Any, out: Any) -> None:
    """Backend.prox."""
    for i in prange(out.size):
        out[i] = _prox(kind[i], tau, v[i], a[i], b[i], e[i])


# ---- PDHG: each step as one pass, with its product or after it -------------------------------------------------------
@njit(parallel=True, cache=True)
def primal(
    parts: Any, matrix: Any, y: Any, aty: Any, c: Any, lower: Any, upper: Any, terms: Any,
    x: Any, x_anchor: Any, x_hat: Any, x_reflected: Any, dx: Any, tau: float, w: float, product: bool, last: bool,
) -> None:  # fmt: skip
    """Backend.primal_step; with ``product`` K'y is computed too. matrix: indptr, indices, data of K'."""
    indptr, indices, data = matrix
    kind, a, b, e = terms
    for part in prange(parts.size - 1):
        for j in range(parts[part], parts[part + 1]):
            gain = _row(indptr, indices, data, y, j) if product else aty[j]
            old = x[j]
            hat = old - tau * (c[j] - gain)
            if kind.size:
                hat = _prox(kind[j], tau, hat, a[j], b[j], e[j])
            hat = _clip(hat, lower[j], upper[j])
            reflected = 2.0 * hat - old
            x_reflected[j] = reflected
            x[j] = w * reflected + (1.0 - w) * x_anchor[j]
            if last:
                aty[j] = gain
                x_hat[j] = hat
                dx[j] = hat - old


@njit(parallel=True, cache=True)
def dual(
    parts: Any, matrix: Any, x_reflected: Any, ax: Any, row_lower: Any, row_upper: Any,
    y: Any, y_anchor: Any, y_hat: Any, dy: Any, sigma: float, w: float, product: bool, last: bool,
) -> None:  # fmt: skip
    """Backend.dual_step; with ``product`` K xr is computed too. matrix: indptr, indices, data of K."""
    indptr, indices, data = matrix
    for part in prange(parts.size - 1):
        for i in range(parts[part], parts[part + 1]):
            level = _row(indptr, indices, data, x_reflected, i) if product else ax[i]
            old = y[i]
            # The same number as the default's, without its cancellation: exactly 0 where the row does not bind.
            hat = _clip(0.0, old + sigma * (row_lower[i] - level), old + sigma * (row_upper[i] - level))
            y[i] = w * (2.0 * hat - old) + (1.0 - w) * y_anchor[i]
            if last:
                ax[i] = level
                y_hat[i] = hat
                dy[i] = hat - old


@njit(cache=True)
def pdhg_block(
    parts: Any, parts_t: Any, K: Any, KT: Any, aty: Any, ax: Any, c: Any, lower: Any, upper: Any, row_lower: Any,
    row_upper: Any, terms: Any, x: Any, x_anchor: Any, x_hat: Any, x_reflected: Any, dx: Any,
    y: Any, y_anchor: Any, y_hat: Any, dy: Any, tau: float, sigma: float, k: int, iterations: int,
) -> None:  # fmt: skip
    """Backend.pdhg_block without Python in between."""
    for i in range(iterations):
        w = (k + i + 1.0) / (k + i + 2.0)
        last = i == iterations - 1
        primal(parts_t, KT, y, aty, c, lower, upper, terms, x, x_anchor, x_hat, x_reflected, dx, tau, w, True, last)
        dual(parts, K, x_reflected, ax, row_lower, row_upper, y, y_anchor, y_hat, dy, sigma, w, True, last)
