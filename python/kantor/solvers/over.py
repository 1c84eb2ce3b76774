"""Largest, smallest and sums over the goods, where the host has all of them and where it has only a rank's own.

What is written with these runs on both: on whole arrays, and on the parts of a sharded solve (kantor.solvers.sharded).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends.world import World
from .problem import FloatArray


class Whole:
    """Host arrays hold all goods: (n,) or (n, k), reduced to a number or (k,)."""

    def max(self, v: FloatArray) -> Any:
        """The largest of every column; NaN if there is one."""
        return np.max(v, axis=0)

    def min(self, v: FloatArray) -> Any:
        """The smallest of every column; NaN if there is one."""
        return np.min(v, axis=0)

    def sum(self, v: FloatArray) -> Any:
        """The sum of every column."""
        return np.sum(v, axis=0)

    def squares(self, v: FloatArray) -> Any:
        """The sum of squares of every column."""
        return np.einsum("i...,i...->...", v, v)

    def all(self, flags: Any) -> bool:
        """Whether all are true."""
        return bool(np.all(flags))


class Parts(Whole):
    """Host arrays hold a rank's own goods; every method is collective and all ranks get the same."""

    def __init__(self, world: World) -> None:
        self.world = world

    def max(self, v: FloatArray) -> Any:
        return np.max(self.world.gather(np.max(v, axis=0, initial=-np.inf)), axis=0)

    def min(self, v: FloatArray) -> Any:
        return np.min(self.world.gather(np.min(v, axis=0, initial=np.inf)), axis=0)

    def sum(self, v: FloatArray) -> Any:
        return self.world.sum(super().sum(v))

    def squares(self, v: FloatArray) -> Any:
        return self.world.sum(super().squares(v))

    def all(self, flags: Any) -> bool:
        return bool(self.world.gather(np.array([float(np.all(flags))])).all())
