"""The clock of one run: from arrays in memory to arrays in memory, in phases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class RunClock:
    """Seconds of named phases; what is ``apart`` (compilation) is reported but not part of ``counted``."""

    def __init__(self, on_apart: Callable[[bool], object] = lambda begins: None) -> None:
        """``on_apart`` is told when time set apart begins (True) and ends (False)."""
        self.on_apart = on_apart
        self.began = time.perf_counter()
        self.phases: dict[str, float] = {}
        self.apart_s = 0.0

    @contextmanager
    def phase(self, name: str, apart: bool = False) -> Iterator[None]:
        """Time the block under ``name``."""
        if apart:
            self.on_apart(True)
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self.phases[name] = self.phases.get(name, 0.0) + seconds
            if apart:
                self.apart_s += seconds
                self.on_apart(False)

    def counted(self) -> float:
        """Seconds since the start, without what was set apart."""
        return time.perf_counter() - self.began - self.apart_s
