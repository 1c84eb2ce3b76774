"""Extreme units taken out of a planning program by powers of two, so that no digit of it changes.

Programs may hold numbers from 1e-100 to 1e100, as long as they fit each other; a linear program takes 1e20 for
infinite, and tolerances that are partly absolute lose their meaning far from 1. Good i is counted 2^g_i times as
finely, activity j in units 2^a_j times as large, resource k 2^w_k times as finely, the objective in units of 2^o:

    B' = 2^g B 2^a    R' = 2^w R 2^a    limits' = 2^w limits    capacity' = 2^-a capacity
    "scale": t = 2^o t', y' = 2^(g+o) y        "use": y' = 2^g y, cost' = 2^(a-o) cost

The exponents make the logarithms of all numbers least in the sum of their squares (Curtis and Reid 1972), amounts among
them. Every proof about the one program is, digit by digit, a proof about the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsqr

from ..errors import ProblemError
from .bounds import DualPoint
from .problem import FloatArray
from .program import PlanningProgram
from .repair import PlanPoint
from .rounds import Start

if TYPE_CHECKING:
    from .program_solution import ProgramSolution

# A program is left alone whose outputs are in the first range, the largest use of every resource, too, no input above
# it, and all amounts in the second. Small inputs are no matter of units: the output beside them says what a unit is.
_ENTRIES = (1e-10, 1e10)
_AMOUNTS = (1e-13, 1e16)
_STEPS, _WORK = 200, 2e9  # of least squares; at most so many entries times steps

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
        use = program.resource_use
        most_used = abs(use).max(axis=1).toarray().ravel() if use.nnz else np.zeros(0)
        large = [np.array([np.max(np.abs(v), initial=0.0)]) for v in (program.targets, program.cost)]
        amounts = [*large, program.capacity, program.resource_upper, program.resource_lower]
        if (
            _inside(program.output.data, _ENTRIES)
            and _inside(most_used, _ENTRIES)
            and all(np.max(m.data, initial=0.0) <= _ENTRIES[1] for m in (program.input, use))
            and all(np.min(m.data, initial=0.0) >= -_ENTRIES[1] for m in (program.input, use))
            and all(_inside(v, _AMOUNTS) for v in amounts)
        ):
            return None
        return PlainUnits(*_balanced(program))

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


def _balanced(program: PlanningProgram) -> tuple[Exponents, Exponents, Exponents, int]:
    """Exponents (goods, activities, resources, objective) for which all numbers are nearest to 1, in least squares."""
    n, m, r = program.shape
    objective, fixed = n + m + r, n + m + r + 1  # after goods, activities, resources: the objective, and a constant
    goods = np.full(n, fixed) if program.kind == "utility" else np.arange(n)
    activities, resources = n + np.arange(m), n + m + np.arange(r)
    one = lambda unknown, count: np.full(count, unknown)  # noqa: E731
    system = _Equations()
    for matrix, rows in ((abs(program.output) + abs(program.input), goods), (program.resource_use, resources)):
        entries = matrix.tocoo()
        system.add(entries.data, rows[entries.row], activities[entries.col])
    system.add(program.targets, goods, one(objective if program.kind == "scale" else fixed, n))
    for limit in (program.resource_upper, program.resource_lower):
        system.add(limit, resources, one(fixed, r))
    with np.errstate(divide="ignore"):
        system.add(1.0 / program.capacity, activities, one(fixed, m))
    system.add(program.cost, activities, one(objective, m), sign=-1.0)
    found = np.rint(system.solve(fixed)).astype(np.int64)
    return found[:n], found[n : n + m], found[n + m : objective], int(found[objective])


class _Equations:
    """For every number but 0 and infinity: its binary logarithm and the two exponents that scale it add up to 0."""

    def __init__(self) -> None:
        self.logs: list[FloatArray] = []
        self.first: list[Exponents] = []
        self.second: list[Exponents] = []
        self.sign: list[FloatArray] = []

    def add(self, values: FloatArray, first: Exponents, second: Exponents, sign: float = 1.0) -> None:
        """Numbers scaled by 2^(first + sign second)."""
        used = np.isfinite(values) & (values != 0.0)
        self.logs.append(np.log2(np.abs(values[used])))
        self.first.append(first[used])
        self.second.append(second[used])
        self.sign.append(np.full(int(used.sum()), sign))

    def solve(self, unknowns: int) -> FloatArray:
        """The exponents, by LSQR (Paige and Saunders 1982); the unknown after the last is a constant 0."""
        logs, sign = np.concatenate(self.logs), np.concatenate(self.sign)
        at = np.column_stack([np.concatenate(self.first), np.concatenate(self.second)])
        coefficients = np.column_stack([np.ones(logs.size), sign])
        number = np.repeat(np.arange(logs.size), 2)
        system = sp.csr_array((coefficients.ravel(), (number, at.ravel())), shape=(logs.size, unknowns + 1))
        steps = int(min(_STEPS, max(10.0, _WORK / max(1, system.nnz))))
        return np.asarray(lsqr(system[:, :unknowns], -logs, iter_lim=steps)[0])


def _scaled(matrix: sp.csr_array, rows: Exponents, columns: Exponents) -> sp.csr_array:
    data = np.ldexp(matrix.data, np.repeat(rows, np.diff(matrix.indptr)) + columns[matrix.indices])
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
