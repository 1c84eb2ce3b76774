"""Plain sweeps in single precision for many right-hand sides: half the bytes, few vectors beside the matrix.

x <- x + r, r <- M r takes one product a sweep and one pass over two vectors, where BiCGSTAB takes some thirteen. With
sixteen columns these passes, and gathering sixteen numbers an entry, are what a block costs; in float32 both halve.
What is found is a correction of five or so digits: the caller adds it in float64 and recomputes the residual (iterative
refinement, Wilkinson 1963).

Sweeps end where the powers of M fall too slowly, and BiCGSTAB then goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..backends import Backend, Operator
from .problem import FloatArray

MOST = 80  # sweeps in sight; BiCGSTAB takes thirty products or more, and more for each
LOOK = 6  # sweeps before the rate is judged


class SingleSweeps:
    """The sweeps of one matrix, as kantor.solvers.leontief_block calls them."""

    depth = 1e-5  # how far one round goes
    width = 16  # columns of a block: in float32 a line of the cache holds so many

    def __init__(self, backend: Backend, op: Operator) -> None:
        self.backend, self.op = backend, op

    def __call__(
        self, right: FloatArray, goal: FloatArray, last: FloatArray, look: Callable[[FloatArray], bool]
    ) -> tuple[FloatArray, int, bool]:
        """(x, sweeps, reached) with ||right - (I - M) x|| <= goal by column if ``reached``.

        Parameters
        ----------
        right : (n, k) right-hand sides whose columns have norm 1 or 0
        goal, last : (k,) norms to reach now, and in the end: after the caller's further rounds
        look : told the norms (k,) after each sweep; False ends the sweeps
        """
        backend = self.backend
        x, r, out = backend.single(right), backend.single(right), backend.single(np.zeros(right.shape))
        norms = [np.ones(right.shape[1])]
        for done in range(1, MOST + 1):
            squares = backend.single_sweep(self.op, r, x, out)
            r, out = out, r
            norms.append(np.sqrt(squares))
            if not look(norms[-1]) or (norms[-1] <= goal).all():
                break
            if done >= LOOK and not _in_sight(norms, last):
                break
        found = np.asarray(backend.to_host(x), dtype=np.float64)
        return found, len(norms) - 1, bool((norms[-1] <= goal).all())


def _in_sight(norms: list[FloatArray], last: FloatArray) -> bool:
    """At the rate of the last three sweeps ``last`` is reached within ``MOST``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = (norms[-1] / norms[-4]) ** (1.0 / 3.0)
        end = norms[-1] * rate ** (MOST + 1 - len(norms))
    return bool(((norms[-1] <= last) | ((rate < 1.0) & (end <= last))).all())
