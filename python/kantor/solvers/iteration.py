"""The loop that all methods for (I - M) x = d share: step, look, drop the columns that are done.

A method is a subclass of Iteration that knows one step. k right-hand sides go through it side by side, each with its
own coefficients, so that one pass over the matrix serves all of them. A column that has converged is left alone, and
once half of those in hand have, the others are packed together: what is done costs nothing more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from ..backends.protocol import Array
from .problem import FloatArray
from .system import System
from .watch import Watch

Flags = np.ndarray[Any, Any]


class Iteration(ABC):
    """One method in progress.

    For packing columns ``vectors`` names its arrays (n, k), or lists of them, and ``weights`` those of shape (k, ...).
    """

    vectors: ClassVar[tuple[str, ...]] = ()
    weights: ClassVar[tuple[str, ...]] = ()
    patience: ClassVar[float] = 200  # iterations without progress that count as a stall

    def __init__(self, system: System, d: Array, x: Array, r: Array) -> None:
        """Start at x, whose residual is r; both are overwritten."""
        self.system, self.d, self.x, self.r = system, d, x, r

    @abstractmethod
    def step(self, active: Flags) -> FloatArray:
        """One iteration of the ``active`` columns; the residual norms (k,) of all."""

    def keep(self, columns: Flags) -> None:
        """Go on with these columns only."""
        backend = self.system.backend
        self.system = self.system.narrower(columns.size)

        def packed(array: Array) -> Array:
            return backend.from_host(np.ascontiguousarray(backend.to_host(array)[:, columns]))

        for name in ("d", "x", "r", *self.vectors):
            old = getattr(self, name)
            setattr(self, name, [packed(array) for array in old] if isinstance(old, list) else packed(old))
        for name in self.weights:
            setattr(self, name, getattr(self, name)[columns])


def iterate(method: type[Iteration], system: System, d: Array, x: Array, r: Array, watch: Watch) -> str:
    """Improve x in place until every column is done; the reason why it ended. r, the residual of x, is overwritten."""
    norms = system.norm(r)
    active = watch.start(norms, method.patience)
    columns = np.arange(norms.size)  # those in hand
    state = method(system, d, x, r)
    try:
        while active.any():
            norms = norms.copy()
            norms[columns] = state.step(active[columns])
            active = watch.look(norms)
            if active.any() and 2 * int(active.sum()) <= columns.size:
                _put_back(system, state.x, columns, x)
                state.keep(np.flatnonzero(active[columns]))
                columns = np.flatnonzero(active)
    finally:  # also when Ctrl-C ends the loop: the best point so far is the answer then
        _put_back(system, state.x, columns, x)
    return watch.reason


def _put_back(system: System, part: Array, columns: Flags, x: Array) -> None:
    """x[:, columns] <- part."""
    if part is x:
        return
    whole = np.array(system.backend.to_host(x))
    whole[:, columns] = system.backend.to_host(part)
    system.backend.copy(system.backend.from_host(whole), x)


def ratio(a: FloatArray, b: FloatArray, active: Flags) -> FloatArray:
    """a / b where the column goes on and the quotient is a number, else 0: a step of zero length."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = a / b
    return np.where(active & np.isfinite(quotient), quotient, 0.0)
