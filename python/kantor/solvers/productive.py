"""Is an economy productive? Proved bounds on the spectral radius of A, or the group of sectors that is at fault.

For w > 0 the largest (|A| w)_i / w_i is an upper bound on the spectral radius of |A|; for w >= 0, not 0, the smallest
ratio over the rows with w_i > 0 is a lower bound (Collatz 1942, Wielandt 1950). An upper bound below 1 proves that
every final demand can be met (Hawkins and Simon 1949). A lower bound of 1 or more for a group proves that the group,
run at levels w, uses at least as much of each of its goods as it makes.

w is improved by inverse iteration with the upper bound as shift (Noda 1971), each solve rough: in the units of the last
w the right-hand side is 1, so any residual below 1/2 leaves the new w positive and its bound lower.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from ..backends import Backend, get_backend
from ..errors import OptionError, ProblemError
from .bicgstab import Bicgstab
from .iteration import iterate
from .neumann import Neumann
from .problem import FloatArray
from .rigour import gamma
from .square_table import SquareTable, read_table
from .system import System
from .watch import CONVERGED, Watch

SWEEPS = 20
ENOUGH, WORK = 100, 1e8  # products, and products times nonzeros, after which a proof is good enough
STEPS, TRY_STEPS = 200, 20
GROUPS = 50  # groups compared before the worst so far is named
ROUNDING = 1e-12  # a gap around 1 that more work will not close
TINY = float(np.finfo(np.float64).tiny)  # more than any product can lose by underflow
DENSE = 256  # blocks up to this size are solved by a dense factorisation
SHARES = (0.1, 0.01, 1e-4, 1e-7, 1e-11)  # how far below the growth of w a lower bound is looked for
PEELS = 12  # products spent on one of these tries


@dataclass(frozen=True)
class RadiusBounds:
    """lower <= rho(|A|) <= upper, both proved with rounding included; rho(A) = rho(|A|) if A has no negative entry.

    Attributes
    ----------
    lower, upper : the bounds; upper < 1 proves the economy productive
    vector : (n,) w > 0 with |A| w <= upper w, the proof of ``upper``
    heavy : sectors whose column sum exceeds 1: more input than output if all is counted in value. Information only
    negatives : number of negative entries; with some, the bounds are those of the magnitudes
    notes : what a reader should know, in words
    """

    lower: float
    upper: float
    vector: FloatArray
    heavy: tuple[object, ...] = ()
    negatives: int = 0
    notes: list[str] = field(default_factory=list)


def check_productive(
    A: Any, labels: Any = None, *, tolerance: float = 1e-6, backend: str | Backend = "auto"
) -> RadiusBounds:
    """Prove that the spectral radius of A is below 1, or name the sectors that use more than they make.

    Parameters
    ----------
    A : (n, n) SciPy sparse matrix, array or DataFrame of input coefficients
    labels : names of the sectors of an unlabelled table
    tolerance : the bounds are tightened until upper - lower <= tolerance upper; a large table that is proved productive
        is left alone after some hundred products. 1 asks for the proof alone, in about twenty products

    Raises ProblemError if A >= 0 is not productive: the message names the strongly connected group of sectors with the
    largest radius, a small part of it that already uses more than it makes, and the sectors with column sums above 1.
    With negative entries that is raised only if the group provably uses more than it makes with them counted as they
    are; otherwise an ``upper`` of 1 or more says that nothing was proved.

    >>> import numpy as np
    >>> bounds = check_productive(np.array([[0.25, 0.4], [0.14, 0.12]]))
    >>> 0.4304 < bounds.lower <= bounds.upper < 0.4305
    True
    >>> check_productive(np.array([[0.5, 0.0], [0.2, 1.1]]), labels=["corn", "iron"])
    Traceback (most recent call last):
        ...
    kantor.errors.ProblemError: A: not productive: 'iron' uses 1.1 times the amount it makes of itself; column sums ...
    """
    if not 0.0 < tolerance <= 1.0:
        raise OptionError(f"tolerance: {tolerance!r}, expected a number in (0, 1]")
    table = read_table(A, labels)
    matrix = table.sparse()
    size = (
        matrix
        if table.nonnegative
        else sp.csr_array((abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
    )
    lower, upper, w = radius_bounds(size, tolerance, get_backend(backend), "proved")
    sums = np.asarray(np.bincount(matrix.indices, weights=matrix.data, minlength=table.n), dtype=np.float64)
    negatives = 0 if table.nonnegative else int(np.count_nonzero(matrix.data < 0.0))
    notes = []
    if negatives:
        notes.append(
            f"{negatives} negative entries, the first {_first_negative(matrix, table)}: the bounds count magnitudes"
        )
    if upper >= 1.0:
        said = _find_fault(matrix, size, sums, table, tolerance, get_backend(backend))
        if said:
            raise ProblemError(said)
        notes.append(
            "not proved productive: the magnitudes have a radius of 1 or more, the entries as they are may not"
        )
    heavy = np.flatnonzero(sums > 1.0)
    if heavy.size:
        heavy = heavy[np.argsort(-sums[heavy], kind="stable")]
        notes.append(f"{heavy.size} sectors with a column sum above 1: {table.names(heavy)}")
    heavy_labels = tuple(int(j) for j in heavy) if table.labels is None else tuple(table.labels[heavy])
    return RadiusBounds(lower, upper, w, heavy_labels, negatives, notes)


def _first_negative(matrix: sp.csr_array, table: SquareTable) -> str:
    at = int(np.flatnonzero(matrix.data < 0.0)[0])
    row = int(np.searchsorted(matrix.indptr, at, side="right")) - 1
    return f"{float(matrix.data[at]):.3g} in row {table.name(row)}, column {table.name(matrix.indices[at])}"


# ---- bounds on the radius --------------------------------------------------------------------------------------------
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


# ---- who is at fault -------------------------------------------------------------------------------------------------
def _find_fault(
    matrix: sp.csr_array, size: sp.csr_array, sums: FloatArray, table: SquareTable, tolerance: float, backend: Backend
) -> str:
    """What is wrong, in words; empty if entries below zero leave that open."""
    size = size.copy()  # stored zeros are no flows
    size.eliminate_zeros()
    group, lower, upper = _worst_group(size, tolerance, backend)
    core, core_lower = group, lower
    if table.nonnegative:
        core, core_lower = _smallest_part(size, group, lower, tolerance, backend)
    else:
        lower = _use_of_own_goods(_block(matrix, group), tolerance, backend)
        if lower < 1.0:
            return ""
    if len(group) == 1:
        said = f"{table.name(group[0])} uses {lower:.6g} times the amount it makes of itself"
    elif lower >= 1.0:
        said = f"{_all(group, table)} use at least {lower:.6g} times what they make of their own goods"
    else:
        said = (
            f"{_all(group, table)} could not be shown to make more than they use: "
            f"the spectral radius is between {lower:.16g} and {upper:.16g}"
        )
    if 2 * len(core) <= len(group):
        said += f"; already {table.names(core)} alone: {core_lower:.6g} times"
    heavy = group[sums[group] > 1.0]
    heavy = heavy[np.argsort(-sums[heavy], kind="stable")]
    if heavy.size:
        more = f" and {heavy.size - 5} more" if heavy.size > 5 else ""
        said += "; column sums above 1: " + ", ".join(f"{table.name(j)} {sums[j]:.6g}" for j in heavy[:5]) + more
    return f"A: not productive: {said}"


def _all(group: np.ndarray[Any, Any], table: SquareTable) -> str:
    return f"the {len(group)} sectors {table.names(group)}, which all need one another,"


def _worst_group(size: sp.csr_array, tolerance: float, backend: Backend) -> tuple[np.ndarray[Any, Any], float, float]:
    """The strongly connected group with the largest radius, of the fifty heaviest if that is 1 or more; its bounds."""
    _, component = connected_components(size, directed=True, connection="strong")
    diagonal = size.diagonal()
    members = np.bincount(component)
    single = members[component] == 1
    best = np.array([int(np.argmax(np.where(single, diagonal, -1.0)))])
    lower = upper = float(diagonal[best[0]]) if single.any() else -1.0
    rows = np.repeat(np.arange(size.shape[0]), np.diff(size.indptr))
    inside = component[rows] == component[size.indices]
    sums = np.bincount(size.indices[inside], weights=size.data[inside], minlength=size.shape[0])
    heaviest = np.zeros(members.size)
    np.maximum.at(heaviest, component, sums)
    # No radius exceeds the largest column sum, so groups are visited in that order until none can beat the best.
    looked = 0
    for number in np.argsort(-heaviest, kind="stable"):
        if heaviest[number] <= lower or (lower >= 1.0 and looked >= GROUPS):
            break
        if members[number] > 1:
            looked += 1
            group = np.flatnonzero(component == number)
            low, high, _ = radius_bounds(_block(size, group), tolerance, backend)
            if (low, high) > (lower, upper):
                best, lower, upper = group, low, high
    return best, lower, upper


def _magnitudes(matrix: sp.csr_array) -> sp.csr_array:
    return sp.csr_array((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _block(size: sp.csr_array, group: np.ndarray[Any, Any]) -> sp.csr_array:
    return sp.csr_array(size[group][:, group])


def _use_of_own_goods(block: sp.csr_array, tolerance: float, backend: Backend) -> float:
    """min_i (A w)_i / w_i, guarded, entries below zero counted as they are; w > 0 belongs to the magnitudes.

    1 or more proves that no positive prices let every sector cover its costs: p (I - A) > 0 and (I - A) w <= 0 exclude
    each other.
    """
    magnitude = _magnitudes(block)
    _, _, w = radius_bounds(magnitude, tolerance, backend)
    guard = gamma(np.diff(block.indptr) + 4)
    return float(np.min(((block @ w) - guard * (magnitude @ w)) / w)) * (1.0 - 1e-15)


def _smallest_part(
    size: sp.csr_array, group: np.ndarray[Any, Any], lower: float, tolerance: float, backend: Backend
) -> tuple[np.ndarray[Any, Any], float]:
    """As few sectors as have a radius of 1 or more by themselves, taken in the order of their weight in the radius.

    The weight of a sector is p_i w_i, prices times levels of the dominant eigenvectors: the derivative of the radius
    with respect to its own use.
    """
    if len(group) == 1 or lower < 1.0:
        return group, lower
    block = _block(size, group)
    _, _, w = radius_bounds(block, tolerance, backend)
    _, _, p = radius_bounds(sp.csr_array(block.T), tolerance, backend)
    order = np.argsort(-(p / p.max()) * (w / w.max()), kind="stable")
    radius = lambda count: radius_bounds(_block(block, order[:count]), tolerance, backend, "decided")[0]  # noqa: E731
    few, many = 0, 1
    while many < len(group) and radius(many) < 1.0:
        few, many = many, 2 * many
    many = min(many, len(group))
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if radius(middle) >= 1.0 else (middle, many)
    return group[np.sort(order[:many])], radius(many) if many < len(group) else lower
