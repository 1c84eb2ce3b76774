"""Sweeps of block Gauss-Seidel for one right-hand side: about half as many as plain ones, and nothing beside them.

Goods are taken in stages of some ten thousand; the rows of a stage use what the stages before it have just computed,
and what they buy from each other is swept ``INNER`` times while it is in cache. For M >= 0 this is a weak regular
splitting, so it converges whenever plain sweeps do, and no slower (Varga, Matrix Iterative Analysis, section 3.6).

Entries and x are float32, so what is found is a correction of six or so digits: the caller adds it and recomputes the
residual with the matrix itself (iterative refinement, Wilkinson 1963). Where sweeps converge too slowly BiCGSTAB goes
on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends import Backend
from .problem import FloatArray

INNER = 3  # times that a stage sweeps what it needs of itself
MOST = 40  # sweeps in sight; BiCGSTAB takes thirty products or more and a layout that costs as much as a dozen
LOOK = 5  # sweeps before the rate is judged


class StagedSweeps:
    """The sweeps of one matrix, as kantor.solvers.leontief_block calls them."""

    depth = 3e-7  # how far one round goes
    width = 1  # columns of a block

    def __init__(self, backend: Backend, stages: Any) -> None:
        self.backend, self.stages = backend, stages

    def __call__(
        self, right: FloatArray, goal: FloatArray, last: FloatArray, look: Callable[[FloatArray], bool]
    ) -> tuple[FloatArray, int, bool]:
        """(x, sweeps, reached); arguments as of kantor.solvers.single_sweeps.SingleSweeps, right (n,).

        What a sweep changes first is the residual that each stage finds, so the residual it leaves is about the change
        of the next one: this change times the rate at which changes fall.
        """
        d = self.backend.from_host(right)
        x = self.backend.single(right)
        changes, norms = [1.0], np.ones(1)
        for done in range(1, MOST + 1):
            changes.append(self.backend.stage_sweep(self.stages, d, x, INNER))
            if done > 1:
                norms = np.array([changes[-1] * min(1.0, changes[-1] / changes[-2])])
            if not look(norms) or (norms <= goal).all():
                break
            if done >= LOOK and not _in_sight(changes, float(last[0])):
                break
        return np.asarray(self.backend.to_host(x), dtype=np.float64), len(changes) - 1, bool((norms <= goal).all())


def _in_sight(changes: list[float], last: float) -> bool:
    """At the rate of the last two sweeps ``last`` is reached within ``MOST``."""
    rate = (changes[-1] / changes[-3]) ** 0.5
    return rate < 1.0 and changes[-1] * rate ** (MOST + 1 - len(changes)) <= last
