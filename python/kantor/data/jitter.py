"""Expanded tables whose products differ: lumpable in the base year only.

Every input and every use of a resource of an exactly lumpable expansion is multiplied by exp(N(0, spread)), and each
sector-to-sector flow is then scaled back to what it was at the base year's outputs:

    sum over i in I, j in J of a_ij x_j   as before,     sum over j in J of S_kj x_j   as before.

So adding products up (``Economy.aggregate``) gives the sector table, as statistical offices would see it, but products
of one sector no longer cost the same, and the answer for another demand or a plan differs from that of the sectors: the
aggregation bias of a sector table, to be measured (Kymn 1990, Economic Systems Research 2, 65-93).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def jittered(
    A: sp.csr_array,
    S: np.ndarray,
    parent: np.ndarray,
    share: np.ndarray,
    spread: float,
    generator: np.random.Generator,
) -> tuple[sp.csr_array, np.ndarray]:
    """Inputs (N, N) and intensities (k, N) with that spread; the flows between sectors stay.

    parent: sector of each product, ascending (N,); share: its share of the sector's output (N,).
    """
    A = A.copy()
    sectors = int(parent[-1]) + 1
    ends: np.ndarray = np.concatenate([[0], np.cumsum(np.bincount(parent))])
    for s in range(sectors):
        rows = slice(A.indptr[ends[s]], A.indptr[ends[s + 1]])
        buyers, weight = parent[A.indices[rows]], share[A.indices[rows]]
        changed = A.data[rows] * generator.lognormal(0.0, spread, buyers.size)
        A.data[rows] = changed * _back(A.data[rows] * weight, changed * weight, buyers, sectors)[buyers]
    different = S * generator.lognormal(0.0, spread, S.shape)
    for k in range(S.shape[0]):
        different[k] *= _back(S[k] * share, different[k] * share, parent, sectors)[parent]
    return A, different


def _back(before: np.ndarray, after: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """What the members of each group must be multiplied by to add up to what they did; 1 where they are 0."""
    was = np.bincount(group, weights=before, minlength=groups)
    now = np.bincount(group, weights=after, minlength=groups)
    return np.divide(was, now, out=np.ones(groups), where=now != 0.0)
