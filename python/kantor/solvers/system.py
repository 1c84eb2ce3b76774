"""I - M on a backend, M = A or A', for one right-hand side or many at once: what every Leontief method sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Backend, Operator
from ..backends.protocol import Array
from .problem import FloatArray


class System:
    """I - M on a backend, with vector operations that take one weight a column, always as an array (k,).

    With ``scale`` (n,) > 0 M stands for D^-1 M D / radius, D = diag(scale): the same system in other units; only for
    one right-hand side. ``width`` is the number of right-hand sides, None for arrays of one dimension.
    """

    def __init__(
        self, backend: Backend, op: Operator, width: int | None, scale: FloatArray | None = None, radius: float = 1.0
    ) -> None:
        self.backend, self.op, self.width = backend, op, width
        self.shape: int | tuple[int, int] = op.shape[0] if width is None else (op.shape[0], width)
        self.single = width is None
        self.scale = self.unscale = None
        if scale is not None:
            self.scale, self.unscale = backend.from_host(scale), backend.from_host(1.0 / (scale * radius))
            self.spare = backend.zeros(self.shape)
        self._tally = [0]

    @property
    def products(self) -> int:
        """Passes over the matrix so far, those of narrower systems made from this one included."""
        return self._tally[0]

    def narrower(self, width: int) -> System:
        """The same system for fewer right-hand sides."""
        other = System(self.backend, self.op, width)
        other._tally = self._tally
        return other

    def new(self, source: Array = None) -> Array:
        """An array of zeros, or a copy."""
        out = self.backend.zeros(self.shape)
        if source is not None:
            self.backend.copy(source, out)
        return out

    def times(self, x: Array, out: Array) -> None:
        """out <- M x, in the system's units."""
        self._tally[0] += 1
        if self.scale is None:
            self.backend.matvec(self.op, x, out)
        else:
            self.backend.multiply(x, self.scale, self.spare)
            self.backend.matvec(self.op, self.spare, out)
            self.backend.multiply(out, self.unscale, out)

    def apply(self, x: Array, out: Array) -> None:
        """out <- (I - M) x."""
        if self.scale is None:
            self._tally[0] += 1
            self.backend.net_product(self.op, x, out)
        else:
            self.times(x, out)
            self.backend.axpby(1.0, x, -1.0, out)

    def recover(self, y: Array) -> None:
        """y <- the x that it stands for; the same unless the system is preconditioned."""

    def residual(self, d: Array, x: Array, out: Array) -> None:
        """out <- d - (I - M) x."""
        self.apply(x, out)
        self.backend.axpby(1.0, d, -1.0, out)

    def axpby(self, a: Any, x: Array, b: Any, y: Array) -> None:
        """y <- a x + b y with a, b numbers or one weight a column, (k,)."""
        self.backend.axpby(self._weight(a), x, self._weight(b), y)

    def combine(self, a: Any, x: Array, b: Any, z: Array, c: Any, y: Array) -> None:
        """y <- a x + b z + c y, weights as in ``axpby``."""
        self.backend.combine(self._weight(a), x, self._weight(b), z, self._weight(c), y)

    def _weight(self, a: Any) -> Any:
        if np.ndim(a) == 0:
            return float(a)
        return float(a[0]) if self.single else np.ascontiguousarray(a, dtype=np.float64)

    def dot(self, *pairs: tuple[Array, Array]) -> FloatArray:
        """x.y of each pair by column: (pairs, k), also for one column."""
        found = np.asarray(self.backend.dot(pairs))
        return found[:, None] if self.single else found

    def norm(self, x: Array) -> FloatArray:
        """2-norm of each column: (k,)."""
        return np.atleast_1d(self.backend.norm([x])[0])
