"""Anderson mixing on x <- M x + d (Anderson 1965; Walker and Ni 2011): one product and one batch of dots a step."""

from __future__ import annotations

import numpy as np

from ..backends.protocol import Array
from .iteration import Flags, Iteration
from .problem import FloatArray
from .system import System

DEPTH = 3  # differences that are mixed


class Anderson(Iteration):
    """With the last differences dF of the residual f = M x + d - x and dG of g = x + f, gamma minimises
    ||f - dF gamma|| and x <- g - dG gamma.

    Not monotone: an iterate is no bound on the solution.
    """

    vectors = ("f_old", "g_old", "dF", "dG")
    weights = ("gram",)

    def __init__(self, system: System, d: Array, x: Array, r: Array) -> None:
        super().__init__(system, d, x, r)
        self.f_old, self.g_old = system.new(), system.new()
        self.dF, self.dG = [system.new() for _ in range(DEPTH)], [system.new() for _ in range(DEPTH)]
        self.gram = np.zeros((system.width or 1, DEPTH, DEPTH))
        self.steps = 0

    def step(self, active: Flags) -> FloatArray:
        system, backend, x, f, dF, dG = self.system, self.system.backend, self.x, self.r, self.dF, self.dG
        # x becomes g in place; a slot takes the newest differences of f and g
        system.axpby(active * 1.0, f, 1.0, x)
        slot = (self.steps - 1) % DEPTH
        if self.steps > 0:
            for new, old, difference in ((f, self.f_old, dF[slot]), (x, self.g_old, dG[slot])):
                backend.copy(old, difference)
                system.axpby(1.0, new, -1.0, difference)
        backend.copy(f, self.f_old)
        backend.copy(x, self.g_old)
        used = min(self.steps, DEPTH)
        if used:
            dots = system.dot(*((dF[slot], dF[i]) for i in range(used)), *((dF[i], f) for i in range(used)))
            self.gram[:, slot, :used] = self.gram[:, :used, slot] = dots[:used].T
            gamma = _mixing(self.gram[:, :used, :used], dots[used:].T)
            for i in range(used):
                system.axpby(np.where(active, -gamma[:, i], 0.0), dG[i], 1.0, x)
        self.steps += 1
        system.residual(self.d, x, f)
        return system.norm(f)


def _mixing(gram: FloatArray, right: FloatArray) -> FloatArray:
    """gamma (k, m) with (gram + 1e-14 trace I) gamma = right, zero for a column whose differences vanish."""
    trace = np.trace(gram, axis1=1, axis2=2)
    ridge = np.where(trace > 0.0, 1e-14 * trace, 1.0)
    gamma = np.linalg.solve(gram + ridge[:, None, None] * np.eye(gram.shape[1]), right[:, :, None])[:, :, 0]
    return np.where(np.isfinite(gamma), gamma, 0.0)
