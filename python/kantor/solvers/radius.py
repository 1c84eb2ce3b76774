"""Proved bounds on the spectral radius of a non-negative matrix.

For w > 0 the largest (|A| w)_i / w_i is an upper bound on the spectral radius of |A|; for w >= 0, not 0, the smallest
ratio over the rows with w_i > 0 is a lower bound (Collatz 1942, Wielandt 1950).

w is improved by inverse iteration with the upper bound as shift (Noda 1971), each solve rough: in the units of the last
w the right-hand side is 1, so any residual below 1/2 leaves the new w positive and its bound lower.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.sparse as sp

from ..backends import Backend
from .bicgstab import Bicgstab
from .iteration import iterate
from .neumann import Neumann
from .problem import FloatArray
from .rigour import gamma
from .system import System
from .watch import CONVERGED, Watch

SWEEPS = 20
ENOUGH, WORK = 100, 1e8  # products, and products times nonzeros, after which a proof is good enough
STEPS, TRY_STEPS = 200, 20
ROUNDING = 1e-12  # a gap around 1 that more work will not close
TINY = float(np.finfo(np.float64).tiny)  # more than any product can lose by underflow
DENSE = 256  # blocks up to this size are solved by a dense factorisation
SHARES = (0.1, 0.01, 1e-4, 1e-7, 1e-11)  # how far below the growth of w a lower bound is looked for
PEELS = 12  # products spent on one of these tries


def radius_bounds(
    size: sp.csr_array, tolerance: float, backend: Backend, until: Literal["tight", "proved", "decided"] = "tight"
) -> tuple[float, float, FloatArray]:
    """(lower, upper, w) for a non-negative matrix, w the proof of upper.

    Ends when upper - lower <= tolerance upper, or upper <= tolerance, and 1 is not between them; "proved" also once
    lower >= 1, or upper < 1 and enough work is spent; "decided" once the bounds are on one side of 1.
    """
    search = _Radius(size, backend, two_sided=tolerance < 1.0)
    w: FloatArray | None = search.start()
    gap = np.inf
    while w is not None:
        search.look(w)
        last, gap = gap, search.upper - search.lower
        productive, not_productive = search.upper < 1.0, search.lower >= 1.0
        close = gap <= tolerance * search.upper or search.upper <= tolerance
        if gap > 0.99 * last or (close and (productive or not_productive or gap <= ROUNDING * search.upper)):
            break
        if until != "tight" and not_productive:
            break
        if until == "proved" and productive and search.products > max(ENOUGH, WORK / max(size.nnz, 1)):
            break
        if until == "decided" and productive:
            break
        w = search.improve()
    return search.lower, search.upper, search.w


class _Radius:
    """Bounds that only ever tighten, and the vector behind the upper one."""

    def __init__(self, size: sp.csr_array, backend: Backend, two_sided: bool) -> None:
        self.size, self.backend, self.two_sided = size, backend, two_sided
        self.guard = gamma(np.diff(size.indptr) + 4)
        self.op = backend.prepare(size, transpose=False)
        self.lower, self.upper, self.growth, self.products = 0.0, np.inf, 0.0, 0
        self.w = np.ones(size.shape[0])

    def _times(self, w: FloatArray) -> FloatArray:
        self.products += 1
        out = self.backend.zeros(w.shape)
        self.backend.matvec(self.op, self.backend.from_host(w), out)
        return np.array(self.backend.to_host(out))

    def start(self) -> FloatArray:
        """A rough gross output for one unit of everything, 1 + |A| 1 + ...; its last term is a power iterate."""
        w = term = np.ones(self.size.shape[0])
        for _ in range(SWEEPS):
            term = self._times(term)
            if not term.any():
                break  # no circular flows: the radius is 0
            w = w + term
            if w.max() > 1e100:
                w, term = 1e-100 * w + 1.0, 1e-100 * term
        if self.two_sided:
            following = self._times(term)
            self._raise_lower(term, np.divide(following, term, out=np.zeros_like(term), where=term > 0.0))
        return w

    def look(self, w: FloatArray) -> None:
        """Take in the bounds that w > 0 gives."""
        with np.errstate(over="ignore"):
            product = self._times(w)
            ratio = product / w
            upper = float(np.max((product * (1.0 + self.guard) + TINY) / w)) * (1.0 + 1e-15)
        if upper < self.upper:
            self.upper, self.w = upper, w
        self.growth = float(product.sum() / w.sum())
        if self.two_sided or self.upper >= 1.0:
            self._raise_lower(w, ratio)

    def _raise_lower(self, w: FloatArray, ratio: FloatArray) -> None:
        """Aim just below the growth of sum(w): drop rows that grow less, until those left support each other."""
        if not w.any():
            return
        kept, growth = w > 0.0, float(ratio @ w / w.sum())
        for share in SHARES:
            goal = max((1.0 - share) * growth, self.lower)
            for _ in range(PEELS):
                low = ratio * (1.0 - self.guard) * (1.0 - 1e-15)
                fit = kept & (low >= goal)
                if not fit.any():
                    return
                if fit.sum() == kept.sum():
                    self.lower = max(self.lower, float(low[kept].min()))
                    break
                kept = fit
                ratio = self._times(np.where(kept, w, 0.0)) / np.where(kept, w, 1.0)
            else:
                return

    def improve(self) -> FloatArray | None:
        """(shift I - |A|) v = w in the units of w, roughly; None if that gives no positive vector.

        A shift a little above the growth of w, if it is above the radius, closes most of the gap at once; the upper
        bound as shift always works in exact arithmetic.
        """
        ambitious = self.growth + 0.05 * (self.upper - self.growth)
        for shift, steps in ((ambitious, TRY_STEPS), (self.upper, STEPS)):
            if shift <= 0.0:
                continue
            z = self._dense_solve(shift) if self.w.size <= DENSE else self._rough_solve(shift, steps)
            if np.isfinite(z).all() and (z > 0.0).all():
                v = z * self.w
                v = v / v.max()
                return v if (v > 0.0).all() else None
        return None

    def _dense_solve(self, shift: float) -> FloatArray:
        dense = self.size.toarray() * (self.w[None, :] / self.w[:, None])
        try:
            return np.asarray(np.linalg.solve(np.eye(self.w.size) - dense / shift, np.ones(self.w.size)))
        except np.linalg.LinAlgError:
            return np.full(self.w.size, np.nan)

    def _rough_solve(self, shift: float, steps: int) -> FloatArray:
        system = System(self.backend, self.op, None, scale=self.w, radius=shift)
        right = self.backend.from_host(np.ones(self.w.size))
        target = np.array([0.5])
        z, r = system.new(), system.new(right)
        reason = iterate(Bicgstab, system, right, z, r, Watch(target, steps))
        if reason != CONVERGED and steps > TRY_STEPS:
            z = system.new(right)
            system.residual(right, z, r)
            iterate(Neumann, system, right, z, r, Watch(target, steps))
        self.products += system.products
        return np.array(self.backend.to_host(z))
