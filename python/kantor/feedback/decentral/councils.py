"""Worker and consumer councils for the procedure of :mod:`kantor.feedback.decentral.exchange`, very many at once.

A worker council runs one technique up to its capacity; a consumer council values what it gets by ``sum_i w_i ln C_i``;
society's resources (labour, land) are products too, of which a fixed amount is there. All arrays are in units of the
usual amount of each product (``size``), which the constructors take care of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ...errors import ProblemError
from ...solvers.problem import FloatArray
from .exchange import Agreement, agree


class WorkerCouncils:
    """k councils, council j running column j of a net output table (n, k) at a level in [0, capacity_j].

    The answer to a signal is in closed form: the level whose net output is nearest to the old one less the signal.
    """

    def __init__(self, net_output: Any, capacity: FloatArray, size: FloatArray) -> None:
        self.table: Any = sp.csc_array(sp.diags_array(1.0 / size) @ sp.csc_array(net_output))
        self.count = self.table.shape[1]
        self.capacity = capacity
        self.length: FloatArray = np.asarray(self.table.multiply(self.table).sum(axis=0)).ravel()
        if not (self.length > 0).all():
            raise ProblemError("councils: a worker council that makes and uses nothing has nothing to propose")
        self.concerned = np.asarray(self.table.count_nonzero(axis=1), np.float64)
        self.level = np.zeros(self.count)
        self._moved = 0.0

    def propose(self, signal: FloatArray, rho: float) -> FloatArray:
        new = np.clip(self.level - (self.table.T @ signal) / self.length, 0.0, self.capacity)
        self._moved = float(self.length @ (new - self.level) ** 2)
        self.level = new
        return np.asarray(self.table @ new)

    def moved(self) -> float:
        return self._moved


class ConsumerCouncils:
    """k councils with weights (k, n) >= 0; council c takes C_c and values it by ``sum_i w_ci ln C_ci``.

    In closed form: C is the positive root of ``C^2 - s C = w/rho``, s being what it took before plus the signal.
    """

    def __init__(self, weights: FloatArray, size: FloatArray) -> None:
        self.weights = np.ascontiguousarray(weights, np.float64)
        self.count = len(weights)
        if (self.weights < 0).any():
            raise ProblemError("councils: weights are negative")
        self.concerned = (self.weights > 0).sum(axis=0).astype(np.float64)
        self.taken = np.zeros_like(self.weights)
        self.size, self._moved = size, 0.0

    def propose(self, signal: FloatArray, rho: float) -> FloatArray:
        s = self.taken + signal
        new = np.where(self.weights > 0, 0.5 * (s + np.sqrt(s * s + 4.0 * self.weights / rho)), 0.0)
        self._moved = float(((new - self.taken) ** 2).sum())
        self.taken = new
        return np.asarray(-new.sum(axis=0))

    def moved(self) -> float:
        return self._moved


class Endowment:
    """What society has of each resource, offered in full whatever is announced."""

    count = 1

    def __init__(self, amounts: FloatArray, size: FloatArray) -> None:
        self.amounts = np.asarray(amounts, np.float64) / size
        self.concerned = (self.amounts > 0).astype(np.float64)

    def propose(self, signal: FloatArray, rho: float) -> FloatArray:
        return self.amounts.copy()

    def moved(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Councils:
    """The outcome for councils: the agreement, levels (k,) of workers, consumption (c, n) of consumers."""

    agreement: Agreement
    levels: FloatArray
    consumption: FloatArray


def facilitate(
    net_output: Any, capacity: FloatArray, weights: FloatArray, endowment: FloatArray, **options: Any
) -> Councils:
    """Let worker and consumer councils agree.

    net_output : (n, k): what a level of 1 of each worker council makes less what it uses, of products and resources
    capacity : (k,); weights : (c, n) of consumer councils; endowment : (n,) >= 0 of products and resources
    options : as in :func:`kantor.feedback.decentral.exchange.agree`

    Prices are those at which nobody wants to change the plan: the multipliers of ``max sum w ln C`` subject to
    ``net output x + endowment >= C`` and the capacities.

    >>> found = facilitate([[1.0], [-2.0]], np.array([9.0]), np.array([[1.0, 0.0]]), np.array([0.0, 4.0]))
    >>> found.levels.round(3).tolist(), found.agreement.prices.round(3).tolist()
    ([2.0], [0.5, 0.25])
    """
    table = sp.csc_array(net_output)
    made = np.asarray(abs(table) @ np.where(np.isfinite(capacity), capacity, 0.0))
    weighted = weights.sum(axis=0)
    size = np.maximum(endowment, 0.0)
    # A usual amount of what nobody has at first: what the councils that make it could make, shared among resources.
    rough = np.where(made > 0, made, 1.0)
    limits = np.where(endowment > 0, endowment / rough, np.inf)
    part = min(1.0, float(limits.min(initial=np.inf)))
    size = np.where(size > 0, size, np.maximum(part * rough, 1e-12))
    workers = WorkerCouncils(table, capacity, size)
    consumers = ConsumerCouncils(weights, size)
    workers.level = np.minimum(part * np.where(np.isfinite(capacity), capacity, 1.0), capacity)
    consumers.taken = weights / np.where(weighted > 0, weighted, 1.0) * np.where(weighted > 0, 0.5, 0.0)
    agreement = agree([workers, consumers, Endowment(endowment, size)], size, **options)
    return Councils(agreement, workers.level, consumers.taken * size)
