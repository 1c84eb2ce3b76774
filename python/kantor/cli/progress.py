"""Progress of long work on standard error: shown on a terminal, silent anywhere else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..backends.world import active
from .console import stderr

if TYPE_CHECKING:
    from rich.progress import Progress

# Keys of on_progress that are residuals, in the order they are shown.
_RESIDUALS = (("primal_residual", "primal"), ("dual_residual", "dual"), ("gap", "gap"))


class Steps:
    """The steps of one command; at most one is running. Without a terminal every method does nothing."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._worst: float = math.nan

    def begin(self, words: str) -> None:
        """End the running step and begin another, drawn as a spinner."""
        if self._progress is not None:
            for task in self._progress.task_ids:
                self._progress.remove_task(task)
            self._progress.add_task(words, total=None)
            self._worst = math.nan

    def follow(self, tolerance: float) -> Callable[[Mapping[str, Any]], None] | None:
        """A callback for ``on_progress`` that shows iterations, residuals, and how near they are to ``tolerance``."""
        if self._progress is None:
            return None
        return lambda facts: self._show(facts, tolerance)

    def _show(self, facts: Mapping[str, Any], tolerance: float) -> None:
        assert self._progress is not None
        words = [f"{int(facts['iteration']):,} iterations"] if "iteration" in facts else []
        known = {key: float(facts[key]) for key, _ in _RESIDUALS if key in facts}
        words += [f"{name} {known[key]:.1e}" for key, name in _RESIDUALS if math.isfinite(known.get(key, math.nan))]
        reached = [value for value in known.values() if math.isfinite(value) and value > 0]
        share = None
        if reached:
            worst = max(reached)
            self._worst = worst if math.isnan(self._worst) else max(worst, self._worst)
            share = _share(self._worst, worst, tolerance)
        for task in self._progress.task_ids:
            self._progress.update(
                task, description="  ".join(words), total=None if share is None else 1.0, completed=share or 0.0
            )


def _share(first: float, now: float, goal: float) -> float | None:
    """How far residuals have come from ``first`` to ``goal``, counted in digits."""
    if first <= goal:
        return None
    return min(max(math.log(first / now) / math.log(first / goal), 0.0), 1.0)


@contextmanager
def steps(*, quiet: bool = False) -> Iterator[Steps]:
    """Steps drawn with rich if standard error is a terminal."""
    console = stderr()
    # Of many ranks none draws: all must take the same steps.
    if quiet or not console.is_terminal or active() is not None:
        yield Steps(None)
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(24), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        yield Steps(progress)
