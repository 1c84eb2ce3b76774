"""Alerts of many series: opened once, told how probable, and raised a level whenever they are not dealt with in time.

An alert begins at the level nearest to the work, say a plant; if nobody there says within the time allowed that it was
dealt with, it goes to the next, and so on. Each level is told of what those below could not settle, and of nothing
else: Beer's algedonic signals (Brain of the Firm, 1981, chapter 15).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...errors import OptionError, ProblemError
from ...solvers.problem import FloatArray

KINDS = ("outlier", "step", "slope", "change", "silent")
COLUMNS = ["series", "kind", "level", "since", "due", "probability", "event"]


@dataclass(frozen=True)
class Level:
    """Who is told, and how many periods they have before it goes to the next."""

    name: str
    periods: int

    def __post_init__(self) -> None:
        if self.periods < 1:
            raise OptionError(f"level {self.name!r}: {self.periods} periods, expected at least 1")


LEVELS = (Level("plant", 2), Level("branch", 3), Level("sector", 5), Level("board", 10))


class Alerts:
    """The open alert of every series, at most one of each; arrays of n."""

    def __init__(self, series: pd.Index, levels: Sequence[Level] = LEVELS) -> None:
        if not levels:
            raise OptionError("levels: at least one has to be told")
        self.series, self.levels = series, tuple(levels)
        n = len(series)
        self.kind = np.full(n, -1, np.int8)
        self.level = np.zeros(n, np.int8)
        self.since = np.zeros(n, np.int64)
        self.due = np.zeros(n, np.int64)
        self.probability = np.zeros(n)

    def update(self, period: int, kind: np.ndarray[Any, np.dtype[np.int8]], probability: FloatArray) -> pd.DataFrame:
        """Open what is new, raise what is overdue; returns the events: opened, raised, and changed of kind.

        kind (n,) position in KINDS, -1 for none, of what the period showed; probability (n,). A step or slope takes
        the place of an outlier that was told before; the time allowed goes on.
        """
        new = (kind >= 0) & (self.kind < 0)
        graver = (kind > 0) & (self.kind == 0)
        same = (kind >= 0) & (kind == self.kind)
        self.probability = np.where(
            new | graver | same, np.maximum(probability, same * self.probability), self.probability
        )
        self.kind = np.where(new | graver, kind, self.kind).astype(np.int8)
        self.since[new], self.level[new] = period, 0
        self.due[new] = period + self.levels[0].periods
        overdue = (self.kind >= 0) & ~new & (self.due <= period) & (self.level < len(self.levels) - 1)
        self.level[overdue] += 1
        allowed = np.array([level.periods for level in self.levels])
        self.due[overdue] = period + allowed[self.level[overdue]]
        event = np.full(len(self.kind), "", dtype=object)
        event[graver], event[new], event[overdue] = "changed", "opened", "raised"
        return self._table(np.flatnonzero(event != ""), event)

    def deal_with(self, series: Any) -> None:
        """Close the alert of a series; ProblemError if it has none."""
        at = self.series.get_indexer(pd.Index([series]))
        if at[0] < 0 or self.kind[at[0]] < 0:
            raise ProblemError(f"alerts: {series!r} has no open alert")
        self.kind[at] = -1
        self.level[at] = 0
        self.probability[at] = 0.0

    def open(self, level: str | None = None) -> pd.DataFrame:
        """What is open, the highest level and the longest open first; of one level only, by its name."""
        at = np.flatnonzero(self.kind >= 0)
        if level is not None:
            names = [known.name for known in self.levels]
            if level not in names:
                raise OptionError(f"level: {level!r} is none of {', '.join(names)}")
            at = at[self.level[at] == names.index(level)]
        at = at[np.lexsort((self.since[at], -self.level[at]))]
        return self._table(at, np.full(len(self.kind), "open", dtype=object))

    def _table(self, at: np.ndarray[Any, Any], event: np.ndarray[Any, Any]) -> pd.DataFrame:
        names = np.array([level.name for level in self.levels], dtype=object)
        return pd.DataFrame(
            {
                "series": self.series[at].to_numpy(object),
                "kind": np.array(KINDS, dtype=object)[self.kind[at]],
                "level": names[self.level[at]],
                "since": self.since[at],
                "due": self.due[at],
                "probability": self.probability[at],
                "event": event[at],
            },
            columns=COLUMNS,
        )
