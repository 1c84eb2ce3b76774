"""MKL PARDISO through pypardiso."""

from __future__ import annotations

from typing import Any

import pypardiso

from ..clock import RunClock
from . import Answer, Request
from .scipy_leontief import net_matrix

VERSION = pypardiso.__version__


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """Sparse LU of I - A and all right-hand sides at once."""
    solver = pypardiso.PyPardisoSolver()
    with clock.phase("model"):
        matrix = net_matrix(arrays)
    with clock.phase("factorise"):
        solver.factorize(matrix)
    with clock.phase("solve"):
        x = solver.solve(matrix, arrays["d"])
    solver.free_memory(everything=True)
    return Answer("optimal", "solved", {"x": x})
