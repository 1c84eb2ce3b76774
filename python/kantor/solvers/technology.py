"""Technology: techniques with one product each, per unit of output, in units of value, on a backend.

A good costs T(p)_i = min over its techniques of (cost_j + A_j'p). In units of value (a unit of every good is worth one
at reference prices) neither tolerances nor iteration counts depend on the physical units in which goods are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend
from .bicgstab import Bicgstab
from .iteration import iterate
from .neumann import Neumann
from .problem import FloatArray
from .program import PlanningProgram
from .system import System
from .watch import CONVERGED, Watch

_UNIT_SWEEPS = 20  # of the least-cost operator, from below: prices to within a few per cent, which is all units need
_MOST_ITERATIONS = 5000


def not_leontief(program: PlanningProgram) -> str:
    """Why the program is no choice among techniques with one product each, or "" if it is.

    Every technique makes one good and uses no negative input; every good has a technique; nothing is demanded
    negatively, no resource is set free, and no cost is negative. Then, at any rents, one technique a good is best
    whatever is demanded (non-substitution; Veinott 1968), and no good is ever made in excess.
    """
    own = program.producer_of
    if (own == -2).any():
        return "some techniques make several goods"
    if (own == -1).any():
        return "some techniques make nothing"
    if np.bincount(own, minlength=program.shape[0]).min(initial=1) == 0:
        return "some goods are made by no technique"
    if program.input.nnz and program.input.data.min() < 0.0:
        return "some inputs are negative"
    if program.resource_use.nnz and program.resource_use.data.min() < 0.0:
        return "some uses of resources are negative"
    if np.isfinite(program.resource_lower).any():
        return "some resources have a lower limit"
    if (program.resource_upper <= 0.0).any():
        return "some limits are not positive"
    if program.kind != "utility" and (program.targets < 0.0).any():
        return "some targets are negative"
    bounds = (program.resource_upper, program.capacity)
    if program.kind != "use" and not any(np.isfinite(bound).any() for bound in bounds):
        return "nothing limits the plan"
    return "some costs are negative" if (program.cost < 0.0).any() else ""


@dataclass
class Technology:
    """See the module. n goods, m techniques, r limited resources; techniques keep the order of the program.

    Attributes
    ----------
    own: (m,) the good a technique makes.
    inputs: (m, n) CSR, row j: what a unit of output by technique j uses.
    cost: (m,) direct cost per unit of output. use: (m, r) share of each limit per unit of output.
    limited: (r,) rows of the program's resources that have a limit; limit: (r,) those limits.
    value: (n,) worth of a physical unit of each good; per_activity: (m,) output in value per unit of activity.
    products: policy products (n rows) spent so far; one pass over all techniques counts m / n.
    """

    own: np.ndarray[Any, Any]
    inputs: sp.csr_array
    cost: FloatArray
    use: FloatArray
    limited: np.ndarray[Any, Any]
    limit: FloatArray
    value: FloatArray
    per_activity: FloatArray
    backend: Backend
    order: np.ndarray[Any, Any]
    starts: np.ndarray[Any, Any]
    products: float = 0.0

    def __post_init__(self) -> None:
        self._all = self.backend.prepare(self.inputs, transpose=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(goods, techniques, limited resources)."""
        return self.inputs.shape[1], self.inputs.shape[0], self.limit.size

    @property
    def passes(self) -> float:
        """Products so far in passes over all techniques."""
        return self.products * self.inputs.shape[1] / self.inputs.shape[0]

    # ---- products ----------------------------------------------------------------------------------------------
    def input_cost(self, prices: FloatArray) -> FloatArray:
        """(m,) A'p: what the inputs of a unit of output cost."""
        out = self.backend.zeros(self.inputs.shape[0])
        self.backend.matvec(self._all, self.backend.from_host(prices), out)
        self.products += self.inputs.shape[0] / self.inputs.shape[1]
        return self.backend.to_host(out)

    def least(self, unit_cost: FloatArray) -> tuple[FloatArray, np.ndarray[Any, Any]]:
        """(n,) the least of a (m,) vector among the techniques of each good, and which technique it is.

        What is not a number, as where prices of techniques that make less than they use have overflowed, is the most.
        """
        sorted_cost = np.where(np.isnan(unit_cost), np.inf, unit_cost)[self.order]
        least = np.minimum.reduceat(sorted_cost, self.starts)
        at = np.flatnonzero(sorted_cost == np.repeat(least, np.diff(np.append(self.starts, self.order.size))))
        first = at[np.unique(self.own[self.order[at]], return_index=True)[1]]
        return least, self.order[first]

    def rows(self, choice: np.ndarray[Any, Any]) -> sp.csr_array:
        """A_P' (n, n): inputs of the chosen technique of each good."""
        return self.inputs[choice]

    def solve(self, matrix: sp.csr_array, right: FloatArray, start: FloatArray, tolerance: float) -> FloatArray:
        """x = M x + right (n,) or (n, k) from ``start``, to ||residual|| <= tolerance ||right|| in units of value."""
        system = System(
            self.backend, self.backend.prepare(matrix, transpose=False), None if right.ndim == 1 else right.shape[1]
        )
        D, x = self.backend.from_host(right), self.backend.from_host(start)
        r = system.new()
        system.residual(D, x, r)
        watch = Watch(tolerance * system.norm(D), _MOST_ITERATIONS)
        if iterate(Bicgstab, system, D, x, r, watch) != CONVERGED:
            system.residual(D, x, r)
            iterate(Neumann, system, D, x, r, watch)
        self.products += system.products * (1 if right.ndim == 1 else right.shape[1])
        return self.backend.to_host(x)

    def turned(self, rows: Any) -> Any:
        """A_P of A_P', as :meth:`solve` takes it."""
        return sp.csr_array(rows.T)

    # ---- over all goods and techniques: the same where a rank has only its own (kantor.solvers.part_technology) -----
    def total(self, sums: Any) -> Any:
        """Sums over goods or techniques."""
        return sums

    def largest(self, value: float) -> float:
        """The largest of values."""
        return value

    def anywhere(self, flags: np.ndarray[Any, Any]) -> bool:
        """Whether one is true."""
        return bool(flags.any())

    # ---- units -------------------------------------------------------------------------------------------------
    def activity(self, output: FloatArray) -> FloatArray:
        """Activity (m,) in physical units of outputs (m,) in value."""
        return output / self.per_activity

    def prices(self, values: FloatArray) -> FloatArray:
        """Prices (n,) in physical units."""
        return values * self.value

    @staticmethod
    def of(
        program: PlanningProgram, backend: Backend, weights: FloatArray | None = None, prices: FloatArray | None = None
    ) -> Technology:
        """The technology of a program for which :func:`not_leontief` has no objection.

        ``weights`` (r,) are rents per limit at which reference prices are found; by default one each, relative to the
        limits, and the direct costs. ``prices`` (n,) of an earlier plan are reference prices themselves, if all are
        positive.
        """
        own, made = program.producer_of, program.own_output
        limited = np.flatnonzero(np.isfinite(program.resource_upper))
        limit = program.resource_upper[limited]
        use = np.asarray(program.resource_use[limited].T.toarray()).reshape(own.size, -1) / limit / made[:, None]
        cost = program.cost / made
        inputs = sp.csr_array(program.input.T)
        inputs.data = inputs.data / np.repeat(made, np.diff(inputs.indptr))
        order = np.argsort(own, kind="stable")
        starts = np.searchsorted(own[order], np.arange(program.shape[0]))
        full = cost if cost.any() else use @ np.ones(limited.size)
        value = prices if prices is not None and (prices > 0.0).all() else _reference(inputs, full, order, starts)
        inputs.data /= np.repeat(value[own], np.diff(inputs.indptr))
        inputs.data *= value[inputs.indices]
        return Technology(
            own, inputs, cost / value[own], use / value[own][:, None], limited, limit, value, made * value[own],
            backend, order, starts,
        )  # fmt: skip


def _reference(inputs: sp.csr_array, cost: FloatArray, order: Any, starts: Any) -> FloatArray:
    """(n,) > 0: prices rising from zero by p <- T(p); goods that embody no cost get one from their use as inputs."""
    prices = np.zeros(inputs.shape[1])
    for _ in range(_UNIT_SWEEPS):
        prices = np.minimum.reduceat((cost + inputs @ prices)[order], starts)
    free = ~(prices > 0.0)
    if free.any():
        largest = np.zeros(prices.size)
        np.maximum.at(largest, inputs.indices, inputs.data)
        prices = np.where(free, 1.0 / np.where(largest > 0.0, largest, 1.0), prices)
    return prices
