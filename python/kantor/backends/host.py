"""Backends whose arrays are NumPy arrays."""

from __future__ import annotations

import numpy as np

from .protocol import Array, Backend


class HostBackend(Backend):
    """Memory of the host: device arrays are NumPy arrays, copies are plain."""

    def from_host(self, array: np.ndarray) -> Array:
        return np.array(array, order="C")

    def to_host(self, array: Array) -> np.ndarray:
        return np.asarray(array)

    def zeros(self, shape: int | tuple[int, ...]) -> Array:
        return np.zeros(shape)

    def copy(self, source: Array, out: Array) -> None:
        out[...] = source
