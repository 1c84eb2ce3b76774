"""Status, SolveInfo and Solution: what a solver returns. Not converging is a status, never an exception."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, TypeVar

import numpy as np

from ..errors import KantorError


class Status(Enum):
    """How a solve ended, and what the vectors then mean.

    =================== ==========================================================================
    OPTIMAL             x, y satisfy the requested tolerances on the original problem
    PRIMAL_INFEASIBLE   y is a Farkas ray (scaled to ||y|| = 1) that verify_lp accepts; x is the last iterate
    DUAL_INFEASIBLE     x is a recession direction of decreasing objective; y is the last iterate
    ITERATION_LIMIT,    x, y are the best iterate so far
    TIME_LIMIT,
    INTERRUPTED
    NUMERICAL_ERROR     a non-finite number appeared; vectors are the last finite iterate, or NaN
    =================== ==========================================================================
    """

    OPTIMAL = "optimal"
    PRIMAL_INFEASIBLE = "primal infeasible"
    DUAL_INFEASIBLE = "dual infeasible"
    ITERATION_LIMIT = "iteration limit"
    TIME_LIMIT = "time limit"
    INTERRUPTED = "interrupted"
    NUMERICAL_ERROR = "numerical error"


# The statuses whose vectors hold a certificate instead of a point.
RAYS = (Status.PRIMAL_INFEASIBLE, Status.DUAL_INFEASIBLE)


class _Ended(Protocol):
    @property
    def status(self) -> Status: ...


_Answer = TypeVar("_Answer", bound=_Ended)


def uninterrupted(solution: _Answer) -> _Answer:
    """The answer of a solve that is a part of a larger one; KeyboardInterrupt if Ctrl-C ended it.

    A solve turns Ctrl-C into a status, and whoever overlooked that status would go on as if nobody had asked to stop.

    >>> uninterrupted(Solution(1.0, 1.0, 0.0, 1.0, 1.0, Status.TIME_LIMIT)).status.value
    'time limit'
    """
    if solution.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return solution


class NotOptimal(KantorError):
    """Raised by raise_for_status() only."""


@dataclass
class SolveInfo:
    """How the answer was found. Residuals are in original units; ``seconds`` is a tree {name: seconds or subtree}."""

    method: str = ""
    why: str = ""
    backend: str = ""
    device: str = ""
    iterations: int = 0
    products: int = 0
    primal_residual: float = np.nan
    dual_residual: float = np.nan
    gap: float = np.nan
    tolerance: float = np.nan
    seconds: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Solution:
    """Primal x (N,), row duals y (M,), reduced costs c - K'y (N,), both objectives, status and info."""

    x: Any
    y: Any
    reduced_costs: Any
    objective: float
    dual_objective: float
    status: Status
    info: SolveInfo = field(default_factory=SolveInfo)

    def raise_for_status(self) -> None:
        """Raise NotOptimal unless the status is OPTIMAL."""
        if self.status is not Status.OPTIMAL:
            raise NotOptimal(f"status is {self.status.value}: {self.info.why or 'see info'}")
