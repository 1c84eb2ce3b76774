"""A package that fails in every way a package can: what the tests of the harness run."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import numpy as np

from ..clock import RunClock
from . import Answer, Request

VERSION = "0"


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """``options["how"]``: hang, segfault, raise, eat (memory), lie, late (compiles for longer than the limit)."""
    how = request.options["how"]
    if how == "hang":
        time.sleep(600)
    elif how == "segfault":
        ctypes.string_at(0)
    elif how == "raise":
        raise ArithmeticError("no pivot")
    elif how == "eat":
        kept = [np.ones(10_000_000) for _ in range(100)]
        time.sleep(len(kept))
    elif how == "late":
        with clock.phase("compile", apart=True):
            time.sleep(request.limit_s + 4.0)
    zero = {"x": np.zeros(arrays["c"].size), "y": np.zeros(arrays["row_lower"].size)}
    return Answer("optimal", "sure", zero)
