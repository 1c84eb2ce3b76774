"""A square economy without capacities, per unit of output: what is left when gross outputs are eliminated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from .bounds import DualPoint
from .mix import one_sided_solve
from .problem import FloatArray
from .program import PlanningProgram
from .repair import PlanPoint
from .solution import Status


@dataclass(frozen=True)
class ReducedAnswer:
    """A plan and its dual point (a Farkas ray if infeasible); ``why`` says what decided it."""

    status: Status
    plan: PlanPoint
    dual: DualPoint
    why: str


@dataclass(frozen=True)
class SquareEconomy:
    """The eliminated form: I - A per unit of output, R per unit of output, supplies from outside per good."""

    inputs: sp.csr_array
    resource_use: sp.csr_array
    per_output: FloatArray
    supply: FloatArray
    makers: np.ndarray[Any, Any]
    suppliers: np.ndarray[Any, Any]

    def transposed(self, active: np.ndarray[Any, Any]) -> sp.csr_array:
        """A' among the active goods."""
        if active.all():
            return self._transposed
        keep = sp.diags_array(active.astype(np.float64))
        among = sp.csr_array(keep @ self._transposed @ keep)
        among.eliminate_zeros()
        return among

    @cached_property
    def _transposed(self) -> sp.csr_array:
        return sp.csr_array(self.inputs.T)

    def prices(
        self, cost: FloatArray, active: np.ndarray[Any, Any], backend: Any, start: FloatArray | None = None
    ) -> FloatArray | None:
        """p = A'p + cost over the active goods, a little below; zero for the others, whose output is not needed."""
        found = one_sided_solve(
            self.transposed(active), np.where(active, cost, 0.0), -1.0, start=start, backend=backend
        )
        return None if found is None else np.maximum(found, 0.0)

    def cost(self, program: PlanningProgram) -> FloatArray:
        """(n,) direct cost per unit of output."""
        return np.asarray(program.cost[self.makers] * self.per_output)

    def activity(self, output: FloatArray, m: int, capacity: FloatArray) -> FloatArray:
        """Activity (m,) of gross outputs (n,), with every supply from outside used in full."""
        x = np.zeros(m)
        x[self.makers] = output * self.per_output
        x[self.suppliers] = capacity[self.suppliers]
        return x


def suppliers(program: PlanningProgram) -> np.ndarray[Any, Any]:
    """(m,) techniques that make one good out of nothing, at no cost, up to a finite capacity."""
    if not np.isfinite(program.capacity).any():
        return np.zeros(program.shape[1], bool)
    inputs = np.bincount(program.input.indices, minlength=program.shape[1])
    use = np.bincount(program.resource_use.indices, minlength=program.shape[1])
    return (program.producer_of >= 0) & (inputs + use == 0) & np.isfinite(program.capacity) & (program.cost == 0.0)


def eliminate(program: PlanningProgram) -> SquareEconomy:
    """The square economy of a program whose other techniques make one good each."""
    outside = suppliers(program)
    supply = program.output @ np.where(outside, program.capacity, 0.0)
    if program.diagonal_output is not None and (program.diagonal_output == 1.0).all():
        n = program.shape[0]
        return SquareEconomy(program.input, program.resource_use, np.ones(n), supply, np.arange(n), np.zeros(0, int))
    makers = np.flatnonzero(~outside)
    makers = makers[np.argsort(program.producer_of[makers], kind="stable")]
    per_output = 1.0 / program.own_output[makers]
    scale = sp.diags_array(per_output)
    inputs = sp.csr_array(program.input[:, makers] @ scale)
    return SquareEconomy(
        inputs,
        sp.csr_array(program.resource_use[:, makers] @ scale),
        per_output,
        supply,
        makers,
        np.flatnonzero(outside),
    )
