"""Where PDHG starts: a warm start checked and put into the minimisation's sense, or a point inside every domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ProblemError
from . import terms as separable
from .problem import FloatArray, LinearProgram
from .solution import RAYS, Solution, Status


@dataclass(frozen=True)
class Start:
    """x (N,), y (M,) in the minimisation's sense; ``weight`` the first primal weight, None for the default.

    ``given``: the start is the user's, not the default point.
    """

    x: FloatArray
    y: FloatArray
    weight: float | None
    given: bool = False


def warm_start_of(lp: LinearProgram, given: Solution | tuple[Any, Any] | None) -> Start:
    """Check a warm start and turn it into the minimisation's sense."""
    rows, columns = lp.shape
    weight = None
    if given is None:
        x = y = None
    elif isinstance(given, Solution):
        x = None if given.status is Status.DUAL_INFEASIBLE else given.x
        y = None if given.status is Status.PRIMAL_INFEASIBLE else given.y
        if given.info.method == "pdhg" and given.info.history and given.status not in RAYS:
            weight = given.info.history[-1]["weight"]
    else:
        try:
            x, y = given
        except (TypeError, ValueError):
            raise ProblemError("warm_start: expected a Solution or a pair (x, y)") from None
    default = np.zeros(columns)
    at = separable.active_columns(lp.terms)
    if lp.terms is not None and at.size:
        # Zero may be outside the domain of a term (LOG with b = 0, POWER): start where the term bends.
        default[at] = np.where(lp.terms.b[at] > 0, lp.terms.b[at], 1.0)
    return Start(
        default if x is None else _finite("warm_start x", x, columns),
        np.zeros(rows) if y is None else _finite("warm_start y", y, rows) * (-1.0 if lp.maximise else 1.0),
        weight,
        given=given is not None,
    )


def _finite(name: str, value: Any, length: int) -> FloatArray:
    try:
        vector = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ProblemError(f"{name}: got {type(value).__name__}, expected {length} numbers") from None
    if vector.shape != (length,):
        raise ProblemError(f"{name}: shape {vector.shape}, expected ({length},)")
    if not np.isfinite(vector).all():
        i = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ProblemError(f"{name}[{i}] is {vector[i]}, expected a finite number")
    return vector
