"""A user's own convex set in place of the box: its Euclidean projection and, if known, its support function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends import Backend
from ..errors import ProblemError
from .problem import FloatArray, LinearProgram
from .termination import Residuals, norm, relative_gap, side_norm
from .termination import support as support_value

Array = Any


class UserSet:
    """X in original units; the scaled program uses s_p X, for which projecting commutes with the one scale s_p."""

    def __init__(
        self, backend: Backend, projection: Callable[[Array], Array], support: Callable[[FloatArray], float] | None,
        primal_scale: float, lp: LinearProgram,
    ) -> None:  # fmt: skip
        self.backend, self.lp, self.scale = backend, lp, primal_scale
        self._projection, self._support = backend.for_user(projection), support
        self._inner, self._outer = backend.zeros(lp.shape[1]), backend.zeros(lp.shape[1])

    @property
    def certified(self) -> bool:
        """Whether D is a bound: only with a support function."""
        return self._support is not None

    def project(self, x: FloatArray) -> FloatArray:
        """The projection of a host vector; ProblemError if what comes back is no point of the box."""
        result = self._projection(self.backend.from_host(np.ascontiguousarray(x)))
        point = np.array(self.backend.to_host(result), dtype=np.float64)
        if point.shape != x.shape:
            raise ProblemError(f"projection: returned shape {point.shape}, expected {x.shape}")
        if not np.isfinite(point).all():
            raise ProblemError("projection: returned a number that is not finite")
        outside = np.maximum(self.lp.lower - point, point - self.lp.upper)
        j = int(np.argmax(outside)) if outside.size else 0
        if outside.size and outside[j] > 1e-9 * (1.0 + abs(point[j])):
            raise ProblemError(
                f"projection: entry {j} = {point[j]} lies outside its bounds "
                f"[{self.lp.lower[j]}, {self.lp.upper[j]}]; the set must lie inside them"
            )
        return point

    def project_scaled(self, x: Array) -> Array:
        """The projection on s_p X of an array of the backend; the result is overwritten by the next call."""
        b = self.backend
        b.axpby(1.0 / self.scale, x, 0.0, self._inner)
        b.axpby(self.scale, self._projection(self._inner), 0.0, self._outer)
        return self._outer

    def infimum(self, rho: FloatArray, x: FloatArray) -> float:
        """inf over X of rho.x by the support function, or rho.x at the point itself."""
        if self._support is None:
            return float(np.dot(rho, x))
        value = -float(self._support(-rho))
        return value if math.isfinite(value) else -math.inf

    def residuals(self, x: FloatArray, y: FloatArray) -> Residuals:
        """Residuals of (x, y) from the raw arrays; the dual one is ||x - projection(x - rho)|| / (1 + ||c||)."""
        lp = self.lp
        activity = lp.K @ x
        off = norm(activity - np.clip(activity, lp.row_lower, lp.row_upper))
        rho = lp.c - lp.K.T @ y
        moved = norm(x - self.project(x - rho))
        P, D = float(lp.c @ x), support_value(y, lp.row_lower, lp.row_upper) + self.infimum(rho, x)
        primal = off / (1.0 + side_norm(lp.row_lower, lp.row_upper))
        return Residuals(primal, moved / (1.0 + norm(lp.c)), relative_gap(P, D), P, D)
