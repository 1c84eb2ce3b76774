"""Leontief systems (I - A) x = d and values (I - A') v = l, with a certified error bound for every component."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..backends import Backend
from ..errors import OptionError, ProblemError, suggest
from .error_bound import ErrorBound
from .leontief_run import LeontiefRun
from .methods import METHODS
from .problem import FloatArray
from .solution import NotOptimal, SolveInfo, Status
from .square_table import Wrap, named_like, read_columns, read_groups, read_table

BOUNDS = ("cheap", "tight")
Progress = Callable[[dict[str, float]], object]


@dataclass
class LeontiefSolution:
    """What solve_leontief returns; x, error_bound, lower and upper look like d: array, Series or DataFrame.

    Attributes
    ----------
    x : gross output (or values); also if the status is not OPTIMAL, then the best point that was reached
    status : OPTIMAL if every column satisfies the tolerance; else ITERATION_LIMIT, INTERRUPTED or NUMERICAL_ERROR
    iterations : steps of the method, the most that any block of columns needed; 0 for a factorisation
    residual : the largest of ``residuals``
    residuals : (k,) ||d - (I - A) x||_2 / ||d||_2 of each column, recomputed from scratch at the end
    value_residuals : (k,) sum_i p_i |d - (I - A) x|_i / sum_i p_i |d_i|: p = 1 if the table is in money or another
        common unit (few column sums above 1); else p_i is one over a rough gross output of good i: units do not matter
    error_bound : |x - exact x| <= error_bound in every component, proved with rounding included; infinite where
        nothing is proved (``info.notes`` says why); None if it was not asked for
    """

    x: Any
    status: Status
    iterations: int
    residual: float
    residuals: FloatArray
    value_residuals: FloatArray
    error_bound: Any
    info: SolveInfo = field(default_factory=SolveInfo)
    _proof: ErrorBound | None = field(default=None, repr=False)
    _wrap: Wrap = field(default=lambda answer: answer, repr=False)

    @property
    def lower(self) -> Any:
        """A proved lower bound on the exact solution, shaped like x; x itself to rounding after plain sweeps."""
        return self._side(0)

    @property
    def upper(self) -> Any:
        """A proved upper bound on the exact solution, shaped like x."""
        return self._side(1)

    def _side(self, which: int) -> Any:
        if self._proof is None:
            raise OptionError("error_bound: lower and upper need it, it was not asked for")
        return self._wrap(self._proof.interval(np.asarray(self.x))[which])

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
    error_bound: bool | str = True,
    x0: Any = None,
    groups: Any = None,
    on_progress: Progress | None = None,
) -> LeontiefSolution:
    """Solve x = A x + d, or x = A' x + d with ``transpose``, for one or many right-hand sides.

    Parameters
    ----------
    A : (n, n) SciPy sparse matrix, array or DataFrame; A[i, j] is the input of good i per unit of good j
    d : (n,) or (n, k) array, Series or DataFrame of k columns; labelled rows are put into the order of A's labels
    tolerance : every column must satisfy ||d - (I - A) x||_2 <= tolerance ||d||_2; 0 < tolerance < 1
    backend : name of a backend, see kantor.backends.get_backend
    method : "auto", "bicgstab", "anderson", "neumann" or "direct" (dense factorisation on the host)
    max_iterations : most steps of the iterative methods, all attempts together, for each block of columns; a whole
        number >= 1
    error_bound : prove |x - exact x| <= bound for every component. True or "cheap": one proof for all columns, at the
        cost of some sweeps; "tight": one for each column, at the cost of about another solve; False: no bound
    x0 : a starting point shaped and labelled like d (not for "direct")
    groups : (n,) the group of every good, or the name of an index level of a labelled table ("region", "sector"): the
        small table of the groups becomes a preconditioner of BiCGSTAB and Anderson; of use where groups are weakly tied
        and each is slow by itself. At most 2,048
    on_progress : called after every step with {"iteration", "primal_residual", "seconds", "columns_done"}

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
    of depth 3 and at last plain sweeps where one stalls; large tables without negative entries are swept first
    (docs/decisions/0003); ``info.method`` and ``info.why`` tell. If A >= 0 and d >= 0
    (or <= 0) so is x. Only A or A' is held for products, whichever is asked for; an array most of whose cells are
    filled is multiplied as it is, by BLAS. Many right-hand sides go through the matrix together, 8 or 32 at a time by
    its size.

    >>> import numpy as np
    >>> solution = solve_leontief(np.array([[0.25, 0.4], [0.14, 0.12]]), np.array([55.0, 30.0]))
    >>> solution.x.round(9)
    array([100.,  50.])
    >>> bool((solution.error_bound < 1e-11).all())
    True
    """
    kind = _check_options(tolerance, method, max_iterations, error_bound, x0)
    if groups is not None and method in ("direct", "neumann"):
        raise OptionError(f"groups: the method {method!r} takes no preconditioner")
    table = read_table(A)
    right, wrap = read_columns(d, table, "d")
    table = named_like(table, d)
    start = None if x0 is None else read_columns(x0, table, "x0")[0]
    if start is not None and start.shape != right.shape:
        raise ProblemError(f"x0: shape {start.shape}, expected {right.shape} like d")
    grouped = None if groups is None else read_groups(groups, table)
    run = LeontiefRun(table, transpose, backend, right, float(tolerance), int(max_iterations), on_progress, grouped)
    status = run.solve(method, start)
    proof = run.bound(kind) if kind else None
    bound = None if proof is None else wrap(proof.bound)
    residual = float(run.residuals.max())
    return LeontiefSolution(
        wrap(run.x),
        status,
        run.iterations,
        residual,
        run.residuals,
        run.value_residuals,
        bound,
        run.info(),
        proof,
        wrap,
    )


def _check_options(tolerance: Any, method: Any, max_iterations: Any, error_bound: Any, x0: Any) -> str:
    """Raise OptionError for what is out of range; the kind of bound, "" for none."""
    number = isinstance(tolerance, int | float | np.integer | np.floating) and not isinstance(tolerance, bool)
    if not (number and 0.0 < tolerance < 1.0):
        raise OptionError(f"tolerance: {tolerance!r}, expected a number with 0 < tolerance < 1")
    whole = isinstance(max_iterations, int | np.integer) and not isinstance(max_iterations, bool)
    if not (whole and max_iterations >= 1):
        raise OptionError(f"max_iterations: {max_iterations!r}, expected a whole number >= 1")
    known = ("auto", *METHODS, "direct")
    if method not in known:
        raise OptionError(f"method: {method!r} is unknown{suggest(str(method), known)}")
    if method == "direct" and x0 is not None:
        raise OptionError("x0: the method 'direct' takes no starting point")
    if isinstance(error_bound, bool | np.bool_):
        return "cheap" if error_bound else ""
    if error_bound not in BOUNDS:
        raise OptionError(f"error_bound: {error_bound!r}, expected True, False, 'cheap' or 'tight'")
    return str(error_bound)


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
