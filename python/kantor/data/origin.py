"""Where an economy comes from: the files it was read from, and how an expanded one came from its sectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Source:
    """A file an economy was read from: its path and the SHA-256 of its bytes."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Expansion:
    """How an expanded economy came from its sectors (kantor.data.generators.expand).

    parent: sector number of each product, int32 (N,); share: the product's share of its sector's output, summing to 1
    over each sector (N,); unit_scale: units of the product per unit of the sector's value (N,) or None for 1;
    sectors: labels of the sectors; seed, cover, kmax, sigma_units, jitter: the arguments.
    """

    parent: np.ndarray
    share: np.ndarray
    unit_scale: np.ndarray | None
    sectors: pd.Index
    seed: int
    cover: float
    kmax: int
    sigma_units: float
    jitter: float = 0.0
