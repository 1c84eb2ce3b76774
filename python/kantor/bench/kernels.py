"""Products and whole PDHG iterations against scipy.sparse and against the bytes that must move.

Bytes of one iteration with K and K' stored apart, values float64, column indices int32, each vector moved once:
24 nnz + 68 columns + 52 rows (16 nnz with float32 values); of one product A x with k right-hand sides: 12 nnz +
k (8 columns + 16 rows); of one sweep over stages 8 nnz + 16 rows. The floor is that many bytes at the larger of two
bandwidths of the native core: a triad, and reading alone. "Random reads" is what finding every x_j at a random place
would cost: nnz reads of vectors as long as x and as long as y.

A turn measures the bandwidth and times every kernel and its peer once, in one process, so that whatever else the
machine does strikes all of them. The best of each over all turns counts; the median of the ratios of the turns is
printed beside it.
"""

from __future__ import annotations

import functools
import operator
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
_WIDE = 64  # right-hand sides
_SMALL = (100, 1_000, 4_000, 16_000, 64_000)  # rows
_READS = 20_000_000
_SWEEP = "sweep over stages"


def run(
    rows: int = 1_000_000,
    backend: str = "auto",
    repeats: int = 9,
    on_step: Callable[[str], object] = lambda words: None,
) -> dict[str, Any]:
    """Time the kernels of a backend at ``rows`` goods; returns what was measured, with versions and hardware."""
    b = get_backend(backend)
    machine = describe()
    cases = []
    for make in (lumpable, technique_choice):
        on_step(f"building {make.__name__}")
        name, K = make(rows)
        on_step(f"timing {name}: {K.shape[0]:,} x {K.shape[1]:,}, {K.nnz:,} entries")
        cases.append({"name": name, **_case(b, K, repeats)})
        del K
    on_step("small programmes")
    return {
        "suite": "kernels",
        "machine": machine,
        "backend": b.name,
        "device": b.device(),
        "cases": cases,
        "small": [_small(b, n, repeats) for n in _SMALL if n <= rows],
    }


def _bandwidth(elements: int) -> float:
    """Bytes per second of a triad or of reading, whichever is more; by NumPy if the native core is not built."""
    try:
        from .. import _core
    except ImportError:
        x, out = np.ones(elements), np.empty(elements)
        return 16.0 * elements / min(_times([lambda: np.multiply(x, 3.0, out=out)], 1)[0])
    return max(_core.triad_bandwidth(elements, 1), _core.read_bandwidth(elements, 1))


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


def _case(b: Backend, K: sp.csr_array, repeats: int) -> dict[str, Any]:
    M, N = K.shape
    random = np.random.default_rng(7)
    A, KT = b.prepare(K), K.T.tocsr()
    x, y = random.random(N), random.random(M)
    found: dict[str, Any] = {"rows": M, "columns": N, "nnz": int(K.nnz)}
    bytes_of = {"K x": 12.0 * K.nnz + 8.0 * N + 16.0 * M, "K' y": 12.0 * K.nnz + 8.0 * M + 16.0 * N}
    actions: dict[str, Callable[[], object]] = {}
    for name, matrix, vector, product in (("K x", K, x, b.matvec), ("K' y", KT, y, b.rmatvec)):
        into, out = b.from_host(vector), b.zeros(matrix.shape[0])
        actions[name] = _queued(b, product, A, into, out)
        actions[f"scipy {name}"] = functools.partial(operator.matmul, matrix, vector)
        actions[name]()
        peer = matrix @ vector
        found[name] = {"largest_relative_difference": float(np.abs(b.to_host(out) - peer).max() / np.abs(peer).max())}
    for name, values in (("pdhg iteration", 8.0), ("pdhg iteration, float32 matrix", 4.0)):
        held = A if values == 8.0 else b.prepare(K, values="float32")
        actions[name] = _queued(b, b.pdhg_block, _state(b, held, random), _BLOCK)
        bytes_of[name] = _BLOCK * ((8.0 + 2.0 * values) * K.nnz + 68.0 * N + 52.0 * M)
    bytes_of |= _sweep(b, K, random, actions)
    speeds: list[float] = []
    stream = min(_STREAM, 40 * M)  # a test run of a thousand goods need not fill memory
    taken = dict(
        zip(actions, _times([*actions.values(), lambda: speeds.append(_bandwidth(stream))], repeats)[:-1], strict=True)
    )
    found["bandwidth_gb_s"] = max(speeds) / 1e9
    for name, needed in bytes_of.items():
        kernel = found.setdefault(name, {})
        kernel.update(_against_floor(taken[name], needed, speeds[1:], _BLOCK if "pdhg" in name else 1))
        if f"scipy {name}" in taken:
            kernel.update(_against_peer(taken[name], taken[f"scipy {name}"]))
        if name == _SWEEP:
            kernel["times_product"] = min(taken[name]) / min(taken["K x"])
    found.update(_wide(b, A, random, max(speeds), min(repeats, 3)))
    found["random reads"] = _random_reads(K, max(speeds), min(repeats, 3))
    return found


