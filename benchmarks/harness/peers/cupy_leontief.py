"""CuPy on a GPU: GMRES(20) with cuSPARSE products, and the sparse direct solver. Transfers are inside the clock."""

from __future__ import annotations

from typing import Any

import cupy
import cupyx.scipy.sparse as csp
import cupyx.scipy.sparse.linalg as csla
import numpy as np

from ..clock import RunClock
from . import Answer, Request
from .scipy_leontief import table

VERSION = cupy.__version__
try:
    cupy.cuda.runtime.getDeviceCount()
except cupy.cuda.runtime.CUDARuntimeError as error:
    raise ImportError(f"CuPy finds no GPU: {error}") from None


def krylov(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """GMRES(20) on x - A x."""
    with clock.phase("transfer"):
        A = csp.csr_matrix(table(arrays))
        d = cupy.asarray(arrays["d"])
    products = 0

    def apply(x: Any) -> Any:
        nonlocal products
        products += 1
        return x - A @ x

    operator = csla.LinearOperator(A.shape, matvec=apply, dtype=np.float64)
    solved, codes = [], []
    with clock.phase("solve"):
        for right in d.reshape(d.shape[0], -1).T:
            x, code = csla.gmres(operator, right, tol=request.tolerance, restart=20, maxiter=10_000)
            solved.append(cupy.asnumpy(x))
            codes.append(code)
    worst = max(codes, key=abs)
    stacked = solved[0] if d.ndim == 1 else np.column_stack(solved)
    status = "optimal" if worst == 0 else "limit"
    return Answer(status, f"code {worst}", {"x": stacked}, {"products": products})


def direct(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """spsolve (cuSOLVER's sparse QR), one right-hand side after the other."""
    with clock.phase("transfer"):
        matrix = csp.eye(int(arrays["A_shape"][0]), format="csr") - csp.csr_matrix(table(arrays))
        d = cupy.asarray(arrays["d"])
    with clock.phase("solve"):
        columns = [cupy.asnumpy(csla.spsolve(matrix, right)) for right in d.reshape(d.shape[0], -1).T]
    return Answer("optimal", "solved", {"x": columns[0] if d.ndim == 1 else np.column_stack(columns)})
