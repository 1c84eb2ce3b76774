"""Block basis exchange: from an approximate plan to the exact optimal vertex, through Leontief solves only.

At a vertex nearly every good has exactly one technique strictly between idle and full, its *marginal* technique P(i);
the other techniques stand at a bound. With those fixed, activity and prices are two Leontief solves,

    x_P = L_P (d - N_rest x_rest),      p = L_P' (c_P + R_P'lambda + nu),      L_P = (I - A_P)^-1.

Only the goods in doubt are different: those at a kink (the marginal technique sits at a bound too, and the rent nu of
that bound lies in between), those that split between two techniques because of it or because of a scarce resource, and
those whose marginal technique is simply the wrong one. For them, the limits and the scale, a small linear program in
exact increments from the present point is solved: its rows are the marginal techniques in doubt, -x_k <= (z_k, change)
<= cap_k - x_k, and the limits; its columns are their other techniques. z_k = L_P'e_k is what a unit of each good needs
of k, all told, to a few digits and sparse: being multiplied by changes only, its error slows convergence but does not
limit accuracy. Then plan and prices of the basis found are solved to rounding, by GMRES with the border's own factors
(:mod:`kantor.solvers.border`), goods that turned out wrong join the set in doubt, and so on until none is. It is an
active-set Newton method on the bordered Leontief system, with the simplex method deciding on the border.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from .border import Border
from .contents import Contents
from .exchange_point import Best, Exchanged, Point
from .problem import FloatArray
from .rigour import gamma
from .small_program import BASIC, LOWER, UPPER, Found, Statuses, solve_small
from .technology import Technology

_MOST_ROUNDS = 40
# With more goods in doubt than these the start was too far off: the most, and the larger of a number and a share.
_MOST_DOUBTS, _FEW_DOUBTS, _MOST_SHARE = 30_000, 2_000, 0.3
# Entries of z_k smaller than this share of a good's value are left out: the first share, and the last one when that
# turns out too coarse.
_DROP, _LEAST_DROP, _FINER = 3e-3, 1e-6, 1.0 / 3.0
_DROP_BY_TOLERANCE = 100.0  # a tolerance of 1e-6 does not need the last share: it is dear to compute
_FEW = 0.02  # of the goods in doubt: fewer that turn out wrong besides mean that the set is about right
_CALM = 2
_PATIENT = 2  # rounds without progress after which contents are refined
_PRIMAL, _DUAL = 1e-9, 1e-9  # violations counted, relative to the good's output and price
_SOLVE = 1e-12
_SURPLUS = 3e-12  # of its output that a good's balance aims to leave over, for rounding
_WEIGHT = 100.0  # of violated bounds in the estimated gap: a plan has to be repaired, a price only bounds
_LOWERED = 2.0  # of a good's output that a price too high costs at most, in the estimated gap
_ENOUGH = 0.1  # the search ends when its own estimate of the gap is this share of the tolerance
_MARGIN, _SHARE = 1e-11, 0.01  # of a bound that is left unused: at least this, and this share of the tolerance
_MISS = (
    10.0,
    1e3,
    1e5,
)  # prices of missing a row of the small program, in multiples of its good's price or limit's rent
_MISSED = 1e-9  # of a row in the small program that counts as missed
_PIVOTS, _MORE_PIVOTS = 3, 1000  # per row, and in any case, after which a small program is taken to have no solution
# Rounds without a new best gap after which one of so many tolerances is taken for the certificate to judge.
_ENOUGH_ROUNDS, _WORTH_A_TRY = 2, 3.0
_PATIENCE = 8  # rounds without a new best gap after which the search gives up
_TRACE = 1e-3
_NOTHING = 1e-13  # output of a good, relative to the mean of all, that counts as none


class Exchange:
    """One search; ``demand`` (n,) in value is multiplied by the scale if ``scaled``; ``capacity`` (m,) in value.

    ``near``: goods where another technique costs more only by this share of the price are in doubt from the start. At
    the vertex of other data their turn may have come, and without them limits could not be met again.
    """

    def __init__(
        self,
        technology: Technology,
        demand: FloatArray,
        capacity: FloatArray,
        scaled: bool,
        tolerance: float = 1e-9,
        near: float = 0.0,
    ):
        self.technology, self.demand, self.scaled = technology, demand, scaled
        self.tolerance, self.near = tolerance, near
        self.enough, self.within = _ENOUGH * tolerance, _WORTH_A_TRY * tolerance
        # Bounds are kept with a margin far below the tolerance: what the last round leaves unsettled stays inside the
        # true ones, and the repair of the plan has room.
        margin = max(_MARGIN, _SHARE * tolerance)
        self.capacity = capacity * (1.0 - margin)
        self.most = capacity
        self.limit = 1.0 - np.maximum(margin, 4.0 * gamma(np.count_nonzero(technology.use, axis=0) + 8))
        self.n, self.m, self.r = technology.shape
        self.own = technology.own
        self.inputs_t = sp.csr_array(technology.inputs.T)
        self.history: list[dict[str, float]] = []

    def _doubts(self) -> str:
        """The goods in doubt, in words for a reader who never saw this module."""
        return (
            f"{int(self.doubt.sum())} goods were settled by a small linear program (techniques that cost the same, or "
            "a bound that holds the one that sets the price)"
        )

    # ---- the loop --------------------------------------------------------------------------------------------------
    def run(self, start: Point, out_of_time: Callable[[], bool] = lambda: False) -> Exchanged:
        """Exchange until nothing is in doubt, or give up: too many doubts, no progress, or no time."""
        self.x, self.t, self.p, self.rents = start.output.copy(), start.scale, start.prices.copy(), start.rents.copy()
        self._settle_state()
        self.contents = Contents(self.technology)
        self.frozen = False
        why, settled, rounds = "no end", False, 0
        self.entries, self.calm = np.ones(self.n, int), np.zeros(self.n, int)
        best, since, gap, kept = np.inf, 0, np.inf, Best(self.scaled, self._point())
        self.drop, self.least = _DROP, max(_LEAST_DROP, min(0.1 * _DROP, _DROP_BY_TOLERANCE * self.tolerance))
        most = min(_MOST_DOUBTS, max(_FEW_DOUBTS, _MOST_SHARE * self.n))
        for rounds in range(1, _MOST_ROUNDS + 1):
            self._balance()
            self._price()
            wrong = self._wrong()
            gap = kept.add(self._point(), *self._values())
            since = 0 if gap < 0.5 * best else since + 1
            # Coarse contents are to blame for no progress only where the goods in doubt are the right ones.
            few = (wrong & ~self.doubt).sum() <= _FEW * self.doubt.sum()
            if few and since >= _PATIENT and not self.elastic:
                self.drop = max(self.least, _FINER * self.drop)
            self.frozen = few and (self.frozen or since > 0)
            best = min(best, gap)
            self.history.append({"round": float(rounds), "in_doubt": float(self.doubt.sum()), "gap": gap})
            right = not (wrong.any() or self.elastic)
            if right:
                kept.point = self._point()  # exact, whatever was estimated of others
            if right or gap <= self.enough:
                why, settled = self._doubts(), True
                break
            # The estimate is cautious: what stays at a few tolerances is worth a certificate.
            if best <= self.within and since >= _ENOUGH_ROUNDS:
                why, settled = f"{self._doubts()}, an estimated gap of {best:.1e}", True
                break
            self.entries += wrong & ~self.doubt
            self.doubt |= wrong
            if since > _PATIENCE or self.doubt.sum() > most or out_of_time():
                why = f"{self._doubts()}, an estimated gap of {best:.1e}"
                break
            if not self._master(out_of_time):
                why = "the small program has no solution"
                break
            self._rebase()
        return Exchanged(kept.point, settled, rounds, int(self.doubt.sum()), best, why)

    def _point(self) -> Point:
        """The present point inside its bounds."""
        x = np.clip(self.x, 0.0, self.most)
        return Point(x, self.t, np.maximum(self.p, 0.0), np.maximum(self.rents, 0.0))

    # ---- state -----------------------------------------------------------------------------------------------------
    def _settle_state(self) -> None:
        """Snap an approximate point: marginal techniques, bounds for the clear cases, doubts for the others."""
        x = np.clip(self.x, 0.0, self.capacity)
        made = np.bincount(self.own, x, self.n)
        self.size = np.maximum(made, 1e-6 * max(float(made.mean()), 1e-300))
        # Compared with the price, not divided by it: a good that embodies next to nothing costs nothing at all.
        reduced, price = self._reduced(self.p, self.rents), np.maximum(self.p, 1e-300)[self.own]
        with np.errstate(invalid="ignore"):
            above = x / self.size[self.own]
            below = (self.capacity - x) / self.size[self.own]
            at_zero, at_top = reduced > above * price, -reduced > below * price
        room = np.where(at_zero | at_top, -1.0, np.minimum(above, below))
        # A good without a clear middle technique takes the one that its price comes closest to.
        self.marginal = self._best(np.where(room > 0.0, room, -1.0 - np.abs(reduced) / (np.abs(reduced) + price)))
        x = np.where(at_zero, 0.0, np.where(at_top, self.capacity, x))
        self.middle = ~(at_zero | at_top)
        self.middle[self.marginal] = False
        self.x = x
        self.nu = np.zeros(self.n)
        self.status = np.where(at_top, UPPER, LOWER)
        self.status[self.marginal] = BASIC
        self.limit_status, self.scale_status = np.full(self.r, BASIC), LOWER
        if self.scaled and self.r:
            # The scale moves, and the limit that is used most holds it.
            self.scale_status = BASIC
            self.limit_status[np.argmax(self.technology.use.T @ self.x)] = UPPER
        self.elastic = True
        self.doubt = np.zeros(self.n, bool)
        self.doubt[self.own[self.middle]] = True
        doubtful = at_zero | at_top
        self.doubt |= doubtful[self.marginal]
        if self.near:
            away = np.where(at_top, -reduced, reduced)
            away[self.marginal] = np.inf
            self.doubt[self.own[away < self.near * price]] = True
        self._changed()

    def _best(self, score: FloatArray) -> np.ndarray[Any, Any]:
        return self.technology.least(-score)[1]

    def _changed(self) -> None:
        self.rows = self.technology.rows(self.marginal)
        self.turned = sp.csr_array(self.rows.T)
        self.is_marginal = np.zeros(self.m, bool)
        self.is_marginal[self.marginal] = True

    def _reduced(self, p: FloatArray, rents: FloatArray) -> FloatArray:
        technology = self.technology
        return technology.cost + technology.use @ rents + technology.input_cost(p) - p[self.own]

    def _balance(self) -> None:
        """Outputs of the marginal techniques that balance every good, given the others."""
        rest = np.where(self.is_marginal, 0.0, self.x)
        right = self.t * self.demand + _SURPLUS * self.size + self.inputs_t @ rest - np.bincount(self.own, rest, self.n)
        self.technology.products += self.m / self.n
        q = self.technology.solve(self.turned, right, self.x[self.marginal], _SOLVE)
        self.x[self.marginal] = q
        made = np.bincount(self.own, np.maximum(self.x, 0.0), self.n)
        self.size = np.maximum(made, 1e-9 * max(float(made.mean()), 1e-300))

    def _price(self) -> None:
        technology, choice = self.technology, self.marginal
        right = technology.cost[choice] + technology.use[choice] @ self.rents + self.nu
        self.p = technology.solve(self.rows, right, self.p, _SOLVE)
        self.reduced = self._reduced(self.p, self.rents)

    def _wrong(self) -> np.ndarray[Any, Any]:
        """(n,) goods where a technique is outside its bounds, or at a bound it should leave, or priced wrongly."""
        size, price = self.size[self.own], np.maximum(np.abs(self.p), 1e-300)[self.own]
        with np.errstate(invalid="ignore"):
            outside = np.maximum(-self.x, self.x - self.capacity) > _PRIMAL * size
            low = self.x > _PRIMAL * size
            high = self.capacity - self.x > _PRIMAL * size
        bad = outside | (low & (self.reduced > _DUAL * price)) | (high & (self.reduced < -_DUAL * price))
        wrong = np.zeros(self.n, bool)
        wrong[self.own[bad]] = True
        return wrong & ~self._idle()

    def _idle(self) -> np.ndarray[Any, Any]:
        """(n,) goods of which nothing is made: their cheapest technique sets their price, no program is needed."""
        return np.bincount(self.own, np.abs(self.x), self.n) <= _NOTHING * float(self.size.mean())

    def _values(self) -> tuple[float, float]:
        """(value of the plan, value of the prices), as if their faults were made good; guesses, no proof.

        A fault of the plan is dear, it has to be repaired within scarce limits; one of the prices costs what they are
        lowered by, for all that is made.
        """
        technology, x = self.technology, np.clip(self.x, 0.0, self.most)
        most = np.where(np.isfinite(self.capacity), self.capacity, _LOWERED * np.maximum(x, self.size[self.own]))
        paid = float(np.maximum(-self.reduced, 0.0) @ most + self.limit @ self.rents)
        faults = _WEIGHT * float(np.abs(self.x - x) @ np.abs(self.p)[self.own])
        over = _WEIGHT * float(np.maximum(technology.use.T @ x - 1.0, 0.0).max(initial=0.0))
        worth = max(float(self.p @ self.demand), 1e-300)
        if self.scaled:
            return self.t * (1.0 - over) - faults / worth, paid / worth
        cost = float(technology.cost @ x)
        return cost * (1.0 + over) + faults, worth - paid

    # ---- the small program -----------------------------------------------------------------------------------------
    def _master(self, out_of_time: Callable[[], bool]) -> bool:
        """Changes of the techniques in doubt, of the scale, of the rents: one linear program, by HiGHS."""
        technology = self.technology
        goods = np.flatnonzero(self.doubt)
        columns = np.flatnonzero(self.doubt[self.own] & ~self.is_marginal)
        own = self.own[columns]
        content = self.contents.limits(self.rows, self.marginal)
        need = self.contents.goods(self.rows, goods, self.drop)
        picked = technology.inputs[columns]
        technology.products += 2.0 * picked.nnz / max(self.rows.nnz, 1)
        # What one more unit of a column, its marginal technique giving way, changes in every row.
        B = technology.use[columns] + picked @ content - content[own]
        Z = sp.csr_array(picked @ need) - need[own]
        # Goods made in traces count as more: what their techniques could do up to capacity is not a trace.
        size = np.maximum(self.size, _TRACE * float(self.size.mean()))
        scale_column, scale_row = size[own], 1.0 / size[goods]
        nu = self.nu[goods]
        cost = self.reduced[columns] - B @ self.rents - Z @ nu
        low, high = -self.x[columns], self.capacity[columns] - self.x[columns]
        use = technology.use.T @ self.x
        row_low = np.concatenate([-self.x[self.marginal[goods]] * scale_row, np.full(self.r, -np.inf)])
        row_high = np.concatenate([(self.capacity - self.x)[self.marginal[goods]] * scale_row, self.limit - use])
        Z = sp.diags_array(scale_row) @ sp.csr_array(Z.T) @ sp.diags_array(scale_column)
        blocks: list[list[Any]] = [[Z], [sp.csr_array((B * scale_column[:, None]).T)]]
        cost, low, high = cost * scale_column, low / scale_column, high / scale_column
        if self.scaled:
            tz, tb = need.T @ self.demand, content.T @ self.demand
            blocks[0].append(sp.csr_array((tz * scale_row)[:, None]))
            blocks[1].append(sp.csr_array(tb[:, None]))
            cost = np.append(cost, -1.0 + self.p @ self.demand - tb @ self.rents - tz @ nu)
            low, high = np.append(low, -self.t), np.append(high, np.inf)
        matrix: Any = sp.block_array(blocks, format="csc")  # type: ignore[call-overload, unused-ignore]
        columns_at = np.append(self.status[columns], self.scale_status) if self.scaled else self.status[columns]
        rows_at = np.concatenate([self.status[self.marginal[goods]], self.limit_status])
        program = (cost, matrix, row_low, row_high, low, high)
        found = None
        if not self.elastic:
            most = _PIVOTS * matrix.shape[0] + _MORE_PIVOTS
            found = solve_small(*program, (columns_at, rows_at), most, out_of_time)
        if found is None and not out_of_time():
            found = self._elastically(*program, goods, (columns_at, rows_at), out_of_time)
        if found is None:
            return False
        change, duals, columns_at, rows_at = found
        self.status[columns], self.status[self.marginal[goods]] = columns_at[: columns.size], rows_at[: goods.size]
        self.limit_status = rows_at[goods.size :]
        self.scale_status = columns_at[-1] if self.scaled else LOWER
        self.x[columns] = np.clip(self.x[columns] + change[: columns.size] * scale_column, 0.0, self.capacity[columns])
        if self.scaled:
            self.t += change[-1]
        moved = (matrix[: goods.size] @ change) / scale_row
        self.nu[:] = 0.0
        self.nu[goods] = -duals[: goods.size] * scale_row
        self.rents = np.maximum(-duals[goods.size :], 0.0)
        self.x[self.marginal[goods]] += moved
        border = None if self.elastic else Border.of(matrix, columns_at, rows_at)
        if border is not None and not self._correct(border, columns, goods, scale_column, scale_row):
            self.drop = max(self.least, _FINER * self.drop)
        return True

    def _correct(
        self, border: Border, columns: np.ndarray[Any, Any], goods: np.ndarray[Any, Any], scale_column: FloatArray,
        scale_row: FloatArray,
    ) -> bool:  # fmt: skip
        """Plan and prices of the basis found, to rounding: the small program knows contents to a few digits only.

        False where those digits are too few for that: the exact basis would be a worse point than what they led to.
        """
        in_goods, in_columns = border.rows < goods.size, border.columns < columns.size
        row, limit = border.rows[in_goods], border.rows[~in_goods] - goods.size
        at, column = self.marginal[goods[row]], border.columns[in_columns]
        moving, size, unit = columns[column], scale_column[column], scale_row[row]
        side = np.where(self.status[at] == UPPER, self.capacity[at], 0.0)

        def short() -> FloatArray:
            self._balance()
            room = self.limit - self.technology.use.T @ self.x
            return np.concatenate([(side - self.x[at]) * unit, room[limit]])

        def run(step: FloatArray) -> None:
            self.x[moving] += step[in_columns] * size
            self.t += float(step[~in_columns].sum())

        def dear() -> FloatArray:
            self._price()
            scale = [] if in_columns.all() else [1.0 - float(self.p @ self.demand)]
            return np.append(-self.reduced[moving] * size, scale)

        def charge(step: FloatArray) -> None:
            self.nu[goods[row]] += step[in_goods] * unit
            self.rents[limit] += step[~in_goods]

        self._balance()
        self._price()
        sign, before = -1.0 if self.scaled else 1.0, self._values()
        x, t, nu, rents = self.x.copy(), self.t, self.nu.copy(), self.rents.copy()
        plan, prices = border.correct(short, run), border.correct(dear, charge, transposed=True)
        after = self._values()
        if sign * after[0] > sign * before[0]:
            self.x, self.t, plan = x, t, False
        if sign * after[1] < sign * before[1]:
            self.nu, self.rents, prices = nu, rents, False
            self._price()
        return plan and prices

    def _elastically(
        self, cost: FloatArray, matrix: Any, row_low: FloatArray, row_high: FloatArray, low: FloatArray,
        high: FloatArray, goods: np.ndarray[Any, Any], start: Statuses, out_of_time: Callable[[], bool],
    ) -> Found | None:  # fmt: skip
        """The same program with rows that may be missed at a high price: far from the vertex they cannot all hold.

        So are the programs that follow, until no row is missed: HiGHS takes long to see that there is no solution.
        """
        size = np.maximum(self.size, _TRACE * float(self.size.mean()))[goods]
        rent = np.maximum(self.rents, float(self.p @ self.demand) * max(self.t, 1e-3))
        each = np.concatenate([np.maximum(np.abs(self.p[goods]), 1e-300) * size, rent])
        k, rows = cost.size, each.size
        eye = sp.eye_array(rows, format="csc")
        wide = sp.csc_array(sp.hstack([matrix, eye, -eye], format="csc"))
        bounds = np.append(low, np.zeros(2 * rows)), np.append(high, np.full(2 * rows, np.inf))
        basis = (np.append(start[0], np.full(2 * rows, LOWER)), start[1])
        found = None
        # If the price is too low a technique without a capacity pays it for ever: no solution either.
        for miss in _MISS:
            paid = np.concatenate([cost, miss * each, miss * each])
            found = solve_small(paid, wide, row_low, row_high, *bounds, basis, out_of_time=out_of_time)
            if found is not None or out_of_time():
                break
        if found is None:
            return None
        change, duals, columns_at, rows_at = found
        self.elastic = bool((change[k:] > _MISSED).any())
        return change[:k], duals, columns_at[:k], rows_at

    def _rebase(self) -> None:
        """A technique strictly between its bounds becomes the marginal one of its good."""
        with np.errstate(invalid="ignore"):
            room = np.minimum(self.x, self.capacity - self.x) / self.size[self.own]
        room[self.marginal] *= 1.0 + 1e-6
        new = self._best(room)
        old, idle = self.marginal, self._idle()
        cheapest = self._best(np.where(self.capacity > 0.0, -self.reduced, -np.inf))
        # An idle good has no technique in between: it keeps its own unless another is cheaper.
        new = np.where(idle, np.where(self.reduced[cheapest] < -_DUAL * np.abs(self.p), cheapest, old), new)
        room[new[idle]] = np.inf
        self.doubt |= idle
        switch = self.doubt & (new != old) & (room[new] > 1e-8) & (room[old] <= 0.1 * room[new])
        # Techniques that change places every other round never settle, and contents have to be found anew for them.
        switch &= idle if self.frozen else True
        goods = np.flatnonzero(switch)
        self.x[old[goods]] = np.clip(self.x[old[goods]], 0.0, self.capacity[old[goods]])
        self.marginal = np.where(switch, new, old)
        self.nu[goods] = 0.0
        self.status[old[idle]], self.status[self.marginal[idle]] = LOWER, BASIC
        if goods.size:
            self._changed()
        # Out of doubt: the marginal technique has room, the others stand at a bound; unless that was said before.
        with np.errstate(invalid="ignore"):
            inside = (self.x > 1e-9 * self.size[self.own]) & (self.capacity - self.x > 1e-9 * self.size[self.own])
        count = np.bincount(self.own[inside], minlength=self.n)
        clear = self.doubt & (count == 1) & inside[self.marginal]
        self.calm = np.where(clear, self.calm + 1, 0)
        self.doubt &= (self.calm < _CALM * self.entries) & ~idle
