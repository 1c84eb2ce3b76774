"""PlanningProgram: what a plan compiles to, as arrays; its linear program; its scaling by values.

    scale    max t            N x >= t y
    use      min cost.x       N x >= y          all with   resource_lower <= R x <= resource_upper,  0 <= x <= capacity,
    utility  max sum U_i(C_i) N x >= C, C >= 0             N = output - input = B - A.

A technique (column) may make several goods (joint production), none (a pure user of resources), and a good may be made
by several techniques.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError
from ..extremes import extremes
from .problem import FloatArray, LinearProgram, SeparableTerms, TermKind

Kind = Literal["scale", "use", "utility"]
KINDS = ("scale", "use", "utility")
# Magnitudes outside this range are data errors, and would break the guards of solvers.rigour by under- or overflow.
SMALLEST_DATUM, LARGEST_DATUM = 1e-100, 1e100


@dataclass(frozen=True)
class PlanningProgram:
    """A plan on arrays; n goods, m techniques, r resources. Raises ProblemError for anything impossible.

    Attributes
    ----------
    kind: "scale", "use" or "utility", see the module's formulas.
    output: (n, m) B, what a unit of activity makes; >= 0.
    input: (n, m) A, what a unit of activity uses up; may hold a few negative entries, as real tables do.
    targets: (n,) y: the basket that "scale" multiplies, the net output "use" demands; "utility" only reports it.
    resource_use: (r, m) R, resource use per unit of activity.
    resource_upper, resource_lower: (r,) limits on R x, +inf and -inf where there is none.
    capacity: (m,) upper bounds on activity, +inf where none.
    cost: (m,) direct cost per unit of activity of "use"; zero for the other kinds.
    terms: (n,) "utility" only: the convex phi_i = -U_i of good i's consumption. LINEAR: not consumed, C_i = 0.

    >>> one = sp.csr_array(np.eye(1))
    >>> PlanningProgram.build("use", one, 0.5 * one, [2.0], resource_use=one, resource_upper=[9.0], cost=[1.0]).shape
    (1, 1, 1)
    """

    kind: Kind
    output: sp.csr_array
    input: sp.csr_array
    targets: FloatArray
    resource_use: sp.csr_array
    resource_upper: FloatArray
    resource_lower: FloatArray
    capacity: FloatArray
    cost: FloatArray
    terms: SeparableTerms | None = None

    @staticmethod
    def build(
        kind: Kind,
        output: Any,
        input: Any,
        targets: Any,
        *,
        resource_use: Any = None,
        resource_upper: Any = None,
        resource_lower: Any = None,
        capacity: Any = None,
        cost: Any = None,
        terms: SeparableTerms | None = None,
    ) -> PlanningProgram:
        """Make a program from whatever describes it; what is left out is absent: no resources, no limits, no cost."""
        output = _matrix("output", output)
        m = output.shape[1]
        use = _matrix("resource_use", sp.csr_array((0, m)) if resource_use is None else resource_use)
        r = use.shape[0]
        return PlanningProgram(
            kind,
            output,
            input,
            targets,
            use,
            np.full(r, np.inf) if resource_upper is None else resource_upper,
            np.full(r, -np.inf) if resource_lower is None else resource_lower,
            np.full(m, np.inf) if capacity is None else capacity,
            np.zeros(m) if cost is None else cost,
            terms,
        )

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ProblemError(f"kind: got {self.kind!r}, expected one of {', '.join(KINDS)}")
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731 - frozen dataclass
        put("output", _matrix("output", self.output))
        n, m = self.output.shape
        put("input", _matrix("input", self.input, (n, m)))
        put("resource_use", _matrix("resource_use", self.resource_use, (None, m)))
        r = self.resource_use.shape[0]
        for name, length in (("targets", n), ("cost", m)):
            put(name, _vector(name, getattr(self, name), length))
        put("resource_upper", _vector("resource_upper", self.resource_upper, r, infinite=np.inf))
        put("resource_lower", _vector("resource_lower", self.resource_lower, r, infinite=-np.inf))
        put("capacity", _vector("capacity", self.capacity, m, infinite=np.inf))
        self._validate_values(n)

    def _validate_values(self, n: int) -> None:
        if self.output.shape[0] == 0 or self.output.shape[1] == 0:
            raise ProblemError(f"output: shape {self.output.shape}, expected at least one good and one technique")
        if self.output.nnz and self.output.data.min() < 0.0:
            at = int(np.argmin(self.output.data))
            i, j = _place(self.output, at)
            raise ProblemError(f"output: entry ({i}, {j}) is {float(self.output.data[at])!r}, expected >= 0")
        if (self.capacity < 0.0).any():
            j = int(np.argmin(self.capacity))
            raise ProblemError(f"capacity[{j}] = {float(self.capacity[j])!r}, expected >= 0")
        crossed = self.resource_lower > self.resource_upper
        if crossed.any():
            k = int(np.flatnonzero(crossed)[0])
            low, high = self.resource_lower[k], self.resource_upper[k]
            raise ProblemError(f"resource_lower[{k}] = {low!r} exceeds resource_upper[{k}] = {high!r}")
        if self.kind != "use" and self.cost.any():
            j = int(np.flatnonzero(self.cost)[0])
            raise ProblemError(
                f"cost[{j}] = {self.cost[j]!r}: only the kind 'use' has costs, expected 0 for {self.kind!r}"
            )
        if self.kind == "scale" and not (self.targets > 0.0).any():
            raise ProblemError("targets: no entry is positive, so no plan is larger than another; expected a basket")
        if (self.kind == "utility") != (self.terms is not None):
            raise ProblemError(
                f"terms: expected {'SeparableTerms' if self.terms is None else 'None'} for {self.kind!r}"
            )
        if self.terms is not None:
            self.terms.validate(n)
            if not self.consumed.any():
                raise ProblemError(
                    "terms: every term is LINEAR or has a = 0, so nothing is consumed; expected at least one utility"
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(goods n, techniques m, resources r)."""
        return self.output.shape[0], self.output.shape[1], self.resource_use.shape[0]

    @cached_property
    def consumed(self) -> np.ndarray[Any, Any]:
        """(n,) bool: goods whose consumption the utility values; all False for the other kinds."""
        if self.terms is None:
            return np.zeros(self.output.shape[0], dtype=bool)
        return (self.terms.kind != TermKind.LINEAR) & (self.terms.a > 0.0)

    @cached_property
    def producer_of(self) -> np.ndarray[Any, Any]:
        """(m,) the one good each technique makes, -1 if it makes none, -2 if several (joint production)."""
        csc = self.output.tocsc()
        csc.eliminate_zeros()
        count = np.diff(csc.indptr)
        own = np.where(count == 0, -1, -2)
        own[count == 1] = csc.indices[csc.indptr[:-1][count == 1]]
        return own

    @cached_property
    def diagonal_output(self) -> FloatArray | None:
        """(n,) the diagonal of B if technique j makes good j, some of it, and nothing else; None otherwise."""
        n, m, _ = self.shape
        if (
            n != m
            or self.output.nnz != n
            or not (self.output.indices == np.arange(n)).all()
            or not self.output.data.all()
        ):
            return None
        return self.output.data if (np.diff(self.output.indptr) == 1).all() else None

    @cached_property
    def own_output(self) -> FloatArray:
        """(m,) how much of it: the largest output of each technique per unit of activity, 0 if it makes nothing."""
        return np.asarray(self.output.max(axis=0).toarray()).ravel() if self.output.nnz else np.zeros(self.shape[1])


