"""pymrio's way to gross output: the dense Leontief inverse L, then x = L y (calc_L, calc_x_from_L)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pymrio

from ..clock import RunClock
from ..files import get_matrix
from . import Answer, Request

VERSION = pymrio.__version__


def solve(arrays: dict[str, Any], request: Request, clock: RunClock) -> Answer:
    """Its functions take data frames; they are made inside the clock, as A is stored sparse."""
    if bool(arrays["transpose"]):
        raise ValueError("pymrio has no system of values")
    with clock.phase("model"):
        A = pd.DataFrame(get_matrix(arrays, "A").toarray())
        d = pd.DataFrame(arrays["d"])
    with clock.phase("inverse"):
        L = pymrio.calc_L(A)
    with clock.phase("solve"):
        x = (L @ d).to_numpy()
    return Answer("optimal", "solved", {"x": x[:, 0] if arrays["d"].ndim == 1 else x})
