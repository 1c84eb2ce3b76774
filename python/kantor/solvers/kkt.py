"""Residuals, objectives and certificates of the scaled program with the backend's own kernels, in original units.

One evaluation is two products, some vector kernels and one batch of dots; nothing of length N or M comes to the host,
except the columns with a concave term, whose conjugates are evaluated there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Backend, DeviceTerms, PdhgState
from ..errors import ProblemError
from . import terms as separable
from .problem import FloatArray, LinearProgram, TermKind
from .scaling import ScaledProgram
from .termination import Residuals, multiplier_range, relative_gap, side_norm
from .termination import norm as host_norm
from .userset import UserSet

Array = Any


@dataclass
class Side:
    """The rows' or columns' data on the backend: bounds (zero where infinite), the multipliers' range, the factor to
    original units, zeros, and three vectors of workspace."""

    finite_lower: Array
    finite_upper: Array
    low: Array
    high: Array
    unit: Array
    zero: Array
    work: list[Array]


class Kkt:
    """The scaled program on a backend, with the workspace of its checks.

    lp is the original program: its rows, columns and their order are those of ``scaled``.
    """

    def __init__(
        self, backend: Backend, lp: LinearProgram, scaled: ScaledProgram, user_set: UserSet | None = None
    ) -> None:
        self.backend, self.lp, self.scaling, self.user_set = backend, lp, scaled.scaling, user_set
        self.norm_bound = scaled.norm_bound
        self.A = backend.prepare(scaled.K)
        self.columns = separable.active_columns(lp.terms)
        self.column_terms = None if lp.terms is None else separable.select(lp.terms, self.columns)
        put = backend.from_host
        self.c, self.lower, self.upper = put(scaled.c), put(scaled.lower), put(scaled.upper)
        self.row_lower, self.row_upper = put(scaled.row_lower), put(scaled.row_upper)
        t = scaled.terms if self.columns.size else None
        own = separable.user_columns(t)
        self.own = None if t is None or t.user is None or not own.size else (own, t.user.take(own))
        self._box = scaled.lower, scaled.upper
        # The kernels know nothing of a user's function, which comes after them, with the bounds.
        self.terms = None
        if t is not None:
            kind = np.where(t.kind == TermKind.USER, np.uint8(TermKind.LINEAR), t.kind)
            self.terms = DeviceTerms(put(kind), put(t.a), put(t.b), put(t.e))
        s = scaled.scaling
        self.rows = self.side(scaled.row_lower, scaled.row_upper, s.row / s.primal, None)
        self.cols = self.side(scaled.lower, scaled.upper, s.column / s.objective, self.columns)
        # Certificates know nothing of terms: their columns' bounds count like any others.
        self.plain_cols = self.cols
        if self.columns.size:
            self.plain_cols = self.side(scaled.lower, scaled.upper, s.column / s.objective, None)
        self._b_norm = side_norm(lp.row_lower, lp.row_upper)
        self._c_norm = host_norm(lp.c)
        self._scaled_b_norm = side_norm(scaled.row_lower, scaled.row_upper)
        self._scaled_c_norm = host_norm(scaled.c)

    def side(self, lower: FloatArray, upper: FloatArray, unit: FloatArray, curved: Any) -> Side:
        """``curved`` columns get every sign and no bounds here: their share is computed on the host."""
        low, high = multiplier_range(lower, upper)
        finite_lower = np.where(np.isfinite(lower), lower, 0.0)
        finite_upper = np.where(np.isfinite(upper), upper, 0.0)
        if curved is not None and curved.size:
            low[curved], high[curved] = -np.inf, np.inf
            finite_lower[curved] = finite_upper[curved] = 0.0
        put, length = self.backend.from_host, lower.size
        work = [self.backend.zeros(length) for _ in range(5)]
        return Side(
            put(finite_lower), put(finite_upper), put(low), put(high), put(unit), self.backend.zeros(length), work
        )

    # ---- points ------------------------------------------------------------------------------------------------
    def state(self, eta: float, weight: float, projection: Any) -> PdhgState:
        """A state of zeros."""
        M, N = self.A.shape
        zeros = self.backend.zeros
        state = PdhgState(
            A=self.A, c=self.c, lower=self.lower, upper=self.upper, terms=self.terms,
            row_lower=self.row_lower, row_upper=self.row_upper,
            x=zeros(N), x_anchor=zeros(N), x_hat=zeros(N), x_reflected=zeros(N), dx=zeros(N), aty=zeros(N),
            y=zeros(M), y_anchor=zeros(M), y_hat=zeros(M), dy=zeros(M), ax=zeros(M),
            eta=eta, weight=weight, projection=projection,
        )  # fmt: skip
        if self.own is not None:
            state.projection = lambda v: self._own_step(v, state.eta / state.weight)
        return state

    def _own_step(self, v: Array, tau: float) -> Array:
        """The prox of the user's function on its columns, then the bounds: in one dimension the prox of both."""
        assert self.own is not None
        host = np.array(v.get() if hasattr(v, "get") else self.backend.to_host(v), dtype=np.float64)
        at, user = self.own
        near = user.near(host[at], tau)
        if np.isnan(near).any():
            raise ProblemError(f"prox: returned NaN for v = {host[at][np.isnan(near)][0] * 1.0:g} (scaled)")
        host[at] = near
        return self.backend.from_host(np.clip(host, *self._box))

    # ---- residuals ---------------------------------------------------------------------------------------------
    def residuals(self, x: Array, y: Array) -> Residuals:
        """The residuals of the scaled point in original units; y has the signs its rows admit, x lies in its bounds.

        Formulas in kantor.solvers.termination. Beside them the residuals of the scaled program are looked at, relative
        to its own sizes: ||K x - clip|| / (||b|| + ||x||) and ||rho - admissible|| / (||c|| + ||y||), all scaled
        (||K|| <= 1 there). NaN anywhere in x or y makes a residual NaN.
        """
        b, rows, cols = self.backend, self.rows, self.cols
        activity, off, off_in_units, y_positive, y_negative = rows.work
        rho, positive, negative, viol_in_units, _ = cols.work
        b.matvec(self.A, x, activity)
        b.clip(activity, self.row_lower, self.row_upper, off)
        b.axpby(-1.0, activity, 1.0, off)
        b.multiply(off, rows.unit, off_in_units)
        b.clip(y, rows.zero, rows.high, y_positive)
        b.clip(y, rows.low, rows.zero, y_negative)
        b.rmatvec(self.A, y, rho)
        b.axpby(1.0, self.c, -1.0, rho)
        if self.user_set is not None:
            return self._residuals_on_a_set(self.user_set, x)
        curved = self._curved(x, rho) if self.columns.size else None
        self.split(cols, rho, negative, positive)
        b.multiply(rho, cols.unit, viol_in_units)
        pairs = [(v, v) for v in (off_in_units, viol_in_units, off, rho, x, y)]
        pairs += [(self.c, x), (rows.finite_lower, y_positive), (rows.finite_upper, y_negative)]
        pairs += [(cols.finite_lower, positive), (cols.finite_upper, negative)]
        off2, viol2, scaled_off2, scaled_viol2, x2, y2, cx, *dual = (float(v) for v in b.dot(pairs))
        unit = self.scaling.primal * self.scaling.objective
        P, D, c_norm = cx / unit, sum(dual) / unit, self._c_norm
        if curved is not None:
            value, infima, wrong, wrong_scaled, c_norm = curved
            P, D, viol2, scaled_viol2 = P + value, D + infima, viol2 + wrong, scaled_viol2 + wrong_scaled
        scaled_primal = _ratio(scaled_off2, self._scaled_b_norm + math.sqrt(x2))
        scaled_dual = _ratio(scaled_viol2, self._scaled_c_norm + math.sqrt(y2))
        primal, dual_residual = math.sqrt(off2) / (1.0 + self._b_norm), math.sqrt(viol2) / (1.0 + c_norm)
        return Residuals(primal, dual_residual, relative_gap(P, D), P, D, scaled_primal, scaled_dual)

    def _residuals_on_a_set(self, user_set: UserSet, x: Array) -> Residuals:
        """The same with a user's set instead of the box; expects the rows' workspace and cols.work[0] = rho filled."""
        b, s, rows = self.backend, self.scaling, self.rows
        _, _, off_in_units, y_positive, y_negative = rows.work
        rho, moved, *_ = self.cols.work
        infimum = user_set.infimum(b.to_host(rho) / s.objective, b.to_host(x) / s.primal)
        # Columns have the common scale s_p, so x' - (s_p/s_o) rho' is s_p (x - rho).
        b.axpby(1.0, x, -s.primal / s.objective, rho)
        b.copy(user_set.project_scaled(rho), moved)
        b.axpby(1.0 / s.primal, x, -1.0 / s.primal, moved)
        pairs = [(off_in_units, off_in_units), (moved, moved), (self.c, x)]
        pairs += [(rows.finite_lower, y_positive), (rows.finite_upper, y_negative)]
        off2, moved2, cx, *dual = (float(v) for v in b.dot(pairs))
        unit = s.primal * s.objective
        P, D = cx / unit, sum(dual) / unit + infimum
        primal, dual_residual = math.sqrt(off2) / (1.0 + self._b_norm), math.sqrt(moved2) / (1.0 + self._c_norm)
        return Residuals(primal, dual_residual, relative_gap(P, D), P, D)

    def split(self, side: Side, rho: Array, part: Array, positive: Array) -> None:
        """rho <- rho - admissible part; positive, part <- the admissible part's positive and negative halves."""
        b = self.backend
        b.clip(rho, side.low, side.high, part)
        b.axpby(-1.0, part, 1.0, rho)
        b.clip(part, side.zero, side.high, positive)
        b.axpby(-1.0, positive, 1.0, part)

    def _curved(self, x: Array, rho: Array) -> tuple[float, float, float, float, float]:
        """Of the columns with a term: value, infimum, squared norm of the inadmissible part in original and in scaled
        units, and the norm of the whole gradient c + phi'(x)."""
        j, s, lp = self.columns, self.scaling, self.lp
        assert self.column_terms is not None
        at = np.clip(self.backend.to_host(x)[j] / s.column[j] / s.primal, lp.lower[j], lp.upper[j])
        reduced = self.backend.to_host(rho)[j] * s.column[j] / s.objective
        part, infima = separable.admissible(self.column_terms, reduced, at, lp.lower[j], lp.upper[j])
        wrong = reduced - part
        wrong_scaled = wrong / s.column[j] * s.objective
        slopes = separable.slope(self.column_terms, at)
        g = lp.c[j] + np.where(np.isfinite(slopes), slopes, 0.0)
        others = max(0.0, self._c_norm**2 - float(np.dot(lp.c[j], lp.c[j])))
        value = float(np.sum(separable.value(self.column_terms, at)))
        return (
            value,
            float(np.sum(infima)),
            float(np.dot(wrong, wrong)),
            float(np.dot(wrong_scaled, wrong_scaled)),
            math.hypot(math.sqrt(others), host_norm(g)),
        )

    # ---- scalars of the iteration ------------------------------------------------------------------------------
    def movement(self, s: PdhgState) -> tuple[float, float, float]:
        """(dx.dx, dy.dy, dy.K dx) of the last iteration."""
        moved = self.rows.work[0]
        self.backend.matvec(self.A, s.dx, moved)
        dx_dx, dy_dy, dy_kdx = self.backend.dot([(s.dx, s.dx), (s.dy, s.dy), (s.dy, moved)])
        return float(dx_dx), float(dy_dy), float(dy_kdx)

    def travelled(self, s: PdhgState) -> tuple[float, float]:
        """2-norms of the way from the anchor to (x_hat, y_hat)."""
        way_x, way_y = self.cols.work[0], self.rows.work[0]
        self.way(s, way_x, way_y)
        nx, ny = self.backend.norm([way_x, way_y])
        return float(nx), float(ny)

    def way(self, s: PdhgState, way_x: Array, way_y: Array) -> None:
        """way_x, way_y <- x_hat - x_anchor, y_hat - y_anchor."""
        b = self.backend
        for way, hat, anchor in ((way_x, s.x_hat, s.x_anchor), (way_y, s.y_hat, s.y_anchor)):
            b.copy(hat, way)
            b.axpby(-1.0, anchor, 1.0, way)


def _ratio(squared: float, size: float) -> float:
    """A norm relative to a size; zero if it is zero."""
    return math.sqrt(squared) / size if squared > 0.0 and size > 0.0 else math.sqrt(squared)
