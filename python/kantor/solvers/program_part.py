"""A rank's share of a linear program of which nobody has the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ProgramPart:
    """A rank's share of min c.x, row_lower <= K x <= row_upper, lower <= x <= upper.

    entries : CSR (at.size, all columns); its row k is row at[k] of K, or this rank's share of it; ``at`` ascends
    row_lower, row_upper : own rows; c, lower, upper : own columns
    """

    entries: sp.csr_array
    at: Numbers
    row_lower: Numbers
    row_upper: Numbers
    c: Numbers
    lower: Numbers
    upper: Numbers
