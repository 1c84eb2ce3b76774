"""solve_lp: linear and separable concave programs by restarted Halpern PDHG, answered on the original data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import Backend, get_backend
from ..errors import OptionError, ProblemError, suggest
from .answer import settled_answer, simplex_answer, unstarted
from .checkpoint import place_of
from .clock import Clock
from .options import PdhgOptions, StoppingCriteria
from .plan_form import LEAST_NONZEROS, plan_answer, read_plan
from .presolve import unsuitable
from .problem import FloatArray, LinearProgram
from .run import Extras, PdhgRun
from .settle import Settled, settle
from .solution import Solution, Status
from .start import Start, warm_start_of

_METHODS = ("auto", "planning", "pdhg", "highs")
# "auto" tries the simplex method first on linear programs up to this many nonzeros, for this many iterations a row
# and column; on Netlib it is faster than PDHG and exact, on planning tables above this size it is slower.
_SIMPLEX_NONZEROS = 150_000
_SIMPLEX_ITERATIONS = 5


def solve_lp(
    lp: LinearProgram,
    tolerance: float = 1e-6,
    method: str = "auto",
    backend: str | Backend = "auto",
    time_limit_s: float | None = None,
    iteration_limit: int | None = None,
    warm_start: Solution | tuple[Any, Any] | None = None,
    on_progress: Callable[[dict[str, float]], Any] | None = None,
    value_scaling: tuple[Any, Any] | None = None,
    projection: Callable[[Any], Any] | None = None,
    support: Callable[[FloatArray], float] | None = None,
    options: PdhgOptions | None = None,
    presolve: bool | None = None,
    checkpoint: str | Path | None = None,
) -> Solution:
    """Minimise c.x + sum_j phi_j(x_j) subject to row_lower <= K x <= row_upper, lower <= x <= upper.

    Parameters
    ----------
    lp : LinearProgram
        M rows, N columns; ``lp.terms`` may add one separable convex term a column.
    tolerance : float
        OPTIMAL means, recomputed from the raw data, with rho = c - K'y and 2-norms::

            ||K x - clip(K x, l, u)||    <= tolerance (1 + ||b||)      b: finite u_i, and finite l_i other than u_i
            ||rho - admissible part||    <= tolerance (1 + ||c||)      with terms: c + phi'(x) instead of c
            |P - D|                      <= tolerance (1 + |P| + |D|)

        and x inside its bounds exactly, and the two residuals of the equilibrated program, relative to its own sizes,
        below it as well (or a row that is small only because of its unit would not count). P = c.x + phi(x); D sums
        l_i y_i+ - u_i y_i- over the rows and the infimum of rho_j x + phi_j(x) over [lower_j, upper_j] over the
        columns, taken at the admissible part of rho (where that infimum is finite). D bounds the optimum as far as the
        dual residual is zero.
    method : str
        "pdhg"; "highs": HiGHS' simplex, for small linear programs; or "planning": the planning engine, for programs
        that are a choice among techniques with one product each (goods rows N x >= d, or N x >= t y with the largest t;
        resource rows R x <= b; 0 <= x <= capacity), else an OptionError says what does not fit. All are judged alike.
        "auto" takes the planning engine where it can, from 20,000 nonzeros on; the simplex method for linear programs
        of at most 150,000 nonzeros, unless an argument only PDHG uses is given (a backend, a warm start, ...); and PDHG
        for everything else and where 5 (M + N) simplex iterations or its precision do not suffice. ``info.method`` and
        ``info.why`` say what solved it.
    backend : str or Backend
        Kernels for "pdhg" and "planning"; see kantor.backends.get_backend.
    time_limit_s, iteration_limit : float, int or None
        Limits on wall-clock seconds and on PDHG (or simplex) iterations; the best point so far is returned.
    warm_start : Solution or (x, y) or None
        Where to start, in the sense of the results below; x is clipped to the bounds, y to the signs its rows admit.
        Either may be None. A Solution also hands on its primal weight; a ray inside it is not used. "highs" returns
        the point if it is optimal already, and else starts from its own basis.
    on_progress : callable or None
        Called at every check of "pdhg" (never by the simplex method) with a dict: iteration, primal_residual,
        dual_residual, gap, objective, dual_objective, scaled_residual (the equilibrated program's), weight, seconds;
        with presolve the residuals are those of what it left. "planning" passes it to
        kantor.solvers.dispatch.solve_program. What it returns is ignored; a KeyboardInterrupt it raises ends the solve
        like Ctrl-C.
    value_scaling : (row values (M,), column values (N,)) or None
        Value of one unit of each row and of each column, all > 0, applied before equilibration: the iterates then do
        not depend on the units goods are counted in. None: for programs that "planning" would take, computed from
        them, unless ``options.log_scaling`` is given.
    projection : callable or None
        Replaces the clip to the bounds: takes an array of the backend (N,), original units, and returns the Euclidean
        projection on a closed convex set X inside [lower, upper]. Columns are then not rescaled, so that the projection
        stays one. The dual residual becomes ||x - projection(x - rho)|| / (1 + ||c||). Not together with terms.
    support : callable or None
        With ``projection``: v (N,) on the host -> sup of v.x over X, which makes D a bound. Without it D uses rho.x at
        the point itself and is only an estimate.
    options : PdhgOptions or None
        Parameters of the method.
    presolve : bool or None
        Let HiGHS remove rows and columns before "pdhg" starts; the answer is postsolved and judged on the original, and
        where presolve proves nothing the original program is solved instead (``info.notes`` says so). None: yes for
        linear programs of up to two million nonzeros. Not with projection, nor for programs with concave terms. For
        "highs" its own presolve; "planning" has none.
    checkpoint : path or None
        Folder for the state of "pdhg": written every half minute and at the end, and continued from if it is there.
        The continued run computes the same bits as one that was never stopped (on the same backend). ProblemError
        if the folder holds another problem or other options, or a damaged file.

    Returns
    -------
    Solution
        x (N,), y (M,), reduced_costs = c - K'y (N,), objectives, status and info. With ``lp.maximise`` everything is
        in the user's sense: objective = -(c.x + phi + offset), y and reduced_costs change sign too, so that always
        y_i = d(objective)/d(row side i) and reduced_costs_j = d(objective)/d(bound j) where a side or bound is active.
        Rays keep the sign of the certificate: for PRIMAL_INFEASIBLE y (2-norm one) has D0(y) > 0 and reduced_costs is
        -K'y; for DUAL_INFEASIBLE x (2-norm one) has c.x < 0 for the minimised c. Objectives are then NaN.

    Raises
    ------
    ProblemError, OptionError
        For impossible input. Not converging is a status.

    References
    ----------
    arXiv 2507.14051 (r2HPDHG), arXiv 2102.04592 (infeasibility); the residuals are those of docs/notation.md.

    Examples
    --------
    >>> import numpy as np
    >>> lp = LinearProgram(c=[2.0, 3.0], K=np.array([[1.0, 1.0], [3.0, 2.0]]), row_lower=[2.0, -np.inf],
    ...                    row_upper=[np.inf, 5.0])
    >>> solution = solve_lp(lp, tolerance=1e-9, backend="reference")
    >>> solution.status.value, solution.x.round(6).tolist(), solution.y.round(6).tolist()
    ('optimal', [1.0, 1.0], [5.0, -1.0])
    """
    if not isinstance(lp, LinearProgram):
        raise ProblemError(f"lp: got {type(lp).__name__}, expected a LinearProgram")
    if method not in _METHODS:
        raise OptionError(f"method: {method!r} is unknown{suggest(method, _METHODS)}")
    stopping = StoppingCriteria(tolerance=tolerance, iteration_limit=iteration_limit, time_limit_s=time_limit_s)
    _check_projection(lp, method, projection, support, presolve)
    if method in ("highs", "planning"):
        _refuse_unused(value_scaling=value_scaling, options=options, checkpoint=checkpoint)
    extras = Extras(on_progress, value_scaling, projection, support, presolve, checkpoint)
    clock = Clock(stopping.time_limit_s)
    start = warm_start_of(lp, warm_start)
    try:
        return _solve(lp, stopping, method, backend, clock, start, extras, options)
    except KeyboardInterrupt:
        return unstarted(lp, start, Status.INTERRUPTED, "interrupted before the first iteration", stopping, clock)


def _solve(
    lp: LinearProgram, stopping: StoppingCriteria, method: str, backend: str | Backend, clock: Clock, start: Start,
    extras: Extras, options: PdhgOptions | None,
) -> Solution:  # fmt: skip
    """By the method asked for, or by the first that suits and settles it."""
    presolve, projection, given = extras.presolve, extras.projection, start.given
    settled = settle(lp) if projection is None else Settled(lp, None, np.zeros(lp.shape[1]))
    if settled.status is not None:
        return settled_answer(lp, settled, stopping, clock)
    if method == "highs":
        return simplex_answer(lp, stopping, clock, start if given else None, presolve is not False)
    notes: list[str] = []
    if method == "planning" or (method == "auto" and options is None and _may_plan(lp, extras)):
        found = _by_planning(lp, stopping, clock, start, backend, extras.on_progress, method == "planning")
        if isinstance(found, Solution):
            return found
        start, why = found
        notes += [why] if why else []
    if method == "auto" and not given and backend == "auto" and options is None and _small(lp, extras):
        answered, why = _by_simplex(lp, stopping, clock, presolve is not False)
        if answered is not None:
            answered.info.notes += notes
            return answered
        notes.append(why)
    # The one place where a checkpoint is taken: what a run solves on the way has none of its own.
    extras = replace(extras, checkpoint=place_of(extras.checkpoint))
    kernels = get_backend(backend)
    values = _values(lp, extras, options, kernels)
    if values is not None:
        extras = replace(extras, value_scaling=values)
        notes.append("read as a plan, and scaled by what its goods and limits are worth")
    run = PdhgRun(lp, settled, stopping, options or PdhgOptions(), clock, kernels, extras)
    solution = run.solve(start)
    solution.info.notes += notes
    return solution


def _small(lp: LinearProgram, extras: Extras) -> bool:
    """Whether the simplex method can take the program and nothing asked for needs PDHG."""
    return lp.K.nnz <= _SIMPLEX_NONZEROS and not unsuitable(lp) and not _only_pdhg(extras)


def _may_plan(lp: LinearProgram, extras: Extras) -> bool:
    """Whether it is worth asking if the program is a plan, and nothing asked for needs PDHG."""
    return lp.K.nnz >= LEAST_NONZEROS and not _only_pdhg(extras)


def _values(
    lp: LinearProgram, extras: Extras, options: PdhgOptions | None, backend: Backend
) -> tuple[FloatArray, FloatArray] | None:
    """Worth of the units of a program that is a plan, where no scaling was asked for: the iterations are then the same
    in any units of its goods, and fewer than by sizes alone."""
    asked = extras.value_scaling is not None or extras.projection is not None
    if asked or (options is not None and options.log_scaling is not None):
        return None
    form, _ = read_plan(lp)
    if form is None:
        return None
    row, column = form.values(backend)
    usable = all(bool((np.isfinite(v) & (v > 0.0)).all()) for v in (row, column))
    return (row, column) if usable else None


def _only_pdhg(extras: Extras) -> bool:
    return any(given is not None for given in (extras.value_scaling, extras.projection, extras.checkpoint))


def _by_planning(
    lp: LinearProgram, stopping: StoppingCriteria, clock: Clock, start: Start, backend: str | Backend,
    on_progress: Callable[[dict[str, float]], Any] | None, asked: bool,
) -> Solution | tuple[Start, str]:  # fmt: skip
    """The planning engine's answer, or (where to go on from, why it has none); only an answer if ``asked`` for."""
    form, why = read_plan(lp)
    if form is None:
        if asked:
            raise OptionError(f"method: 'planning' does not apply: {why}; use 'auto' or 'pdhg'")
        return start, ""
    solution, stands = plan_answer(lp, form, stopping, clock, get_backend(backend), start, on_progress)
    if stands or asked:
        return solution
    why = f"planning: {solution.info.why}"
    if solution.status is Status.NUMERICAL_ERROR:
        return start, why
    y = -solution.y if lp.maximise else solution.y
    return Start(solution.x, y, None, given=True), why


def _by_simplex(
    lp: LinearProgram, stopping: StoppingCriteria, clock: Clock, presolve: bool
) -> tuple[Solution | None, str]:
    """(the answer, "") or (None, why the simplex method has none within its budget)."""
    most, limit = _SIMPLEX_ITERATIONS * sum(lp.shape), stopping.iteration_limit
    budget = most if limit is None else min(most, limit)
    solution = simplex_answer(lp, replace(stopping, iteration_limit=budget), clock, None, presolve)
    if solution.status is Status.NUMERICAL_ERROR:
        return None, f"simplex: {solution.info.why}"
    if solution.status is Status.ITERATION_LIMIT and budget == most != limit:
        return None, f"simplex: not done after {budget} iterations"
    solution.info.why += "; the simplex method is exact and fast on a program of this size"
    return solution, ""


def _check_projection(lp: LinearProgram, method: str, projection: Any, support: Any, presolve: bool | None) -> None:
    if projection is None:
        if support is not None:
            raise OptionError("support: only used together with projection")
        return
    if presolve:
        raise OptionError("presolve: cannot be used together with projection, whose set it does not know")
    if method in ("highs", "planning"):
        raise OptionError("projection: only method 'pdhg' can use one")
    if lp.terms is not None and lp.terms.kind.any():
        raise OptionError("projection: cannot be used together with terms; their common step is not the two in a row")


def _refuse_unused(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise OptionError(f"{name}: only used by method 'pdhg'")
