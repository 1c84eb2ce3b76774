"""Leontief systems (I - A) x = d and values (I - A') v = l, with a certified error bound for every component."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..backends import Backend, get_backend
from ..errors import OptionError, ProblemError, suggest
from .error_bound import bound_error
from .krylov import CONVERGED, DIVERGED, LIMIT, METHODS, Stopwatch, System, Watch
from .problem import FloatArray
from .productive import check_productive
from .solution import NotOptimal, SolveInfo, Status
from .square_table import SquareTable, named_like, read_columns, read_table

DIRECT_SIZE = 512  # up to here a dense factorisation takes a few milliseconds and is exact to rounding
TINY = float(np.finfo(np.float64).tiny)
REFINEMENTS = 4  # fresh starts from the residual recomputed from scratch
CHAIN = ("bicgstab", "anderson", "neumann")  # "auto" goes on to the next when one stalls

Progress = Callable[[dict[str, float]], object]


@dataclass
class LeontiefSolution:
    """What solve_leontief returns; x and error_bound look like d: array, Series or DataFrame.

    Attributes
    ----------
    x : gross output (or values); also if the status is not OPTIMAL, then the best point that was reached
    status : OPTIMAL if every column satisfies the tolerance; else ITERATION_LIMIT, INTERRUPTED or NUMERICAL_ERROR
    iterations : steps of the method, all columns together in each; 0 for a factorisation
    residual : the largest of ``residuals``
    residuals : (k,) ||d - (I - A) x||_2 / ||d||_2 of each column, recomputed from scratch at the end
    error_bound : |x - exact x| <= error_bound in every component, proved with rounding included; infinite where
        nothing is proved (``info.notes`` says why); None if it was not asked for
    """

    x: Any
    status: Status
    iterations: int
    residual: float
    residuals: FloatArray
    error_bound: Any
    info: SolveInfo = field(default_factory=SolveInfo)

    def raise_for_status(self) -> None:
        """Raise NotOptimal unless the status is OPTIMAL."""
        if self.status is not Status.OPTIMAL:
            raise NotOptimal(f"status is {self.status.value}: {self.info.why}")


def solve_leontief(
    A: Any,
    d: Any,
    *,
    transpose: bool = False,
    tolerance: float = 1e-10,
    backend: str | Backend = "auto",
    method: str = "auto",
    max_iterations: int = 10_000,
    error_bound: bool = True,
    x0: Any = None,
    on_progress: Progress | None = None,
) -> LeontiefSolution:
    """Solve x = A x + d, or x = A' x + d with ``transpose``, for one or many right-hand sides.

    Parameters
    ----------
    A : (n, n) SciPy sparse matrix, array or DataFrame; A[i, j] is the input of good i per unit of good j
    d : (n,) or (n, k) array, Series or DataFrame of k columns; labelled rows are put into the order of A's labels
    tolerance : every column must satisfy ||d - (I - A) x||_2 <= tolerance ||d||_2; in (0, 1)
    backend : name of a backend, see kantor.backends.get_backend
    method : "auto", "bicgstab", "anderson", "neumann" or "direct" (dense factorisation on the host)
    max_iterations : most steps of the iterative methods, all attempts together; >= 1
    error_bound : prove |x - exact x| <= bound for every component, at the cost of about one more solve
    x0 : a starting point shaped and labelled like d (not for "direct")
    on_progress : called after every step with {"iteration", "primal_residual", "seconds"}

    Raises
    ------
    ProblemError
        NaN, infinity, a table that is not square or is empty, labels that do not match, numbers that are not real; and
        an economy that is not productive (spectral radius of A not below 1): the sectors at fault are named. That is
        found whenever an error bound is asked for, d has one sign, or the iteration does not converge.
    OptionError
        An option out of its range.

    Notes
    -----
    "auto" factorises up to 512 sectors and otherwise runs BiCGSTAB (van der Vorst 1992), going on with Anderson mixing
    of depth 3 and at last plain sweeps where one stalls; ``info.method`` and ``info.why`` tell. If A >= 0 and d >= 0
    (or <= 0) so is x. Only A or A' is held for products, whichever is asked for.

    >>> import numpy as np
    >>> solution = solve_leontief(np.array([[0.25, 0.4], [0.14, 0.12]]), np.array([55.0, 30.0]))
    >>> solution.x.round(9)
    array([100.,  50.])
    >>> bool((solution.error_bound < 1e-11).all())
    True
    """
    _check_options(tolerance, method, max_iterations, x0)
    clock = Stopwatch()
    table = read_table(A)
    right, wrap = read_columns(d, table, "d")
    table = named_like(table, d)
    start = None if x0 is None else read_columns(x0, table, "x0")[0]
    if start is not None and start.shape != right.shape:
        raise ProblemError(f"x0: shape {start.shape}, expected {right.shape} like d")
    kernels = get_backend(backend)
    solve = _Solve(table, transpose, kernels, right, tolerance, max_iterations, clock, on_progress)
    clock.lap("prepare")
    status = solve.run(method, start)
    clock.lap("solve")
    x = solve.answer()
    bound = None
    if error_bound:
        bound = wrap(solve.bound(x))
        clock.lap("error_bound")
    residuals = solve.relative
    info = SolveInfo(
        method="+".join(solve.used) or "none",
        why=solve.why,
        backend=kernels.name,
        device=kernels.device(),
        iterations=solve.watch.iterations,
        products=solve.system.products,
        primal_residual=float(residuals.max()),
        tolerance=tolerance,
        seconds=clock.seconds,
        history=solve.history,
        notes=solve.notes,
    )
    return LeontiefSolution(wrap(x), status, solve.watch.iterations, float(residuals.max()), residuals, bound, info)


def _check_options(tolerance: float, method: str, max_iterations: int, x0: Any) -> None:
    if not 0.0 < tolerance < 1.0:
        raise OptionError(f"tolerance: {tolerance!r}, expected a number in (0, 1)")
    if max_iterations < 1:
        raise OptionError(f"max_iterations: {max_iterations!r}, expected a whole number >= 1")
    known = ("auto", *METHODS, "direct")
    if method not in known:
        raise OptionError(f"method: {method!r} is unknown{suggest(method, known)}")
    if method == "direct" and x0 is not None:
        raise OptionError("x0: the method 'direct' takes no starting point")


class _Solve:
    """One call: the columns of d, each scaled by a power of two lest a norm overflows, and how far they have come."""

    def __init__(
        self,
        table: SquareTable,
        transpose: bool,
        backend: Backend,
        d: FloatArray,
        tolerance: float,
        max_iterations: int,
        clock: Stopwatch,
        on_progress: Progress | None,
    ) -> None:
        self.table, self.d, self.tolerance, self.clock, self.on_progress = table, d, tolerance, clock, on_progress
        self.matrix = table.oriented(transpose)
        width = None if d.ndim == 1 else d.shape[1]
        self.system = System(backend, backend.prepare(self.matrix, transpose=False), width)
        top = np.max(np.abs(d), axis=0)
        self.scale = np.ldexp(1.0, np.frexp(top)[1] - 1)
        self.D = backend.from_host(d / self.scale)
        self.sizes = self.system.norm(self.D)
        self.watch = Watch(tolerance * self.sizes, max_iterations, self._progress, probe=self._probe)
        self.X, self.R = self.system.new(), self.system.new(self.D)  # R is always the residual of X
        self.relative = np.where(self.sizes > 0.0, 1.0, 0.0)
        self.probed = False
        self.used: list[str] = []
        self.notes: list[str] = []
        self.history: list[dict[str, float]] = []
        self.why = ""
        # A >= 0 and a column of one sign: so has its solution, and that column must keep it.
        one_sided = table.nonnegative
        self.lower = np.where(one_sided & (d.min(axis=0) >= 0.0), 0.0, -np.inf)
        self.upper = np.where(one_sided & (d.max(axis=0) <= 0.0), 0.0, np.inf)

    # ---- the attempts ----------------------------------------------------------------------------------------------
    def run(self, method: str, start: FloatArray | None) -> Status:
        """Solve; the answer is left in X, its residuals in ``relative``."""
        chain, why = self._plan(method, start is not None)
        if start is not None:
            self.X = self.system.backend.from_host(np.where(self.sizes > 0.0, start / self.scale, 0.0))
            self._settle()
        try:
            status = self._run(chain)
        except KeyboardInterrupt:
            self._settle()
            status, self.why = Status.INTERRUPTED, f"interrupted; {why}"
            return status
        self.why = why if status is Status.OPTIMAL else f"{self.why}; {why}"
        return status

    def _plan(self, method: str, warm: bool) -> tuple[tuple[str, ...], str]:
        n = self.table.n
        if method != "auto":
            return (method,), f"method {method!r} was asked for"
        if n <= DIRECT_SIZE and not warm:
            return (
                "direct",
                *CHAIN,
            ), f"{n} sectors <= {DIRECT_SIZE}: one dense factorisation is quickest and exact to rounding"
        reason = "a starting point is given" if n <= DIRECT_SIZE else f"{n} sectors > {DIRECT_SIZE}"
        return CHAIN, f"{reason}: BiCGSTAB needs the fewest products with tables whose one large eigenvalue is real"

    def _run(self, chain: tuple[str, ...]) -> Status:
        if self._done():
            return Status.OPTIMAL
        for name in chain:
            self.used.append(name)
            safe, before = self.system.new(self.X), self.relative
            reason = self._attempts(name)
            if self._done():
                return Status.OPTIMAL
            self._probe()
            self._undo(safe, before)
            worst = float(self.relative.max())
            self.notes.append(
                f"{name}: {reason} after {self.watch.iterations} iterations, relative residual {worst:.1e}"
            )
            self.why = self.notes[-1]
            if reason == LIMIT:
                break
        return Status.NUMERICAL_ERROR if reason == DIVERGED else Status.ITERATION_LIMIT

    def _attempts(self, name: str) -> str:
        """Run one method, again from the residual recomputed from scratch as long as that halves it."""
        for _ in range(REFINEMENTS):
            before = self.relative
            if name == "direct":
                reason = self._direct()
            else:
                reason = METHODS[name](self.system, self.D, self.X, self.R, self.watch)
            signs_kept = self._settle()
            if reason != CONVERGED or self._done():
                return reason
            if not signs_kept:
                self._probe()
            if not (self.relative < 0.5 * before).all():
                return "cannot get below rounding error"
        return reason

    def _direct(self) -> str:
        """Add (I - M)^-1 r, r the residual, by dense factorisations on the host.

        The second one is in the units that the first one found, D^-1 (I - M) D with D = diag(|x|): nearly diagonally
        dominant, so that goods counted in large or small units keep as many digits as the others.
        """
        dense = np.eye(self.table.n) - self.matrix.toarray()
        backend = self.system.backend
        right = backend.to_host(self.R).reshape(self.table.n, -1)
        try:
            size = np.abs(np.linalg.solve(dense, right))
            size = (size / np.maximum(size.max(axis=0), TINY)).sum(axis=1, keepdims=True)
            size = np.where(size > 0.0, size, 1.0)
            correction = size * np.linalg.solve(dense * size.T / size, right / size)
        except np.linalg.LinAlgError:
            return "I - A is singular"
        if not np.isfinite(correction).all():
            return "I - A is singular to rounding"
        backend.axpby(1.0, backend.from_host(correction.reshape(self.d.shape)), 1.0, self.X)
        return CONVERGED

    def _settle(self) -> bool:
        """Give columns of one sign back their sign, recompute the residuals; False if a sign cost the tolerance."""
        system = self.system
        self._measure()
        if not (np.isfinite(self.lower) | np.isfinite(self.upper)).any():
            return True
        x = system.backend.to_host(self.X)
        if (x.min(axis=0) >= self.lower).all() and (x.max(axis=0) <= self.upper).all():
            return True
        good = self._done()
        self.X = system.backend.from_host(np.minimum(np.maximum(x, self.lower), self.upper))
        self._measure()
        return self._done() or not good

    def _measure(self) -> None:
        self.system.residual(self.D, self.X, self.R)
        norms = self.system.norm(self.R)
        self.relative = np.where(self.sizes > 0.0, norms / np.where(self.sizes > 0.0, self.sizes, 1.0), norms)

    def _done(self) -> bool:
        return bool((self.relative <= self.tolerance).all())

    def _undo(self, safe: Any, before: FloatArray) -> None:
        """Columns that a method made worse go back to where it began."""
        worse = ~(self.relative <= before)
        if worse.any():
            # Not by weights: 0 times a non-finite number is NaN.
            x, old = self.system.backend.to_host(self.X), self.system.backend.to_host(safe)
            self.X = self.system.backend.from_host(np.where(worse if x.ndim == 2 else worse[0], old, x))
            self._measure()

    def _probe(self) -> None:
        """Raise ProblemError if the table is not productive; looked at once."""
        if not self.probed:
            self.probed = True
            check_productive(self.table, backend=self.system.backend)

    def _progress(self, iteration: int, norms: FloatArray) -> None:
        worst = float((norms / np.where(self.sizes > 0.0, self.sizes, 1.0)).max())
        entry = {"iteration": float(iteration), "primal_residual": worst, "seconds": self.clock.elapsed()}
        self.history.append(entry)
        if self.on_progress is not None:
            self.on_progress(entry)

    # ---- the result --------------------------------------------------------------------------------------------------
    def answer(self) -> FloatArray:
        """X in the units of d."""
        return np.asarray(self.system.backend.to_host(self.X) * self.scale)

    def bound(self, x: FloatArray) -> FloatArray:
        """Certified componentwise bound on the error of x; infinite if there is no proof."""
        found = bound_error(self.matrix, self.d, x, op=self.system.op, backend=self.system.backend)
        self.system.products += found.products
        self.notes.append(found.why)
        if found.vector is None:
            self._probe()
        return found.bound


def values(
    A: Any,
    l: Any,  # noqa: E741 - the letter of the literature
    *,
    tolerance: float = 1e-10,
    backend: str | Backend = "auto",
    method: str = "auto",
    max_iterations: int = 10_000,
    on_progress: Progress | None = None,
) -> Any:
    """What one unit of each good embodies, directly and through all its inputs: v = A' v + l.

    Parameters
    ----------
    A : (n, n) table as in :func:`solve_leontief`
    l : direct use per unit of output, of labour (hours), energy, emissions or any other primary factor: (n,) array or
        Series, (n, k) array for k factors, or a DataFrame of indicators x products
    tolerance, backend, method, max_iterations, on_progress : as in :func:`solve_leontief`

    Returns
    -------
    v in the shape of l; a DataFrame of indicators x products if l is one, products in the order of A.

    Raises ProblemError as solve_leontief does, and NotOptimal if the tolerance is not reached.

    >>> import numpy as np
    >>> values(np.array([[0.25, 0.4], [0.14, 0.12]]), np.array([0.8, 3.6])).round(9)
    array([2., 5.])
    """
    table = read_table(A)
    frame = isinstance(l, pd.DataFrame)
    if frame and table.labels is None and l.shape[1] != table.n:
        raise ProblemError(f"l: shape {l.shape}, expected (k, {table.n}): a table of indicators x products")
    l = l.T if frame else l  # noqa: E741
    right, wrap = read_columns(l, table, "l")
    solution = solve_leontief(
        named_like(table, l),
        right,
        transpose=True,
        tolerance=tolerance,
        backend=backend,
        method=method,
        max_iterations=max_iterations,
        error_bound=False,
        on_progress=on_progress,
    )
    solution.raise_for_status()
    v = wrap(np.asarray(solution.x))
    return v.T if frame else v