def _sweep(
    b: Backend, K: sp.csr_array, random: np.random.Generator, actions: dict[str, Callable[[], object]]
) -> dict[str, float]:
    """Put a sweep over stages, with the inputs of the goods of K, among the actions; its bytes, {} if not offered."""
    n = min(K.shape)
    square = abs(sp.csr_array(K[:n, :n]))
    stages = b.stages(b.prepare(square, transpose=False))
    if stages is None:
        return {}
    d, x = b.zeros(n), b.single(random.random(n))
    actions[_SWEEP] = _queued(b, b.stage_sweep, stages, d, x, 1)
    return {_SWEEP: 8.0 * square.nnz + 16.0 * n}


def _queued(b: Backend, kernel: Callable[..., object], *arguments: Any) -> Callable[[], object]:
    def action() -> None:
        kernel(*arguments)
        b.synchronise()

    return action


def _against_floor(seconds: list[float], needed: float, speeds: list[float], count: int) -> dict[str, float]:
    """``needed`` bytes of ``count`` runs of a kernel: best time over best bandwidth, and the median over the turns."""
    turns = np.array(seconds) * np.array(speeds) / needed
    floor = needed / max(speeds)
    return {
        "seconds": min(seconds) / count,
        "floor_seconds": floor / count,
        "floor_ratio": min(seconds) / floor,
        "floor_ratio_median": float(np.median(turns)),
    }


def _against_peer(mine: list[float], theirs: list[float]) -> dict[str, float]:
    return {
        "scipy_seconds": min(theirs),
        "scipy_ratio": min(theirs) / min(mine),
        "scipy_ratio_median": float(np.median(np.array(theirs) / np.array(mine))),
    }


def _wide(b: Backend, A: Any, random: np.random.Generator, speed: float, repeats: int) -> dict[str, Any]:
    """Products with many right-hand sides at once, timed in turn with products of one."""
    found = {}
    (M, N), k = A.shape, _WIDE
    X, Y = b.from_host(random.random((N, k))), b.from_host(random.random((M, k)))
    x, y = b.from_host(random.random(N)), b.from_host(random.random(M))
    for name, product, one, many in (("K x", b.matvec, (x, y), (X, Y)), ("K' y", b.rmatvec, (y, x), (Y, X))):
        single, wide = _times([_queued(b, product, A, *one), _queued(b, product, A, *many)], repeats)
        floor = (12.0 * A.nnz + k * (8.0 * many[0].shape[0] + 16.0 * many[1].shape[0])) / speed
        found[f"{name}, {k} columns"] = {
            "seconds": min(wide),
            "floor_seconds": floor,
            "floor_ratio": min(wide) / floor,
            "times_one_column": min(wide) / min(single),
        }
    return found


def _random_reads(K: sp.csr_array, speed: float, repeats: int) -> dict[str, float]:
    """What an iteration would take if every x_j and y_i were read at a random place; {} without the native core."""
    try:
        from .. import _core
    except ImportError:
        return {}
    of_y, of_x = (_core.gather_seconds(n, min(_READS, K.nnz + 1), repeats) for n in K.shape)
    seconds = K.nnz * (of_x + of_y)
    floor = (24.0 * K.nnz + 68.0 * K.shape[1] + 52.0 * K.shape[0]) / speed
    return {"nanoseconds_of_x": 1e9 * of_x, "nanoseconds_of_y": 1e9 * of_y, "seconds": seconds,
            "floor_ratio": seconds / floor}  # fmt: skip


def _state(b: Backend, A: Any, random: np.random.Generator) -> PdhgState:
    M, N = A.shape
    put, zeros = b.from_host, b.zeros
    over_columns = ("x", "x_anchor", "x_hat", "x_reflected", "dx", "aty")
    over_rows = ("y", "y_anchor", "y_hat", "dy", "ax")
    return PdhgState(
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


def _small(b: Backend, rows: int, repeats: int) -> dict[str, float]:
    """Microseconds of an iteration with ten entries a row, and with one thread where the backend lets one choose."""
    random = np.random.default_rng(rows)
    at = random.integers(0, rows, 10 * rows)
    K = sp.csr_array((random.standard_normal(at.size), at, np.arange(0, at.size + 1, 10)), shape=(rows, rows))
    state, iterations = _state(b, b.prepare(K), random), max(_BLOCK, 400_000 // rows)
    block = _queued(b, b.pdhg_block, state, iterations)
    threads = getattr(b, "threads", None)
    actions: dict[str, Callable[[], object]] = {"microseconds": block}
    if threads is not None and threads > 1:

        def alone() -> None:
            b.threads = 1  # type: ignore[attr-defined]
            block()
            b.threads = threads  # type: ignore[attr-defined]

        actions["microseconds_one_thread"] = alone
    taken = _times(list(actions.values()), repeats)
    best = {name: 1e6 * min(seconds) / iterations for name, seconds in zip(actions, taken, strict=True)}
    return {"rows": rows, "nnz": int(K.nnz), **best}
