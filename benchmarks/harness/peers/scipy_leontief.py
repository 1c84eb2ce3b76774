"""SciPy and NumPy on (I - A) x = d: SuperLU, BiCGSTAB, GMRES(20), dense LU. Their best documented use each.

The iterative methods get the operator x - A x, so that I - A is never formed; one right-hand side after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
import scipy.sparse as sp
import scipy.sparse.linalg as sla

from ..clock import RunClock
from ..files import get_matrix
from . import Answer, Request

VERSION = f"{scipy.__version__} (numpy {np.__version__})"


def table(arrays: dict[str, Any]) -> Any:
    """A, or A' for a system of values."""
    A = get_matrix(arrays, "A")
    return A.T.tocsr() if bool(arrays["transpose"]) else A


def net_matrix(arrays: dict[str, Any], form: str = "csr") -> Any:
    """I - A formed."""
    A = table(arrays)
    return (sp.eye_array(A.shape[0], format="csr") - A).asformat(form)


def krylov(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """``options["method"]``: bicgstab or gmres."""
    with clock.phase("model"):
        A = table(arrays)
    products = 0

    def apply(x: Any) -> Any:
        nonlocal products
        products += 1
        return x - A @ x

    operator = sla.LinearOperator(A.shape, matvec=apply, dtype=np.float64)
    d = arrays["d"]
    columns = d.reshape(d.shape[0], -1).T
    solved, codes = [], []
    with clock.phase("solve"):
        for right in columns:
            if request.options["method"] == "gmres":
                x, code = sla.gmres(operator, right, rtol=request.tolerance, restart=20, maxiter=10_000)
            else:
                x, code = sla.bicgstab(operator, right, rtol=request.tolerance, maxiter=10_000)
            solved.append(x)
            codes.append(code)
    worst = max(codes, key=abs)
    x = solved[0] if d.ndim == 1 else np.column_stack(solved)
    return Answer("optimal" if worst == 0 else "limit", f"code {worst}", {"x": x}, {"products": products})


def superlu(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """Sparse LU; column ordering COLAMD, the default."""
    with clock.phase("model"):
        matrix = net_matrix(arrays, "csc")
    with clock.phase("factorise"):
        factors = sla.splu(matrix)
    with clock.phase("solve"):
        x = factors.solve(arrays["d"])
    return Answer("optimal", "solved", {"x": x}, {"fill": (factors.L.nnz + factors.U.nnz) / matrix.nnz})


def dense_lu(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """numpy.linalg.solve (LAPACK gesv)."""
    with clock.phase("model"):
        matrix = -table(arrays).toarray()
        matrix[np.diag_indices_from(matrix)] += 1.0
    with clock.phase("solve"):
        x = np.linalg.solve(matrix, arrays["d"])
    return Answer("optimal", "solved", {"x": x})
