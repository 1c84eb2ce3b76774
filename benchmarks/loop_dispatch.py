"""What does it cost to drive the PDHG loop from Python? The numbers of docs/decisions/0001-loop-in-python.md.

Runs the same block of iterations twice on one backend: kernel by kernel from Python (the default of
``Backend.pdhg_block``), and as the backend's own block. Both compute the same points; the difference is dispatch
and the passes over memory that fusing saves.

    python benchmarks/loop_dispatch.py [--backend native] [--largest 1000000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from kantor.backends import Backend, PdhgState, get_backend

ENTRIES_PER_ROW = 10
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
SECONDS = 0.05  # aimed at for each timing
REPEATS = 25


def state(backend: Backend, rows: int) -> PdhgState:
    """A feasible random programme with rows = columns and about ten entries a row."""
    random = np.random.default_rng(rows)
    columns = random.integers(0, rows, size=(rows, ENTRIES_PER_ROW)).ravel()
    values = random.random(rows * ENTRIES_PER_ROW)
    offsets = np.arange(0, values.size + 1, ENTRIES_PER_ROW)
    matrix = sp.csr_array((values, columns, offsets), shape=(rows, rows))
    matrix.sum_duplicates()

    def put(array: np.ndarray) -> Any:
        return backend.from_host(np.ascontiguousarray(array, dtype=np.float64))

    def zeros() -> Any:
        return backend.zeros(rows)

    names = ("x", "x_anchor", "x_hat", "x_reflected", "dx", "aty", "y", "y_anchor", "y_hat", "dy", "ax")
    norm = float(np.sqrt(abs(matrix).sum(axis=0).max() * abs(matrix).sum(axis=1).max()))  # >= the 2-norm
    return PdhgState(
        A=backend.prepare(matrix),
        c=put(random.random(rows)),
        lower=put(np.zeros(rows)),
        upper=put(np.full(rows, np.inf)),
        row_lower=put(np.ones(rows)),
        row_upper=put(np.full(rows, np.inf)),
        terms=None,
        eta=0.998 / norm,
        **{name: zeros() for name in names},
    )


def seconds_per_iteration(backend: Backend, rows: int) -> tuple[float, float]:
    """The least time of one iteration (driven from Python, as the backend's own block).

    The two are timed in turn, so that whatever else the machine does strikes both.
    """
    loops: list[Callable[[PdhgState, int], None]] = [
        lambda s, iterations: Backend.pdhg_block(backend, s, iterations),
        backend.pdhg_block,
    ]
    states = [state(backend, rows) for _ in loops]
    points, best = [], [np.inf, np.inf]
    for run, s in zip(loops, states, strict=True):
        run(s, 20)
        points.append(backend.to_host(s.x).copy())
    if not np.allclose(*points, rtol=1e-9, atol=1e-12):
        raise SystemExit(f"{rows} rows: the two loops disagree by {np.abs(points[0] - points[1]).max():.3e}")
    block = 2
    for turn in range(REPEATS):
        for i, (run, s) in enumerate(zip(loops, states, strict=True)):
            backend.synchronise()
            start = time.perf_counter()
            run(s, block)
            backend.synchronise()
            best[i] = min(best[i], (time.perf_counter() - start) / block)
        if turn == 1:
            block = int(np.clip(SECONDS / min(best), 2, 5_000))
    return best[0], best[1]


def main() -> None:
    """Print one line a size, and write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="native")
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    parser.add_argument("--json", metavar="FILE")
    asked = parser.parse_args()
    backend = get_backend(asked.backend)
    print(f"{backend.name} on {backend.device()}, {platform.platform()}")
    print(f"{'rows':>9} {'nnz':>10} {'from Python':>14} {'own block':>14} {'ratio':>7}   microseconds per iteration")
    lines = []
    for rows in (size for size in SIZES if size <= asked.largest):
        driven, block = seconds_per_iteration(backend, rows)
        nnz = rows * ENTRIES_PER_ROW
        print(f"{rows:9,} {nnz:10,} {driven * 1e6:14.1f} {block * 1e6:14.1f} {driven / block:7.2f}", flush=True)
        lines.append({"rows": rows, "nnz": nnz, "python_s": driven, "block_s": block})
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump({"backend": backend.name, "device": backend.device(), "lines": lines}, file, indent=1)


if __name__ == "__main__":
    main()
