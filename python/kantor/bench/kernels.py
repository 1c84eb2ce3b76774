"""Products and whole PDHG iterations against scipy.sparse and against the bytes that must move.

Bytes of one iteration with K and K' stored apart, values float64, column indices int32, each vector moved once:
24 nnz + 68 columns + 52 rows; of one product A x: 12 nnz + 8 columns + 16 rows. The floor is that many bytes at the
larger of two bandwidths measured in the same run by the native core: a triad, and reading alone.
Peer and backend are timed in turn in one process, so that whatever else the machine does strikes both; the least time
of each counts, and the median ratio is printed beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend, PdhgState, get_backend
from .instances import lumpable, technique_choice
from .machine import describe

_STREAM = 40_000_000  # doubles a vector: ten times the largest cache in use
_BLOCK = 20


def run(
    rows: int = 1_000_000,
    backend: str = "auto",
    repeats: int = 9,
    on_step: Callable[[str], object] = lambda words: None,
) -> dict[str, Any]:
    """Time the kernels of a backend at ``rows`` goods; returns what was measured, with versions and hardware."""
    b = get_backend(backend)
    on_step("bandwidth")
    bandwidth = _bandwidth(repeats)
    cases = []
    for make in (lumpable, technique_choice):
        on_step(f"building {make.__name__}")
        name, K = make(rows)
        on_step(f"timing {name}: {K.shape[0]:,} x {K.shape[1]:,}, {K.nnz:,} entries")
        cases.append({"name": name, **_case(b, K, bandwidth, repeats)})
        del K
    return {
        "suite": "kernels",
        "machine": describe(),
        "backend": b.name,
        "device": b.device(),
        "bandwidth_gb_s": {name: value / 1e9 for name, value in bandwidth.items()},
        "cases": cases,
    }


def _bandwidth(repeats: int) -> dict[str, float]:
    """Bytes per second of a triad and of reading, by the native core; by NumPy if it is not built."""
    try:
        from .. import _core
    except ImportError:
        x, out = np.ones(_STREAM), np.empty(_STREAM)
        seconds = min(_times([lambda: np.multiply(x, 3.0, out=out)], repeats)[0])
        return {"triad": 16.0 * _STREAM / seconds}
    return {
        "triad": _core.triad_bandwidth(_STREAM, repeats),
        "read": _core.read_bandwidth(_STREAM, repeats),
    }


def _times(actions: list[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Seconds of each action, taken in turn ``repeats`` times after one turn that does not count."""
    taken: list[list[float]] = [[] for _ in actions]
    for turn in range(repeats + 1):
        for action, seconds in zip(actions, taken, strict=True):
            start = time.perf_counter()
            action()
            if turn:
                seconds.append(time.perf_counter() - start)
    return taken


def _case(b: Backend, K: sp.csr_array, bandwidth: dict[str, float], repeats: int) -> dict[str, Any]:
    M, N = K.shape
    fastest = max(bandwidth.values())
    random = np.random.default_rng(7)
    A = b.prepare(K)
    x, y = random.random(N), random.random(M)
    KT = K.T.tocsr()
    found: dict[str, Any] = {"rows": M, "columns": N, "nnz": int(K.nnz)}
    for name, matrix, vector, product in (("K x", K, x, b.matvec), ("K' y", KT, y, b.rmatvec)):
        into, out = b.from_host(vector), b.zeros(matrix.shape[0])

        def ours(product: Any = product, into: Any = into, out: Any = out) -> None:
            product(A, into, out)
            b.synchronise()

        def peer(matrix: Any = matrix, vector: Any = vector) -> Any:
            return matrix @ vector

        ours()
        error = np.abs(b.to_host(out) - peer()).max() / np.abs(b.to_host(out)).max()
        mine, theirs = _times([ours, peer], repeats)
        floor = (12.0 * K.nnz + 8.0 * matrix.shape[1] + 16.0 * matrix.shape[0]) / fastest
        found[name] = {
            "seconds": min(mine),
            "scipy_seconds": min(theirs),
            "scipy_ratio": min(theirs) / min(mine),
            "scipy_ratio_median": float(np.median(np.array(theirs) / np.array(mine))),
            "floor_ratio": min(mine) / floor,
            "largest_relative_difference": float(error),
        }
    found["pdhg iteration"] = _iteration(b, A, random, repeats, (24.0 * K.nnz + 68.0 * N + 52.0 * M) / fastest)
    return found


def _iteration(b: Backend, A: Any, random: np.random.Generator, repeats: int, floor: float) -> dict[str, float]:
    """Seconds of one iteration inside a block, and its ratio to ``floor`` seconds."""
    M, N = A.shape
    put, zeros = b.from_host, b.zeros
    over_columns = ("x", "x_anchor", "x_hat", "x_reflected", "dx", "aty")
    over_rows = ("y", "y_anchor", "y_hat", "dy", "ax")
    state = PdhgState(
        A=A,
        c=put(random.random(N)),
        lower=put(np.zeros(N)),
        upper=put(np.full(N, np.inf)),
        row_lower=put(np.ones(M)),
        row_upper=put(np.full(M, np.inf)),
        terms=None,
        eta=0.05,
        **{name: zeros(N) for name in over_columns},
        **{name: zeros(M) for name in over_rows},
    )

    def block() -> None:
        b.pdhg_block(state, _BLOCK)
        b.synchronise()

    seconds = [s / _BLOCK for s in _times([block], repeats)[0]]
    return {"seconds": min(seconds), "floor_seconds": floor, "floor_ratio": min(seconds) / floor,
            "floor_ratio_median": float(np.median(seconds)) / floor}  # fmt: skip
