"""Certificates of infeasibility: Farkas rays (primal) and recession directions (dual), found early, accepted strictly.

Primal: y proves that no x satisfies rows and bounds if

    D0(y) = sum_i (l_i y_i+ - u_i y_i-) + sum_j (lower_j rho_j+ - upper_j rho_j-) > sum_j viol_j X_j,   rho = -K'y,

viol_j being the part of rho_j that meets an infinite bound and X_j any bound on |x_j| over the feasible set: for every
feasible x, D0(y) <= sum_j viol_j |x_j|. The objective is not in it (-K'y, never c - K'y).
Dual: a direction d inside the recession cone of the bounds proves that no dual feasible point exists if
-c.d > sum_i viol_i Y_i, viol_i the distance of (K d)_i from the recession cone of row i, Y_i a bound on |y_i|.

Rounding is forgiven (a few units in the last place of each entry of K), nothing else: X_j comes from the rows where
they imply one (activity bounds, repeated), otherwise, and for Y_i, it is FAR times the size of the sides (costs) over
the largest coefficient. A set that can only be reached beyond that is treated as possibly feasible.
Source of the candidates: arXiv 2102.04592 (displacement and normalised average converge to a ray).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsqr

from ..backends import PdhgState
from .kkt import Array, Kkt
from .problem import FloatArray, LinearProgram, TermKind
from .solution import Status
from .termination import multiplier_range, norm, support

# Without an implied bound a variable is trusted to stay below FAR * (largest side) / (largest coefficient).
FAR = 1e12
# Relative to sum |K_ij| |y_i| an entry of K'y below this is rounding: y and K are stored to one unit roundoff each.
FUZZ = 8.0 * 2.0**-53


# How near the end of its range an entry counts as meant to be there, when a candidate is polished.
_NEARNESS = (1e-2, 1e-6)
# Iterations that pay for one LSQR step a round.
_ITERATIONS_A_STEP = 40


@dataclass(frozen=True)
class Effort:
    """``steps``: most LSQR steps in one round of :func:`polish`; ``stop``: asked before every round."""

    steps: int = 5000
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Ray:
    """A certificate: ``vector`` with 2-norm one, ``value`` D0(y) or -c.d, ``slack`` the sum it has to exceed.

    ``exact``: no entry of -K'y (K d) is outside its range by more than rounding.
    """

    vector: FloatArray
    value: float
    slack: float
    exact: bool


def farkas_ray(lp: LinearProgram, y: FloatArray, reach: FloatArray | None = None) -> Ray | None:
    """Return y as a proof that ``lp`` is infeasible, or None if it is none. reach: bounds X_j on |x_j|, (N,).

    >>> import numpy as np, scipy.sparse as sp
    >>> lp = LinearProgram(np.zeros(1), sp.csr_array([[1.0], [1.0]]), row_lower=[3, -np.inf], row_upper=[np.inf, 2])
    >>> farkas_ray(lp, np.array([1.0, -1.0])) is not None, farkas_ray(lp, np.array([1.0, -0.2])) is not None
    (True, False)
    """
    ray = _unit(y, *multiplier_range(lp.row_lower, lp.row_upper))
    if ray is None:
        return None
    y = ray
    rho, size = _product(lp.K.T, y)
    rho = -rho
    low, high = multiplier_range(lp.lower, lp.upper)
    part = np.clip(rho, low, high)
    value = support(y, lp.row_lower, lp.row_upper) + support(part, lp.lower, lp.upper)
    if not value > 0.0:
        return None
    viol = np.maximum(np.abs(rho - part) - FUZZ * size, 0.0)
    used = viol > 0.0
    slack = 0.0
    if used.any():
        reach = default_reach(lp) if reach is None else reach
        slack = float(np.dot(viol[used], reach[used]))
    # What rounding may have added to the value itself.
    slack += FUZZ * float(np.dot(np.abs(y), _largest_side(lp.row_lower, lp.row_upper)))
    slack += FUZZ * float(np.dot(size, _largest_side(lp.lower, lp.upper)))
    return Ray(y, value, slack, not used.any()) if value > 2.0 * slack else None


def recession_ray(lp: LinearProgram, d: FloatArray) -> Ray | None:
    """Return d as a proof that the objective falls without limit along it (dual infeasible), or None if it is none."""
    ray = _unit(d, *recession_range(lp))
    if ray is None:
        return None
    d = ray
    value = -float(np.dot(lp.c, d))
    if not value > 0.0:
        return None
    moved, size = _product(lp.K, d)
    viol = np.maximum(np.abs(moved - np.clip(moved, *row_recession_range(lp))) - FUZZ * size, 0.0)
    slack = FUZZ * float(np.dot(np.abs(lp.c), np.abs(d)))
    if viol.any():
        largest = _largest(lp.K.data, lp.K.indptr)
        costs = max(1.0, float(np.max(np.abs(lp.c), initial=0.0)))
        slack += float(np.dot(viol, FAR * costs / np.where(largest > 0, largest, 1.0)))
    return Ray(d, value, slack, not viol.any()) if value > 2.0 * slack else None


def polished_farkas(
    lp: LinearProgram, y: FloatArray, reach: FloatArray | None = None, effort: Effort | None = None
) -> Ray | None:
    """A certificate near y: y itself if it has no defect, else polished, else y in spite of its defects; or None."""
    raw = farkas_ray(lp, y, reach)
    if raw is not None and raw.exact:
        return raw
    low, high = multiplier_range(lp.lower, lp.upper)
    transposed = lp.K.T.tocsr()
    for nearness in _NEARNESS:
        ray = farkas_ray(lp, polish(transposed, y, -high, -low, nearness, effort), reach)
        if ray is not None:
            return ray
    return raw


def polished_recession(lp: LinearProgram, d: FloatArray, effort: Effort | None = None) -> Ray | None:
    """A certificate near d: d itself if it has no defect, else polished, else d in spite of its defects; or None."""
    raw = recession_ray(lp, d)
    if raw is not None and raw.exact:
        return raw
    for nearness in _NEARNESS:
        ray = recession_ray(lp, polish(lp.K, d, *row_recession_range(lp), nearness, effort))
        if ray is not None:
            return ray
    return raw


def recession_range(lp: LinearProgram) -> tuple[FloatArray, FloatArray]:
    """The directions the bounds (and quadratic terms) allow for ever: [-inf or 0, 0 or inf] for every column."""
    low, high = np.where(np.isfinite(lp.lower), 0.0, -np.inf), np.where(np.isfinite(lp.upper), 0.0, np.inf)
    if lp.terms is not None:
        # How a user's function grows far out is not known, so no direction along it proves anything.
        stiff = ((lp.terms.kind == TermKind.QUADRATIC) | (lp.terms.kind == TermKind.USER)) & (lp.terms.a > 0)
        low[stiff] = high[stiff] = 0.0
    return low, high


def row_recession_range(lp: LinearProgram) -> tuple[FloatArray, FloatArray]:
    """Where (K d)_i must lie for K x to stay between its sides along d for ever."""
    return np.where(np.isfinite(lp.row_lower), 0.0, -np.inf), np.where(np.isfinite(lp.row_upper), 0.0, np.inf)


def polish(
    C: Any, v: FloatArray, low: FloatArray, high: FloatArray, nearness: float, effort: Effort | None = None,
    rounds: int = 8,
) -> FloatArray:  # fmt: skip
    """Move v by small relative steps so that C v lies in [low, high] to the last bit; ends are 0 or infinite.

    Each round takes the entries of C v that violate their range, or lie within ``nearness`` (times sum |C_ij v_j|)
    of its end, and solves for the least relative change of v that makes them zero (LSQR); an entry of v that would
    change its sign becomes zero. What comes back is only a better candidate: the caller tests it.
    """
    size_of, tight = abs(C), np.zeros(C.shape[0], bool)
    one_sided = np.isfinite(low) | np.isfinite(high)
    # Bounded work on large programs: the certificate may also come from a later, better candidate.
    effort = effort or Effort()
    steps = int(np.clip(2e8 / max(C.nnz, 1), 20, effort.steps))
    for _ in range(rounds):
        if effort.stop():
            break
        product, size = C @ v, size_of @ np.abs(v)
        viol = np.abs(product - np.clip(product, low, high))
        if not (viol > FUZZ * size).any():
            break
        tight |= (viol > 0) | (one_sided & (np.abs(product) <= nearness * size))
        rows, columns = np.flatnonzero(tight & (size > 0)), np.flatnonzero(v)
        system = sp.diags_array(1.0 / size[rows]) @ C[rows][:, columns] @ sp.diags_array(v[columns])
        change = lsqr(system, -product[rows] / size[rows], atol=1e-16, btol=1e-16, conlim=1e16, iter_lim=steps)[0]
        factor = 1.0 + change
        v = v.copy()
        v[columns] *= np.where(factor > 1e-9, factor, 0.0)
        length = norm(v)
        if length == 0.0 or not np.isfinite(length):
            break
        v /= length
    return v


class RaySearch:
    """Looks at the iteration's displacement and at its way from the anchor: both tend to a ray if there is one.

    A cheap test on the backend (value against violation times the size of the current point) comes first; what passes
    is polished and tested on the host against the raw data, and after a failure not again before the iteration count
    has doubled. The work of polishing stays below that of the iterations done so far.
    """

    def __init__(self, kkt: Kkt, stop: Callable[[], bool] = lambda: False) -> None:
        self.kkt, self.stop = kkt, stop
        self.products = 0
        self._reach: FloatArray | None = None
        self._not_before = {Status.PRIMAL_INFEASIBLE: 0.0, Status.DUAL_INFEASIBLE: 0.0}
        lp, b = kkt.lp, kkt.backend
        low, high = recession_range(lp)
        self._low, self._high = b.from_host(low), b.from_host(high)
        row_low, row_high = row_recession_range(lp)
        self._row_low, self._row_high = b.from_host(row_low), b.from_host(row_high)
        self._way_x, self._way_y = b.zeros(lp.c.size), b.zeros(lp.row_lower.size)

    @property
    def waiting(self) -> dict[str, float]:
        """Iteration before which each kind of certificate is not looked for again, by the status' name."""
        return {status.name: before for status, before in self._not_before.items()}

    @waiting.setter
    def waiting(self, given: dict[str, float]) -> None:
        self._not_before = {Status[name]: before for name, before in given.items()}

    def search(self, s: PdhgState, iteration: int) -> tuple[Status, Ray, str] | None:
        """A certificate found at this iterate, or None; ``products`` counts the matrix products it took."""
        self.products = 0
        b = self.kkt.backend
        self.kkt.way(s, self._way_x, self._way_y)
        size_x, size_y = (max(1.0, float(v)) for v in b.norm([s.x_hat, s.y_hat]))
        for name, dx, dy in (("displacement", s.dx, s.dy), ("way from the anchor", self._way_x, self._way_y)):
            if self._due(Status.PRIMAL_INFEASIBLE, iteration) and self._primal_hint(dy, size_x):
                ray = self._farkas(iteration)
                if ray is not None:
                    return Status.PRIMAL_INFEASIBLE, ray, f"the {name} of the duals is a Farkas ray"
            if self._due(Status.DUAL_INFEASIBLE, iteration) and self._dual_hint(dx, size_y):
                ray = self._recession(iteration)
                if ray is not None:
                    return Status.DUAL_INFEASIBLE, ray, f"the {name} of the primals lowers the objective without limit"
        return None

    def _due(self, status: Status, iteration: int) -> bool:
        return iteration >= self._not_before[status]

    def _primal_hint(self, dy: Array, size_x: float) -> bool:
        """Whether D0 of dy, clipped to the rows' signs (left in rows.work[0]), beats its violation at this size."""
        kkt = self.kkt
        b, rows, cols = kkt.backend, kkt.rows, kkt.plain_cols
        ray, positive, negative, *_ = rows.work
        rho, high_part, low_part, *_ = cols.work
        b.clip(dy, rows.low, rows.high, ray)
        b.rmatvec(kkt.A, ray, low_part)
        self.products += 1
        b.axpby(-1.0, low_part, 0.0, rho)
        kkt.split(cols, rho, low_part, high_part)
        b.clip(ray, rows.zero, rows.high, positive)
        b.clip(ray, rows.low, rows.zero, negative)
        pairs = [(rows.finite_lower, positive), (rows.finite_upper, negative)]
        pairs += [(cols.finite_lower, high_part), (cols.finite_upper, low_part), (rho, rho)]
        *value, viol2 = (float(v) for v in b.dot(pairs))
        return sum(value) > math.sqrt(max(viol2, 0.0)) * size_x

    def _dual_hint(self, dx: Array, size_y: float) -> bool:
        """Whether -c.dx, dx clipped to the recession cone (left in cols.work[0]), beats its violation at this size."""
        b, kkt = self.kkt.backend, self.kkt
        d, (moved, inside, *_) = kkt.plain_cols.work[0], kkt.rows.work
        b.clip(dx, self._low, self._high, d)
        b.matvec(kkt.A, d, moved)
        self.products += 1
        b.clip(moved, self._row_low, self._row_high, inside)
        b.axpby(-1.0, moved, 1.0, inside)
        c_d, viol2 = (float(v) for v in b.dot([(kkt.c, d), (inside, inside)]))
        return -c_d > math.sqrt(max(viol2, 0.0)) * size_y

    def _farkas(self, iteration: int) -> Ray | None:
        kkt, lp = self.kkt, self.kkt.lp
        if self._reach is None:
            self._reach = default_reach(lp)
        candidate = kkt.scaling.y_out(_without_specks(kkt.backend.to_host(kkt.rows.work[0])))
        ray = polished_farkas(lp, candidate, self._reach, self._effort(iteration))
        if ray is None:
            self._not_before[Status.PRIMAL_INFEASIBLE] = 2.0 * iteration
        return ray

    def _effort(self, iteration: int) -> Effort:
        """Sixteen rounds a search, and a step of LSQR in Python costs as much as several iterations."""
        return Effort(steps=min(5000, max(20, iteration // _ITERATIONS_A_STEP)), stop=self.stop)

    def _recession(self, iteration: int) -> Ray | None:
        kkt, lp = self.kkt, self.kkt.lp
        candidate = kkt.scaling.x_out(_without_specks(kkt.backend.to_host(kkt.plain_cols.work[0])))
        ray = polished_recession(lp, candidate, self._effort(iteration))
        if ray is None:
            self._not_before[Status.DUAL_INFEASIBLE] = 2.0 * iteration
        return ray


def default_reach(lp: LinearProgram, passes: int = 3) -> FloatArray:
    """X_j (N,) >= |x_j| over the feasible set, implied by bounds and rows, else FAR * largest side / coefficient.

    Row i with finite upper side bounds x_j for K_ij > 0 by (u_i - least activity of the others) / K_ij, and so on for
    the other three signs; a pass uses the bounds of the one before.
    """
    lower, upper = implied_bounds(lp, passes)
    reach = np.maximum(np.abs(lower), np.abs(upper))
    columns = lp.K.tocsc()
    largest = _largest(columns.data, columns.indptr)
    sides = np.concatenate([_finite(lp.row_lower), _finite(lp.row_upper), _finite(lp.lower), _finite(lp.upper)])
    far = FAR * max(1.0, float(np.max(np.abs(sides), initial=0.0))) / np.where(largest > 0, largest, 1.0)
    return np.where(np.isfinite(reach), reach, far)


def implied_bounds(lp: LinearProgram, passes: int = 3) -> tuple[FloatArray, FloatArray]:
    """Bounds (N,), (N,) that rows and bounds together imply, loosened by more than their rounding."""
    lower, upper = lp.lower.copy(), lp.upper.copy()
    for _ in range(passes):
        _tighten(lp, lower, upper)
    return lower, upper


def _tighten(lp: LinearProgram, lower: FloatArray, upper: FloatArray) -> None:
    """One pass of activity bounds, in place; infinite contributions are counted apart so that one may be left out."""
    K, row = lp.K, np.repeat(np.arange(lp.K.shape[0]), np.diff(lp.K.indptr))
    column, k = K.indices, K.data
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        least = np.where(k > 0, k * lower[column], k * upper[column])
        most = np.where(k > 0, k * upper[column], k * lower[column])
        least, most = np.where(k == 0, 0.0, least), np.where(k == 0, 0.0, most)
        rest_least, blur_least = _without_self(least, row, K.shape[0])
        rest_most, blur_most = _without_self(most, row, K.shape[0])
        blur = np.maximum(blur_least, blur_most) / np.abs(k)
        at_most = (lp.row_upper[row] - rest_least) / k
        at_least = (lp.row_lower[row] - rest_most) / k
        up = np.where(k > 0, at_most, at_least)
        down = np.where(k > 0, at_least, at_most)
    # Outwards by more than the rounding of the sums.
    for new, bound, choose, sign in ((up, upper, np.minimum, 1.0), (down, lower, np.maximum, -1.0)):
        good = np.isfinite(new) & (k != 0)
        loosened = new[good] + sign * (1e-9 * (1.0 + np.abs(new[good])) + 1e-12 * blur[good])
        choose.at(bound, column[good], loosened)


def _without_self(part: FloatArray, row: Any, rows: int) -> tuple[FloatArray, FloatArray]:
    """For every entry the sum of the other parts in its row, NaN if one of them is infinite, and the sum of all finite
    magnitudes, to which the rounding error is proportional."""
    infinite = ~np.isfinite(part)
    number = np.bincount(row, weights=infinite, minlength=rows)[row] - infinite
    known = np.where(infinite, 0.0, part)
    total = np.bincount(row, weights=known, minlength=rows)[row]
    size = np.bincount(row, weights=np.abs(known), minlength=rows)[row]
    return np.where(number > 0, np.nan, total - known), size


def _largest(data: FloatArray, indptr: Any) -> FloatArray:
    out = np.zeros(indptr.size - 1)
    filled = np.diff(indptr) > 0
    if filled.any():
        out[filled] = np.maximum.reduceat(np.abs(data), indptr[:-1][filled])
    return out


def _finite(v: FloatArray) -> FloatArray:
    return np.where(np.isfinite(v), v, 0.0)


def _largest_side(lower: FloatArray, upper: FloatArray) -> FloatArray:
    return np.maximum(np.abs(_finite(lower)), np.abs(_finite(upper)))


def _unit(v: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray | None:
    """v clipped and divided by its 2-norm; None if nothing finite is left."""
    v = np.clip(v, low, high)
    size = norm(v)
    return v / size if 0.0 < size < math.inf else None


def _without_specks(v: FloatArray) -> FloatArray:
    """Entries of the scaled candidate far below the largest are noise of the iteration."""
    return np.where(np.abs(v) > 1e-9 * np.max(np.abs(v), initial=0.0), v, 0.0)


def _product(K: Any, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(K v, |K| |v|) with the sums in extended precision where the machine has it."""
    matrix = K.astype(np.longdouble)
    exact = np.asarray(matrix @ v.astype(np.longdouble), dtype=np.float64)
    return exact, np.asarray(abs(K) @ np.abs(v), dtype=np.float64)
