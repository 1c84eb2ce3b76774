"""Feasibility polishing: from a point whose gap is closed, the nearest feasible point of either side on its own.

    primal   the same rows and bounds with costs zero, from (x, 0)
    dual     the same costs with every finite side and bound zero, from (0, y): its duals are the feasible duals of the
             program, for sides and bounds only decide which signs they may have

Each is easier than the whole program, for any feasible point will do. The two points together may have a wider gap, so
the pair is judged like any other point. Source: arXiv 2501.07018, section 3; when to try is ours: at a check with the
gap within a tenth of the tolerance, and for at most a share of the iterations done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .problem import FloatArray, LinearProgram
from .termination import Residuals

# Iterations spent on one side, as a share of all so far; and how many have to be done before the first try.
_SHARE, _LEAST = 0.125, 1_600
# A gap that is only just closed will not stay so.
_CLOSED = 0.1

Feasible = Callable[[LinearProgram, FloatArray, FloatArray, int], tuple[FloatArray, FloatArray, int]]


def primal_program(lp: LinearProgram) -> LinearProgram:
    """``lp`` without its objective: every feasible point is optimal.

    >>> primal_program(LinearProgram([2.0], np.eye(1), row_lower=[3.0])).c.tolist()
    [0.0]
    """
    return replace(lp, c=np.zeros_like(lp.c), offset=0.0, maximise=False)


def dual_program(lp: LinearProgram) -> LinearProgram:
    """``lp`` with zero for every finite side and bound: x = 0 is feasible, and optimal as soon as a y is.

    >>> dual_program(LinearProgram([2.0], np.eye(1), row_lower=[3.0])).row_lower.tolist()
    [0.0]
    """
    flat = lambda v: np.where(np.isfinite(v), 0.0, v)  # noqa: E731
    return replace(
        lp, row_lower=flat(lp.row_lower), row_upper=flat(lp.row_upper), lower=flat(lp.lower), upper=flat(lp.upper),
        offset=0.0, maximise=False,
    )  # fmt: skip


@dataclass
class Polishing:
    """When to polish, and doing it.

    ``unscale`` turns a point of the loop into one of ``lp``; ``feasible`` solves a program from (x, y) within so many
    iterations and returns the point and the number it took; ``judge`` has the residuals of a point of ``lp``.
    ``iterations`` of both sides so far are not in the loop's count.
    """

    lp: LinearProgram
    tolerance: float
    unscale: Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
    feasible: Feasible
    judge: Callable[[FloatArray, FloatArray], Residuals]
    iterations: int = 0
    not_before: float = _LEAST

    @property
    def state(self) -> list[float]:
        """What a checkpoint keeps."""
        return [self.iterations, self.not_before]

    @state.setter
    def state(self, kept: list[float]) -> None:
        self.iterations, self.not_before = int(kept[0]), kept[1]

    def worth_trying(self, residuals: Residuals, iteration: int) -> bool:
        """Whether only feasibility is missing, and enough has been done since the last try.

        ``residuals`` as the loop sees them; where they are all within the tolerance the raw data have said no.
        """
        return iteration >= self.not_before and residuals.gap <= _CLOSED * self.tolerance

    def polish(
        self, x: FloatArray, y: FloatArray, iteration: int, most: int | None = None
    ) -> tuple[FloatArray, FloatArray] | None:
        """The point of ``lp`` near (x, y) of the loop, if within the tolerance; else None, and no try before twice as
        many iterations."""
        x, y = self.unscale(x, y)
        self.not_before = 2.0 * iteration
        budget = int(_SHARE * iteration)
        budget = budget if most is None else min(budget, most // 2)
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            return None
        judged = self.judge(x, y)
        if judged.primal > self.tolerance:
            x, _, spent = self.feasible(primal_program(self.lp), x, np.zeros_like(y), budget)
            self.iterations += spent
        # A second side is only worth its time if the first succeeded.
        if self.judge(x, y).primal <= self.tolerance < judged.dual:
            _, y, spent = self.feasible(dual_program(self.lp), np.zeros_like(x), y, budget)
            self.iterations += spent
        return (x, y) if self.judge(x, y).within(self.tolerance) else None
