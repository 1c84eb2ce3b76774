"""The exact optimal vertex of a planning program near an approximate answer: crossover without the whole matrix.

Three ways to a basis, the cheapest first; each basis is then solved exactly to rounding (:mod:`kantor.solvers.basis`)
and counts only if plan and prices are optimal to rounding:

* read off: a column whose distance from its bounds, as a share of what flows, exceeds its reduced cost, is basic; where
  nothing is degenerate that is the basis already;
* block exchange (:mod:`kantor.solvers.exchange`), for techniques with one product each, at any size;
* the simplex method of HiGHS from what was read off, for any structure up to some thousands of goods and techniques.

Small programs are confirmed in rational arithmetic, and moved on from there by exact pivots where rounding hid a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..backends import Backend, get_backend
from ..backends.world import once
from ..errors import OptionError
from . import highs_run
from .basis import ROUNDING, BasicPoint, basic_point
from .bounds import DualPoint, planning_prices
from .certificate import Certificate, certify, merge, relative_gap
from .clock import Clock
from .evaluate import Evaluator
from .exact import SMALL_MATRIX_VALUE, basis_of, highs_model, import_highspy
from .exchange import Exchange, Point
from .plain_units import PlainUnits
from .problem import FloatArray, LinearProgram
from .program import Layout, PlanningProgram, to_linear_program, value_scaling
from .program_solution import ProgramSolution
from .rational import Basis, Vertex, optimal_vertex
from .repair import PlanPoint
from .rounds import Start
from .scaling import equilibrate
from .small_program import BASIC, LOWER, UPPER
from .solution import Status
from .technology import Technology, not_leontief
from .value_units import ValueUnits

MOST_ROWS = 20_000  # goods and limits for which the simplex method is asked
MOST_EXACT = 60  # goods and limits for which the vertex is confirmed in rational arithmetic
_EXCHANGE = 1e-12  # gap that block exchange and the certificate aim at
_RUIZ_PASSES = 8
_TINY = 1e3 * SMALL_MATRIX_VALUE  # entries below lift their row
_MOST_LIFT = 2.0**30


@dataclass(frozen=True)
class ProgramVertex:
    """An optimal vertex of a planning program of kind "scale" or "use"; n goods, m techniques, r resources.

    Attributes
    ----------
    lp, layout: the linear program that it is a vertex of, and where its parts sit; N columns, M rows.
    point: basis, point and multipliers of that, good to the last digits.
    column_unit, row_unit, value_unit: (N,), (M,), powers of two: one of what the linear program counts in the units of
        the planning program; all 1 unless those are extreme (:mod:`kantor.solvers.plain_units`).
    how: how the basis was found, in words.
    exact: the same vertex in rational numbers, with its proof that it is feasible and optimal without any tolerance;
        None for programs of more than :data:`MOST_EXACT` goods and limits.
    """

    lp: LinearProgram
    layout: Layout
    point: BasicPoint
    column_unit: FloatArray
    row_unit: FloatArray
    value_unit: float
    how: str
    exact: Vertex | None

    @property
    def x(self) -> FloatArray:
        """(N,) activity, then the scale; idle techniques exactly 0, full ones exactly at capacity."""
        return self.point.x * self.column_unit

    @property
    def y(self) -> FloatArray:
        """(M,) prices of goods, then floor rent minus rent of each limit."""
        return self.point.y * self.row_unit

    @property
    def reduced(self) -> FloatArray:
        """(N,) what a unit of each technique costs beyond what it earns; negative where a capacity earns a rent."""
        return self.point.reduced * (self.value_unit / self.column_unit)

    @property
    def activity(self) -> FloatArray:
        """(m,) activity of the techniques."""
        return self.x[: self.layout.n_techniques]

    @property
    def value(self) -> float:
        """Scale or cost."""
        inner = self.point.x[-1] if self.layout.kind == "scale" else self.lp.c @ self.point.x
        return float(inner) * self.value_unit

    def plan(self, targets: FloatArray) -> PlanPoint:
        """The vertex as a plan."""
        return PlanPoint(*self.layout.split_primal(self.x, targets))

    def dual(self) -> DualPoint:
        """The vertex as prices and rents."""
        return DualPoint(*self.layout.split_dual(self.y))

    def degenerate(self) -> tuple[int, int]:
        """(basic columns and rows at a bound or side, those at one with a reduced cost or multiplier of zero).

        With none of the first kind, prices and rents are the only ones; with none of the second, the plan is.
        """
        lp, point = self.lp, self.point
        x_off = np.minimum(np.abs(point.x - lp.lower), np.abs(lp.upper - point.x))
        at_bound = (point.basis.columns == 0) & (point.column_distance(lp.K, _finite(x_off)) <= ROUNDING)
        row_off = np.minimum(np.abs(point.row - lp.row_lower), np.abs(lp.row_upper - point.row))
        at_side = (point.basis.rows == 0) & (_finite(row_off) <= ROUNDING * point.row_size)
        fixed, equal = lp.lower == lp.upper, lp.row_lower == lp.row_upper
        at_bound, at_side = at_bound & np.isfinite(x_off), at_side & np.isfinite(row_off)
        flat = (point.basis.columns != 0) & ~fixed & (np.abs(point.reduced) <= ROUNDING * point.column_size)
        idle = (point.basis.rows != 0) & ~equal & (point.row_distance(lp.K, np.abs(point.y)) <= ROUNDING)
        return int(at_bound.sum() + at_side.sum()), int(flat.sum() + idle.sum())


def at_vertex(
    program: PlanningProgram,
    solution: ProgramSolution,
    backend: str | Backend = "auto",
    seconds: float | None = None,
) -> tuple[ProgramSolution, ProgramVertex | None]:
    """(the solution with the certificate of an optimal vertex, that vertex), or (the solution, None) with a note why.

    Raises OptionError for utilities, whose optimum is no vertex.

    >>> given = dict(resource_use=[[0.8, 3.6]], resource_upper=[520.0])
    >>> A = np.array([[0.25, 0.4], [0.14, 0.12]])
    >>> program = PlanningProgram.build("scale", np.eye(2), A, [55.0, 30.0], **given)
    >>> from kantor.solvers.dispatch import solve_program
    >>> _, vertex = at_vertex(program, solve_program(program))
    >>> vertex.activity.tolist(), vertex.exact.feasible and vertex.exact.optimal_signs
    ([200.0, 100.0], True)
    """
    if program.kind == "utility":
        raise OptionError("vertex: a utility has no vertex, its optimum lies where prices equal marginal utilities")
    if solution.status is not Status.OPTIMAL:
        solution.info.notes.append(f"vertex: none was looked for, the status is {solution.status.value}")
        return solution, None
    kernels, units = get_backend(backend), PlainUnits.of(program)
    inner = None if units is None else units.enter(program)
    plan = PlanPoint(solution.activity, solution.scale, solution.consumption)
    start = Start(plan, DualPoint(solution.prices, solution.rents, solution.floor_rents))
    if units is not None and inner is not None:
        search = _Search(inner, units.enter_start(start), kernels, seconds)
    else:
        units, search = None, _Search(program, start, kernels, seconds)
    found = search.run()
    if found is None:
        solution.info.notes.append(f"vertex: none was found: {'; '.join(search.failures)}")
        return solution, None
    if units is not None:
        found = _out_of(units, found)
    # Of a vertex all digits are right, so its certificate is sought to the last digits; the plan that there was helps
    # where rounding leaves the vertex no room, and what it proves already stays proved.
    mine = certify(
        Evaluator(program), found.plan(program.targets), found.dual(), tolerance=_EXCHANGE, safe=plan,
        safe_dual=start.dual, backend=kernels,
    )  # fmt: skip
    certificate = merge(_of_solution(program, solution, start), mine)
    scale, targets = certificate.plan.scale, program.targets
    return replace(
        solution,
        objective=certificate.value,
        lower_bound=certificate.lower,
        upper_bound=certificate.upper,
        gap=relative_gap(program.kind, certificate.lower, certificate.upper),
        activity=certificate.plan.activity,
        scale=scale,
        consumption=scale * targets if program.kind == "scale" else certificate.plan.consumption,
        prices=certificate.dual.prices,
        rents=certificate.dual.rents,
        floor_rents=certificate.dual.floor_rents,
        capacity_rents=certificate.capacity_rents,
        certified=True,
    ), found


def _of_solution(program: PlanningProgram, solution: ProgramSolution, start: Start) -> Certificate:
    """What an optimal solution proves, as a certificate."""
    return Certificate(
        program.kind, solution.lower_bound, solution.upper_bound, start.plan, start.dual, solution.capacity_rents,
        np.isfinite(solution.upper_bound if program.kind == "use" else solution.lower_bound),
        np.isfinite(solution.lower_bound if program.kind == "use" else solution.upper_bound),
    )  # fmt: skip


def _out_of(units: PlainUnits, found: ProgramVertex) -> ProgramVertex:
    """The vertex in the units of the planning program."""
    o = units.objective
    extra = [o] if found.layout.kind == "scale" else []
    return replace(
        found,
        column_unit=np.ldexp(1.0, np.append(units.activities, extra).astype(np.int64)),
        row_unit=np.ldexp(1.0, np.append(units.goods, units.resources) + o),
        value_unit=float(np.ldexp(1.0, o)),
    )


class _Search:
    """One search; ``failures`` say what was tried in vain."""

    def __init__(self, program: PlanningProgram, start: Start, backend: Backend, seconds: float | None):
        self.program, self.start, self.backend, self.clock = program, start, backend, Clock(seconds)
        self.evaluator = Evaluator(program)
        self.lp, self.layout = to_linear_program(program)
        # Goods without a price have no value to be counted in: rows and columns are evened out besides.
        rows, columns = value_scaling(program, planning_prices(self.evaluator, backend))
        rows = 1.0 / rows
        equilibrate(self.lp.K, rows, columns, _RUIZ_PASSES)
        self.units = ValueUnits(1.0 / rows, columns)
        self.failures: list[str] = []

    def run(self) -> ProgramVertex | None:
        """The first way that leads to an optimal vertex."""
        for name, way in self._ways():
            if self.clock.expired():
                self.failures.append(f"{name}: no time left")
                break
            basis = way()
            if basis is None:
                self.failures.append(f"{name}: no basis")
                continue
            small = self.lp.shape[0] <= MOST_EXACT
            exact: Vertex | None = None
            if small:
                moved = optimal_vertex(self.lp, basis, out_of_time=self.clock.expired)
                if moved is None:
                    late = "time ran out" if self.clock.expired() else "the basis is not optimal in rational arithmetic"
                    self.failures.append(f"{name}: {late}")
                    continue
                basis, exact, pivots = moved
                name += f", confirmed in rational arithmetic after {pivots} pivots" if pivots else ""
            point = basic_point(self.lp, self.units, basis)
            if point is not None and point.optimal:
                ones = np.ones(self.lp.c.size), np.ones(self.lp.shape[0])
                return ProgramVertex(self.lp, self.layout, self._clean(point), *ones, 1.0, name, exact)
            off = "singular" if point is None else f"off by {max(point.violation, point.residual):.1e} of what flows"
            self.failures.append(f"{name}: its basis is {off}")
        return None

    def _ways(self) -> list[tuple[str, Callable[[], Basis | None]]]:
        ways: list[tuple[str, Callable[[], Basis | None]]] = [("read off the plan", self._read_off)]
        why_not = not_leontief(self.program)
        if not why_not:
            ways.append(("block exchange", self._exchange))
        if self.lp.shape[0] <= MOST_ROWS:
            ways.append(("simplex method of HiGHS from the plan", self._simplex))
        elif why_not:
            self.failures.append(f"more than {MOST_ROWS:,} goods and limits, and {why_not}")
        return ways

    def _clean(self, point: BasicPoint) -> BasicPoint:
        """Basic columns within rounding of a bound are put there, multipliers within rounding of zero are zero."""
        lp, x, y = self.lp, point.x.copy(), point.y.copy()
        for bound in (lp.lower, lp.upper):
            near = np.isfinite(bound)
            away = point.column_distance(lp.K, np.where(near, np.abs(x - np.where(near, bound, 0.0)), 0.0))
            x = np.where(near & (point.basis.columns == 0) & (away <= ROUNDING), bound, x)
        y = np.where(point.row_distance(lp.K, np.abs(y)) <= ROUNDING, 0.0, y)
        reduced = np.where(np.abs(point.reduced) <= ROUNDING * point.column_size, 0.0, point.reduced)
        return replace(point, x=x, y=y, reduced=reduced)

    # ---- the ways ----------------------------------------------------------------------------------------------------
    def _vectors(self) -> tuple[FloatArray, FloatArray]:
        plan, dual, zero = self.start.plan, self.start.dual, lambda v: np.maximum(np.nan_to_num(v), 0.0)
        x = self.layout.join_primal(zero(plan.activity), float(np.nan_to_num(plan.scale)), plan.consumption)
        y = self.layout.join_dual(zero(dual.prices), zero(dual.rents), zero(dual.floor_rents))
        return np.clip(x, self.lp.lower, self.lp.upper), y

    def _read_off(self) -> Basis:
        """Where the distance from the bound, as a share of what flows there, exceeds the multiplier's: basic."""
        lp, (x, y) = self.lp, self._vectors()
        size = abs(lp.K)
        side = np.minimum(np.abs(_finite(lp.row_lower)), np.abs(_finite(lp.row_upper)))
        row, reduced = lp.K @ x, lp.c - lp.K.T @ y
        row_size, column_size = size @ x + side, size.T @ np.abs(y) + np.abs(lp.c)
        none = np.zeros(lp.c.size), np.zeros(lp.row_lower.size)
        basis = Basis(none[0].astype(np.int8), none[1].astype(np.int8))
        at = BasicPoint(basis, x, y, reduced, row, row_size, column_size, np.inf, np.inf)
        gain = np.abs(reduced) / np.where(column_size > 0.0, column_size, 1.0)
        low = _share(at.column_distance(lp.K, _finite(x - lp.lower)), lp.lower)
        high = _share(at.column_distance(lp.K, _finite(lp.upper - x)), lp.upper)
        columns = np.where((low <= gain) & (reduced >= 0), -1, np.where((high <= gain) & (reduced < 0), 1, 0))
        rent = at.row_distance(lp.K, np.abs(y))
        room = np.where(row_size > 0.0, row_size, 1.0)
        below = _share(np.abs(_finite(row - lp.row_lower)) / room, lp.row_lower)
        above = _share(np.abs(_finite(lp.row_upper - row)) / room, lp.row_upper)
        equal = lp.row_lower == lp.row_upper
        rows = np.where((below <= rent) & (y >= 0), -1, np.where((above <= rent) & (y <= 0), 1, 0))
        return Basis(columns.astype(np.int8), np.where(equal & (rows == 0), -1, rows).astype(np.int8))

    def _exchange(self) -> Basis | None:
        """The basis at which block exchange settles."""
        program, technology = self.program, Technology.of(self.program, self.backend)
        scaled, plan, dual = program.kind == "scale", self.start.plan, self.start.dual
        search = Exchange(
            technology,
            program.targets * technology.value,
            program.capacity * technology.per_activity,
            scaled,
            _EXCHANGE,
        )
        output = np.maximum(plan.activity, 0.0) * technology.per_activity
        rents = dual.rents[technology.limited] * technology.limit
        search.run(
            Point(output, plan.scale if scaled else 1.0, dual.prices / technology.value, rents), self.clock.expired
        )
        columns = np.where(search.status == LOWER, -1, np.where(search.status == UPPER, 1, 0))
        rows = np.full(self.lp.shape[0], -1)
        n = program.shape[0]
        rows[n:] = 0
        rows[n + technology.limited] = np.where(search.limit_status == BASIC, 0, 1)
        if scaled:
            columns = np.append(columns, 0)
        return Basis(columns.astype(np.int8), rows.astype(np.int8))

    def _without_tiny(self) -> LinearProgram:
        """In units of value, but for rows with entries so small that HiGHS would drop them: those in larger numbers."""
        entries = abs(self.units.program(self.lp).K)
        low = np.ones(entries.shape[0])
        filled = np.flatnonzero(np.diff(entries.indptr))
        low[filled] = np.minimum.reduceat(entries.data, entries.indptr[:-1][filled])
        lift = np.clip(_TINY / np.where(low > 0.0, low, 1.0), 1.0, _MOST_LIFT)
        lift = np.ldexp(1.0, np.ceil(np.log2(lift)).astype(np.int64))
        return replace(self.units, rows=self.units.rows * lift).program(self.lp)

    @once
    def _simplex(self) -> Basis | None:
        """By HiGHS from the basis that was read off, completed as it sees fit; or from none where that misleads it."""
        highspy = import_highspy()
        lp, guess = self._without_tiny(), self._read_off()
        solver = highspy.Highs()
        options = {
            "output_flag": False, "presolve": "off", "solver": "simplex", "parallel": "off",
            "small_matrix_value": SMALL_MATRIX_VALUE, "primal_feasibility_tolerance": 1e-10,
            "dual_feasibility_tolerance": 1e-10,
        }  # fmt: skip
        left = self.clock.left()
        if left is not None:
            options["time_limit"] = max(left, 1e-3)
        for name, value in options.items():
            solver.setOptionValue(name, value)
        if solver.passModel(highs_model(highspy, lp)) == highspy.HighsStatus.kError:
            return None
        names = {-1: highspy.HighsBasisStatus.kLower, 0: highspy.HighsBasisStatus.kBasic,
                 1: highspy.HighsBasisStatus.kUpper}  # fmt: skip
        start = highspy.HighsBasis()
        start.col_status, start.row_status = [names[s] for s in guess.columns], [names[s] for s in guess.rows]
        start.valid, start.alien = True, True
        solver.setBasis(start)
        highs_run.run(highspy, solver)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal and not self.clock.expired():
            solver.clearSolver()
            highs_run.run(highspy, solver)
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return basis_of(highspy, solver)


def _finite(v: FloatArray) -> FloatArray:
    return np.where(np.isfinite(v), v, 0.0)


def _share(distance: FloatArray, bound: FloatArray) -> FloatArray:
    """Distances from bounds; infinite where there is none."""
    return np.where(np.isfinite(bound), distance, np.inf)
