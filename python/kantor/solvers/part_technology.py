"""The technology of an economy of which every rank has only its own goods and techniques.

What kantor.solvers.policy and kantor.solvers.level ask of a Technology, on a rank's own parts: they run unchanged. A
policy is no matrix here but the whole table with all other techniques at rest: A_P q = A x with x = q where a technique
is chosen, 0 elsewhere, and A_P'p is A'p read off at the chosen ones. So nothing is ever selected from the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..backends import Backend, Operator
from ..backends.distributed import SpreadBackend
from ..backends.partition import Layout
from ..backends.world import World
from .problem import FloatArray
from .technology import Technology

_UNIT_SWEEPS = 20  # as kantor.solvers.technology


@dataclass
class Table:
    """A on all ranks: products with own parts, and how many terms a sum of one has at most.

    Host arrays in, host arrays out; ``held`` are the entries of this rank. Every product is collective.
    """

    spread: SpreadBackend
    op: Operator
    by_row: np.ndarray[Any, Any]
    by_column: int
    halo: int
    held: int

    @staticmethod
    def of(rows: sp.csr_array, goods: Layout, techniques: Layout, local: Backend, world: World) -> Table:
        """From every rank's rows of A: own goods, all techniques. Collective."""
        spread = SpreadBackend(local, world)
        counts = np.diff(rows.indptr)
        own = int(np.bincount(rows.indices).max(initial=0)) if rows.nnz else 0
        at = int(goods.offsets[world.rank]) + np.arange(rows.shape[0], dtype=np.int64)
        op = spread.prepare_entries(rows, at, goods, techniques)
        handle: Any = op.handle
        return Table(spread, op, counts, int(world.sum(np.array([own]))[0]), handle.forward.fetched, int(rows.nnz))

    def times(self, x: FloatArray) -> FloatArray:
        """A x: own techniques to own goods."""
        out = np.zeros(self.op.shape[0])
        self.spread.matvec(self.op, x, out)
        return out

    def turned_times(self, p: FloatArray) -> FloatArray:
        """A'p: own goods to own techniques."""
        out = np.zeros(self.op.shape[1])
        self.spread.rmatvec(self.op, p, out)
        return out


@dataclass
class _Product:
    """What SpreadBackend calls: out <- M x for one right-hand side."""

    apply: Any

    def times(self, x: FloatArray, out: FloatArray) -> None:
        out[...] = self.apply(x)

    def few_products(self) -> None:
        """Nothing is prepared."""


@dataclass
class _Handle:
    forward: _Product
    backward: None = None


@dataclass
class PartTechnology(Technology):
    """A Technology whose arrays are a rank's own: see there. ``table`` has A in physical units."""

    table: Table | None = None

    def _operator(self, apply: Any, shape: tuple[int, int]) -> Operator:
        assert self.table is not None
        return Operator(shape, self.table.held, _Handle(_Product(apply)))

    def rows(self, choice: np.ndarray[Any, Any]) -> Any:
        n, m = self.shape[:2]
        table, value, per = self.table, self.value, self.per_activity
        assert table is not None

        def turned(p: FloatArray) -> FloatArray:
            return table.turned_times(p * value)[choice] / per[choice]

        def straight(q: FloatArray) -> FloatArray:
            x = np.zeros(m)
            x[choice] = q / per[choice]
            return table.times(x) * value

        found = self._operator(turned, (n, n))
        found.transpose = self._operator(straight, (n, n))
        return found

    def turned(self, rows: Any) -> Any:
        return rows.transpose

    def total(self, sums: Any) -> Any:
        assert self.table is not None
        return self.table.spread.world.sum(np.asarray(sums, dtype=np.float64))

    def largest(self, value: float) -> float:
        assert self.table is not None
        return float(self.table.spread.world.gather(np.array([value])).max())

    def anywhere(self, flags: np.ndarray[Any, Any]) -> bool:
        return self.largest(float(flags.any())) > 0.0

    @staticmethod
    def on_ranks(table: Table, own: np.ndarray[Any, Any], cost: FloatArray, use: FloatArray, limit: FloatArray) -> Any:
        """The technology; cost (t,) and use (t, r) per unit of activity, which makes a unit of good ``own``."""
        n, m = table.op.shape
        order = np.argsort(own, kind="stable")
        starts = np.searchsorted(own[order], np.arange(n))
        share = use / limit
        full = cost if table.spread.world.sum(np.array([cost.sum()]))[0] > 0.0 else share.sum(axis=1)
        prices = np.zeros(n)
        for _ in range(_UNIT_SWEEPS):
            prices = np.minimum.reduceat((full + table.turned_times(prices))[order], starts)
        value = np.where(prices > 0.0, prices, 1.0)
        per = value[own]
        costs = _Handle(_Product(lambda p: table.turned_times(p * value) / per))
        inputs: Any = Operator((m, n), table.held, costs)
        return PartTechnology(
            own, inputs, cost / per, share / per[:, None], np.arange(limit.size), limit,
            value, per, table.spread, order, starts, table=table,
        )  # fmt: skip
