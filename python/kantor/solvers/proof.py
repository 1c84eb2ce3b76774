"""A vector w > 0 with (I - |M|) w > 0: proof that the spectral radius of |M| is below 1, and the unit of error bounds.

Plain sweeps come first. w = s + |M| s + ... + |M|^m s has (I - |M|) w = s - |M|^(m+1) s, so a few sweeps do where the
right-hand side s is itself spread by some sweeps, and the last one shows it without another product. Where M lies in
stages (kantor.solvers.staged_sweeps) a few of those sweeps do, and a product shows it. Where chains are too long for
that, a rough Krylov solve of (I - |M|) w = s follows.
"""

from __future__ import annotations

import numpy as np

from ..backends.protocol import Array
from .bicgstab import Bicgstab
from .iteration import iterate
from .neumann import Neumann
from .operand import Operand
from .problem import FloatArray
from .rigour import UNIT_ROUNDOFF
from .staged_sweeps import INNER
from .system import System
from .watch import CONVERGED, Watch

SPREAD = 3  # sweeps of the residual
STAGED_SPREAD = 1  # the same over stages, of which each is worth two or more
STAGED = (3, 3, 3, 3)  # sweeps over stages before w is tried, and tried again
SHAPED = 0.1  # share of w that is then added to s
SWEEPS = 24  # at most, and only while this many are in sight
FLOORS = (0.02, 0.5)  # share of the shape so far that is added to s: more is easier to solve for and less tight
STEPS = 100  # BiCGSTAB iterations, two products each; and sweeps after them
REACHED = 1e-3  # a good that nothing was computed for counts as this share of the smallest one
SMALLEST = 1e-30  # of the largest: sweeps over stages hold float32
TINY = float(np.finfo(np.float64).tiny)  # more than any product can lose by underflow

Pair = tuple[FloatArray, FloatArray]


