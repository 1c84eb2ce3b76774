"""Time PDHG iterations on the GPU against the bytes they have to move: python pdhg.py FILE [--scale S].

Each program is run in blocks of 200 iterations three ways: replayed as a CUDA graph, launched one by one (blocks of a
length not seen before), and kernel by kernel from Python (the default block of the contract).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from kantor.backends import Backend, PdhgState, get_backend

sys.path.insert(0, str(Path(__file__).parent))
from timing import Records, arguments, copy_rate, from_lengths, gpu_backends, seconds

BLOCK = 200
SIZES = (10_000, 100_000, 1_000_000, 4_000_000)  # rows; ten nonzeros each
NAMES = ("x", "x_anchor", "x_hat", "x_reflected", "dx", "aty", "y", "y_anchor", "y_hat", "dy", "ax")


def state_on(backend: Backend, A: sp.csr_array) -> PdhgState:
    """A feasible program over A >= 0: rows at least 1, x >= 0, positive costs."""
    n = A.shape[0]
    cost = np.random.default_rng(7).random(n)
    norm = float(np.sqrt(A.sum(axis=0).max() * A.sum(axis=1).max()))  # >= the 2-norm
    zero, one, none = np.zeros(n), np.ones(n), np.full(n, np.inf)
    bounds = {"lower": zero, "upper": none, "row_lower": one, "row_upper": none}
    return PdhgState(
        A=backend.prepare(A),
        c=backend.from_host(cost),
        terms=None,
        eta=0.998 / norm,
        **{name: backend.from_host(value) for name, value in bounds.items()},
        **{name: backend.zeros(n) for name in NAMES},
    )


def iteration_bytes(A: sp.csr_array) -> int:
    """Both matrices once (12 bytes a nonzero, 8 a row pointer), 64 bytes a column and 48 a row for the vectors."""
    return 24 * A.nnz + (8 + 64) * A.shape[1] + (8 + 48) * A.shape[0]


def direct(backend: Backend, state: PdhgState) -> Callable[[], None]:
    """Blocks whose length changes each time, so that none is replayed."""
    lengths = iter(range(BLOCK - 100, BLOCK + 100_000))
    return lambda: backend.pdhg_block(state, next(lengths))


def time_direct(backend: Backend, state: PdhgState) -> dict[str, float]:
    """Seconds of one iteration launched without a graph."""
    run = direct(backend, state)
    run()
    backend.synchronise()
    found = []
    for _ in range(5):
        before, begin = state.k, time.perf_counter()
        run()
        backend.synchronise()
        found.append((time.perf_counter() - begin) / (state.k - before))
    return {"median": sorted(found)[2], "least": min(found), "most": max(found), "repeats": 1}


def per_iteration(found: dict[str, float], iterations: int) -> dict[str, float]:
    """Seconds of a block as seconds of one of its iterations."""
    return {name: value if name == "repeats" else value / iterations for name, value in found.items()}


def check(backend: Backend, A: sp.csr_array) -> None:
    """Three blocks (launched, recorded, replayed) against the reference: a wrong iterate is not worth timing."""
    reference = get_backend("reference")
    mine, expected = state_on(backend, A), state_on(reference, A)
    for _ in range(3):
        backend.pdhg_block(mine, 20)
        reference.pdhg_block(expected, 20)
    for name in ("x", "y", "x_hat", "y_hat"):
        got, wanted = backend.to_host(getattr(mine, name)), getattr(expected, name)
        if not np.all(np.abs(got - wanted) <= 1e-10 * (1.0 + np.max(np.abs(wanted)))):
            raise SystemExit(f"{backend.name}: {name} is wrong, off by {np.max(np.abs(got - wanted))}")


def time_program(backend: Backend, A: sp.csr_array, rate: float, records: Records) -> None:
    """The three ways; ``rate`` is the device's copy rate in bytes per second."""
    state, moved = state_on(backend, A), iteration_bytes(A)
    block = seconds(lambda: backend.pdhg_block(state, BLOCK), backend.synchronise)
    ways = {"blocks of 200": per_iteration(block, BLOCK), "blocks of changing length": time_direct(backend, state)}
    step = seconds(lambda: Backend.pdhg_block(backend, state, 20), backend.synchronise)
    ways["kernel by kernel"] = per_iteration(step, 20)
    for how, found in ways.items():
        over = found["median"] * rate / moved
        case = f"PDHG iteration, {A.shape[0]} rows, {how}"
        records.add(case, backend.name, found, moved, nnz=A.nnz, times_the_floor=over)


def main() -> None:
    """Every size on every GPU backend."""
    options = arguments(__doc__ or "")
    records = Records()
    backends = gpu_backends()
    if not backends:
        raise SystemExit("no GPU backend can be used here")
    rates = [copy_rate(backend, options.scale) for backend in backends]
    rng = np.random.default_rng(11)
    for size in SIZES:
        rows = max(64, int(size * options.scale))
        A = from_lengths(np.full(rows, 10), rows, rng, near=True)
        for backend, rate in zip(backends, rates, strict=True):
            if size == SIZES[0]:
                check(backend, A)
            time_program(backend, A, rate, records)
    records.write(options.file)


if __name__ == "__main__":
    main()
