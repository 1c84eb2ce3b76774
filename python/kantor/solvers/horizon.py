"""Plans over several years that share one technology: stored once, multiplied with all years at a time.

    scale    max t                    N x_s >= t y_s              yearly_lower_s <= R x_s <= yearly_upper_s
    use      min sum_s cost_s.x_s     N x_s >= y_s                horizon_lower <= sum_s H x_s <= horizon_upper

for years s, 0 <= x_s <= capacity_s: years are coupled by what the whole horizon may use, an emission budget above all,
and by the common scale. One technique a good and no capacities: the plan is eliminated, x_s = L y_s, with one Leontief
solve of as many right-hand sides as years; anything else is written out and solved as one program.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import get_backend
from ..backends.world import now
from ..errors import ProblemError
from .certificate import relative_gap
from .dispatch import solve_program
from .evaluate import Evaluator
from .mix import least_output, one_sided_solve
from .problem import FloatArray
from .program import Kind, PlanningProgram
from .program_solution import ProgramSolution
from .rigour import gamma
from .slots import GuardedSlots, SlotMatrix
from .solution import SolveInfo, Status


@dataclass(frozen=True)
class HorizonProgram:
    """A plan over T years with n goods, m techniques, r yearly limits and h limits of the whole horizon.

    Attributes
    ----------
    kind: "scale" or "use".
    output, input: (n, m) B and A, the technology of every year.
    targets: (T, n); capacity, cost: (T, m), inf and 0 where there is none.
    yearly_use: (r, m) R; yearly_upper, yearly_lower: (T, r).
    horizon_use: (h, m) H; horizon_upper, horizon_lower: (h,) limits on the sum over all years.

    Raises ProblemError like :class:`kantor.solvers.program.PlanningProgram`, naming the year.

    >>> A = np.array([[0.25, 0.4], [0.14, 0.12]])
    >>> plan = HorizonProgram.build("scale", np.eye(2), A, [[55.0, 30.0]] * 2, yearly_use=[[0.8, 3.6]],
    ...                             yearly_upper=[[520.0], [260.0]])
    >>> round(solve_horizon(plan).scale, 9)
    1.0
    """

    kind: Kind
    output: sp.csr_array
    input: sp.csr_array
    targets: FloatArray
    yearly_use: sp.csr_array
    yearly_upper: FloatArray
    yearly_lower: FloatArray
    horizon_use: sp.csr_array
    horizon_upper: FloatArray
    horizon_lower: FloatArray
    capacity: FloatArray
    cost: FloatArray

    @staticmethod
    def build(
        kind: Kind,
        output: Any,
        input: Any,
        targets: Any,
        *,
        yearly_use: Any = None,
        yearly_upper: Any = None,
        yearly_lower: Any = None,
        horizon_use: Any = None,
        horizon_upper: Any = None,
        horizon_lower: Any = None,
        capacity: Any = None,
        cost: Any = None,
    ) -> HorizonProgram:
        """Make a program from whatever describes it; what is left out is absent."""
        basket = np.array(targets, dtype=np.float64)
        if basket.ndim != 2 or not basket.size:
            raise ProblemError(f"targets: shape {basket.shape}, expected (years, goods)")
        years, m = basket.shape[0], np.shape(output)[1]
        yearly, horizon = _rows(yearly_use, m), _rows(horizon_use, m)
        fill = lambda value, shape, absent: (  # noqa: E731
            np.full(shape, absent) if value is None else np.array(value, dtype=np.float64)
        )
        r, h = yearly.shape[0], horizon.shape[0]
        return HorizonProgram(
            kind, sp.csr_array(output, dtype=np.float64), sp.csr_array(input, dtype=np.float64), basket,
            yearly, fill(yearly_upper, (years, r), np.inf), fill(yearly_lower, (years, r), -np.inf),
            horizon, fill(horizon_upper, h, np.inf), fill(horizon_lower, h, -np.inf),
            fill(capacity, (years, m), np.inf), fill(cost, (years, m), 0.0),
        )  # fmt: skip

    def __post_init__(self) -> None:
        if self.kind not in ("scale", "use"):
            raise ProblemError(f"kind: got {self.kind!r}, expected 'scale' or 'use'")
        years, (m, r, h) = self.years, (self.output.shape[1], self.yearly_use.shape[0], self.horizon_use.shape[0])
        shapes = {"targets": self.output.shape[0], "yearly_upper": r, "yearly_lower": r, "capacity": m, "cost": m}
        for name, width in shapes.items():
            if getattr(self, name).shape != (years, width):
                raise ProblemError(f"{name}: shape {getattr(self, name).shape}, expected {(years, width)}")
        for name in ("horizon_upper", "horizon_lower"):
            if getattr(self, name).shape != (h,):
                raise ProblemError(f"{name}: shape {getattr(self, name).shape}, expected {(h,)}")
        for year in range(years):
            try:
                self.year(year)
            except ProblemError as error:
                raise ProblemError(f"year {year}: {error}") from None

    @property
    def years(self) -> int:
        """T."""
        return self.targets.shape[0]

    def year(self, s: int) -> PlanningProgram:
        """Year s on its own, with the yearly limits and, as if it were the whole horizon, those of the horizon."""
        needed = self.kind == "use" or bool((self.targets[s] > 0.0).any())
        return PlanningProgram(
            self.kind if needed else "use", self.output, self.input, self.targets[s],
            sp.csr_array(sp.vstack([self.yearly_use, self.horizon_use])),
            np.concatenate([self.yearly_upper[s], self.horizon_upper]),
            np.concatenate([self.yearly_lower[s], self.horizon_lower]),
            self.capacity[s], self.cost[s],
        )  # fmt: skip

    def stacked(self) -> StackedProgram:
        """The whole as one program on slots: a slot a year, and one for the limits of the horizon."""
        years, (n, m) = self.years, self.output.shape
        r, h = self.yearly_use.shape[0], self.horizon_use.shape[0]
        uses = [(s, s, self.yearly_use) for s in range(years)] + [(years, s, self.horizon_use) for s in range(years)]
        return StackedProgram(
            self.kind,
            SlotMatrix.repeated(self.output, years),
            SlotMatrix.repeated(self.input, years),
            self.targets.ravel(),
            SlotMatrix(uses, [r] * years + [h], [m] * years),
            np.concatenate([self.yearly_upper.ravel(), self.horizon_upper]),
            np.concatenate([self.yearly_lower.ravel(), self.horizon_lower]),
            self.capacity.ravel(),
            self.cost.ravel(),
            (years * n, years * m, years * r + h),
        )


@dataclass(frozen=True)
class StackedProgram:
    """What :class:`kantor.solvers.evaluate.Evaluator` reads of a program, with matrices in slots."""

    kind: Kind
    output: SlotMatrix
    input: SlotMatrix
    targets: FloatArray
    resource_use: SlotMatrix
    resource_upper: FloatArray
    resource_lower: FloatArray
    capacity: FloatArray
    cost: FloatArray
    shape: tuple[int, int, int]
    terms: None = None

    @cached_property
    def consumed(self) -> np.ndarray[Any, Any]:
        """No good has a utility."""
        return np.zeros(self.shape[0], bool)

    def expanded(self) -> PlanningProgram:
        """The same with every matrix written out once a year."""
        return PlanningProgram(
            self.kind, self.output.expanded(), self.input.expanded(), self.targets, self.resource_use.expanded(),
            self.resource_upper, self.resource_lower, self.capacity, self.cost,
        )  # fmt: skip


class StackedEvaluator(Evaluator):
    """Both judges for a program in slots."""

    def __init__(self, program: StackedProgram):
        anything: Any = program
        self.program = anything
        self.output = GuardedSlots.of_slots(program.output)
        self.input = GuardedSlots.of_slots(program.input)
        self.use = GuardedSlots.of_slots(program.resource_use)
        self.row_guard = gamma(self.output.row_count + self.input.row_count + 6)
        self.use_guard = gamma(self.use.row_count + 4)
        columns = self.output.column_count + self.input.column_count + self.use.column_count
        self.column_guard = gamma(columns + 8)

    @cached_property
    def conversions(self) -> np.ndarray[Any, Any]:
        """None: only square economies are kept in slots, and theirs are rarely shipments; all columns get a guard."""
        return np.zeros(self.program.shape[1], dtype=bool)

    def _settle(self, slack: FloatArray, excess: FloatArray, guard: FloatArray, point: tuple[FloatArray, ...]) -> None:
        """What rounding leaves open stays open: a matrix in slots has no columns to add up exactly."""


@dataclass
class HorizonSolution:
    """A plan over T years and what is proved of it; signs and units as in ProgramSolution.

    activity, capacity_rents: (T, m); prices: (T, n); yearly_rents, yearly_floor_rents: (T, r); horizon_rents,
    horizon_floor_rents: (h,).
    """

    status: Status
    objective: float
    lower_bound: float
    upper_bound: float
    gap: float
    scale: float
    activity: FloatArray
    prices: FloatArray
    yearly_rents: FloatArray
    yearly_floor_rents: FloatArray
    horizon_rents: FloatArray
    horizon_floor_rents: FloatArray
    capacity_rents: FloatArray
    certified: bool
    info: SolveInfo = field(default_factory=SolveInfo)


def solve_horizon(
    program: HorizonProgram, tolerance: float = 1e-6, backend: Any = "auto", time_limit_s: float | None = None
) -> HorizonSolution:
    """Solve a plan over several years and prove how good the answer is; see HorizonProgram for an example.

    Where the elimination settles it, the technology is stored once; otherwise the program is written out for all years
    and given to :func:`kantor.solvers.dispatch.solve_program` with the same tolerance and what is left of the time.
    """
    began = now()
    kernels = get_backend(backend)
    found = solve_shared(program, tolerance, kernels)
    if found is None:
        left = None if time_limit_s is None else max(1e-3, time_limit_s - (now() - began))
        found = solve_program(program.stacked().expanded(), tolerance, backend=kernels, time_limit_s=left)
        found.info.notes.append("the technology was written out once for every year")
    found.info.seconds["total"] = now() - began
    return _by_year(program, found)


def solve_shared(program: HorizonProgram, tolerance: float, backend: Any = "auto") -> ProgramSolution | None:
    """The plan of all years by elimination, with the technology stored once; None where that does not settle it.

    Vectors are those of :meth:`HorizonProgram.stacked`: year after year; limits of the horizon come last.
    """
    if not _square(program):
        return None
    began = now()
    stacked = program.stacked()
    try:
        found = _eliminated(program, stacked, tolerance, get_backend(backend))
    except KeyboardInterrupt:
        n, m, r = stacked.shape
        blank = lambda k: np.full(k, np.nan)  # noqa: E731
        found = ProgramSolution(
            Status.INTERRUPTED, np.nan, -np.inf, np.inf, np.inf, blank(m), np.nan, blank(n), blank(n), blank(r),
            blank(r), blank(m), info=SolveInfo(method="reduced", why="interrupted", tolerance=tolerance),
        )  # fmt: skip
    if found is not None:
        found.info.seconds["total"] = now() - began
    return found


def _rows(use: Any, m: int) -> sp.csr_array:
    """A matrix given in any way as CSR; no rows for None."""
    given: Any = sp.csr_array((0, m)) if use is None else use
    matrix: Any = sp.csr_array(given, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != m:
        raise ProblemError(f"limits: shape {matrix.shape}, expected (any, {m}), one column a technique")
    return matrix


def _by_year(program: HorizonProgram, found: ProgramSolution) -> HorizonSolution:
    years, r = program.years, program.yearly_use.shape[0]
    split = lambda v: (v[: years * r].reshape(years, r), v[years * r :])  # noqa: E731
    rents, floors = split(found.rents), split(found.floor_rents)
    return HorizonSolution(
        found.status, found.objective, found.lower_bound, found.upper_bound, found.gap, found.scale,
        found.activity.reshape(years, -1), found.prices.reshape(years, -1), rents[0], floors[0], rents[1], floors[1],
        found.capacity_rents.reshape(years, -1), found.certified, found.info,
    )  # fmt: skip


def _square(program: HorizonProgram) -> bool:
    """Whether technique j makes one unit of good j and nothing else, none is bounded, and nothing comes for free."""
    n, m = program.output.shape
    made = program.output
    identity = n == m == made.nnz and bool((made.data == 1.0).all() and (made.indices == np.arange(n)).all())
    identity = identity and bool((np.diff(made.indptr) == 1).all())
    free = not (program.targets < 0.0).any() and not (program.input.nnz and program.input.data.min() < 0.0)
    return bool(identity and free and not np.isfinite(program.capacity).any() and not (program.cost < 0.0).any())


def _eliminated(
    program: HorizonProgram, stacked: StackedProgram, tolerance: float, backend: Any
) -> ProgramSolution | None:
    """The least plan of all years in one solve, its prices in another; None if that is not within the tolerance."""
    clock = time.perf_counter
    began = clock()
    made = least_output(program.input, np.ascontiguousarray(program.targets.T), backend=backend)
    if made is None:
        return None
    activity = np.ascontiguousarray(made[0].T).ravel()
    use, rents = stacked.resource_use @ activity, np.zeros(stacked.shape[2])
    upper, lower = stacked.resource_upper, stacked.resource_lower
    t, cost = np.nan, stacked.cost
    if program.kind == "scale":
        with np.errstate(divide="ignore", invalid="ignore"):
            scales = np.where((use > 0.0) & np.isfinite(upper), upper / use, np.inf)
        k = int(np.argmin(scales)) if scales.size else -1
        if k < 0 or not np.isfinite(scales[k]) or scales[k] < 0.0:
            return None
        t, rents[k] = float(scales[k]), 1.0 / float(use[k])
        activity, use, cost = t * activity, t * use, stacked.resource_use.transposed_times(rents)
        why = f"resource {k} of all years sets the scale"
    else:
        why = "the least plan keeps every limit"
    others = np.delete(np.arange(use.size), k) if program.kind == "scale" else np.arange(use.size)
    if (use[others] > upper[others]).any() or (use < lower).any():
        return None
    technology = sp.csr_array(program.input.T)
    values = one_sided_solve(technology, np.ascontiguousarray(cost.reshape(program.years, -1).T), -1.0, backend=backend)
    if values is None:
        return None
    prices = np.maximum(np.ascontiguousarray(values.T).ravel(), 0.0)
    solved = clock()
    evaluator = StackedEvaluator(stacked)
    plan = evaluator.check_plan(activity, t, stacked.targets)
    if not plan.feasible and program.kind == "scale":
        # Outputs lie a little above the solution, so the limit that sets the scale may need as much room.
        t *= 1.0 - 4e-12
        activity = (1.0 - 4e-12) * activity
        plan = evaluator.check_plan(activity, t, stacked.targets)
    bound = evaluator.bound(prices, rents, np.zeros_like(rents))
    low, high = (bound.value, plan.value) if program.kind == "use" else (plan.value, bound.value)
    gap = relative_gap(program.kind, low, high)
    if not gap <= tolerance:
        return None
    info = SolveInfo(
        method="reduced", why=f"square economy of {program.years} years eliminated to x = L y: {why}", gap=gap,
        backend=backend.name, device=backend.device(), tolerance=tolerance,
        seconds={"reduced": solved - began, "certificate": clock() - solved},
    )  # fmt: skip
    return ProgramSolution(
        Status.OPTIMAL, plan.value, low, high, gap, activity, t,
        t * stacked.targets if program.kind == "scale" else stacked.targets, prices, rents, np.zeros_like(rents),
        np.where(np.isfinite(stacked.capacity), bound.slack, 0.0), True, info=info,
    )  # fmt: skip
