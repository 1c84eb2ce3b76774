"""What the GPU timings share: backends, the clock, matrices, and where the numbers go."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from kantor.backends import Backend, get_backend
from kantor.errors import BackendUnavailable

BATCHES = 5
TARGET = {"seconds": 0.1}  # how long a batch should take; set by --seconds


def gpu_backends() -> list[Backend]:
    """The GPU backends that can be used here; says why another cannot."""
    found = []
    for name in ("cuda", "cupy"):
        try:
            found.append(get_backend(name))
        except BackendUnavailable as error:
            print(f"{name}: {error}")
    return found


def seconds(call: Callable[[], Any], wait: Callable[[], None]) -> dict[str, float]:
    """Seconds of one call: median, least and most over batches, each waited for as a whole; two calls first."""
    call()
    call()
    wait()
    begin = time.perf_counter()
    call()
    wait()
    repeats = max(1, min(1000, int(TARGET["seconds"] / max(time.perf_counter() - begin, 1e-7))))
    batches = []
    for _ in range(BATCHES):
        begin = time.perf_counter()
        for _ in range(repeats):
            call()
        wait()
        batches.append((time.perf_counter() - begin) / repeats)
    return {"median": statistics.median(batches), "least": min(batches), "most": max(batches), "repeats": repeats}


class Records:
    """Rows of a table: printed as they come, written as JSON at the end."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, case: str, who: str, found: dict[str, float], moved: float | None = None, **more: Any) -> None:
        """One timing; ``moved`` is the number of bytes it has to move."""
        row = {"case": case, "who": who, "seconds": found, **more}
        text = f"{case:<44} {who:<22} {found['median'] * 1e6:12.1f} us"
        if moved is not None:
            row["bytes"], row["gb_per_s"] = moved, moved / found["median"] / 1e9
            text += f" {row['gb_per_s']:9.0f} GB/s"
        self.rows.append(row)
        print(text + "".join(f"  {name}={value:.4g}" for name, value in more.items()))

    def write(self, path: Path) -> None:
        """All rows to a file."""
        path.write_text(json.dumps(self.rows, indent=1) + "\n")


def copy_rate(backend: Backend, scale: float) -> float:
    """Bytes read and written per second by the device's own copy: the ceiling of everything else."""
    n = max(1, int(scale * 2**26))
    source, out = backend.zeros(n), backend.zeros(n)
    return 16.0 * n / seconds(lambda: backend.copy(source, out), backend.synchronise)["median"]


def arguments(description: str) -> argparse.Namespace:
    """FILE, --scale and --seconds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("file", type=Path, help="where the numbers go, as JSON")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every size")
    parser.add_argument("--seconds", type=float, default=TARGET["seconds"], help="aimed at for one batch of calls")
    options = parser.parse_args()
    TARGET["seconds"] = options.seconds
    return options


# ---- matrices --------------------------------------------------------------------------------------------------------
def from_lengths(lengths: np.ndarray, columns: int, rng: np.random.Generator, near: bool = False) -> sp.csr_array:
    """Random values; columns anywhere, or with ``near`` mostly within 5,000 of the diagonal."""
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    nnz = int(indptr[-1])
    at = rng.integers(0, columns, size=nnz, dtype=np.int32)
    if near:
        row = np.repeat(np.arange(lengths.size, dtype=np.int64), lengths)
        local = (row * columns // max(1, lengths.size) + at % 10_001 - 5_000) % columns
        at = np.where(rng.random(nnz, dtype=np.float32) < 0.9, local, at).astype(np.int32)
    return sp.csr_array((rng.random(nnz), at, indptr), shape=(lengths.size, columns))


def matrices(scale: float) -> dict[str, sp.csr_array]:
    """Shapes that matter: even rows far and near, a power law, a few resource rows over everything, a small table."""
    rng = np.random.default_rng(2031)
    n = max(64, int(4_000_000 * scale))
    few = max(16, int(10_000 * scale))
    power = np.minimum(n, (4.0 * rng.random(n // 2) ** -0.7).astype(np.int64))
    resources = np.concatenate([np.full(n // 4, 8), np.full(5, n // 4)])
    return {
        "even 10 a row, far": from_lengths(np.full(n, 10), n, rng),
        "even 10 a row, near": from_lengths(np.full(n, 10), n, rng, near=True),
        "even 42 a row, near": from_lengths(np.full(n // 4, 42), n // 4, rng, near=True),
        "power law, near": from_lengths(power, n // 2, rng, near=True),
        "five resource rows": from_lengths(resources, n // 4, rng, near=True),
        "small, 10^5 nonzeros": from_lengths(np.full(few, 10), few, rng),
    }
