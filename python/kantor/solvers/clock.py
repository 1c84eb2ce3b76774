"""Wall-clock time of one call: phases for the report, and the time limit, looked at wherever work can be long.

What decides anything is read from :func:`now`, the clock that all ranks of a distributed solve agree on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..backends.world import now


class OutOfTime(Exception):
    """The time limit passed while the work was still being set up; never leaves the package."""


@dataclass
class Clock:
    """Wall-clock seconds since the start, by phase, and ``limit_s``, the most of them (None: no limit)."""

    limit_s: float | None = None
    started: float = field(default_factory=now)
    phases: dict[str, float] = field(default_factory=dict)

    def elapsed(self) -> float:
        """Seconds since the start of the whole call."""
        return now() - self.started

    def left(self) -> float | None:
        """Seconds to the limit, never negative; None without one."""
        return None if self.limit_s is None else max(0.0, self.limit_s - self.elapsed())

    def expired(self) -> bool:
        """Whether the limit is reached."""
        return self.limit_s is not None and self.elapsed() >= self.limit_s

    def look(self) -> None:
        """Raise OutOfTime if the limit is reached."""
        if self.expired():
            raise OutOfTime

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to a phase, also when it ends by an exception."""
        before = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - before
