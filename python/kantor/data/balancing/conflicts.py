"""Totals that no table can meet, found before and after the adjustment, and said with the names of rows and columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from ...errors import ProblemError
from .cells import Cells

Name = Callable[[int], str]


@dataclass(frozen=True)
class Reduced:
    """A problem without what is settled: ``cells`` holds the free ones at ``kept``; ``value`` all others already."""

    cells: Cells
    kept: np.ndarray
    value: np.ndarray


def settle(cells: Cells, name: Name, tolerance: float) -> Reduced:
    """Take out fixed cells and the cells of exact totals of zero; raise ProblemError for a total no cell can meet."""
    exact = cells.target_variance == 0.0
    value = cells.value.copy()
    size = abs(cells.G) @ np.abs(value) + np.abs(cells.target)
    free = (cells.theta > 0.0) if cells.entropy else (cells.variance > 0.0)
    G = cells.G.copy()
    sign = np.sign(value)
    while True:
        left = cells.target - G @ np.where(free, 0.0, value)
        signed = sp.csr_array(G.multiply(np.where(free, sign, 0.0)[None, :]))
        rising, falling = (signed > 0) @ np.ones(free.size), (signed < 0) @ np.ones(free.size)
        zero = np.abs(left) <= tolerance * size
        none = exact & ~zero & (rising + falling == 0)
        if not cells.entropy:
            none = exact & ~zero & ((abs(G) @ free.astype(float)) == 0)
        if none.any():
            i = int(np.flatnonzero(none)[0])
            what = "no cell that may change" if (abs(G) @ (value != 0.0).astype(float))[i] else "no cell at all"
            raise ProblemError(
                f"{name(i)}: the total is {cells.target[i]:.10g}, but there is {what} ({int(none.sum())} such totals); "
                "give a cell a positive value, or the total an error"
            )
        if not cells.entropy:
            break
        wrong = exact & ~zero & (((left > 0) & (rising == 0)) | ((left < 0) & (falling == 0)))
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            raise ProblemError(
                f"{name(i)}: what its cells must add up to is {left[i]:.10g}, but all cells that may change are "
                f"{'negative' if left[i] > 0 else 'positive'} and keep their signs ({int(wrong.sum())} such totals)"
            )
        emptied = exact & zero & ((rising == 0) | (falling == 0)) & (rising + falling > 0)
        if not emptied.any():
            break
        gone = free & ((abs(G).T @ emptied.astype(float)) > 0.0)
        value[gone], free = 0.0, free & ~gone
    kept = np.flatnonzero(free)
    reduced = Cells(
        cells.value[kept],
        cells.variance[kept],
        cells.theta[kept],
        sp.csr_array(G[:, kept]),
        cells.target - G @ np.where(free, 0.0, value),
        cells.target_variance,
        cells.blocks,
        cells.entropy,
    )
    return Reduced(reduced, kept, value)


def check_sums(cells: Cells, sides: tuple[slice, slice], name: Name, tolerance: float) -> None:
    """Raise ProblemError if in a connected group of rows and columns the exact totals add up to different sums.

    With y = 1 on the rows and -1 on the columns of the group, y'G = 0 and y'r != 0 prove that G z = r has no solution.
    """
    y = np.zeros(cells.target.size)
    y[sides[0]], y[sides[1]] = 1.0, -1.0
    graph = abs(cells.G)
    count, group = connected_components(sp.csr_array(graph @ graph.T), directed=False)
    # A group with a total that may give way, or a cell that stands in one total only, can always be balanced.
    loose: np.ndarray = np.zeros(count, dtype=bool)
    loose[group[cells.target_variance > 0.0]] = True
    unmatched = np.flatnonzero(cells.G.T @ y != 0.0)
    if unmatched.size:
        touched = (graph[:, unmatched] @ np.ones(unmatched.size)) > 0
        loose[group[touched]] = True
    others: np.ndarray = np.ones(y.size, dtype=bool)
    others[sides[0]] = others[sides[1]] = False
    loose[group[others]] = True
    sums = np.bincount(group, weights=y * cells.target, minlength=count)
    size = np.bincount(group, weights=np.abs(cells.target), minlength=count)
    bad = np.flatnonzero(~loose & (np.abs(sums) > tolerance * size))
    if not bad.size:
        return
    worst = int(bad[np.argmax(np.abs(sums[bad]))])
    members = np.flatnonzero(group == worst)
    first, second = (members[y[members] == side] for side in (1.0, -1.0))
    raise ProblemError(
        f"totals: {_names(first, name)} add up to {cells.target[first].sum():.12g}, but "
        f"{_names(second, name)}, which share all their cells with them, to {cells.target[second].sum():.12g} "
        f"({bad.size} of {count} separate groups disagree); correct them, or give totals a standard error"
    )


def name_starved(
    cells: Cells, multipliers: np.ndarray, sides: tuple[slice, slice], name: Name, tolerance: float
) -> None:
    """After multipliers grew without limit: raise ProblemError if some totals provably need more than is there.

    For cells >= 0, the rows of a set S can get no more than the columns they have cells in hold; sets are looked for
    among those with the largest multipliers, from both sides. Found or not, nothing is claimed without such a proof.
    """
    if cells.value.min(initial=0.0) < 0.0 or cells.G.data.min(initial=1.0) < 0.0 or cells.target_variance.any():
        return
    for one, other in (sides, sides[::-1]):
        G, H = cells.G[one], cells.G[other]
        order = np.argsort(-multipliers[one], kind="stable")
        rank = np.empty(order.size, dtype=np.int64)
        rank[order] = np.arange(order.size)
        between = (G @ H.T).tocoo()
        touched: np.ndarray = np.full(H.shape[0], order.size, dtype=np.int64)
        np.minimum.at(touched, between.col, rank[between.row])
        need = np.cumsum(cells.target[one][order])
        have = np.cumsum(np.bincount(touched, weights=cells.target[other], minlength=order.size + 1)[:-1])
        short = need - have
        at = int(np.argmax(short))
        if short[at] > tolerance * need[at]:
            needy = order[: at + 1] + one.start
            givers = np.flatnonzero(touched <= at) + other.start
            raise ProblemError(
                f"totals: {_names(needy, name)} must add up to {need[at]:.10g}, but all their cells lie in "
                f"{_names(givers, name)}, which add up to {have[at]:.10g}; cells that are zero stay zero"
            )


def _names(totals: np.ndarray, name: Name, limit: int = 3) -> str:
    more = f" and {totals.size - limit} more" if totals.size > limit else ""
    return ", ".join(name(int(i)) for i in totals[:limit]) + more