def _matrix(name: str, value: Any, shape: tuple[int | None, int] | None = None) -> sp.csr_array:
    if not sp.issparse(value) and np.ndim(value) != 2:
        raise ProblemError(f"{name}: got {type(value).__name__} of {np.ndim(value)} dimensions, expected a 2-D matrix")
    plain = isinstance(value, sp.csr_array) and value.dtype == np.float64  # what SciPy knows of its form is kept
    matrix: Any = value if plain else sp.csr_array(value, dtype=np.float64)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if shape is not None and (matrix.shape[1] != shape[1] or shape[0] not in (None, matrix.shape[0])):
        raise ProblemError(
            f"{name}: shape {matrix.shape}, expected ({'any' if shape[0] is None else shape[0]}, {shape[1]})"
        )
    bad = np.zeros(0, bool) if _usual(matrix.data) else _out_of_range(matrix.data)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        i, j = _place(matrix, at)
        raise ProblemError(
            f"{name}: entry ({i}, {j}) is {float(matrix.data[at])!r}, expected 0 or a magnitude in [1e-100, 1e100]"
        )
    return matrix


def _usual(data: FloatArray) -> bool:
    """Whether all numbers are positive and in range, seen in one pass without large temporaries."""
    least, most = extremes(data, empty=(1.0, 1.0))
    return least >= SMALLEST_DATUM and most <= LARGEST_DATUM


