"""From the optimum of other data, where only limits couple the goods: rents have hardly moved.

The cheapest techniques P at the old rents are nearly the right ones. What is left is to meet the limits again: goods
where another technique costs hardly more change over, and rents move until the last few are indifferent. Every round

1. solves a small linear program in as many rows as goods that may change and limits: w_j is the part of its good's
   output that technique j takes over, at what it costs more and at what it frees of the limits, all told; techniques
   join it as its rents make them cheaper (column generation);
2. puts the techniques that took over in P and finds the activity of those that only share a good, and the rents, by
   Newton steps in as many unknowns as limits are tight, with a Leontief solve each for the plan and for prices;
3. compares the plan with the cheapest techniques at those rents: a value and a bound.

Contents V = L_P'R_P are multiplied by changes only, so three digits of them do. It is block exchange
(:mod:`kantor.solvers.exchange`) without capacities: no marginal technique is at a bound unless another takes over, so
what a change does to the outputs of other goods can wait for the next Leontief solve.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from .exchange_point import Exchanged, Point
from .policy import Policy, cheapest_policy
from .problem import FloatArray
from .rigour import gamma
from .small_program import BASIC, Found, solve_small
from .technology import Technology

_MOST_ROUNDS = 6
# Techniques that cost at most this share more are in doubt from the start; that seem cheaper by that share, join them.
_NEAR, _CHEAPER, _PRICINGS = 0.005, 1e-5, 12
_ROUGH, _CONTENT = 1e-4, 1e-3  # accuracy of the first prices and outputs, of contents
_CLOSE = 1e-6  # accuracy of the first exact step
_ENOUGH, _MARGIN, _SHARE = 0.1, 1e-11, 0.01  # as in block exchange
_FINE, _FINEST = 1e-3, 1e-12  # accuracy of the last steps, in tolerances, and at best
_STEPS = 6
_MISS = 30.0  # price of missing a limit, in multiples of what the plan is worth
_TRACE = 1e-9  # of its good's output that counts as none
_WEIGHT = 100.0  # of an output below zero in the estimated gap


class Nearby:
    """One search; ``demand`` (n,) in value is multiplied by the scale if ``scaled``; ends at ``tolerance``."""

    def __init__(self, technology: Technology, demand: FloatArray, scaled: bool, tolerance: float) -> None:
        self.technology, self.demand, self.scaled, self.tolerance = technology, demand, scaled, tolerance
        self.n, self.m, self.r = technology.shape
        self.own = technology.own
        self.fine = max(_FINEST, _FINE * tolerance)
        # As in block exchange: what rounding leaves over stays inside the true limits.
        margin = max(_MARGIN, _SHARE * tolerance)
        self.limit = 1.0 - np.maximum(margin, 4.0 * gamma(np.count_nonzero(technology.use, axis=0) + 8))
        self.history: list[dict[str, float]] = []
        self.contents: FloatArray | None = None
        self.doubts, self.known = 0, np.zeros(self.m, bool)

    def run(self, start: Point, out_of_time: Callable[[], bool] = lambda: False) -> Exchanged:
        """Rounds until value and bound are within a tenth of the tolerance; not settled if they do not come there."""
        self.x, self.t, self.rents = start.output.copy(), start.scale, start.rents.copy()
        point, best, why, rounds = start, np.inf, "no scale to start from", 0
        if not self.t > 0.0:
            return Exchanged(point, False, rounds, self.doubts, best, why)
        policy = self._cheapest(self._first(start), _ROUGH)
        self._take(policy)
        for rounds in range(1, _MOST_ROUNDS + 1):
            if out_of_time():
                break
            if not self._change_over(policy):
                why = "the small program has no solution"
                break
            policy = self._settle()
            found = self._cheapest(policy, self.fine)
            gap = self._gap(found)
            self.history.append({"round": float(rounds), "in_doubt": float(self.doubts), "gap": gap})
            if gap < best:
                best, point = gap, Point(np.maximum(self.x, 0.0), self.t, found.prices, self.rents)
            why = f"{self.doubts} goods in doubt"
            if gap <= _ENOUGH * self.tolerance:
                break
            policy = found
            self._take(policy)
        return Exchanged(point, best <= _ENOUGH * self.tolerance, rounds, self.doubts, best, why)

    # ---- techniques ------------------------------------------------------------------------------------------------
    def _first(self, start: Point) -> Policy:
        """The technique that makes most of every good; of what nothing is made, the cheapest."""
        technology = self.technology
        cost = technology.cost + technology.use @ self.rents + technology.input_cost(start.prices)
        idle = np.bincount(self.own, start.output, self.n) <= 0.0
        choice = technology.least(np.where(idle[self.own], cost, -start.output))[1]
        return Policy(choice, start.prices, technology.rows(choice), 0)

    def _cheapest(self, start: Policy, accuracy: float) -> Policy:
        technology = self.technology
        return cheapest_policy(technology, technology.cost + technology.use @ self.rents, start, accuracy)

    def _take(self, policy: Policy) -> None:
        """Every good by its technique in the policy, but for what others make of it at hardly higher cost."""
        technology = self.technology
        unit = technology.cost + technology.use @ self.rents + technology.input_cost(policy.prices)
        self.reduced = unit - policy.prices[self.own]
        made = np.bincount(self.own, np.maximum(self.x, 0.0), self.n)
        shared = (self.x > _TRACE * made[self.own]) & (self.reduced <= _NEAR * policy.prices[self.own])
        self._share(policy, shared, made)

    def _share(self, policy: Policy, shared: np.ndarray[Any, Any], made: np.ndarray[Any, Any]) -> None:
        """``shared`` techniques keep their output, those of the policy make the rest of ``made``."""
        shared[policy.choice] = False
        self.x = np.where(shared, self.x, 0.0)
        self.x[policy.choice] = np.maximum(made - np.bincount(self.own, self.x, self.n), 0.0)
        self.shared = np.flatnonzero(shared)
        self.turned = sp.csr_array(policy.rows.T)
        self.policy = policy

    def _balance(self, accuracy: float) -> None:
        """Outputs of the policy's techniques that balance every good, given the others."""
        technology, choice, shared = self.technology, self.policy.choice, self.shared
        right = self.t * self.demand - np.bincount(self.own[shared], self.x[shared], self.n)
        right += technology.inputs[shared].T @ self.x[shared]
        self.x[choice] = technology.solve(self.turned, right, self.x[choice], accuracy)

    # ---- the small program -----------------------------------------------------------------------------------------
    def _change_over(self, policy: Policy) -> bool:
        """Which techniques take over what part of their goods, and at which rents; False if no answer is found.

        The program begins with the techniques in doubt. At its rents others may seem cheaper: they join, until none is.
        """
        technology, choice, own = self.technology, policy.choice, self.own
        self._balance(1e-2 * _ROUGH)
        right = np.ascontiguousarray(technology.use[choice])
        guess = right if self.contents is None else self.contents
        self.contents = V = technology.solve(policy.rows, right, guess, _CONTENT)
        made: FloatArray = np.bincount(own, self.x, self.n).astype(np.float64)
        possible = made[own] > 0.0
        possible[choice] = False
        # What was in doubt, or chosen, once stays so: from other rents it may look settled.
        joined = (self.reduced <= _NEAR * policy.prices[own]) | self.known
        joined[self.shared] = True
        found: Found | None = None
        for _ in range(_PRICINGS):
            columns = np.flatnonzero(joined & possible)
            found = self._small(policy, columns, made)
            if found is None:
                return False
            move = np.maximum(-found[1][-self.r :], 0.0) - self.rents
            ahead = V @ move
            then = self.reduced + technology.use @ move + technology.input_cost(ahead) - ahead[own]
            cheaper = possible & ~joined & (then < -_CHEAPER * policy.prices[own])
            if not cheaper.any():
                break
            joined |= cheaper
        assert found is not None
        self.known |= joined & possible
        self.known[choice] = True
        self._move(found, policy, columns, made)
        return True

    def _small(self, policy: Policy, columns: np.ndarray[Any, Any], made: FloatArray) -> Found | None:
        """The small program over these techniques: shares of their goods, change of the scale, what limits miss."""
        technology, choice, r, V = self.technology, policy.choice, self.r, self.contents
        assert V is not None
        goods, row = np.unique(self.own[columns], return_inverse=True)
        self.doubts, k, size = goods.size, columns.size, made[self.own[columns]]
        B = self._freed(columns)
        share = self.x[choice[goods]] / made[goods]
        worth = max(float(policy.prices @ self.demand) * self.t, 1e-300)
        blocks: list[list[Any]] = [
            [sp.csr_array((np.ones(k), (row, np.arange(k))), shape=(goods.size, k))],
            [sp.csr_array((B * size[:, None]).T)],
        ]
        cost, low = (self.reduced[columns] - B @ self.rents) * size, -self.x[columns] / size
        if self.scaled:
            need = V.T @ self.demand
            blocks[0].append(sp.csr_array(-share[:, None] / self.t))
            blocks[1].append(sp.csr_array(need[:, None]))
            cost = np.append(cost, float(policy.prices @ self.demand) - 1.0 - float(need @ self.rents))
            low = np.append(low, -self.t)
        blocks[0].append(sp.csr_array((goods.size, r)))
        blocks[1].append(-sp.eye_array(r, format="csr"))
        cost, low = np.append(cost, np.full(r, _MISS * worth)), np.append(low, np.zeros(r))
        matrix: Any = sp.block_array(blocks, format="csc")  # type: ignore[call-overload, unused-ignore]
        rows = np.append(share, self.limit - technology.use.T @ self.x)
        return solve_small(cost, matrix, np.full(rows.size, -np.inf), rows, low, np.full(low.size, np.inf))

    def _move(self, found: Found, policy: Policy, columns: np.ndarray[Any, Any], made: FloatArray) -> None:
        """Take over what the small program says."""
        change, duals, _, status = found
        k, own = columns.size, self.own[columns]
        taken = change[:k] * made[own]
        self.x[columns] = np.maximum(self.x[columns] + taken, 0.0)
        self.x[policy.choice] -= np.bincount(own, taken, self.n)
        self.t += float(change[k]) if self.scaled else 0.0
        self.rents = np.maximum(-duals[-self.r :], 0.0)
        self.tight = np.flatnonzero(status[-self.r :] != BASIC)

    def _freed(self, columns: np.ndarray[Any, Any]) -> FloatArray:
        """(k, r): what a unit by these techniques, instead of their goods' own, adds to the use of each limit."""
        technology, V = self.technology, self.contents
        assert V is not None
        picked = technology.inputs[columns]
        technology.products += picked.nnz / max(self.policy.rows.nnz, 1)
        added: FloatArray = technology.use[columns] + picked @ V - V[self.own[columns]]
        return added

    # ---- exact points ----------------------------------------------------------------------------------------------
    def _settle(self) -> Policy:
        """Plan and rents at which tight limits are met and techniques that share a good cost the same."""
        technology, before = self.technology, self.policy
        made = np.bincount(self.own, np.maximum(self.x, 0.0), self.n)
        choice = np.where(made > 0.0, technology.least(-self.x)[1], before.choice)
        policy = Policy(choice, before.prices, technology.rows(choice), 0)
        self._share(policy, self.x > _TRACE * made[self.own], made)
        # One more link of the chain makes up for the techniques that took over.
        assert self.contents is not None
        self.contents = technology.use[choice] + policy.rows @ self.contents
        technology.products += self.r
        freed, need = self._freed(self.shared)[:, self.tight], (self.contents.T @ self.demand)[self.tight]
        system = np.vstack([freed, need]) if self.scaled else freed
        self._meet(system)
        prices = self._charge(system)
        return Policy(choice, prices, policy.rows, 0)

    def _meet(self, system: FloatArray) -> None:
        """Move shared outputs, and the scale, until the tight limits are met."""
        accuracy, k = _CLOSE, self.shared.size
        for _ in range(_STEPS):
            self._balance(max(accuracy, self.fine))
            left = (self.limit - self.technology.use.T @ self.x)[self.tight]
            if not left.size or (accuracy <= self.fine and np.abs(left).max() <= self.fine):
                break
            step = np.linalg.lstsq(system.T, left, rcond=None)[0]
            self.x[self.shared] += step[:k]
            self.t += float(step[k:].sum())
            accuracy = self.fine

    def _charge(self, system: FloatArray) -> FloatArray:
        """Move rents until sharing techniques cost what their goods do, and the basket of "scale" is worth one."""
        technology, choice, shared = self.technology, self.policy.choice, self.shared
        prices, picked, V = self.policy.prices, self.technology.inputs[self.shared], self.contents
        assert V is not None
        accuracy = _CLOSE
        for _ in range(_STEPS):
            right = technology.cost[choice] + technology.use[choice] @ self.rents
            prices = technology.solve(self.policy.rows, right, prices, max(accuracy, self.fine))
            dear = technology.cost[shared] + technology.use[shared] @ self.rents + picked @ prices
            dear = (dear - prices[self.own[shared]]) / prices[self.own[shared]]
            unit = prices[self.own[shared]]
            if self.scaled:
                dear, unit = np.append(dear, float(prices @ self.demand) - 1.0), np.append(unit, 1.0)
            if not dear.size or not self.tight.size or (accuracy <= self.fine and np.abs(dear).max() <= self.fine):
                break
            move = np.linalg.lstsq(system, -dear * unit, rcond=None)[0]
            self.rents[self.tight] = np.maximum(self.rents[self.tight] + move, 0.0)
            prices = prices + V[:, self.tight] @ move
            accuracy = self.fine
        return prices

    def _gap(self, bound: Policy) -> float:
        """Distance of the plan from the bound, with its faults charged; a guess that only the certificate proves."""
        x = np.maximum(self.x, 0.0)
        over = float(np.maximum(self.technology.use.T @ x - 1.0, 0.0).max(initial=0.0))
        worth, paid = float(bound.prices @ self.demand), float(self.limit @ self.rents)
        faults = _WEIGHT * float((x - self.x) @ np.abs(bound.prices)[self.own])
        if self.scaled:
            upper = paid / max(worth, 1e-300)
            return abs(upper - self.t * (1.0 - over) + faults) / max(upper, 1e-300)
        cost = float(self.technology.cost @ x)
        return abs(cost * (1.0 + over) + faults - (worth - paid)) / max(cost, 1e-300)
