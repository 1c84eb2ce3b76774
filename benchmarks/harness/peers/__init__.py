"""One module per package under test: arrays in, arrays out. Nothing of kantor is imported except by its own module.

A module reads ``VERSION`` from its package when it is imported; each of its solvers is a function
``(arrays, Request, RunClock) -> Answer``. What it imports must come before the clock starts, that is at module level.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# What an Answer may say; the child adds missing, error, crash, memory and killed.
STATUSES = ("optimal", "infeasible", "unbounded", "limit", "unknown")


@dataclass(frozen=True)
class Request:
    """What is asked of a solver: the tolerance in the sense of docs/benchmarks.md, a limit, threads, own options."""

    tolerance: float
    limit_s: float
    threads: int
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Answer:
    """``status`` as the solver claims it, ``said`` in its own words, vectors, and facts (iterations, products, ...).

    Linear programmes: x (N,), y (M,) with y_i = d(minimum)/d(side i); an infeasible one: y the ray, if there is one.
    Leontief systems: x like d. Plans: activity, prices, rents, floor_rents, capacity_rents.
    """

    status: str
    said: str
    arrays: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """A solver ready to run, and the version of its package."""

    version: str
    solve: Callable[..., Answer]


def load(name: str, options: dict[str, Any]) -> Peer:
    """Import ``module:function``; ImportError if the package is not installed."""
    module_name, function = name.split(":")
    module = importlib.import_module(f"{__name__}.{module_name}")
    return Peer(module.VERSION, getattr(module, function))
