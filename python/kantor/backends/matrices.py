"""SciPy matrices as every backend takes them: CSR, float64 or, when asked for, rounded to float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import OptionError, ProblemError, suggest

VALUES = ("float64", "float32")


def csr_of(matrix: Any, values: str = "float64") -> sp.csr_array:
    """The matrix as CSR with values of the named type; no copy where it is that already.

    A float32 value is the nearest one, off by at most 6e-8 of itself. Raises OptionError for another type and
    ProblemError, with row and column, for a finite entry that float32 cannot hold (from 3.4e38 on).

    >>> float(csr_of(sp.csr_array([[0.1]]), "float32")[0, 0])
    0.10000000149011612
    """
    check_values(values)
    csr = sp.csr_array(matrix, dtype=np.float64)
    return csr if values == "float64" else sp.csr_array((rounded(csr), csr.indices, csr.indptr), shape=csr.shape)


def check_values(values: str) -> None:
    """OptionError unless ``values`` names a type that a matrix can be stored in."""
    if values not in VALUES:
        raise OptionError(f"values: {values!r} is unknown{suggest(str(values), list(VALUES))}")


def rounded(matrix: Any) -> np.ndarray:
    """The values of a compressed float64 matrix in float32; ProblemError if a finite one becomes infinite."""
    with np.errstate(over="ignore"):
        single: np.ndarray = matrix.data.astype(np.float32)
    # Two passes without a temporary settle the usual case.
    if not single.size or (np.isfinite(single.max()) and np.isfinite(single.min())):
        return single
    lost = np.flatnonzero(np.isinf(single) & np.isfinite(matrix.data))
    if lost.size:
        major = int(np.searchsorted(matrix.indptr, lost[0], side="right")) - 1
        minor = int(matrix.indices[lost[0]])
        row, column = (major, minor) if matrix.format == "csr" else (minor, major)
        raise ProblemError(
            f"matrix: entry ({row}, {column}) is {matrix.data[lost[0]]:.6g}, expected at most "
            f"{np.finfo(np.float32).max:.6g} in magnitude for float32 values"
        )
    return single
