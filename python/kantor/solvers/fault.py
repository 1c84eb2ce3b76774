"""Who is at fault where an economy is not productive: a strongly connected group of sectors, and what has to change."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from ..backends import Backend
from ..errors import ProblemError
from .problem import FloatArray
from .radius import radius_bounds
from .rigour import gamma
from .square_table import SquareTable

GROUPS = 50  # groups compared before the worst so far is named
LEVERS = 3  # inputs named

Sectors = np.ndarray[Any, Any]


class NotProductive(ProblemError):
    """The economy uses at least as much of some goods as it makes, whatever the levels at which it runs.

    Attributes
    ----------
    sectors : labels, or numbers, of the strongly connected group at fault
    part : a small part of the group that by itself is not productive either; the group if there is none
    lower, upper : proved bounds on the spectral radius of the group
    reduction : the share by which all inputs of the group from itself must fall at least, 1 - 1 / lower
    levers : (input, user, elasticity): the inputs within the group whose fall lowers its radius most. An elasticity of
        0.2 says that 1 % less of this input makes the radius 0.2 % smaller; over all inputs they sum to 1
    """

    def __init__(
        self,
        said: str,
        sectors: tuple[object, ...],
        part: tuple[object, ...],
        bounds: tuple[float, float],
        levers: list[tuple[object, object, float]],
    ) -> None:
        super().__init__(said)
        self.sectors, self.part, self.levers = sectors, part, levers
        self.lower, self.upper = bounds
        self.reduction = max(0.0, 1.0 - 1.0 / self.lower) if self.lower > 0.0 else 0.0


def find_fault(
    matrix: sp.csr_array, size: sp.csr_array, sums: FloatArray, table: SquareTable, tolerance: float, backend: Backend
) -> NotProductive | None:
    """What is wrong; None if entries below zero leave that open. ``size`` = |matrix|, ``sums`` its column sums."""
    size = size.copy()  # stored zeros are no flows
    size.eliminate_zeros()
    group, lower, upper = _worst_group(size, tolerance, backend)
    part, part_lower, levers = group, lower, []
    if table.nonnegative:
        if len(group) > 1:
            block = _block(size, group)
            w, p = _eigenvectors(block, tolerance, backend)
            levers = [(int(group[i]), int(group[j]), share) for i, j, share in _levers(block, p, w)]
            if lower >= 1.0:
                part, part_lower = _smallest_part(block, group, lower, p * w, tolerance, backend)
    else:
        lower = _use_of_own_goods(_block(matrix, group), tolerance, backend)
        if lower < 1.0:
            return None
    said = _said(table, group, part, (lower, upper), part_lower, sums, levers)
    label = lambda i: int(i) if table.labels is None else table.labels[int(i)]  # noqa: E731
    return NotProductive(
        said,
        tuple(label(i) for i in group),
        tuple(label(i) for i in part),
        (lower, upper),
        [(label(i), label(j), share) for i, j, share in levers],
    )


def _said(
    table: SquareTable,
    group: Sectors,
    part: Sectors,
    bounds: tuple[float, float],
    part_lower: float,
    sums: FloatArray,
    levers: list[tuple[int, int, float]],
) -> str:
    lower, upper = bounds
    names = f"the {len(group)} sectors {table.names(group)}, which all need one another,"
    if len(group) == 1:
        said = f"{table.name(group[0])} uses {lower:.6g} times the amount it makes of itself"
    elif lower >= 1.0:
        said = f"{names} use at least {lower:.6g} times what they make of their own goods"
    else:
        said = (
            f"{names} could not be shown to make more than they use: "
            f"the spectral radius is between {lower:.16g} and {upper:.16g}"
        )
    if 2 * len(part) <= len(group):
        said += f"; already {table.names(part)} alone: {part_lower:.6g} times"
    if lower > 1.0:
        what = "that input" if len(group) == 1 else "their inputs from one another"
        said += f"; {what} would have to fall by more than {100.0 * (1.0 - 1.0 / lower):.4g} %"
    if levers:
        told = ", ".join(f"{table.name(i)} used by {table.name(j)} ({100.0 * share:.3g} %)" for i, j, share in levers)
        said += f", most effectively {told}" if lower > 1.0 else f"; what weighs most: {told}"
    heavy = group[sums[group] > 1.0]
    heavy = heavy[np.argsort(-sums[heavy], kind="stable")]
    if heavy.size:
        more = f" and {heavy.size - 5} more" if heavy.size > 5 else ""
        said += "; column sums above 1: " + ", ".join(f"{table.name(j)} {sums[j]:.6g}" for j in heavy[:5]) + more
    return f"A: not productive: {said}"


def _worst_group(size: sp.csr_array, tolerance: float, backend: Backend) -> tuple[Sectors, float, float]:
    """The strongly connected group with the largest radius, of the fifty heaviest if that is 1 or more; its bounds."""
    _, component = connected_components(size, directed=True, connection="strong")
    diagonal = size.diagonal()
    members = np.bincount(component)
    single = members[component] == 1
    best = np.array([int(np.argmax(np.where(single, diagonal, -1.0)))])
    lower = upper = float(diagonal[best[0]]) if single.any() else -1.0
    rows = np.repeat(np.arange(size.shape[0]), np.diff(size.indptr))
    inside = component[rows] == component[size.indices]
    sums = np.bincount(size.indices[inside], weights=size.data[inside], minlength=size.shape[0])
    heaviest = np.zeros(members.size)
    np.maximum.at(heaviest, component, sums)
    # No radius exceeds the largest column sum, so groups are visited in that order until none can beat the best.
    looked = 0
    for number in np.argsort(-heaviest, kind="stable"):
        if heaviest[number] <= lower or (lower >= 1.0 and looked >= GROUPS):
            break
        if members[number] > 1:
            looked += 1
            group = np.flatnonzero(component == number)
            low, high, _ = radius_bounds(_block(size, group), tolerance, backend)
            if (low, high) > (lower, upper):
                best, lower, upper = group, low, high
    return best, lower, upper


def _magnitudes(matrix: sp.csr_array) -> sp.csr_array:
    return sp.csr_array((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _block(size: sp.csr_array, group: Sectors) -> sp.csr_array:
    return sp.csr_array(size[group][:, group])


def _use_of_own_goods(block: sp.csr_array, tolerance: float, backend: Backend) -> float:
    """min_i (A w)_i / w_i, guarded, entries below zero counted as they are; w > 0 belongs to the magnitudes.

    1 or more proves that no positive prices let every sector cover its costs: p (I - A) > 0 and (I - A) w <= 0 exclude
    each other.
    """
    magnitude = _magnitudes(block)
    _, _, w = radius_bounds(magnitude, tolerance, backend)
    guard = gamma(np.diff(block.indptr) + 4)
    return float(np.min(((block @ w) - guard * (magnitude @ w)) / w)) * (1.0 - 1e-15)


def _eigenvectors(block: sp.csr_array, tolerance: float, backend: Backend) -> tuple[FloatArray, FloatArray]:
    """Levels w and prices p that nearly belong to the radius, each with the largest entry 1."""
    _, _, w = radius_bounds(block, tolerance, backend)
    _, _, p = radius_bounds(sp.csr_array(block.T), tolerance, backend)
    return w / w.max(), p / p.max()


def _levers(block: sp.csr_array, p: FloatArray, w: FloatArray) -> list[tuple[int, int, float]]:
    """(row, column, elasticity) of the inputs with the largest p_i a_ij w_j: the derivative of the radius."""
    rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    share = p[rows] * block.data * w[block.indices]
    total = float(share.sum())
    best = np.argsort(-share, kind="stable")[:LEVERS]
    return [(int(rows[k]), int(block.indices[k]), float(share[k]) / total) for k in best if share[k] > 0.0]


def _smallest_part(
    block: sp.csr_array, group: Sectors, lower: float, weight: FloatArray, tolerance: float, backend: Backend
) -> tuple[Sectors, float]:
    """As few sectors as have a radius of 1 or more by themselves, taken in the order of their weight in the radius.

    The weight of a sector is p_i w_i, prices times levels: the derivative of the radius with respect to its own use.
    """
    order = np.argsort(-weight, kind="stable")
    radius = lambda count: radius_bounds(_block(block, order[:count]), tolerance, backend, "decided")[0]  # noqa: E731
    few, many = 0, 1
    while many < len(group) and radius(many) < 1.0:
        few, many = many, 2 * many
    many = min(many, len(group))
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if radius(middle) >= 1.0 else (middle, many)
    return group[np.sort(order[:many])], radius(many) if many < len(group) else lower
