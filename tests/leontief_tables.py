"""Tables for the tests of Leontief systems."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp


def synthetic(n: int, rho: float, seed: int, spread: float = 0.0) -> tuple[sp.csr_array, np.ndarray]:
    """Heavy-tailed suppliers, spectral radius rho, a demand for two goods in five; units of lognormal size."""
    rng = np.random.default_rng([6007, seed])
    popularity = np.minimum(1.0 + rng.pareto(1.1, n), 0.02 * n)
    columns = np.repeat(np.arange(n), 12)
    rows = rng.choice(n, size=columns.size, p=popularity / popularity.sum())
    A = sp.csr_array((rng.lognormal(0.0, 1.2, columns.size), (rows, columns)), shape=(n, n))
    A.sum_duplicates()
    w = np.ones(n)
    for _ in range(300):
        w = A @ (w / w.sum())
    A = A * (rho / w.sum())
    unit = rng.lognormal(0.0, spread, n)
    demand = np.where(rng.random(n) < 0.4, rng.lognormal(0.0, 1.5, n), 0.0) * unit
    return sp.csr_array(sp.diags_array(unit) @ A @ sp.diags_array(1.0 / unit)), demand


def residual(A: Any, d: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(d - (x - A @ x), axis=0) / np.linalg.norm(d, axis=0)
