"""BiCGSTAB for (I - M) x = d (van der Vorst 1992): two products an iteration, no matter how many right-hand sides."""

from __future__ import annotations

import numpy as np

from ..backends.protocol import Array
from .iteration import Flags, Iteration, ratio
from .problem import FloatArray
from .system import System

BREAKDOWN = 1e-13  # cosine between residual and shadow residual below which a column starts afresh


class Bicgstab(Iteration):
    """One short recurrence a column; a column that breaks down starts afresh where it is."""

    vectors = ("p", "v", "t", "shadow")
    weights = ("rho", "rho_new", "rr", "alpha", "omega", "size")

    def __init__(self, system: System, d: Array, x: Array, r: Array) -> None:
        super().__init__(system, d, x, r)
        self.v, self.t, self.shadow, self.p = system.new(), system.new(), system.new(r), system.new(r)
        self.rho = self.rho_new = self.rr = system.dot((r, r))[0]
        self.size = np.sqrt(self.rho)
        self.alpha = self.omega = np.zeros(self.rho.size)
        self.first = True

    def step(self, active: Flags) -> FloatArray:
        system, r = self.system, self.r
        if not self.first:
            self._turn(active)
        self.first = False
        # alpha = rho / shadow.(I - M)p;  s = r - alpha (I - M)p
        system.apply(self.p, self.v)
        self.alpha = ratio(self.rho, system.dot((self.shadow, self.v))[0], active)
        system.axpby(-self.alpha, self.v, 1.0, r)
        # omega minimises ||s - omega (I - M)s||;  x += alpha p + omega s;  r = s - omega (I - M)s
        system.apply(r, self.t)
        ts, tt = system.dot((self.t, r), (self.t, self.t))
        self.omega = ratio(ts, tt, active)
        system.combine(self.alpha, self.p, self.omega, r, 1.0, self.x)
        system.axpby(-self.omega, self.t, 1.0, r)
        self.rho_new, self.rr = system.dot((self.shadow, r), (r, r))
        return np.sqrt(self.rr)

    def _turn(self, active: Flags) -> None:
        """beta = (rho_new / rho)(alpha / omega);  p = r + beta (p - omega (I - M)p)."""
        beta = ratio(self.rho_new * self.alpha, self.rho * self.omega, active)
        norm = np.sqrt(self.rr)
        broken = active & ((beta == 0.0) | (np.abs(self.rho_new) <= BREAKDOWN * self.size * norm))
        beta[broken] = 0.0
        if broken.any():
            # In two steps: a column that starts afresh must not read a p or v that has overflowed.
            self.system.axpby(-self.omega, self.v, 1.0, self.p)
            self.system.axpby(1.0, self.r, beta, self.p)
            self.system.axpby(broken * 1.0, self.r, 1.0 - broken, self.shadow)
            self.size = np.where(broken, norm, self.size)
        else:
            self.system.combine(1.0, self.r, -beta * self.omega, self.v, beta, self.p)
        self.rho = np.where(broken, self.rr, self.rho_new)