class Proof:
    """Finds w and a lower bound > 0 on (I - |M|) w, rounding included. Counts its passes over the matrix."""

    def __init__(self, operand: Operand) -> None:
        self.operand, self.products = operand, 0
        # Sweeps may read |M| in float32 if it is there; what is claimed is then shown by a product with |M| itself.
        self.rough = operand.has_rough and not operand.signed

    def find(self, error: FloatArray, floor: float, slack: float) -> Pair | None:
        """(w, margin) with error <= kappa margin, kappa at most 1 + ``slack`` if sweeps suffice; or None.

        w is about (I - |M|)^-1 s with s = error + ``floor`` (error + |M| error + ...), some terms: a component far
        below what its users miss would else need many sweeps.
        """
        over = self.operand.over
        error = error / over.max(error)
        staged = self.operand.stages is not None
        spread = self._staged(error, error, STAGED_SPREAD) if staged else self._spread(error, SPREAD)
        s = error + floor * spread
        s = np.where(s > 0.0, s, REACHED * over.min(np.where(s > 0.0, s, np.inf)))
        largest = over.max(s)
        s = np.maximum(s / largest, 1e-200)
        if staged and (pair := self._by_stages(s, error / largest, slack)) is not None:
            return pair
        found, w = self._by_sweeps(s, slack)
        return found if found is not None else self._by_solving(s, w)

    # ---- sweeps over stages ------------------------------------------------------------------------------------------
    def _by_stages(self, s: FloatArray, error: FloatArray, slack: float) -> Pair | None:
        """The pair, if some sweeps suffice. A good that few sweeps reach counts more with every attempt."""
        s = np.maximum(s, SMALLEST)
        w = s
        for times in STAGED:
            w = self._staged(s, w, times)
            margin = self.margin(w)
            if self.operand.over.all((margin > 0.0) & ((1.0 + slack) * margin >= error)):
                return w, margin
            s = s + SHAPED * w
        return None

    def _staged(self, s: FloatArray, w: FloatArray, times: int) -> FloatArray:
        """w after some sweeps of w <- M w + s."""
        backend, stages = self.operand.backend, self.operand.stages
        right, found = backend.from_host(s), backend.single(w)
        for _ in range(times):
            backend.stage_sweep(stages, right, found, INNER)
        self.products += times
        return np.array(backend.to_host(found), dtype=np.float64)

    # ---- sweeps ----------------------------------------------------------------------------------------------------
    def _by_sweeps(self, s: FloatArray, slack: float) -> tuple[Pair | None, FloatArray]:
        """The pair, if some sweeps suffice; and w as far as it has come."""
        enough = slack / (1.0 + slack)  # then kappa <= 1 / (1 - enough) = 1 + slack
        backend, over = self.operand.backend, self.operand.over
        w, term, per_s = backend.from_host(s), backend.from_host(s), backend.from_host(1.0 / s)
        following, relative, worst = backend.zeros(s.size), backend.zeros(s.size), [1.0]
        for done in range(1, SWEEPS + 1):
            self._sweep(term, following)
            term, following = following, term
            backend.multiply(term, per_s, relative)
            worst.append(float(backend.norm([relative], ord=np.inf)[0]))
            if worst[-1] <= enough:
                pair = self._shown(np.array(backend.to_host(w)), np.array(backend.to_host(term)), s, done)
                if over.all(pair[1] > 0.0):
                    return pair, pair[0]
            if not np.isfinite(worst[-1]) or (done >= 6 and not _in_sight(worst, enough)):
                break
            backend.axpby(1.0, term, 1.0, w)
        return None, np.array(backend.to_host(w))

    def _shown(self, w: FloatArray, term: FloatArray, s: FloatArray, done: int) -> Pair:
        """w = s + |M| s + ..., as computed, and a lower bound on (I - |M|) w; term is the first one left out."""
        if self.rough:
            return w, self.margin(w)
        guard = 3.0 * self.operand.guard + 2.0 * (done + 2) * UNIT_ROUNDOFF
        return w, ((s - term) - guard * (w + term) - (done + 2) * TINY) * (1.0 - 1e-15)

    def _spread(self, s: FloatArray, times: int) -> FloatArray:
        """s + |M| s + ... + |M|^times s."""
        backend = self.operand.backend
        total, term, following = backend.from_host(s), backend.from_host(s), backend.zeros(s.size)
        for _ in range(times):
            self._sweep(term, following)
            term, following = following, term
            backend.axpby(1.0, term, 1.0, total)
        return np.array(backend.to_host(total))

    def _sweep(self, x: Array, out: Array) -> None:
        """out <- |M| x, roughly, on the backend."""
        self.products += 1
        self.operand.backend.matvec(self.operand.rough if self.rough else self.operand.size_op, x, out)

    def _times(self, w: FloatArray) -> FloatArray:
        self.products += 1
        return self.operand.times(w, self.operand.size_op)

    # ---- solves ----------------------------------------------------------------------------------------------------
    def _by_solving(self, s: FloatArray, shape: FloatArray) -> Pair | None:
        over = self.operand.over
        shape = shape / over.max(shape)
        s = s * (over.max(shape) / over.max(s))
        for floor in FLOORS:
            w = self._solve(s + floor * shape, shape)
            for sweeps in (0, 2, 8, 32):
                if sweeps:
                    w = self._smooth(s + floor * shape, w, sweeps)
                if not over.all(np.isfinite(w) & (w > 0.0)):
                    break
                margin = self.margin(w)
                if over.all(margin > 0.0):
                    return w, margin
            if over.all(np.isfinite(w) & (w > 0.0)):
                shape = w
        return None

    def margin(self, w: FloatArray) -> FloatArray:
        """A lower bound on (I - |M|) w for w >= 0."""
        size = self._times(w)
        return ((w - size) - self.operand.guard * (w + size) - TINY) * (1.0 - 1e-15)

    def _smooth(self, s: FloatArray, w: FloatArray, times: int) -> FloatArray:
        """w <- |M| w + s, which never makes a non-negative w negative and spreads its accuracy to every row."""
        for _ in range(times):
            w = self._times(w) + s
        return w

    def _solve(self, s: FloatArray, shape: FloatArray) -> FloatArray:
        """(I - |M|) w = s in the units of ``shape``, until no row of the residual can reach half of s."""
        scaled = System(self.operand.backend, self.operand.size_op, None, scale=shape)
        right = scaled.backend.from_host(s / shape)
        target = np.array([0.5 * float(self.operand.over.min(s / shape))])
        z, r = scaled.new(), scaled.new(right)
        if iterate(Bicgstab, scaled, right, z, r, Watch(target, STEPS)) != CONVERGED:
            z = scaled.new(right)
            scaled.residual(right, z, r)
            iterate(Neumann, scaled, right, z, r, Watch(target, STEPS))
        self.products += scaled.products
        return np.array(scaled.backend.to_host(z)) * shape


def _in_sight(worst: list[float], enough: float) -> bool:
    """At the rate of the last three sweeps the limit on their number is not passed."""
    rate = (worst[-1] / worst[-4]) ** (1.0 / 3.0) if worst[-1] > 0.0 else 0.0
    return worst[-1] * rate ** (SWEEPS + 1 - len(worst)) <= enough if rate < 1.0 else False
