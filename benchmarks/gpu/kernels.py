"""Time products and vector kernels on the GPU beside cuSPARSE (through CuPy): python kernels.py FILE [--scale S]."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from kantor.backends import Backend, DeviceTerms

sys.path.insert(0, str(Path(__file__).parent))
from timing import Records, arguments, copy_rate, gpu_backends, matrices, seconds

WIDTHS = (1, 5, 16)


def product_bytes(A: sp.csr_array, k: int) -> int:
    """Values, columns and row pointers once, each vector once: what any product has to move."""
    return 12 * A.nnz + 8 * (A.shape[0] + 1) + 8 * k * sum(A.shape)


def check(name: str, got: np.ndarray, expected: np.ndarray, scale: np.ndarray) -> None:
    """A wrong product is not worth timing."""
    if not np.all(np.abs(got - expected) <= 1e-12 * scale):
        raise SystemExit(f"{name}: wrong result, off by {np.max(np.abs(got - expected))}")


def time_products(backend: Backend, name: str, A: sp.csr_array, records: Records) -> None:
    """A x and A' y, one column and several."""
    op = backend.prepare(A)
    rng = np.random.default_rng(3)
    for k in WIDTHS:
        shape = (A.shape[1],) if k == 1 else (A.shape[1], k)
        host = rng.random(shape)
        x, out, back = backend.from_host(host), backend.zeros((A.shape[0], *shape[1:])), backend.zeros(shape)
        backend.matvec(op, x, out)
        if k == WIDTHS[1]:
            check(name, backend.to_host(out), A @ host, A @ host)  # all terms are positive
        moved = product_bytes(A, k)
        for text, call in (
            (f"{name}, k = {k}", lambda x=x, out=out: backend.matvec(op, x, out)),
            (f"{name}, k = {k}, transposed", lambda out=out, back=back: backend.rmatvec(op, out, back)),
        ):
            records.add(text, backend.name, seconds(call, backend.synchronise), moved, nnz=A.nnz)


def time_cusparse(cupy: Any, name: str, A: sp.csr_array, records: Records) -> None:
    """The same products by cuSPARSE, as CuPy calls it."""
    matrix = cupy_sparse().csr_matrix(sp.csr_matrix(A))
    for k in WIDTHS:
        x = cupy.random.random((A.shape[1],) if k == 1 else (A.shape[1], k))
        found = seconds(lambda x=x: matrix @ x, cupy.cuda.get_current_stream().synchronize)
        records.add(f"{name}, k = {k}", "cuSPARSE (CuPy)", found, product_bytes(A, k), nnz=A.nnz)


def cupy_sparse() -> Any:
    """CuPy's sparse matrices."""
    import cupyx.scipy.sparse

    return cupyx.scipy.sparse


def time_vectors(backend: Backend, n: int, records: Records) -> None:
    """Elementwise kernels and reductions."""
    rng = np.random.default_rng(5)
    x, y, z, out = (backend.from_host(rng.random(n)) for _ in range(4))
    kinds = backend.from_host(rng.integers(0, 6, size=n).astype(np.uint8))
    terms = DeviceTerms(kinds, x, y, backend.from_host(0.25 + 0.5 * rng.random(n)))
    cases: dict[str, tuple[Callable[[], Any], int]] = {
        "y <- a x + b y": (lambda: backend.axpby(0.5, x, 0.5, out), 24),
        "clip": (lambda: backend.clip(x, y, z, out), 32),
        "prox, mixed kinds": (lambda: backend.prox(terms, 0.7, x, out), 41),
        "dot": (lambda: backend.dot([(x, y)]), 16),
        "four dots in one batch": (lambda: backend.dot([(x, y), (y, z), (x, z), (x, x)]), 56),
        "largest magnitude": (lambda: backend.norm([x], ord=np.inf), 8),
    }
    for name, (call, bytes_each) in cases.items():
        records.add(f"{name}, n = {n}", backend.name, seconds(call, backend.synchronise), bytes_each * n)


def main() -> None:
    """All cases on every GPU backend; cuSPARSE where CuPy is."""
    options = arguments(__doc__ or "")
    records = Records()
    backends = gpu_backends()
    if not backends:
        raise SystemExit("no GPU backend can be used here")
    for backend in backends:
        rate = copy_rate(backend, options.scale)
        print(f"{backend.name}: {backend.device()}, copies {rate / 1e9:.0f} GB/s")
        records.rows.append({"case": "copy", "who": backend.name, "device": backend.device(), "bytes_per_s": rate})
    try:
        import cupy
    except ImportError as error:
        print(f"cuSPARSE: {error}")
        cupy = None
    for name, A in matrices(options.scale).items():
        for backend in backends:
            time_products(backend, name, A, records)
        if cupy is not None:
            time_cusparse(cupy, name, A, records)
    for backend in backends:
        for n in (100_000, 20_000_000):
            time_vectors(backend, max(1, int(n * options.scale)), records)
    records.write(options.file)


if __name__ == "__main__":
    main()
