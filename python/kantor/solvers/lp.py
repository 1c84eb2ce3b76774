"""solve_lp: linear and separable concave programs by restarted Halpern PDHG, answered on the original data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..backends import Backend, get_backend
from ..errors import OptionError, ProblemError, suggest
from .answer import answer, settled_answer, simplex_answer
from .kkt import Kkt
from .options import PdhgOptions, StoppingCriteria
from .pdhg import Clock, Outcome, Pdhg
from .problem import FloatArray, LinearProgram
from .scaling import ScaledProgram, check_values, scale_program
from .settle import Settled, settle
from .solution import Solution, SolveInfo, Status
from .start import Start, warm_start_of
from .termination import Residuals, multiplier_range, residuals
from .userset import UserSet

_METHODS = ("auto", "pdhg", "highs")
# Effort spent on telling unbounded from infeasible once a recession direction is known.
_FEASIBILITY_ITERATIONS = 20_000


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
        "pdhg" (what "auto" takes), or "highs": HiGHS' simplex, for small linear programs. Both are judged alike.
    backend : str or Backend
        Kernels for "pdhg"; see kantor.backends.get_backend.
    time_limit_s, iteration_limit : float, int or None
        Limits on wall-clock seconds and on PDHG (or simplex) iterations; the best point so far is returned.
    warm_start : Solution or (x, y) or None
        Where to start, in the sense of the results below; x is clipped to the bounds, y to the signs its rows admit.
        Either may be None. A Solution also hands on its primal weight; a ray inside it is not used. "highs" returns
        the point if it is optimal already, and else starts from its own basis.
    on_progress : callable or None
        Called at every check of "pdhg" with a dict: iteration, primal_residual, dual_residual, gap, objective,
        dual_objective, scaled_residual (the equilibrated program's), weight, seconds. What it returns is ignored; a
        KeyboardInterrupt it raises ends the solve like Ctrl-C.
    value_scaling : (row values (M,), column values (N,)) or None
        Value of one unit of each row and of each column, all > 0, applied before equilibration: the iterates then do
        not depend on the units goods are counted in.
    projection : callable or None
        Replaces the clip to the bounds: takes an array of the backend (N,), original units, and returns the Euclidean
        projection on a closed convex set X inside [lower, upper]. Columns are then not rescaled, so that the projection
        stays one. The dual residual becomes ||x - projection(x - rho)|| / (1 + ||c||). Not together with terms.
    support : callable or None
        With ``projection``: v (N,) on the host -> sup of v.x over X, which makes D a bound. Without it D uses rho.x at
        the point itself and is only an estimate.
    options : PdhgOptions or None
        Parameters of the method.

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
    _check_projection(lp, method, projection, support)
    if method == "highs":
        _refuse_unused(value_scaling=value_scaling, options=options)
    clock = Clock()
    start = warm_start_of(lp, warm_start)
    settled = settle(lp) if projection is None else Settled(lp, None, np.zeros(lp.shape[1]))
    if settled.status is not None:
        return settled_answer(lp, settled, stopping, clock)
    if method == "highs":
        return simplex_answer(lp, stopping, clock, start if warm_start is not None else None)
    run = _PdhgRun(lp, settled, stopping, options or PdhgOptions(), clock, get_backend(backend))
    solution = run.solve(start, value_scaling, projection, support, on_progress)
    return run.unbounded_or_infeasible(solution) if solution.status is Status.DUAL_INFEASIBLE else solution


class _PdhgRun:
    """One call by PDHG: scale, move to the backend, iterate, unscale, and judge on the original data."""

    def __init__(
        self, lp: LinearProgram, settled: Settled, stopping: StoppingCriteria, options: PdhgOptions, clock: Clock,
        backend: Backend,
    ) -> None:  # fmt: skip
        assert settled.lp is not None
        self.lp, self.settled, self.rest = lp, settled, settled.lp
        self.stopping, self.options, self.clock, self.backend = stopping, options, clock, backend
        self.user_set: UserSet | None = None

    def solve(
        self,
        start: Start,
        value_scaling: Any = None,
        projection: Any = None,
        support: Any = None,
        on_progress: Any = None,
    ) -> Solution:
        """Run; the arguments are those of solve_lp."""
        rest, clock, backend = self.rest, self.clock, self.backend
        values = check_values(value_scaling, self.lp.shape)
        if values is not None and self.settled.rows is not None:
            values = values[0][self.settled.rows], values[1]
        with clock.phase("scaling"):
            scaled = scale_program(rest, self.options, values, scale_columns=projection is None)
        with clock.phase("transfer"):
            if projection is not None:
                self.user_set = UserSet(backend, projection, support, scaled.scaling.primal, rest)
            kkt = Kkt(backend, rest, scaled, self.user_set)
            scaled = replace(scaled, K=None)  # the backend has its own copy; a large matrix need not be held twice
        sign, offset = (-1.0 if self.lp.maximise else 1.0), self.lp.offset
        loop = Pdhg(
            kkt, self.stopping, self.options, clock, weight=start.weight or self.options.initial_weight,
            confirm=lambda x, y: self._judge(*self._unscale(scaled, x, y)), on_progress=on_progress,
            projection=None if self.user_set is None else self.user_set.project_scaled,
            in_user_sense=lambda value: sign * (value + offset),
        )  # fmt: skip
        outcome = loop.solve(*self._scaled_start(scaled, start))
        solution = self._package(scaled, outcome)
        solution.info.backend, solution.info.device = backend.name, backend.device()
        return solution

    def _scaled_start(self, scaled: ScaledProgram, start: Start) -> tuple[FloatArray, FloatArray]:
        """The start in scaled units, inside the bounds (or the user's set) and the signs of the rows."""
        rest, s = self.rest, scaled.scaling
        x = np.clip(start.x, rest.lower, rest.upper)
        if self.user_set is not None:
            x = self.user_set.project(x)
        y = start.y if self.settled.rows is None else start.y[self.settled.rows]
        y = np.clip(y, *multiplier_range(rest.row_lower, rest.row_upper))
        return np.clip(s.x_in(x), scaled.lower, scaled.upper), s.y_in(y)

    def _unscale(self, scaled: ScaledProgram, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        x = np.clip(scaled.scaling.x_out(x), self.rest.lower, self.rest.upper)
        y = np.clip(scaled.scaling.y_out(y), *multiplier_range(self.rest.row_lower, self.rest.row_upper))
        return x, self.settled.full_y(y, self.lp.shape[0])

    def _judge(self, x: FloatArray, y: FloatArray) -> Residuals:
        return residuals(self.lp, x, y) if self.user_set is None else self.user_set.residuals(x, y)

    def _package(self, scaled: ScaledProgram, outcome: Outcome) -> Solution:
        x, y = self._unscale(scaled, outcome.x, outcome.y)
        judged = self._judge(x, y)
        info = SolveInfo(
            method="pdhg",
            why=outcome.why or "first-order method for sparse linear and separable concave programs (r2HPDHG)",
            iterations=outcome.iterations,
            products=outcome.products,
            history=outcome.history,
        )
        if self.user_set is not None and not self.user_set.certified:
            info.notes.append("no support function given: dual_objective is an estimate, not a bound")
        if outcome.status is Status.PRIMAL_INFEASIBLE and outcome.ray is not None:
            y = self.settled.full_y(outcome.ray, self.lp.shape[0])
        elif outcome.status is Status.DUAL_INFEASIBLE and outcome.ray is not None:
            x = outcome.ray
        return answer(self.lp, outcome.status, x, y, judged, info, self.stopping, self.clock)

    def unbounded_or_infeasible(self, solution: Solution) -> Solution:
        """A recession direction shows that no dual feasible point exists; see whether a feasible point exists at all.

        The same rows and bounds without the objective: a Farkas ray there outranks the direction, a feasible point
        makes the program unbounded, and without either within a bounded effort the answer stays "dual infeasible".
        """
        info, spent, limit = solution.info, solution.info.iterations, self.stopping.iteration_limit
        budget = max(_FEASIBILITY_ITERATIONS, 2 * spent)
        seconds = self.stopping.time_limit_s
        left = None if seconds is None else seconds - self.clock.elapsed()
        if (limit is not None and limit <= spent) or (left is not None and left <= 0.0):
            info.why += "; the limits left no room to look for a feasible point"
            return solution
        search = StoppingCriteria(
            tolerance=self.stopping.tolerance,
            iteration_limit=budget if limit is None else min(budget, limit - spent),
            time_limit_s=left,
        )
        rest = self.rest
        plain = LinearProgram(np.zeros(rest.shape[1]), rest.K, rest.row_lower, rest.row_upper, rest.lower, rest.upper)
        inner = _PdhgRun(
            plain, Settled(plain, None, np.zeros(rest.shape[1])), search, self.options, Clock(), self.backend
        )
        found = inner.solve(warm_start_of(plain, None))
        info.iterations, info.products = spent + found.info.iterations, info.products + found.info.products
        info.seconds = {**info.seconds, "feasibility": found.info.seconds, "total": self.clock.elapsed()}
        if found.status is Status.PRIMAL_INFEASIBLE:
            info.why = f"{found.info.why} (and {info.why})"
            y = self.settled.full_y(found.y, self.lp.shape[0])
            return Solution(found.x, y, -(self.lp.K.T @ y), np.nan, np.nan, Status.PRIMAL_INFEASIBLE, info)
        if found.status is Status.OPTIMAL:
            info.why += "; a feasible point exists: the program is unbounded"
        else:
            info.why += "; no feasible point was found: unbounded or infeasible"
        return solution


def _check_projection(lp: LinearProgram, method: str, projection: Any, support: Any) -> None:
    if projection is None:
        if support is not None:
            raise OptionError("support: only used together with projection")
        return
    if method == "highs":
        raise OptionError("projection: only method 'pdhg' can use one")
    if lp.terms is not None and lp.terms.kind.any():
        raise OptionError("projection: cannot be used together with terms; their common step is not the two in a row")


def _refuse_unused(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise OptionError(f"{name}: only used by method 'pdhg'")
