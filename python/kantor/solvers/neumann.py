"""Plain sweeps x <- M x + d, the power series d + M d + M^2 d + ... (Waugh 1950).

Slow where supply chains are long, but from x = 0 with M, d >= 0 every iterate is a lower bound that rises, and a sweep
costs hardly more than its product.
"""

from __future__ import annotations

from ..backends.protocol import Array
from .iteration import Flags, Iteration
from .problem import FloatArray
from .system import System


class Neumann(Iteration):
    """x <- x + r;  r <- M r, the residual of the new x."""

    vectors = ("spare",)
    patience = 2000

    def __init__(self, system: System, d: Array, x: Array, r: Array) -> None:
        super().__init__(system, d, x, r)
        self.spare = system.new()

    def step(self, active: Flags) -> FloatArray:
        self.system.axpby(active * 1.0, self.r, 1.0, self.x)
        self.system.times(self.r, self.spare)
        self.r, self.spare = self.spare, self.r
        return self.system.norm(self.r)
