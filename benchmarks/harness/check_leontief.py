"""A plain recomputation for (I - A) x = d: residual, a bound on the error, the aggregate where it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .files import Arrays, get_matrix


def majorant(A: Any) -> Any:
    """w >= 1 with (I - A) w >= 1/2, for A >= 0: partial sums of A^k 1 until the next term is at most 1/2."""
    w, term = np.ones(A.shape[0]), np.ones(A.shape[0])
    for _ in range(100_000):
        term = A @ term
        if float(term.max(initial=0.0)) <= 0.5:
            return w
        w += term
    raise ArithmeticError("the terms of the Neumann series do not fall; is the spectral radius below 1?")


def judge(arrays: Arrays, answer: Arrays) -> dict[str, Any]:
    """The largest relative residual; error bounds relative to the largest component.

    |x - exact| <= max_i(|r_i| / ((I - A) w)_i) w, w from the instance; "bound_holds": whether a solver's own
    componentwise bound covers the part of the aggregate that is known (only where one is).
    """
    A = get_matrix(arrays, "A")
    if bool(arrays["transpose"]):
        A = sp.csr_array(A.T)
    d, x, w = arrays["d"], answer["x"], arrays["w"]
    r = d - (x - A @ x)
    matrix, right, solved = (v.reshape(v.shape[0], -1) for v in (r, d, x))
    found: dict[str, Any] = {"finite": bool(np.isfinite(x).all())}
    found["residual"] = float(np.max(np.linalg.norm(matrix, axis=0) / np.linalg.norm(right, axis=0)))
    slack = w - np.abs(A) @ w
    size = np.abs(solved).max(axis=0)
    kappa = np.abs(matrix / slack[:, None]).max(axis=0)
    found["error_at_most"] = float(np.max(kappa * w.max() / size))
    if "parent" in arrays:
        sums = np.bincount(arrays["parent"], weights=x, minlength=arrays["sector_x"].size)
        found["aggregate_error"] = float(np.max(np.abs(sums - arrays["sector_x"])) / np.abs(arrays["sector_x"]).max())
        if "error_bound" in answer:
            room = np.bincount(arrays["parent"], weights=answer["error_bound"], minlength=sums.size)
            # The sector solution itself is a dense one in double precision.
            found["bound_holds"] = bool((np.abs(sums - arrays["sector_x"]) <= room + 1e-11 * np.abs(sums)).all())
    if "error_bound" in answer:
        bound = answer["error_bound"].reshape(solved.shape)
        found["certified_error"] = float(np.max(bound.max(axis=0) / size))
    return found
