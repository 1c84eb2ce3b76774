"""A rank's share of an economy of which nobody has the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class EconomyPart:
    """A rank's share of an economy: g own goods, t own techniques, k indicators.

    input : (g, all techniques) CSR, >= 0: what a unit of each technique uses of these goods
    own : (t,) the own good that each own technique makes, counted from the first own one
    intensities : (k, t) use of the indicators, >= 0; targets : (g,) >= 0
    """

    input: sp.csr_array
    own: np.ndarray[Any, Any]
    intensities: np.ndarray[Any, Any]
    targets: np.ndarray[Any, Any]
