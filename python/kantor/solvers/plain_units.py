"""Extreme units taken out of a planning program by powers of two, so that no digit of it changes.

Programs may hold numbers from 1e-100 to 1e100, as long as they fit each other; a linear program takes 1e20 for
infinite, and tolerances that are partly absolute lose their meaning far from 1. Good i is counted 2^g_i times as
finely, activity j in units 2^a_j times as large, resource k 2^w_k times as finely, the objective in units of 2^o:

    B' = 2^g B 2^a    R' = 2^w R 2^a    limits' = 2^w limits    capacity' = 2^-a capacity
    "scale": t = 2^o t', y' = 2^(g+o) y        "use": y' = 2^g y, cost' = 2^(a-o) cost

The exponents are geometric means, row by row and column by column in turn (Curtis and Reid 1972, by relaxation). Every
proof about the one program is, digit by digit, a proof about the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..errors import ProblemError
from .bounds import DualPoint
from .problem import FloatArray
from .program import PlanningProgram
from .repair import PlanPoint
from .rounds import Start

if TYPE_CHECKING:
    from .dispatch import ProgramSolution

_ENTRIES = (1e-10, 1e10)  # matrices whose entries are in here, and vectors
_AMOUNTS = (1e-13, 1e16)  # with entries in here, are left alone
_PASSES = 20

Exponents = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class PlainUnits:
    """Whole exponents of goods (n,), activities (m,), resources (r,), and of the objective."""

    goods: Exponents
    activities: Exponents
    resources: Exponents
    objective: int

    @staticmethod
    def of(program: PlanningProgram) -> PlainUnits | None:
        """Units in which the numbers of a program are near 1; None where it needs none.

        Goods keep their units where a utility values them: its parameters have powers of them.
        """
        matrices = (program.output, program.input, program.resource_use)
        amounts = [program.targets, program.cost, program.capacity, program.resource_upper, program.resource_lower]
        if all(_inside(m.data, _ENTRIES) for m in matrices) and all(_inside(v, _AMOUNTS) for v in amounts):
            return None
        goods, activities, resources = _geometric_means(program)
        fixed = program.kind == "utility"
        if fixed:
            goods = np.zeros_like(goods)
        else:
            amounts = [program.resource_upper * np.exp2(resources), program.resource_lower * np.exp2(resources)]
            amounts.append(program.capacity * np.exp2(-activities))
            if program.kind == "use":
                amounts.append(program.targets * np.exp2(goods))
            level = -_typical(np.concatenate(amounts))
            goods, activities, resources = goods + level, activities - level, resources + level
        g, a, w = (np.rint(part).astype(np.int64) for part in (goods, activities, resources))
        objective = 0.0
        if program.kind == "scale":
            objective = -_typical(program.targets * np.exp2(g))
        elif program.kind == "use":
            objective = _typical(program.cost * np.exp2(a))
        return PlainUnits(g, a, w, round(objective))

    def enter(self, program: PlanningProgram) -> PlanningProgram | None:
        """The program in these units; None if a number of it would leave the range a program allows."""
        scale, use = program.kind == "scale", program.kind == "use"
        try:
            return replace(
                program,
                output=_scaled(program.output, self.goods, self.activities),
                input=_scaled(program.input, self.goods, self.activities),
                targets=np.ldexp(program.targets, self.goods + (self.objective if scale else 0)),
                resource_use=_scaled(program.resource_use, self.resources, self.activities),
                resource_upper=np.ldexp(program.resource_upper, self.resources),
                resource_lower=np.ldexp(program.resource_lower, self.resources),
                capacity=np.ldexp(program.capacity, -self.activities),
                cost=np.ldexp(program.cost, self.activities - self.objective) if use else program.cost,
            )
        except ProblemError:
            return None

    def enter_start(self, given: Start) -> Start:
        """A warm start in these units."""
        o, plan, dual = self.objective, given.plan, given.dual
        return Start(
            PlanPoint(
                np.ldexp(plan.activity, -self.activities),
                float(np.ldexp(plan.scale, -o)),
                np.ldexp(plan.consumption, self.goods),
            ),
            DualPoint(
                np.ldexp(dual.prices, -self.goods - o),
                np.ldexp(dual.rents, -self.resources - o),
                np.ldexp(dual.floor_rents, -self.resources - o),
            ),
        )

    def leave(self, found: ProgramSolution) -> ProgramSolution:
        """A solution of the program in these units as one of the program itself."""
        o = self.objective
        return replace(
            found,
            objective=float(np.ldexp(found.objective, o)),
            lower_bound=float(np.ldexp(found.lower_bound, o)),
            upper_bound=float(np.ldexp(found.upper_bound, o)),
            activity=np.ldexp(found.activity, self.activities),
            scale=float(np.ldexp(found.scale, o)),
            consumption=np.ldexp(found.consumption, -self.goods),
            prices=np.ldexp(found.prices, self.goods + o),
            rents=np.ldexp(found.rents, self.resources + o),
            floor_rents=np.ldexp(found.floor_rents, self.resources + o),
            capacity_rents=np.ldexp(found.capacity_rents, o - self.activities),
            surplus=float(np.ldexp(found.surplus, o)),
        )

    def leave_progress(self, tell: Callable[[dict[str, float]], object]) -> Callable[[dict[str, float]], object]:
        """``tell`` with bounds in the program's own unit."""
        known = ("lower_bound", "upper_bound")

        def translated(entry: dict[str, float]) -> object:
            bounds = {key: float(np.ldexp(entry[key], self.objective)) for key in known if key in entry}
            return tell(entry | bounds)

        return translated


def _inside(values: FloatArray, allowed: tuple[float, float]) -> bool:
    least, most = allowed
    if values.size and values.min() >= least and values.max() <= most:
        return True  # the usual case, without a temporary of the size of a large matrix
    size = np.abs(values)
    return not ((size < least) & (size > 0.0)).any() and not ((size > most) & np.isfinite(size)).any()


def _typical(values: FloatArray) -> float:
    """The mean binary logarithm of what is neither zero nor infinite; 0 if there is nothing."""
    size = np.abs(values[np.isfinite(values) & (values != 0.0)])
    return float(np.mean(np.log2(size))) if size.size else 0.0


def _geometric_means(program: PlanningProgram) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logarithms of units (goods, activities, resources) in which rows and columns have a geometric mean of 1."""
    n, m, r = program.shape
    stacked = sp.vstack([abs(program.output) + abs(program.input), abs(program.resource_use)], format="coo")
    used = stacked.data > 0.0
    i, j, logs = stacked.row[used], stacked.col[used], np.log2(stacked.data[used])
    rows, columns = np.zeros(n + r), np.zeros(m)
    row_count, column_count = np.bincount(i, minlength=n + r), np.bincount(j, minlength=m)
    for _ in range(_PASSES):
        rows = -np.bincount(i, logs + columns[j], minlength=n + r) / np.maximum(row_count, 1)
        if program.kind == "utility":
            rows[:n] = 0.0
        columns = -np.bincount(j, logs + rows[i], minlength=m) / np.maximum(column_count, 1)
    return rows[:n], columns, rows[n:]


def _scaled(matrix: sp.csr_array, rows: Exponents, columns: Exponents) -> sp.csr_array:
    data = np.ldexp(matrix.data, np.repeat(rows, np.diff(matrix.indptr)) + columns[matrix.indices])
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
