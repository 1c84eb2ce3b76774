"""Limits that the least plan does not keep: the eliminated linear program of a square economy, in surpluses.

With L = (I - A)^-1 >= 0 every plan is x = L (t y + s), t the scale (1 for "use") and s >= 0 what is made of each good
beyond the basket. With contents M = R L and full costs v = L'c what is left is

    minimise  v.s  ("scale": -t)   subject to   lower <= M (t y + s) <= upper,   s >= 0:

one row a limit and one column a good. Its multipliers nu price the goods, p = v + M'nu, and p >= 0 is its dual
feasibility; no more goods than limits have a surplus in a basic solution. The columns are dense but few of them matter:
they are generated (Dantzig and Wolfe 1960), the programs of those at hand are solved by the simplex method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .exact import solve_exact
from .options import StoppingCriteria
from .problem import FloatArray, LinearProgram
from .solution import Status

_FIRST, _MORE = 16, 64  # columns at the start for each limit and reason; columns added in a round
_MOST_ROUNDS = 200
_PRECISION = 1e-13  # of prices, relative to what they are made of
_DROPPED = 1e-11  # scaled entries below this count as zero
_STOPPING = StoppingCriteria(tolerance=1e-10)


@dataclass(frozen=True)
class Surplus:
    """The scale t, surplus (n,) and net rents nu (k,); if infeasible, ``feasible`` is False and nu a Farkas ray."""

    feasible: bool
    scale: float
    surplus: FloatArray
    net_rents: FloatArray
    rounds: int


def least_surplus(
    content: FloatArray, cost: FloatArray, demand: FloatArray, lower: FloatArray, upper: FloatArray, *, scaled: bool
) -> Surplus | None:
    """Solve the program above; ``scaled``: t is free and is maximised, else t = 1. None if it is unbounded or fails.

    content (k, n) M, cost (n,) v, demand (n,) y, lower and upper (k,), infinite where there is no limit.
    """
    if not lower.size:
        nothing = np.zeros(cost.size)
        return None if scaled or (cost < 0.0).any() else Surplus(True, 1.0, nothing, np.zeros(0), 0)
    return _Master(content, cost, demand, lower, upper, scaled).solve()


class _Master:
    """The program in units of its own: limits relative to the use of the basket, surpluses by what they take."""

    def __init__(
        self,
        content: FloatArray,
        cost: FloatArray,
        demand: FloatArray,
        lower: FloatArray,
        upper: FloatArray,
        scaled: bool,
    ):
        use = content @ demand
        finite = np.where(np.isfinite(upper), np.abs(np.where(np.isfinite(upper), upper, 0.0)), 0.0)
        finite = np.maximum(finite, np.abs(np.where(np.isfinite(lower), lower, 0.0)))
        size = np.where(use != 0.0, np.abs(use), finite)
        self.row_unit = 1.0 / np.where(size > 0.0, size, 1.0)
        self.cost_unit = 1.0 / (float(np.abs(cost) @ np.abs(demand)) or 1.0)
        most = np.max(np.abs(content) * self.row_unit[:, None], axis=0)
        self.counts = most > 0.0  # goods without content only have a cost
        self.column_unit = 1.0 / np.where(self.counts, most, 1.0)
        self.content, self.cost, self.scaled = content, cost, scaled
        self.lower, self.upper, self.use = lower * self.row_unit, upper * self.row_unit, use * self.row_unit
        self.columns = self._first()
        self.rounds = 0

    def _first(self) -> np.ndarray:
        """For every limit the goods that take the most of it for their cost, and for everything else they take."""
        n = self.cost.size
        part = self.content * self.row_unit[:, None] * self.column_unit
        cost = np.abs(self.cost) * self.cost_unit * self.column_unit + np.abs(part).sum(axis=0)
        chosen = [np.zeros(0, np.intp)]
        for row in part:
            for sign in (1.0, -1.0):
                worth = np.where(self.counts, sign * row / np.maximum(cost, 1e-300), -np.inf)
                best = np.argpartition(-worth, min(_FIRST, n - 1))[:_FIRST]
                chosen.append(best[worth[best] > 0.0])
        return np.unique(np.concatenate(chosen))

    def solve(self) -> Surplus | None:
        found = self._generate(elastic=False)
        if found is None:
            missing = self._generate(elastic=True)
            if missing is None:
                return None
            if missing[0] > 1e-9:
                return self._answer(False, np.zeros(self.columns.size), 0.0, missing[3])
            found = self._generate(elastic=False)
        return None if found is None else self._answer(True, *found[1:])

    def _answer(self, feasible: bool, x: FloatArray, t: float, rents: FloatArray) -> Surplus:
        surplus = np.zeros(self.cost.size)
        surplus[self.columns[: x.size]] = np.maximum(x, 0.0) * self.column_unit[self.columns[: x.size]]
        net = rents * self.row_unit * (1.0 if self.scaled or not feasible else 1.0 / self.cost_unit)
        return Surplus(feasible, t, surplus, net, self.rounds)

    def _generate(self, elastic: bool) -> tuple[float, FloatArray, float, FloatArray] | None:
        """(minimum, surpluses of the columns, t, net rents) in own units, adding columns while one has p < 0.

        ``elastic``: minimise by how much the limits are missed; else None if the columns at hand keep them not at all.
        """
        for _ in range(_MOST_ROUNDS):
            self.rounds += 1
            solved = self._restricted(elastic)
            if solved is None:
                return None
            rents = solved[3]
            weight = rents * self.row_unit
            own = np.zeros(self.cost.size) if elastic or self.scaled else self.cost * self.cost_unit
            price = (own + self.content.T @ weight) * self.column_unit
            size = (np.abs(own) + np.abs(self.content.T) @ np.abs(weight)) * self.column_unit
            price[self.columns] = 0.0
            wrong = np.flatnonzero((price < -_PRECISION * size) & (self.counts | (own < 0.0)))
            if not wrong.size:
                return solved
            if not self.counts[wrong].all():
                return None  # a good that touches no limit and has a negative cost
            worst = wrong[np.argsort(price[wrong], kind="stable")[:_MORE]]
            self.columns = np.concatenate([self.columns, worst])
        return None

    def _restricted(self, elastic: bool) -> tuple[float, FloatArray, float, FloatArray] | None:
        """The program of the columns at hand by the simplex method; None unless it has an optimum."""
        k, at = self.use.size, self.columns
        part = self.content[:, at] * self.row_unit[:, None] * self.column_unit[at]
        part[np.abs(part) < _DROPPED] = 0.0
        blocks, cost = [part], np.zeros(at.size) if elastic or self.scaled else self._costs(at)
        if self.scaled:
            blocks.append(self.use[:, None])
            cost = np.append(cost, 0.0 if elastic else -1.0)
        if elastic:
            blocks += [np.eye(k), -np.eye(k)]
            cost = np.append(cost, np.ones(2 * k))
        fixed = 0.0 if self.scaled else self.use
        lp = LinearProgram(
            cost, sp.csr_array(np.hstack(blocks)), row_lower=self.lower - fixed, row_upper=self.upper - fixed
        )
        status, _, x, y, _ = solve_exact(lp, _STOPPING)
        if status is not Status.OPTIMAL:
            return None
        t = float(x[at.size]) if self.scaled else 1.0
        return float(cost @ x), x[: at.size], t, -y

    def _costs(self, at: np.ndarray) -> FloatArray:
        return np.asarray(self.cost[at] * self.cost_unit * self.column_unit[at])
