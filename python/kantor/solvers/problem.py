"""The canonical problem on arrays: minimise c.x + sum_j phi_j(x_j) subject to l_c <= K x <= u_c, l <= x <= u."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError
from .user_terms import UserTerm

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

# What solvers of this field write for infinity: a bound at or beyond it is no bound.
INFINITE_BOUND = 1e20


class TermKind(IntEnum):
    """The separable convex terms a column may carry; the numbers are those of csrc/pointwise.hpp.

    ========== ==================================== ================
    kind       phi(x)                               parameters
    ========== ==================================== ================
    LINEAR     0                                    none
    QUADRATIC  a/2 (x - b)^2                        a >= 0, b
    HARMONY    -a H(x/b - 1)                        a > 0, b > 0
    LOG        -a ln(x + b)                         a > 0, b >= 0
    POWER      -a x^(1-e) / (1-e)                   a > 0, e > 0, e != 1
    HYPERBOLIC -a (x/b) / (e + x/b)                 a > 0, b > 0, e > 0
    USER       a user's own function                :meth:`SeparableTerms.with_user`
    ========== ==================================== ================

    H(s) = s - s^2/2 for s < 0, ln(1 + s) for s >= 0 (Cockshott's harmony).
    Every kind is closed under x = s x', so scaling only rewrites a and b (:meth:`SeparableTerms.scaled`).
    """

    LINEAR = 0
    QUADRATIC = 1
    HARMONY = 2
    LOG = 3
    POWER = 4
    HYPERBOLIC = 5
    USER = 6


# The kinds with a formula, which kernels know; USER is called in Python instead.
FORMULAS = tuple(kind for kind in TermKind if kind is not TermKind.USER)


@dataclass(frozen=True)
class SeparableTerms:
    """One convex term a column: ``kind`` uint8 (n,), ``a``, ``b``, ``e`` float64 (n,); see :class:`TermKind`."""

    kind: np.ndarray[Any, np.dtype[np.uint8]]
    a: FloatArray
    b: FloatArray
    e: FloatArray
    user: UserTerm | None = None

    @staticmethod
    def linear(n: int) -> SeparableTerms:
        """No term on any of n columns: fill in the columns that have one."""
        return SeparableTerms(np.zeros(n, np.uint8), np.zeros(n), np.ones(n), np.zeros(n))

    def with_user(
        self, columns: Any, value: Callable[..., Any], prox: Callable[..., Any], conjugate: Callable[..., Any],
        parameters: Sequence[Any] = (),
    ) -> SeparableTerms:  # fmt: skip
        """The same with a convex function of the user's own on ``columns``; one set of functions for a program.

        On arrays, one element a column, p being the parameters: value(x, p), +inf outside the domain; prox(v, t, p) =
        argmin_u value(u) + (u - v)^2/(2 t); conjugate(g, p) = sup_u g u - value(u), +inf where there is none.
        Parameters are numbers or arrays as long as ``columns``. The functions are probed, see
        :mod:`kantor.solvers.user_terms`; ProblemError if they do not belong together. They are called between two
        iterations, on the host: a program with one runs kernel by kernel.

        >>> square = dict(value=lambda x, w: w * x**2 / 2, prox=lambda v, t, w: v / (1 + t * w),
        ...               conjugate=lambda g, w: g**2 / (2 * w))
        >>> SeparableTerms.linear(3).with_user([0, 2], **square, parameters=[4.0]).kind.tolist()
        [6, 0, 6]
        """
        at, kind = np.asarray(columns, dtype=np.intp), self.kind.copy()
        kind[at] = TermKind.USER
        a, b = self.a.copy(), self.b.copy()
        a[at] = b[at] = 1.0
        return replace(self, kind=kind, a=a, b=b, user=UserTerm.of(kind.size, at, value, prox, conjugate, parameters))

    def validate(self, n: int) -> None:
        """Raise ProblemError if a shape, kind or parameter is impossible; n is the number of columns."""
        for name in ("kind", "a", "b", "e"):
            got = getattr(self, name).shape
            if got != (n,):
                raise ProblemError(f"terms.{name}: shape {got}, expected ({n},)")
        if self.kind.size and int(self.kind.max()) > max(TermKind):
            raise ProblemError(f"terms.kind: {int(self.kind.max())} is no TermKind (0..{int(max(TermKind))})")
        if (self.kind == TermKind.USER).any() and self.user is None:
            raise ProblemError("terms.kind: USER needs functions; see SeparableTerms.with_user")
        k, a, b, e = self.kind, self.a, self.b, self.e
        used = k != TermKind.LINEAR
        bad = used & ~(np.isfinite(a) & np.isfinite(b) & np.isfinite(e))
        bad |= used & (a < 0)
        bad |= ((k == TermKind.HARMONY) | (k == TermKind.HYPERBOLIC)) & ~(b > 0)
        bad |= (k == TermKind.LOG) & ~(b >= 0)
        bad |= (k == TermKind.POWER) & ~((e > 0) & (e != 1))
        bad |= (k == TermKind.HYPERBOLIC) & ~(e > 0)
        if bad.any():
            j = int(np.flatnonzero(bad)[0])
            raise ProblemError(
                f"terms: column {j} has kind {TermKind(int(k[j])).name} with a={a[j]}, b={b[j]}, e={e[j]}, "
                "outside the range TermKind documents"
            )

    def scaled(self, column: FloatArray, objective: float) -> SeparableTerms:
        """Terms phi' with phi'(x') = objective * phi(column * x') up to a constant."""
        k = self.kind
        a = objective * self.a
        a = np.where(k == TermKind.QUADRATIC, a * column**2, a)
        power = k == TermKind.POWER
        a = np.where(power, a * np.power(column, np.where(power, 1.0 - self.e, 0.0)), a)
        b = np.where(power | (k == TermKind.LINEAR), self.b, self.b / column)
        return SeparableTerms(k, a, b, self.e, None if self.user is None else self.user.scaled(column, objective))


@dataclass(frozen=True)
class LinearProgram:
    """minimise c.x + sum_j phi_j(x_j) + offset, subject to row_lower <= K x <= row_upper, lower <= x <= upper.

    K: scipy sparse (M, N), stored as canonical float64 CSR; c, lower, upper: (N,); row_lower, row_upper: (M,).
    None for a side means none of that side, except ``lower``, where None means 0. Values at or beyond 1e20 are
    infinite.

    ``maximise=True`` does not change the program, only how results are reported: c and the terms are still what is
    *minimised*, the user's objective is its negative, -(c.x + phi(x) + offset), and Solution gives objective, duals
    and reduced costs of that. To maximise g.x, pass c = -g:

    >>> from kantor.solvers.lp import solve_lp
    >>> g = [3.0, 2.0]
    >>> most = LinearProgram([-v for v in g], [[1.0, 1.0]], row_upper=[4.0], maximise=True)    # max g.x, x1 + x2 <= 4
    >>> answer = solve_lp(most)
    >>> answer.objective, answer.x.tolist(), answer.y.tolist()    # one more unit of the limit brings 3
    (12.0, [4.0, 0.0], [3.0])

    >>> import numpy as np, scipy.sparse as sp
    >>> LinearProgram(np.ones(2), sp.eye_array(2), row_lower=np.ones(2)).shape
    (2, 2)
    """

    # Anything array-like (or None) goes in; what is stored is a float64 vector, and K a canonical CSR array.
    c: Any
    K: Any
    row_lower: Any = None
    row_upper: Any = None
    lower: Any = None
    upper: Any = None
    terms: SeparableTerms | None = None
    offset: float = 0.0
    maximise: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        put = lambda field, value: object.__setattr__(self, field, value)  # noqa: E731 - frozen dataclass
        if not sp.issparse(self.K) and np.ndim(self.K) != 2:
            raise ProblemError(f"K: got {type(self.K).__name__} of {np.ndim(self.K)} dimensions, expected a 2-D matrix")
        if np.iscomplexobj(self.K):
            raise ProblemError("K: has complex entries, expected real ones")
        if hasattr(self.K, "check_format"):
            try:
                self.K.check_format(full_check=True)
            except ValueError as error:
                raise ProblemError(f"K: no valid sparse matrix ({error})") from None
        matrix = sp.csr_array(self.K, dtype=np.float64, copy=False)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()  # its arrays may be the caller's
            matrix.sum_duplicates()
        if not np.isfinite(self.offset):
            raise ProblemError(f"offset: got {self.offset!r}, expected a finite number")
        rows, columns = matrix.shape
        put("K", matrix)
        put("c", _vector("c", self.c, columns, 0.0))
        put("row_lower", _bound("row_lower", self.row_lower, rows, -np.inf))
        put("row_upper", _bound("row_upper", self.row_upper, rows, np.inf))
        put("lower", _bound("lower", self.lower, columns, 0.0))
        put("upper", _bound("upper", self.upper, columns, np.inf))
        if not np.isfinite(matrix.data).all():
            at = int(np.flatnonzero(~np.isfinite(matrix.data))[0])
            row = int(np.searchsorted(matrix.indptr, at, side="right")) - 1
            raise ProblemError(
                f"K: entry ({row}, {int(matrix.indices[at])}) is {matrix.data[at]}, expected a finite number"
            )
        for low, high in (("row_lower", "row_upper"), ("lower", "upper")):
            crossed = getattr(self, low) > getattr(self, high)
            if crossed.any():
                i = int(np.flatnonzero(crossed)[0])
                raise ProblemError(
                    f"{low}[{i}] = {getattr(self, low)[i]} exceeds {high}[{i}] = {getattr(self, high)[i]}"
                )
        if self.terms is not None:
            self.terms.validate(columns)
            _term_domain(self.terms, self.lower, self.upper)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.K.shape[0], self.K.shape[1]


def _term_domain(terms: SeparableTerms, lower: Any, upper: Any) -> None:
    """Raise ProblemError where a concave utility is asked for outside x >= 0, or is infinite on its whole interval."""
    curved = (terms.kind != TermKind.LINEAR) & (terms.kind != TermKind.QUADRATIC) & (terms.kind != TermKind.USER)
    if (curved & (lower < 0)).any():
        j = int(np.flatnonzero(curved & (lower < 0))[0])
        raise ProblemError(
            f"lower[{j}] = {lower[j]}: the {TermKind(int(terms.kind[j])).name} term there needs lower >= 0"
        )
    infinite = (terms.kind == TermKind.POWER) & (terms.e > 1) | (terms.kind == TermKind.LOG) & (terms.b == 0)
    nowhere = infinite & (terms.a > 0) & (upper <= 0)
    if nowhere.any():
        j = int(np.flatnonzero(nowhere)[0])
        raise ProblemError(
            f"upper[{j}] = {upper[j]}: the {TermKind(int(terms.kind[j])).name} term there is infinite at 0"
        )


def _vector(name: str, value: Any, length: int, default: float) -> FloatArray:
    array = np.full(length, default) if value is None else _numbers(name, value)
    if array.shape != (length,):
        raise ProblemError(f"{name}: shape {array.shape}, expected ({length},)")
    if not np.isfinite(array).all():
        i = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ProblemError(f"{name}[{i}] is {array[i]}, expected a finite number")
    return array


def _numbers(name: str, value: Any) -> FloatArray:
    """A copy as float64."""
    if np.iscomplexobj(value):
        raise ProblemError(f"{name}: has complex entries, expected real ones")
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ProblemError(f"{name}: expected a vector of real numbers ({error})") from None


def _bound(name: str, value: Any, length: int, default: float) -> FloatArray:
    array = np.full(length, default) if value is None else _numbers(name, value)
    if array.shape != (length,):
        raise ProblemError(f"{name}: shape {array.shape}, expected ({length},)")
    if np.isnan(array).any():
        raise ProblemError(f"{name}[{int(np.flatnonzero(np.isnan(array))[0])}] is NaN")
    array[array >= INFINITE_BOUND] = np.inf
    array[array <= -INFINITE_BOUND] = -np.inf
    wrong = np.inf if name.endswith("lower") else -np.inf
    if (array == wrong).any():
        raise ProblemError(f"{name}[{int(np.flatnonzero(array == wrong)[0])}] is {wrong!r}: no value can satisfy it")
    return array
