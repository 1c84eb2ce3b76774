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
from . import terms as separable
from .problem import FloatArray, LinearProgram
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
        self.terms = None if t is None else DeviceTerms(put(t.kind), put(t.a), put(t.b), put(t.e))
        s = scaled.scaling
        self.rows = self.side(scaled.row_lower, scaled.row_upper, s.row / s.primal, None)
        self.cols = self.side(scaled.lower, scaled.upper, s.column / s.objective, self.columns)
        # Certificates know nothing of terms: their columns' bounds count like any others.
        self.plain_cols = self.cols
        if self.columns.size:
            self.plain_cols = self.side(scaled.lower, scaled.upper, s.column / s.objective, None)
        self._b_norm = side_norm(lp.row_lower, lp.row_upper)
        self._c_norm = host_norm(lp.c)

    def side(self, lower: FloatArray, upper: FloatArray, unit: FloatArray, curved: Any) -> Side:
        """``curved`` columns get every sign and no bounds here: their share is computed on the host."""
        low, high = multiplier_range(lower, upper)
        finite_lower = np.where(np.isfinite(lower), lower, 0.0)
        finite_upper = np.where(np.isfinite(upper), upper, 0.0)
        if curved is not None and curved.size:
            low[curved], high[curved] = -np.inf, np.inf
            finite_lower[curved] = finite_upper[curved] = 0.0
        put, length = self.backend.from_host, lower.size
        work = [self.backend.zeros(length) for _ in range(3)]
        return Side(
            put(finite_lower), put(finite_upper), put(low), put(high), put(unit), self.backend.zeros(length), work
        )

    # ---- points ------------------------------------------------------------------------------------------------
    def state(self, eta: float, weight: float, projection: Any) -> PdhgState:
        """A state of zeros."""
        M, N = self.A.shape
        zeros = self.backend.zeros
        return PdhgState(
            A=self.A, c=self.c, lower=self.lower, upper=self.upper, terms=self.terms,
            row_lower=self.row_lower, row_upper=self.row_upper,
            x=zeros(N), x_anchor=zeros(N), x_hat=zeros(N), x_reflected=zeros(N), dx=zeros(N), aty=zeros(N),
            y=zeros(M), y_anchor=zeros(M), y_hat=zeros(M), dy=zeros(M), ax=zeros(M),
            eta=eta, weight=weight, projection=projection,
        )  # fmt: skip

    # ---- residuals ---------------------------------------------------------------------------------------------
    def residuals(self, x: Array, y: Array) -> Residuals:
        """The residuals of the scaled point in original units; y has the signs its rows admit, x lies in its bounds.

        Formulas in kantor.solvers.termination. NaN anywhere in x or y makes a residual NaN.
        """
        b, rows, cols, s = self.backend, self.rows, self.cols, self.scaling
        activity, off, share = rows.work
        rho, positive, part = cols.work
        b.matvec(self.A, x, activity)
        b.clip(activity, self.row_lower, self.row_upper, off)
        b.axpby(-1.0, activity, 1.0, off)
        b.multiply(off, rows.unit, off)
        b.rmatvec(self.A, y, rho)
        b.axpby(1.0, self.c, -1.0, rho)
        curved = self._curved(x, rho) if self.columns.size else None
        infimum = 0.0
        if self.user_set is None:
            self.split(cols, rho, part, positive)
            b.multiply(rho, cols.unit, rho)
        else:
            infimum = self._off_the_set(self.user_set, x, rho, positive, part)
        b.clip(y, rows.zero, rows.high, share)
        b.clip(y, rows.low, rows.zero, activity)
        pairs = [(off, off), (rho, rho), (self.c, x), (rows.finite_lower, share), (rows.finite_upper, activity)]
        pairs += [(cols.finite_lower, positive), (cols.finite_upper, part)]
        off2, viol2, cx, *dual = (float(v) for v in b.dot(pairs))
        unit = s.primal * s.objective
        P, D, c_norm = cx / unit, sum(dual) / unit + infimum, self._c_norm
        if curved is not None:
            value, infima, wrong, c_norm = curved
            P, D, viol2 = P + value, D + infima, viol2 + wrong * wrong
        primal, dual_residual = math.sqrt(off2) / (1.0 + self._b_norm), math.sqrt(viol2) / (1.0 + c_norm)
        return Residuals(primal, dual_residual, relative_gap(P, D), P, D)

    def split(self, side: Side, rho: Array, part: Array, positive: Array) -> None:
        """rho <- rho - admissible part; positive, part <- the admissible part's positive and negative halves."""
        b = self.backend
        b.clip(rho, side.low, side.high, part)
        b.axpby(-1.0, part, 1.0, rho)
        b.clip(part, side.zero, side.high, positive)
        b.axpby(-1.0, positive, 1.0, part)

    def _off_the_set(self, user_set: UserSet, x: Array, rho: Array, positive: Array, part: Array) -> float:
        """rho <- x - projection(x - rho) in original units; the bounds' shares <- 0; return the infimum."""
        b, s = self.backend, self.scaling
        host = self.backend.to_host
        infimum = user_set.infimum(host(rho) / s.objective, host(x) / s.primal)
        # Columns have the common scale s_p, so x' - (s_p/s_o) rho' is s_p (x - rho).
        b.axpby(1.0, x, -s.primal / s.objective, rho)
        b.copy(user_set.project_scaled(rho), part)
        b.axpby(1.0 / s.primal, x, -1.0 / s.primal, part)
        b.copy(part, rho)
        b.copy(self.cols.zero, positive)
        b.copy(self.cols.zero, part)
        return infimum

    def _curved(self, x: Array, rho: Array) -> tuple[float, float, float, float]:
        """Of the columns with a term: value, infimum, norm of the inadmissible part, and the norm of the gradient."""
        j, s, lp = self.columns, self.scaling, self.lp
        assert self.column_terms is not None
        at = np.clip(self.backend.to_host(x)[j] / s.column[j] / s.primal, lp.lower[j], lp.upper[j])
        reduced = self.backend.to_host(rho)[j] * s.column[j] / s.objective
        part, infima = separable.admissible(self.column_terms, reduced, at, lp.lower[j], lp.upper[j])
        slopes = separable.slope(self.column_terms, at)
        g = lp.c[j] + np.where(np.isfinite(slopes), slopes, 0.0)
        others = max(0.0, self._c_norm**2 - float(np.dot(lp.c[j], lp.c[j])))
        value = float(np.sum(separable.value(self.column_terms, at)))
        return value, float(np.sum(infima)), host_norm(reduced - part), math.hypot(math.sqrt(others), host_norm(g))

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