def _out_of_range(data: FloatArray) -> np.ndarray[Any, Any]:
    size = np.abs(data)
    return ~((size == 0.0) | ((size >= SMALLEST_DATUM) & (size <= LARGEST_DATUM)))


def _place(matrix: sp.csr_array, at: int) -> tuple[int, int]:
    return int(np.searchsorted(matrix.indptr, at, side="right")) - 1, int(matrix.indices[at])


def _vector(name: str, value: Any, length: int, infinite: float | None = None) -> FloatArray:
    array = np.array(value, dtype=np.float64)
    if array.shape != (length,):
        raise ProblemError(f"{name}: shape {array.shape}, expected ({length},)")
    bad = np.zeros(length, bool) if _usual(array) else _out_of_range(array)
    if infinite is not None:
        bad &= array != infinite
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        allowed = "0 or a magnitude in [1e-100, 1e100]" + ("" if infinite is None else f", or {infinite} for no limit")
        raise ProblemError(f"{name}[{i}] is {float(array[i])!r}, expected {allowed}")
    return array


@dataclass(frozen=True)
class Layout:
    """Where the parts of a program sit in its linear program.

    Columns: activity (m), then t ("scale") or the consumption of the goods ``consumed`` ("utility").
    Rows: goods (n), then resources (r).
    """

    kind: Kind
    n_goods: int
    n_techniques: int
    n_resources: int
    consumed: np.ndarray[Any, Any]

    def split_primal(self, x: FloatArray, targets: FloatArray) -> tuple[FloatArray, float, FloatArray]:
        """(activity, scale, consumption) of a point of the linear program; scale is NaN unless the kind is "scale"."""
        activity, rest = x[: self.n_techniques], x[self.n_techniques :]
        if self.kind == "scale":
            return activity, float(rest[0]), float(rest[0]) * targets
        if self.kind == "use":
            return activity, np.nan, targets.copy()
        consumption = np.zeros(self.n_goods)
        consumption[self.consumed] = rest
        return activity, np.nan, consumption

    def split_dual(self, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(prices, rents, floor rents), each >= 0: multipliers are positive at lower sides, negative at upper ones."""
        resources = y[self.n_goods :]
        return np.maximum(y[: self.n_goods], 0.0), np.maximum(-resources, 0.0), np.maximum(resources, 0.0)

    def join_primal(self, activity: FloatArray, scale: float, consumption: FloatArray) -> FloatArray:
        """The point of the linear program with these parts: the inverse of :meth:`split_primal`."""
        if self.kind == "scale":
            return np.append(activity, scale)
        return np.concatenate([activity, consumption[self.consumed]]) if self.kind == "utility" else activity.copy()

    def join_dual(self, prices: FloatArray, rents: FloatArray, floor_rents: FloatArray) -> FloatArray:
        """The row multipliers with these parts: the inverse of :meth:`split_dual`."""
        return np.concatenate([prices, floor_rents - rents])


def to_linear_program(program: PlanningProgram, shrink: float = 0.0) -> tuple[LinearProgram, Layout]:
    """The program as a LinearProgram to minimise ("scale": -t; "utility": sum phi_i), and where its parts sit.

    ``shrink`` in [0, 1) pulls every limit inwards by that share of its size (capacity and positive upper limits times
    1 - shrink, positive lower limits times 1 + shrink, never past each other), so that a plan that obeys the shrunk
    limits keeps room to be repaired within the true ones.
    """
    n, m, r = program.shape
    net = program.output - program.input
    extra: sp.csr_array
    if program.kind == "scale":
        extra = sp.csr_array(-program.targets.reshape(-1, 1))
    else:
        at = np.flatnonzero(program.consumed)
        extra = sp.csr_array((np.full(at.size, -1.0), (at, np.arange(at.size))), shape=(n, at.size))
    k = extra.shape[1]
    matrix = sp.block_array([[net, extra], [program.resource_use, sp.csr_array((r, k))]], format="csr")
    high = _inwards(program.resource_upper, -shrink)
    low = _inwards(program.resource_lower, shrink)
    met = low > high
    high[met] = low[met] = 0.5 * (program.resource_upper[met] + program.resource_lower[met])
    goods = program.targets if program.kind == "use" else np.zeros(n)
    lp = LinearProgram(
        np.concatenate([program.cost, np.full(k, -1.0 if program.kind == "scale" else 0.0)]),
        matrix,
        row_lower=np.concatenate([goods, low]),
        row_upper=np.concatenate([np.full(n, np.inf), high]),
        upper=np.concatenate([_inwards(program.capacity, -shrink), np.full(k, np.inf)]),
        terms=_terms(program, m) if program.terms is not None else None,
        name=f"plan ({program.kind})",
    )
    return lp, Layout(program.kind, n, m, r, program.consumed)


def _inwards(limit: FloatArray, share: float) -> FloatArray:
    finite = np.isfinite(limit)
    return np.where(finite, limit + share * np.abs(np.where(finite, limit, 0.0)), limit)


def _terms(program: PlanningProgram, m: int) -> SeparableTerms:
    assert program.terms is not None
    at, none = program.consumed, SeparableTerms.linear(m)
    given = program.terms
    # POWER has no parameter that says how much is usual; the target does, and the solver scales by it.
    usual = np.where((given.kind == TermKind.POWER) & (program.targets > 0.0), program.targets, given.b)
    own = SeparableTerms(given.kind[at], given.a[at], usual[at], given.e[at])
    user = None if given.user is None else given.user.take(at).after(m)
    joined = {f: np.concatenate([getattr(none, f), getattr(own, f)]) for f in ("kind", "a", "b", "e")}
    return SeparableTerms(**joined, user=user)


def value_scaling(program: PlanningProgram, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What a unit of each row and of each column of the linear program is worth, all > 0.

    ``prices`` (n,) >= 0: those of any feasible policy. A goods row is worth its price, a resource row 1/limit, an
    activity the value of its main product, a unit of consumption its price, a unit of scale the basket. Goods whose
    price is zero, and techniques without a product, are valued by magnitude instead. Scaled this way,
    K'_ij = p_i K_ij / p_own(j), the linear program no longer depends on the units in which goods are counted.
    """
    size = abs(program.output) + abs(program.input)
    positive = lambda v: np.where(v > 0.0, v, 1.0)  # noqa: E731 - a zero is replaced wherever it is used
    largest = positive(np.asarray(size.max(axis=1).toarray()).ravel())
    goods = np.where(prices > 0.0, prices, 1.0 / largest)
    activity = positive(np.asarray((sp.diags_array(goods) @ size).max(axis=0).toarray()).ravel())
    limit = np.where(np.isfinite(program.resource_upper), program.resource_upper, program.resource_lower)
    use = positive(abs(program.resource_use) @ (1.0 / activity))
    known = np.isfinite(limit) & (limit != 0.0)
    resources = 1.0 / np.where(known, np.abs(np.where(known, limit, 1.0)), use)
    if program.kind == "scale":
        extra = positive(np.array([goods @ np.abs(program.targets)]))
    else:
        extra = goods[program.consumed]
    return np.concatenate([goods, resources]), np.concatenate([activity, extra])
