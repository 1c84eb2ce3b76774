"""PETSc through petsc4py, one process: BiCGSTAB or GMRES with ILU(0). Needs no SciPy, which Debian's may lack."""

from __future__ import annotations

from typing import Any

import numpy as np
import petsc4py

petsc4py.init([])
from petsc4py import PETSc  # noqa: E402 - after init, as petsc4py wants it

from ..clock import RunClock  # noqa: E402
from . import Answer, Request  # noqa: E402

VERSION = ".".join(str(k) for k in PETSc.Sys.getVersion())


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """``options["method"]``: bcgs or gmres."""
    n = int(arrays["A_shape"][0])
    with clock.phase("model"):
        parts = (arrays["A_indptr"].astype(PETSc.IntType), arrays["A_indices"].astype(PETSc.IntType))
        matrix = PETSc.Mat().createAIJ((n, n), csr=(*parts, arrays["A_data"]))
        if bool(arrays["transpose"]):
            matrix.transpose()
        matrix.scale(-1.0)
        matrix.setOption(PETSc.Mat.Option.NEW_NONZERO_ALLOCATION_ERR, False)
        matrix.shift(1.0)
    solver = PETSc.KSP().create()
    solver.setOperators(matrix)
    solver.setType(request.options["method"])
    solver.getPC().setType("ilu")
    # True residuals, as everywhere else; the default is the preconditioned norm.
    solver.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
    if request.options["method"] == "gmres":
        solver.setPCSide(PETSc.PC.Side.RIGHT)
    solver.setTolerances(rtol=request.tolerance, atol=1e-300, max_it=10_000)
    with clock.phase("factorise"):
        solver.setUp()
    d = arrays["d"]
    solved, iterations, reasons = [], 0, []
    x, right = matrix.createVecs()
    with clock.phase("solve"):
        for column in d.reshape(n, -1).T:
            right.setArray(np.ascontiguousarray(column))
            solver.solve(right, x)
            solved.append(x.getArray().copy())
            iterations += solver.getIterationNumber()
            reasons.append(solver.getConvergedReason())
    stacked = solved[0] if d.ndim == 1 else np.column_stack(solved)
    worst = min(reasons)
    return Answer("optimal" if worst > 0 else "limit", f"reason {worst}", {"x": stacked}, {"iterations": iterations})
