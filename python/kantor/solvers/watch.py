"""When an iteration ends, and why; and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .problem import FloatArray

CONVERGED, LIMIT, STALLED, DIVERGED = "converged", "iteration limit", "stalled", "diverged"


class Watch:
    """Decides after every iteration which columns go on, from their residual norms (k,)."""

    def __init__(
        self,
        target: FloatArray,
        limit: int,
        progress: Callable[[int, FloatArray], None] | None = None,
        *,
        probe: Callable[[], None] | None = None,
        probe_after: int = 200,
    ) -> None:
        self.target, self.limit, self.progress = target, limit, progress
        self.probe, self.probe_after = probe, probe_after
        self.iterations = 0
        self.reason = ""

    def start(self, norms: FloatArray, patience: float) -> np.ndarray[Any, Any]:
        """Begin a method; ``patience``: iterations without a fall of the best norm by a tenth that count as a stall."""
        self.reason, self.patience = CONVERGED, patience
        self.best, self.since = norms.copy(), np.zeros(norms.size)
        self.active = norms > self.target
        return self.active

    def look(self, norms: FloatArray) -> np.ndarray[Any, Any]:
        """Count one iteration; the columns that go on, none of them if ``reason`` says so."""
        self.iterations += 1
        if self.progress is not None:
            self.progress(self.iterations, norms)
        if self.probe is not None and self.iterations == self.probe_after:
            self.probe()
        self.active = self.active & ~(norms <= self.target)  # written so that NaN goes on, to be seen below
        improved = norms < 0.9 * self.best
        self.best = np.where(improved, norms, self.best)
        self.since = np.where(improved, 0, self.since + 1)
        if not np.isfinite(norms).all():
            self._stop(DIVERGED)
        elif self.active.any() and self.iterations >= self.limit:
            self._stop(LIMIT)
        elif (self.active & (self.since > self.patience)).any():
            self._stop(STALLED)
        return self.active

    def _stop(self, reason: str) -> None:
        self.reason = reason
        self.active = np.zeros_like(self.active)


class Stopwatch:
    """Seconds of named phases, for SolveInfo.seconds."""

    def __init__(self) -> None:
        self.begin = self.last = time.perf_counter()
        self.seconds: dict[str, Any] = {}

    def lap(self, name: str) -> None:
        """Book the time since the last lap under ``name``."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.last
        self.last = now
        self.seconds["total"] = now - self.begin

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.begin
